-- When two contacts become one, all that names the one that goes is found by these.
CREATE INDEX contact_by_redirect ON contact (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX subject_participant_by_contact ON subject_participant (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX subject_participant_by_partner ON subject_participant (partner_id) WHERE partner_id IS NOT NULL;
