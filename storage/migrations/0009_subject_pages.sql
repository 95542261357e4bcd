-- Lists of subjects go by number, the newest first; those of one client and one responsible are few.
CREATE INDEX subject_by_number ON subject (number DESC);
CREATE INDEX subject_by_client ON subject (client_id, number DESC) WHERE client_id IS NOT NULL;
