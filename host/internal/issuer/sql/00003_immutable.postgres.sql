-- An entry stays as it was written: any change or removal is refused.
-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION issuer_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is immutable', TG_TABLE_NAME; END $$;
-- +goose StatementEnd
CREATE TRIGGER issuer_entry_immutable BEFORE UPDATE OR DELETE ON issuer_entry
    FOR EACH ROW EXECUTE FUNCTION issuer_immutable();
CREATE TRIGGER issuer_entry_no_truncate BEFORE TRUNCATE ON issuer_entry
    FOR EACH STATEMENT EXECUTE FUNCTION issuer_immutable();
