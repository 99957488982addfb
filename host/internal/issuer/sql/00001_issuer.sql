-- +goose Up
CREATE TABLE issuer_key (
    name  TEXT   NOT NULL PRIMARY KEY,
    block TEXT   NOT NULL, -- TR-31 D under the LMK of the boundary
    kcv   TEXT   NOT NULL,
    since BIGINT NOT NULL
);

-- An account of a cardholder, or the account where acquirers are owed.
CREATE TABLE account (
    id           TEXT   NOT NULL PRIMARY KEY,
    currency     BIGINT NOT NULL, -- ISO 4217 numeric
    balance      BIGINT NOT NULL, -- minor units; the sum of its entries
    credit_limit BIGINT NOT NULL, -- how far below zero the balance may go
    status       TEXT   NOT NULL, -- open, closed
    opened       BIGINT NOT NULL
);

CREATE TABLE card (
    token       TEXT   NOT NULL PRIMARY KEY,
    account     TEXT   NOT NULL REFERENCES account (id),
    reference   BYTEA  NOT NULL, -- sealed by the boundary: PIN value, profile
    imk         TEXT   NOT NULL, -- name in issuer_key, empty for a card without chip
    pvk         TEXT   NOT NULL, -- empty for a card without PIN
    cvk         TEXT   NOT NULL, -- empty when card codes are not checked
    expiry      TEXT   NOT NULL, -- YYMM
    psn         TEXT   NOT NULL, -- two digits
    status      TEXT   NOT NULL, -- active, blocked, lost, stolen
    pin_limit   BIGINT NOT NULL,
    pin_left    BIGINT NOT NULL, -- tries left
    highest_atc BIGINT NOT NULL, -- -1 before the first
    added       BIGINT NOT NULL
);

-- One row per authorization, by its key for ever.
CREATE TABLE issuer_authorization (
    key        TEXT   NOT NULL PRIMARY KEY, -- node/STAN/RRN
    node       TEXT   NOT NULL,
    rrn        TEXT   NOT NULL,
    terminal   TEXT   NOT NULL,
    attempt    TEXT   NOT NULL,
    token      TEXT   NOT NULL, -- empty when a reversal came first
    amount     BIGINT NOT NULL,
    currency   BIGINT NOT NULL,
    state      TEXT   NOT NULL, -- pending, approved, declined, reversed
    code       TEXT   NOT NULL, -- DE 39, empty while pending
    auth_code  TEXT   NOT NULL,
    why        TEXT   NOT NULL,
    pin        TEXT   NOT NULL, -- verdicts of the boundary
    cryptogram TEXT   NOT NULL,
    card_code  TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    changed    BIGINT NOT NULL
);
CREATE INDEX issuer_authorization_pending ON issuer_authorization (node) WHERE state = 'pending';
CREATE INDEX issuer_authorization_rrn ON issuer_authorization (rrn);

-- No cryptogram is accepted twice, for ever.
CREATE TABLE cryptogram_seen (
    token      TEXT   NOT NULL,
    psn        TEXT   NOT NULL,
    atc        BIGINT NOT NULL,
    cryptogram BYTEA  NOT NULL,
    key        TEXT   NOT NULL,
    PRIMARY KEY (token, psn, atc, cryptogram)
);

-- Entries come in pairs that sum to zero and are never changed.
CREATE TABLE issuer_entry (
    id       TEXT   NOT NULL PRIMARY KEY, -- key of the authorization, step and line
    account  TEXT   NOT NULL,
    minor    BIGINT NOT NULL,
    currency BIGINT NOT NULL,
    rrn      TEXT   NOT NULL,
    at       BIGINT NOT NULL
);
CREATE INDEX issuer_entry_account ON issuer_entry (account);
