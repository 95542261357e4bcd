-- What a person wrote about a participant stays when the events of a call are folded again.
ALTER TABLE participant ADD COLUMN edited boolean NOT NULL DEFAULT false;
