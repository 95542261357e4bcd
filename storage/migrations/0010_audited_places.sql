-- The audit of mailboxes: a place that vanished from the server is kept for a while, because the same mail often appears
-- elsewhere (a move, a renamed folder, a server that numbers anew). By size, INTERNALDATE and a digest of its headers it is
-- recognised there without being fetched. A place of UIDVALIDITY 0 has a UID that means nothing any more. A place with
-- neither interaction nor quarantine is a mail that was left out on purpose.
ALTER TABLE mail_location
    ADD COLUMN gone_at timestamptz,
    ADD COLUMN size bigint,
    ADD COLUMN received_at timestamptz,
    ADD COLUMN head_sha256 bytea;
CREATE INDEX mail_location_by_likeness ON mail_location (source_id, received_at, size) WHERE interaction_id IS NOT NULL;

-- Mails that no sync had brought and an audit found.
ALTER TABLE source ADD COLUMN audit_repairs bigint NOT NULL DEFAULT 0;
