"""Any number of stored mails, without their words, written by the database itself; and new mails that go on from them.

Mail `n` is in the conversation `n / 4`, between us and one of a twentieth as many people as there are mails; its id is
`m<n>@history.example`. One comes a minute, the last one at NOW. Rows are written in the order of their keys, and secondary
indexes are made when all rows are there: ten million mails take minutes, not hours.
"""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import asyncpg

from interactions.addresses import email_key
from interactions.arrivals import Location, MailArrived

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
SALES = "sales@example.org"
OWN = frozenset(key for key in [email_key(SALES)] if key)
MAILS_OF_A_PERSON = 20
NEWEST = 5000  # most answers are to one of so many

_FUNCTIONS = """
CREATE FUNCTION id(t integer, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT (lpad(to_hex($MS - ($N - n) * 60000), 12, '0') || '7' || lpad(t::text, 3, '0') || '8' || lpad(n::text, 15, '0'))::uuid $$;
CREATE FUNCTION at(n bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    AS $$ SELECT timestamptz '$NOW' - ($N - n) * interval '1 minute' $$;
CREATE FUNCTION ref(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE
    AS $$ SELECT substr(sha256(('m' || n || '@history.example')::bytea), 1, 16) $$;
CREATE FUNCTION topic(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'kitchen for the house of family ' || n / 4 $$;
CREATE FUNCTION who(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT (n / 4) % greatest($N / 20, 1) $$;
CREATE FUNCTION address(p bigint) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT 'p' || p || '@firm' || p / 5 || '.example' $$;
CREATE FUNCTION hashed(t text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT substr(sha256(t::bytea), 1, 8) $$;
"""

_TABLES = {
    "address": """
INSERT INTO address (id, kind, value, own) SELECT id(2, $N), 'email', 'sales@example.org', true
UNION ALL SELECT id(2, p), 'email', address(p), false FROM generate_series(0, greatest($N / 20, 1) - 1) p
""",
    "chain": """
INSERT INTO chain (id, root_id, first_at, last_at, size)
SELECT id(4, 4 * c), id(5, 4 * c), at(4 * c), at(4 * c + 3), 4 FROM generate_series(0, $N / 4 - 1) c
""",
    "interaction": """
INSERT INTO interaction (id, kind, direction, occurred_at, chain_id, topic, source, external_id, reviewed, link_rule)
SELECT id(5, n), 'email', CASE WHEN n % 2 = 0 THEN 'incoming' ELSE 'outgoing' END, at(n), id(4, n / 4 * 4),
       topic(n), 'sales', 'm' || n || '@history.example', n % 1000 <> 0, CASE WHEN n % 4 = 0 THEN 'root' ELSE 'in_reply_to' END
FROM generate_series(0, $N - 1) n
""",
    "participant": """
INSERT INTO participant (interaction_id, n, role, address, address_id)
SELECT id(5, n), k, CASE WHEN k = 0 THEN 'from' ELSE 'to' END,
       CASE WHEN (n + k) % 2 = 0 THEN address(who(n)) ELSE 'sales@example.org' END,
       CASE WHEN (n + k) % 2 = 0 THEN id(2, who(n)) ELSE id(2, $N) END
FROM generate_series(0, $N - 1) n, generate_series(0, 1) k
""",
    "message_ref": """
INSERT INTO message_ref (ref, interaction_id) SELECT ref(n), id(5, n) FROM generate_series(0, $N - 1) n
UNION ALL SELECT substr(sha256('topic'::bytea || hashed('guess' || topic(4 * c))), 1, 16), NULL FROM generate_series(0, $N / 4 - 1) c
ORDER BY 1
""",
    "message_awaited": """
INSERT INTO message_awaited (ref, subject_key, interaction_id)
SELECT ref(-n), hashed(topic(n)), id(5, n) FROM generate_series(1, $N - 1, 20) n ORDER BY 1
""",
    "mail_thread": """
INSERT INTO mail_thread (interaction_id, occurred_at, subject_key, ref, parents, replies_to, shared, tokens, prefix, marks,
    sender, others, outside, firms, firm, party, guess_key, guess_days, may_guess)
SELECT id(5, n), at(n), hashed(topic(n)), ref(n), CASE WHEN n % 4 = 0 THEN ''::bytea ELSE ref(n - 1) END, (n % 4 > 0)::int,
       '', '', CASE WHEN n % 4 = 0 THEN '' ELSE 'reply' END, 'a',
       CASE WHEN n % 2 = 0 THEN hashed(address(who(n))) ELSE hashed('sales@example.org') END,
       ARRAY[CASE WHEN n % 2 = 0 THEN hashed('sales@example.org') ELSE hashed(address(who(n))) END],
       hashed(address(who(n))), hashed('@firm' || who(n) / 5 || '.example'), NULL, hashed(address(who(n))),
       hashed('guess' || topic(n)), 45, n % 4 > 0
FROM generate_series(0, $N - 1) n
""",
    "origin": """
INSERT INTO origin (space, key, interaction_id)
SELECT 'mail', sha256(n::text::bytea), id(5, n) FROM generate_series(0, $N - 1) n ORDER BY 2
""",
    "mail_location": """
INSERT INTO mail_location (source_id, folder, uidvalidity, uid, interaction_id)
SELECT 1000, 'INBOX', 1, n + 1, id(5, n) FROM generate_series(0, $N - 1) n
""",
    "feed": """
INSERT INTO feed (seq, type, ref) SELECT n + 1, 'interaction.created', id(5, n) FROM generate_series(0, $N - 1) n
""",
}
# Those that no constraint needs; the keys stay, so that rows are written in their order.
_INDEXES = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
WHERE i.indrelid = ANY($1::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
"""


async def fill(dsn: str, mails: int) -> None:
    """Fills a migrated, empty database. `mails` is divided by four."""
    db = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off", "maintenance_work_mem": "512MB"})

    def filled(text: str) -> str:
        values = {"$NOW": NOW.isoformat(), "$N": str(mails), "$MS": str(int(NOW.timestamp() * 1000))}
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    try:
        await db.execute("SET session_replication_role = replica")  # rows refer to each other as they should
        await db.execute("INSERT INTO source (id, name, kind, type) VALUES (1000, 'history', 'mailbox', 'imap')")
        await db.execute(filled(_FUNCTIONS))
        indexes = await db.fetch(_INDEXES, list(_TABLES))
        for index in indexes:
            await db.execute(f"DROP INDEX {index['name']}")
        for statement in _TABLES.values():
            await db.execute(filled(statement), timeout=7200)
        for index in indexes:
            await db.execute(index["definition"], timeout=7200)
        await db.execute("UPDATE sequencer SET last_seq = (SELECT max(seq) FROM feed)")
        await db.execute("VACUUM ANALYZE", timeout=7200)
        await db.execute("CHECKPOINT", timeout=7200)
    finally:
        await db.close()


def new_mails(stored: int, count: int, seed: int) -> list[MailArrived]:
    """Mails that come after `stored` ones: of twenty, three begin something new, three have lost their ids, the others
    answer a mail, three of four times one of the newest; one in ten of these names one that is not there beside it."""
    chance = random.Random(seed)
    found = []
    for n in range(count):
        older = chance.randrange(max(0, stored - NEWEST) if chance.random() < 0.75 else 0, stored)
        person = (older // 4) % max(stored // MAILS_OF_A_PERSON, 1)
        topic, kind = f"kitchen for the house of family {older // 4}", chance.randrange(20)
        lines = [
            f"From: p{person}@firm{person // 5}.example",
            f"To: {SALES}",
            f"Message-ID: <new{seed}-{n}@history.example>",
        ]
        at = NOW + timedelta(seconds=seed * 100 + n)
        if kind < 3:
            lines.append(f"Subject: a new garage, {seed} {n}")
        else:
            lines.append(f"Subject: Re: {topic}")
        if kind >= 6:
            lost = f"<lost{seed}-{n}@history.example> " if kind >= 18 else ""
            lines += [f"In-Reply-To: <m{older}@history.example>", f"References: {lost}<m{older}@history.example>"]
        raw = "\r\n".join([*lines, f"Date: {format_datetime(at)}", "", "Good morning!", ""]).encode()
        arrival = MailArrived("sales", Location("INBOX", 1, seed * 1000 + n + 1), raw, received_at=at, size=len(raw))
        found.append(arrival)
    return found
