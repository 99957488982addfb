-- +goose Up
-- Which count of tries a taken PIN try belongs to: a card's epoch rises whenever
-- its tries are restored, so that a try of an older count is never given back to
-- a newer one. 0 on an authorization: no try is open. pin_returned is how many of
-- the present count went back without a verdict.
ALTER TABLE card ADD COLUMN pin_epoch BIGINT NOT NULL DEFAULT 1;
ALTER TABLE card ADD COLUMN pin_returned BIGINT NOT NULL DEFAULT 0;
ALTER TABLE issuer_authorization ADD COLUMN pin_epoch BIGINT NOT NULL DEFAULT 0;
CREATE INDEX issuer_authorization_open_try ON issuer_authorization (node) WHERE pin_epoch > 0;
