-- Persons whose data was erased. The act names nobody: ids, counts, and keyed hashes by which older mail of theirs is
-- recognised and left out. What the act says is also a line of the ledger in data_dir, for restores of older backups.
CREATE TABLE erasure (
    id uuid PRIMARY KEY,
    contact_id uuid NOT NULL,
    mode text NOT NULL CHECK (mode IN ('anonymise', 'remove')),
    reason text NOT NULL,
    erased_by uuid,                         -- null: a program or a command
    erased_at timestamptz NOT NULL,
    counts jsonb NOT NULL,
    interactions uuid[] NOT NULL,
    addresses bytea[] NOT NULL,
    noted_at timestamptz,                   -- in the ledger
    cleaned_at timestamptz                  -- its bytes are gone from the disk too
);
CREATE INDEX erasure_unclean ON erasure (erased_at) WHERE cleaned_at IS NULL;

CREATE TABLE erased_address (
    hash bytea PRIMARY KEY,
    erased_at timestamptz NOT NULL
);

-- Ranges of pack files that no row names any more and that are still to be overwritten.
CREATE TABLE erased_range (
    pack text NOT NULL,
    start bigint NOT NULL,
    size bigint NOT NULL,
    PRIMARY KEY (pack, start)
);

ALTER TABLE interaction ADD COLUMN erased_at timestamptz;
