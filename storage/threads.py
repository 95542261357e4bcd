"""The facts of mails by which they are put into chains (`interactions.threads`), and who is likely to answer whom.

A fact never changes, but for what a person decides (the pin) and for conversations that another copy of a mail turns out to
be in. Lists of hashes are stored end to end.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from interactions.threads import Shared, Threadable
from storage.database import Connection

REF_BYTES, KEY_BYTES = 16, 8
_RULES = {"p": "provider_thread", "s": "in_reply_to", "i": "thread_index"}
_LETTERS = {rule: letter for letter, rule in _RULES.items()}

SAVE = """
INSERT INTO mail_thread (interaction_id, occurred_at, subject_key, ref, parents, replies_to, shared, tokens, prefix, marks,
    sender, others, outside, firms, firm, party, list_key, guess_key, guess_days, may_guess)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT (interaction_id) DO NOTHING
"""


async def save_all(db: Connection, mails: Sequence[Threadable]) -> None:
    """Keeps the facts of new mails."""
    if mails:
        await db.executemany(SAVE, [_row(mail) for mail in mails])


FIND = """
SELECT i.id AS mail_id, t.*, i.chain_id, i.link_rule, i.link_evidence FROM interaction i LEFT JOIN mail_thread t ON t.interaction_id = i.id
WHERE i.id = ANY($1::uuid[])
"""

OF_CHAINS = """
SELECT i.id AS mail_id, t.*, i.chain_id, i.link_rule, i.link_evidence FROM interaction i JOIN mail_thread t ON t.interaction_id = i.id
WHERE i.chain_id = ANY($1::uuid[])
"""


async def find(db: Connection, mail_ids: Iterable[UUID]) -> list[Any]:
    """The rows of these mails; those without facts are empty. See `facts_in`."""
    return await db.fetch(FIND, sorted(mail_ids))


async def of_chains(db: Connection, chain_ids: Iterable[UUID]) -> list[Any]:
    """The rows of all mails of these chains that have facts."""
    return await db.fetch(OF_CHAINS, sorted(chain_ids))


# Those who may answer one of these mails: only by the people that SQL can compare; the rest is `threads.is_likely`. A long
# chain that no guess holds together is one strand, too long to be guessed.
ANSWERS = """
SELECT m.interaction_id, i.chain_id, new.id AS older_id
FROM unnest($1::uuid[], $2::timestamptz[], $3::bytea[], $4::bytea[], $5::bytea[]) AS new (id, at, topic, sender, list)
JOIN mail_thread m ON m.guess_key = new.topic AND m.occurred_at >= new.at AND m.occurred_at <= new.at + interval '45 days'
JOIN interaction i ON i.id = m.interaction_id JOIN chain c ON c.id = i.chain_id
WHERE m.may_guess AND (c.is_loose OR c.size <= 1000) AND (m.list_key = new.list OR m.sender = new.sender OR new.sender = ANY(m.others))
"""


async def answers_to(db: Connection, mails: Sequence[Threadable]) -> list[tuple[UUID, UUID]]:
    """Stored answers that may be answers to these mails, each beside the mail."""
    some = [mail for mail in mails if mail.guess_key is not None]
    if not some:
        return []
    rows = await db.fetch(
        ANSWERS,
        [mail.interaction_id for mail in some],
        [mail.occurred_at for mail in some],
        [mail.guess_key for mail in some],
        [mail.sender for mail in some],
        [mail.list_key for mail in some],
    )
    return [(row["interaction_id"], row["older_id"]) for row in rows]


LIKELY = """
WITH people AS MATERIALIZED (
    SELECT n, array_agg(other) AS others FROM unnest($7::int[], $8::bytea[]) AS p (n, other) GROUP BY n)
SELECT a.id, older.interaction_id AS older_id
FROM unnest($1::uuid[], $2::timestamptz[], $3::bytea[], $4::int[], $5::bytea[], $6::bytea[]) WITH ORDINALITY
    AS a (id, at, topic, days, list, sender, n)
LEFT JOIN people p ON p.n = a.n
CROSS JOIN LATERAL (
    SELECT m.interaction_id FROM mail_thread m
    WHERE m.guess_key = a.topic AND m.occurred_at >= a.at - make_interval(days => a.days)
      AND (m.occurred_at, m.interaction_id) < (a.at, a.id)
      AND (m.list_key = a.list OR (m.sender <> a.sender AND m.sender = ANY(p.others) AND a.sender = ANY(m.others))
           OR (m.sender = a.sender AND m.others && p.others AND (m.others <@ p.others OR p.others <@ m.others)))
    ORDER BY m.occurred_at DESC, m.interaction_id DESC LIMIT 1) older
"""


async def likely(db: Connection, answers: Iterable[Threadable]) -> dict[UUID, UUID]:
    """The nearest older mail that each of these is likely to answer (`threads.is_likely`, said in SQL)."""
    some = [mail for mail in answers if mail.may_guess and mail.guess_key is not None]
    if not some:
        return {}
    others = [(n, other) for n, mail in enumerate(some, 1) for other in sorted(mail.others)]
    rows = await db.fetch(
        LIKELY,
        [mail.interaction_id for mail in some],
        [mail.occurred_at for mail in some],
        [mail.guess_key for mail in some],
        [mail.guess_days for mail in some],
        [mail.list_key for mail in some],
        [mail.sender for mail in some],
        [n for n, _ in others],
        [other for _, other in others],
    )
    return {row["id"]: row["older_id"] for row in rows}


SHARE = """
UPDATE mail_thread SET shared = shared || new.one FROM unnest($1::uuid[], $2::bytea[]) AS new (id, one)
WHERE interaction_id = new.id
"""


async def share(db: Connection, some: Sequence[tuple[UUID, Shared]]) -> None:
    """Adds conversations to the facts of stored mails."""
    if some:
        await db.execute(SHARE, [one for one, _ in some], [_shared_bytes(shared) for _, shared in some])


PIN = """
UPDATE mail_thread SET pin = $2 WHERE interaction_id = ANY($1::uuid[])
"""

PINS = """
SELECT DISTINCT pin FROM mail_thread WHERE interaction_id = ANY($1::uuid[]) AND pin IS NOT NULL
"""


async def pin(db: Connection, mail_ids: Sequence[UUID], chain_id: UUID) -> list[UUID]:
    """Keeps mails together in the chain where they are; returns the pins they had before."""
    before = [row["pin"] for row in await db.fetch(PINS, list(mail_ids))]
    await db.execute(PIN, list(mail_ids), chain_id)
    return before


FORGET = """
UPDATE mail_thread SET sender = NULL, others = '{}', outside = '', firms = '', firm = NULL, party = NULL, list_key = NULL,
    guess_key = NULL, may_guess = false
WHERE interaction_id = ANY($1::uuid[])
"""


async def forget_people(db: Connection, mail_ids: Sequence[UUID]) -> None:
    """Takes out who was in these mails and what they were about; their ids stay, so that answers find their chain."""
    await db.execute(FORGET, list(mail_ids))


def facts_in(row: Mapping[str, Any]) -> Threadable | None:
    """The facts of a row, or None where it has none."""
    if row["interaction_id"] is None:
        return None
    sender, others = row["sender"], frozenset(row["others"])
    return Threadable(
        interaction_id=row["interaction_id"],
        occurred_at=row["occurred_at"],
        ref=row["ref"],
        parents=_cut(row["parents"], REF_BYTES),
        replies_to=row["replies_to"],
        subject_key=row["subject_key"],
        prefix=row["prefix"],
        shared=tuple(
            Shared(_RULES[chr(one[0])], one[1 : REF_BYTES + 1], one[REF_BYTES + 1 :])
            for one in _cut(row["shared"], 1 + REF_BYTES + KEY_BYTES)
        ),
        tokens=_cut(row["tokens"], REF_BYTES),
        sender=sender,
        people=others | {sender} if sender else others,
        outside=frozenset(_cut(row["outside"], KEY_BYTES)),
        firms=frozenset(_cut(row["firms"], KEY_BYTES)),
        firm=row["firm"],
        party=row["party"],
        list_key=row["list_key"],
        guess_key=row["guess_key"],
        guess_days=row["guess_days"],
        may_guess=row["may_guess"],
        is_answer="a" in row["marks"],
        is_mass="m" in row["marks"],
        is_robot="r" in row["marks"],
        is_guarded="g" in row["marks"],
    )


def _row(mail: Threadable) -> tuple[object, ...]:
    return (
        mail.interaction_id,
        mail.occurred_at,
        mail.subject_key,
        mail.ref,
        b"".join(mail.parents),
        mail.replies_to,
        b"".join(map(_shared_bytes, mail.shared)),
        b"".join(mail.tokens),
        mail.prefix,
        "a" * mail.is_answer + "m" * mail.is_mass + "r" * mail.is_robot + "g" * mail.is_guarded,
        mail.sender,
        sorted(mail.others),
        b"".join(sorted(mail.outside)),
        b"".join(sorted(mail.firms)),
        mail.firm,
        mail.party,
        mail.list_key,
        mail.guess_key,
        mail.guess_days,
        mail.may_guess,
    )


def _shared_bytes(one: Shared) -> bytes:
    return _LETTERS[one.rule].encode() + one.ref + one.key


def _cut(text: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(text[n : n + size] for n in range(0, len(text), size))
