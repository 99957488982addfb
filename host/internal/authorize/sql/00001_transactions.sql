-- +goose Up
-- One row per transaction, by its identity for ever (rule 3).
CREATE TABLE card_transaction (
    id          TEXT   NOT NULL PRIMARY KEY, -- DE 41 and attempt id, or DE 41, MTI, DE 11, 12, 13
    claim       TEXT   NOT NULL, -- who decides it: node, boot and number
    node        TEXT   NOT NULL,
    terminal    TEXT   NOT NULL, -- DE 41
    merchant    TEXT   NOT NULL, -- DE 42
    attempt     TEXT   NOT NULL, -- hex attempt id, empty when none was sent
    mti         TEXT   NOT NULL,
    stan        TEXT   NOT NULL, -- DE 11
    transmitted TEXT   NOT NULL, -- DE 7
    processing  TEXT   NOT NULL, -- DE 3
    entry       TEXT   NOT NULL, -- DE 22
    amount      BIGINT NOT NULL, -- minor units
    currency    BIGINT NOT NULL, -- ISO 4217 numeric
    token       TEXT   NOT NULL,
    request     BYTEA  NOT NULL, -- digests of the first request and the first reversal,
    reversal    BYTEA  NOT NULL, -- and of what both must agree on; empty when none came
    subject     BYTEA  NOT NULL,
    state       TEXT   NOT NULL, -- undecided, approved, declined, reversed
    undo        BIGINT NOT NULL, -- 1: a reversal waits for the outcome
    rc          TEXT   NOT NULL, -- DE 39 towards the terminal
    filed       TEXT   NOT NULL, -- DE 39 as the host files it
    auth_code   TEXT   NOT NULL, -- DE 38
    why         TEXT   NOT NULL, -- what rc hides, for operators
    rrn         TEXT   NOT NULL, -- DE 37
    up_stan     TEXT   NOT NULL, -- STAN towards the issuer
    issuer      TEXT   NOT NULL, -- link; empty when no issuer was asked
    answer      BYTEA  NOT NULL, -- stored answer without MAC
    mac         TEXT   NOT NULL, -- verdicts
    pin         TEXT   NOT NULL,
    cryptogram  TEXT   NOT NULL,
    card_code   TEXT   NOT NULL,
    arpc        TEXT   NOT NULL, -- made, or none
    score       BIGINT NOT NULL,
    rules       TEXT   NOT NULL, -- version of the rules
    decision    TEXT   NOT NULL, -- JSON: action, reasons, feature vector
    received    BIGINT NOT NULL, -- microseconds UTC, as all times
    decided     BIGINT NOT NULL, -- 0 while undecided
    reversed    BIGINT NOT NULL, -- 0 unless reversed
    confirmed   BIGINT NOT NULL, -- 0 until the terminal has confirmed an approval
    scripts     BYTEA  NOT NULL, -- issuer script results that came with the confirmation
    final_chip  BYTEA  NOT NULL  -- and the data of the second GENERATE AC
);
CREATE INDEX card_transaction_terminal ON card_transaction (terminal, stan);
CREATE INDEX card_transaction_rrn ON card_transaction (rrn);
CREATE INDEX card_transaction_received ON card_transaction (received);
CREATE INDEX card_transaction_undecided ON card_transaction (node, received) WHERE state = 'undecided';
CREATE INDEX card_transaction_unconfirmed ON card_transaction (received) WHERE state = 'approved' AND confirmed = 0;

-- What is owed to an issuer. A row is armed before the issuer is asked and
-- waits to be sent from the moment the outcome must be undone.
CREATE TABLE issuer_outbox (
    id       TEXT   NOT NULL PRIMARY KEY, -- id of the transaction
    node     TEXT   NOT NULL,
    state    TEXT   NOT NULL, -- armed, waiting, manual
    issuer   TEXT   NOT NULL,
    up_stan  TEXT   NOT NULL,
    rrn      TEXT   NOT NULL,
    terminal TEXT   NOT NULL,
    attempt  TEXT   NOT NULL,
    amount   BIGINT NOT NULL,
    currency BIGINT NOT NULL,
    tries    BIGINT NOT NULL,
    next_at  BIGINT NOT NULL,
    created  BIGINT NOT NULL
);
CREATE INDEX issuer_outbox_waiting ON issuer_outbox (node, next_at) WHERE state = 'waiting';
