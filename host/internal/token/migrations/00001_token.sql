-- The look-up value of a PAN (HMAC under a key of the boundary) stands apart from
-- the BIN and the last four digits, so that no table alone narrows a search.
-- +goose Up
CREATE TABLE token_lookup (
    lookup BYTEA NOT NULL PRIMARY KEY,
    token  TEXT  NOT NULL UNIQUE
);
CREATE TABLE token (
    token     TEXT  NOT NULL PRIMARY KEY REFERENCES token_lookup (token),
    sealed    BYTEA NOT NULL,
    bin       TEXT  NOT NULL,
    last_four TEXT  NOT NULL
);
