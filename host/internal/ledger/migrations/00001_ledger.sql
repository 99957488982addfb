-- A posting is one use of a template: its inputs, from which its entries follow.
-- reverses names the posting that it mirrors, each at most once.
-- +goose Up
CREATE TABLE ledger_posting (
    id       TEXT   NOT NULL PRIMARY KEY,
    template TEXT   NOT NULL,
    terminal TEXT   NOT NULL,
    attempt  TEXT   NOT NULL,
    merchant TEXT   NOT NULL,
    issuer   TEXT   NOT NULL,
    amount   BIGINT NOT NULL CHECK (amount > 0),
    currency BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    reverses TEXT   UNIQUE REFERENCES ledger_posting (id)
);
CREATE TABLE ledger_entry (
    posting  TEXT   NOT NULL REFERENCES ledger_posting (id),
    line     BIGINT NOT NULL,
    account  TEXT   NOT NULL,
    minor    BIGINT NOT NULL CHECK (minor <> 0),
    currency BIGINT NOT NULL,
    PRIMARY KEY (posting, line)
);
CREATE INDEX ledger_entry_account ON ledger_entry (account, currency);
