-- The next retrieval reference number that no node has leased.
-- +goose Up
CREATE TABLE rrn_next (
    id   BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    next BIGINT NOT NULL
);
INSERT INTO rrn_next (id, next) VALUES (1, 1);
