-- Recordings of calls that are to be fetched from their provider, and what became of it.
CREATE TABLE recording (
    interaction_id uuid NOT NULL REFERENCES interaction,
    link text NOT NULL,
    source text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT now(),
    error text,
    done_at timestamptz,                    -- stored, or given up
    PRIMARY KEY (interaction_id, link)
);
CREATE INDEX recording_due ON recording (not_before) WHERE done_at IS NULL;
