-- Who may talk to the host. A key set keeps its highest counter; terminal_counter
-- is a ring of its newest counters with the digest of the message that used each
-- (slot is the counter modulo the ring's size), so it does not grow.
-- +goose Up
CREATE TABLE terminal (
    id       TEXT   NOT NULL PRIMARY KEY,
    merchant TEXT   NOT NULL,
    status   TEXT   NOT NULL,
    since    BIGINT NOT NULL
);
CREATE TABLE terminal_certificate (
    fingerprint BYTEA  NOT NULL PRIMARY KEY,
    terminal    TEXT   NOT NULL REFERENCES terminal (id),
    not_after   BIGINT NOT NULL,
    status      TEXT   NOT NULL
);
CREATE INDEX terminal_certificate_terminal ON terminal_certificate (terminal);
CREATE TABLE terminal_key_set (
    terminal TEXT   NOT NULL REFERENCES terminal (id),
    set_id   BYTEA  NOT NULL,
    scheme   TEXT   NOT NULL,
    bdk      TEXT   NOT NULL,
    pin      BIGINT NOT NULL,
    mac      BIGINT NOT NULL,
    data     BIGINT NOT NULL,
    status   TEXT   NOT NULL,
    highest  BIGINT NOT NULL,
    PRIMARY KEY (terminal, set_id)
);
CREATE TABLE terminal_counter (
    terminal TEXT   NOT NULL,
    set_id   BYTEA  NOT NULL,
    slot     BIGINT NOT NULL,
    counter  BIGINT NOT NULL,
    digest   BYTEA  NOT NULL,
    PRIMARY KEY (terminal, set_id, slot),
    FOREIGN KEY (terminal, set_id) REFERENCES terminal_key_set (terminal, set_id)
);
CREATE TABLE host_key (
    name      TEXT   NOT NULL PRIMARY KEY,
    block     TEXT   NOT NULL,
    kcv       TEXT   NOT NULL,
    usage     TEXT   NOT NULL,
    algorithm TEXT   NOT NULL,
    mode      TEXT   NOT NULL,
    bytes     BIGINT NOT NULL,
    test      BIGINT NOT NULL,
    label     TEXT   NOT NULL,
    since     BIGINT NOT NULL
);
