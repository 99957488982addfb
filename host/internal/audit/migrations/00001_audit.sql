-- One numbered hash chain per node. A boot is one start of a node; first is the
-- number of its first entry. A checkpoint says that the chain had count entries
-- and ended in head, signed by the HSM boundary.
-- +goose Up
CREATE TABLE audit_boot (
    node  TEXT   NOT NULL,
    boot  BIGINT NOT NULL,
    first BIGINT NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (node, boot)
);
CREATE TABLE audit_entry (
    node   TEXT   NOT NULL,
    number BIGINT NOT NULL,
    boot   BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    kind   TEXT   NOT NULL,
    actor  TEXT   NOT NULL,
    object TEXT   NOT NULL,
    detail TEXT   NOT NULL,
    hash   BYTEA  NOT NULL,
    PRIMARY KEY (node, number)
);
CREATE TABLE audit_checkpoint (
    node      TEXT   NOT NULL,
    count     BIGINT NOT NULL,
    boot      BIGINT NOT NULL,
    head      BYTEA  NOT NULL,
    signature BYTEA  NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (node, count)
);
