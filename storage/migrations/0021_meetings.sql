-- What mails have said of meetings, as it came; a meeting's record is the fold of its rows. `key` is a hash of the UID
-- and the organizer; `is_proved` says that the sender may speak of it, as far as anything could say so when it came.
CREATE TABLE invite (
    key bytea NOT NULL,
    mail_id uuid NOT NULL,
    n integer NOT NULL,
    sent_at timestamptz NOT NULL,
    sender text NOT NULL,
    is_proved boolean NOT NULL,
    said jsonb NOT NULL,
    PRIMARY KEY (key, mail_id, n)
);
CREATE INDEX invite_by_mail ON invite (mail_id);
