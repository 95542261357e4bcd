-- Who we are and whom we know. A user is a contact of kind 'user' with a login, so that history names people who
-- have left. Addresses stand on their own: a participant points to an address, an address has owners for a time, and
-- carries the link that follows from them (`contact_id`, or candidates). Giving an address to a contact is therefore
-- one update that re-matches all history, and nothing else is rewritten.

CREATE TABLE department (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    parent_id uuid REFERENCES department,
    head_id uuid,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE contact (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('partner', 'contact_person', 'individual', 'user')),
    name text NOT NULL,
    name_key text NOT NULL,                 -- folded in Python: lower case, ё as е; never by the database's collation
    parent_id uuid REFERENCES contact,      -- of a partner: the company it belongs to
    department_id uuid REFERENCES department,
    responsible_id uuid REFERENCES contact,
    external_ref text UNIQUE,
    domains text[] NOT NULL DEFAULT '{}',
    inn text,
    kpp text,
    tags text[] NOT NULL DEFAULT '{}',
    comment text,
    extra jsonb NOT NULL DEFAULT '{}',
    version integer NOT NULL DEFAULT 1,
    merged_into uuid REFERENCES contact,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX contact_by_name ON contact (name_key, id);

ALTER TABLE department ADD CONSTRAINT department_head FOREIGN KEY (head_id) REFERENCES contact;

CREATE TABLE address (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('email', 'phone', 'other')),
    value text NOT NULL,                    -- canonical, made in Python
    own boolean NOT NULL DEFAULT false,     -- a mailbox, alias or line of ours: never a customer
    ignored boolean NOT NULL DEFAULT false, -- a party nobody wants to see
    contact_id uuid REFERENCES contact,     -- the link that follows from the owners
    rule text NOT NULL DEFAULT 'none',
    confidence text NOT NULL DEFAULT 'none',
    candidates uuid[] NOT NULL DEFAULT '{}',
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, value)
);
CREATE INDEX address_by_contact ON address (contact_id) WHERE contact_id IS NOT NULL;

CREATE TABLE address_owner (
    address_id uuid NOT NULL REFERENCES address,
    contact_id uuid NOT NULL REFERENCES contact,
    raw text NOT NULL,                      -- as a person wrote it
    label text NOT NULL DEFAULT '',
    position integer NOT NULL DEFAULT 0,
    since date,
    until date,
    PRIMARY KEY (address_id, contact_id)
);
CREATE INDEX address_owner_by_contact ON address_owner (contact_id, position);

-- A choice a person made for an address, in one chain or everywhere (chain_id null).
CREATE TABLE remembered_match (
    id uuid PRIMARY KEY,
    address_id uuid NOT NULL REFERENCES address,
    chain_id uuid,
    contact_id uuid REFERENCES contact,     -- null: "nobody we know"
    decided_by uuid REFERENCES contact,
    decided_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX remembered_match_by_address ON remembered_match (address_id);

CREATE TABLE employment (
    person_id uuid NOT NULL REFERENCES contact,
    partner_id uuid NOT NULL REFERENCES contact,
    since date,
    until date,
    position text NOT NULL DEFAULT '',
    UNIQUE NULLS NOT DISTINCT (person_id, partner_id, since)
);
CREATE INDEX employment_by_partner ON employment (partner_id);

CREATE TABLE login (
    user_id uuid PRIMARY KEY REFERENCES contact,
    email text NOT NULL UNIQUE,             -- canonical
    password_hash text,
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('admin', 'member', 'reader')),
    language text,
    timezone text,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE absence (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES contact,
    since timestamptz NOT NULL,
    until timestamptz,
    deputy_id uuid REFERENCES contact
);
CREATE INDEX absence_by_user ON absence (user_id);

-- Who had an extension at a PBX, and when: who answered is resolved at the time of the call.
CREATE TABLE extension (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    extension text NOT NULL,
    user_id uuid NOT NULL REFERENCES contact,
    since timestamptz,
    until timestamptz
);
CREATE INDEX extension_by_number ON extension (source, extension);

-- Secrets of people and programs are stored as hashes only.
CREATE TABLE session (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES contact,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX session_by_expiry ON session (expires_at);

CREATE TABLE once_link (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES contact,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE TABLE api_token (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);
