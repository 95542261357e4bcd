-- What was posted long ago and is done: its words go after `retention.journal_days`, the row once no repeat can come.
CREATE INDEX inbound_done ON inbound (received_at) WHERE state = 'done';
