-- Other spellings of one address: `variant` is what all of them have in common, null where there is but one spelling.
-- Domains lead to partners as suggestions. What the configuration says about both is kept beside, since a link must not
-- depend on who works it out.
ALTER TABLE address ADD COLUMN variant text;
CREATE INDEX address_by_variant ON address (variant) WHERE variant IS NOT NULL;
CREATE INDEX address_by_domain ON address (reverse(split_part(value, '@', 2)) text_pattern_ops)
    WHERE kind = 'email' AND contact_id IS NULL;
CREATE INDEX contact_by_domain ON contact USING gin (domains) WHERE domains <> '{}';

CREATE TABLE matching (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    region text NOT NULL DEFAULT '',
    area_code text NOT NULL DEFAULT '',     -- of local numbers
    freemail text[] NOT NULL DEFAULT '{}'   -- domains that say nothing about a company, beside the known ones
);
INSERT INTO matching DEFAULT VALUES;
