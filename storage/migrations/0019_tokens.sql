-- Tokens of mailboxes (OAuth 2.0), sealed with a key that is not in the database. Whoever renews one holds its row locked
-- for as long as that takes: a refresh token that the provider exchanges is good once.
CREATE TABLE source_token (
    source_id integer PRIMARY KEY REFERENCES source,
    version bigint NOT NULL DEFAULT 0,      -- raised by each write; who has seen an older one writes nothing
    origin bytea,                           -- digest of what the configuration gave that these tokens come from
    superseded bytea[] NOT NULL DEFAULT '{}', -- of what it gave before: a daemon that still has that is behind
    key_id text,                            -- which secret key they are sealed with
    refresh bytea,
    is_given boolean NOT NULL DEFAULT true, -- the refresh token is still the one of the configuration
    access bytea,
    life_seconds double precision NOT NULL DEFAULT 0,
    fetched_at timestamptz
);

-- Where the counting of what a source catches up with began, so that a rate can be told.
ALTER TABLE source ADD COLUMN counted_from bigint, ADD COLUMN counted_since timestamptz, ADD COLUMN counted_at timestamptz;
