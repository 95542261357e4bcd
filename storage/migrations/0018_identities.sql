-- What a server calls a mail wherever it lies, and its conversation (RFC 8474, Google), with the labels that Google shows
-- in place of folders. By its name a mail is recognised at another place without a look at its headers. `seen` is the
-- server's \Seen as it was last heard of, kept only where the mailbox is handled in another program: a change of it sets
-- or takes away "reviewed".
ALTER TABLE mail_location
    ADD COLUMN mail_id text,
    ADD COLUMN thread_id text,
    ADD COLUMN labels text[],
    ADD COLUMN seen boolean;
CREATE INDEX mail_location_by_mail_id ON mail_location (source_id, mail_id)
    WHERE mail_id IS NOT NULL AND interaction_id IS NOT NULL;

-- Mails that were too large to be fetched whole, and that somebody wants whole. Whoever runs the source works them off;
-- one that cannot be had is kept with its reason.
CREATE TABLE completion (
    interaction_id uuid PRIMARY KEY REFERENCES interaction,
    source_id integer NOT NULL REFERENCES source,
    asked_at timestamptz NOT NULL DEFAULT now(),
    asked_by uuid REFERENCES contact,
    tries integer NOT NULL DEFAULT 0,
    failed_at timestamptz,
    reason text NOT NULL DEFAULT ''
);
CREATE INDEX completion_to_do ON completion (source_id, asked_at) WHERE failed_at IS NULL;
