-- The place of a mail in quarantine is freed when it is read.
CREATE INDEX mail_location_by_quarantine ON mail_location (quarantine_id) WHERE quarantine_id IS NOT NULL;
