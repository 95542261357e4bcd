-- Addresses that are nobody yet, in the order of their list, and the few that nobody wants to see.
CREATE INDEX address_parties ON address (first_seen_at DESC, id DESC) WHERE contact_id IS NULL AND NOT own AND NOT ignored;
CREATE INDEX address_ignored ON address (first_seen_at DESC, id DESC) WHERE ignored;
