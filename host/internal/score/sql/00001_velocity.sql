-- +goose Up
-- One row per subject: sliding sums of attempts over a minute, an hour and a
-- day, packed (package score, history).
CREATE TABLE velocity (
    kind     TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    currency BIGINT NOT NULL,
    history  BYTEA  NOT NULL,
    updated  BIGINT NOT NULL,
    PRIMARY KEY (kind, subject, currency)
);
CREATE INDEX velocity_updated ON velocity (updated);
