-- An entry stays as it was written: any change or removal is refused.
-- +goose Up
-- +goose StatementBegin
CREATE TRIGGER issuer_entry_no_update BEFORE UPDATE ON issuer_entry
BEGIN SELECT RAISE(ABORT, 'issuer_entry is immutable'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER issuer_entry_no_delete BEFORE DELETE ON issuer_entry
BEGIN SELECT RAISE(ABORT, 'issuer_entry is immutable'); END;
-- +goose StatementEnd
