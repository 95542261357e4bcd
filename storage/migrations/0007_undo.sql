-- What can be taken back: what stood there before a change of many records, kept until it is used or too old. The token
-- is a secret of whoever made the change; only its hash is stored.

CREATE TABLE undo (
    token_hash bytea PRIMARY KEY,
    kind text NOT NULL,                     -- which change it was, and so who can read the image
    image jsonb NOT NULL,
    made_by uuid REFERENCES contact,        -- null: a program
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    used_by uuid REFERENCES contact
);
CREATE INDEX undo_by_expiry ON undo (expires_at);
