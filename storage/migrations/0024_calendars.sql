-- The address by which a telephone or Outlook reads one person's meetings and plans; only a hash of its secret is kept.
CREATE TABLE calendar_link (
    user_id uuid PRIMARY KEY REFERENCES contact,
    secret_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
