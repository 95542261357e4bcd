-- What a person decided about a participant: whom it is, or that it is nobody we know (contact_id null). 'remembered' is
-- a decision made for another message of the same chain. Where it is null, the link follows from the address, except that
-- a contact_id alone is a choice made while entering, or the user behind an extension.
ALTER TABLE participant ADD COLUMN decided text CHECK (decided IN ('manual', 'remembered'));

DROP INDEX remembered_match_by_address;
CREATE UNIQUE INDEX remembered_match_of ON remembered_match (address_id, chain_id) NULLS NOT DISTINCT;
CREATE INDEX remembered_match_by_contact ON remembered_match (contact_id) WHERE contact_id IS NOT NULL;
