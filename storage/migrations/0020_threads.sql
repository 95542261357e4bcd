-- What threading knows of each mail, so that its place can be found anew when something better becomes known; and what
-- people decided about chains. Lists of hashes lie end to end in one value: 16 bytes for an id, 8 for a person or a topic.
-- Mails stored before have no row here: they are where their ids have put them.

CREATE TABLE mail_thread (
    interaction_id uuid PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    subject_key bytea NOT NULL,
    ref bytea,
    parents bytea NOT NULL,                 -- In-Reply-To first, then References from newest to oldest
    replies_to smallint NOT NULL,           -- how many of them are of In-Reply-To
    shared bytea NOT NULL,                  -- 25 bytes each: a letter for the rule, the name, what else must be equal
    tokens bytea NOT NULL,
    prefix text NOT NULL,
    marks text NOT NULL,                    -- one letter for each thing that is so
    sender bytea,
    others bytea[] NOT NULL,
    outside bytea NOT NULL,
    firms bytea NOT NULL,
    firm bytea,
    party bytea,
    list_key bytea,
    guess_key bytea,                        -- null: this topic says nothing
    guess_days smallint NOT NULL,
    may_guess boolean NOT NULL,
    pin uuid                                -- the chain in which a person has put it, or left it
);
CREATE INDEX mail_thread_by_topic ON mail_thread (guess_key, occurred_at) WHERE guess_key IS NOT NULL;

-- Pins that a person has taken apart; each pair stands here twice.
CREATE TABLE chain_apart (
    one uuid NOT NULL,
    other uuid NOT NULL,
    PRIMARY KEY (one, other)
);

-- A loose chain is held together by a guess or by hand: its mails are placed anew whenever it is touched.
ALTER TABLE chain ADD COLUMN is_loose boolean NOT NULL DEFAULT false;

-- Of several mails that wait for one id with equal topics, the one that stands for them: the smallest rank.
ALTER TABLE message_awaited ADD COLUMN rank timestamptz NOT NULL DEFAULT '-infinity';
