-- The number of the last batch that each node committed. A writer that does not
-- know whether its commit happened asks by a committed write to its row (probes).
-- session rises with every start: a process whose session is gone is fenced off.
-- +goose Up
CREATE TABLE commit_probe (
    node    TEXT   NOT NULL PRIMARY KEY,
    session BIGINT NOT NULL,
    batch   BIGINT NOT NULL,
    probes  BIGINT NOT NULL
);
