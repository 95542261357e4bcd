-- A page of what is rare (a type that hardly occurs, a mailbox with a few mails) walked through everything newer than the
-- few it found. Common ones are still read by time; the planner knows which are which.

CREATE INDEX interaction_by_kind ON interaction (kind, occurred_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX interaction_by_source ON interaction (source, occurred_at DESC, id DESC) WHERE deleted_at IS NULL;
