"""Erased persons: what the journal and the quarantine held of them, the act, and what keeps them from coming back.

An act names nobody. `erased_address` has keyed hashes of the addresses and until when mail of theirs stays out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from interactions.records import Json
from storage.database import Connection

# ---- the journal and the quarantine

JOURNAL = """
SELECT id, query, headers::text AS headers, body FROM inbound WHERE id > $1 AND body <> '' ORDER BY id LIMIT $2
"""

NO_JOURNAL = """
UPDATE inbound SET query = '', headers = '{}', body = '', error = NULL,
    state = CASE state WHEN 'todo' THEN 'done' ELSE state END
WHERE id = ANY($1::bigint[])
"""

EVENT_SEEN = """
UPDATE quarantine SET resolved_at = coalesce(resolved_at, now()), reason = ''
WHERE inbound_id = ANY($1::bigint[])
"""

QUARANTINE = """
SELECT id, raw_sha256 FROM quarantine WHERE kind = 'mail' AND raw_sha256 IS NOT NULL AND id > $1 ORDER BY id LIMIT $2
"""

NO_QUARANTINE = """
UPDATE quarantine SET resolved_at = coalesce(resolved_at, now()), reason = '', raw_sha256 = NULL
WHERE id = ANY($1::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Posted:
    """A webhook of the journal, as far as it can name somebody."""

    id: int
    query: str
    headers: str
    body: bytes


async def journal(db: Connection, after: int, limit: int) -> list[Posted]:
    """A page of the journal, by id."""
    return [Posted(*row) for row in await db.fetch(JOURNAL, after, limit)]


async def wipe_journal(db: Connection, ids: Sequence[int]) -> None:
    """Empties these entries."""
    await db.execute(NO_JOURNAL, list(ids))
    await db.execute(EVENT_SEEN, list(ids))


async def quarantined(db: Connection, after: UUID, limit: int) -> list[tuple[UUID, bytes]]:
    """A page of mails that could not be read, and the hashes of their bytes."""
    return [(row["id"], row["raw_sha256"]) for row in await db.fetch(QUARANTINE, after, limit)]


async def wipe_quarantine(db: Connection, ids: Sequence[UUID]) -> None:
    """Empties these entries."""
    await db.execute(NO_QUARANTINE, list(ids))


# ---- the act

RECORD = """
INSERT INTO erasure (id, contact_id, mode, reason, erased_by, erased_at, counts, interactions, addresses)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""

KEEP_OUT = """
INSERT INTO erased_address (hash, erased_at) SELECT h, $2 FROM unnest($1::bytea[]) AS h
ON CONFLICT (hash) DO UPDATE SET erased_at = greatest(erased_address.erased_at, excluded.erased_at)
"""

UNNOTED = """
SELECT id, contact_id, mode, reason, erased_by, erased_at, counts, interactions, addresses FROM erasure
WHERE noted_at IS NULL ORDER BY erased_at, id FOR UPDATE
"""

NOTED = """
UPDATE erasure SET noted_at = now() WHERE id = ANY($1::uuid[])
"""

UNCLEAN = """
SELECT id FROM erasure WHERE cleaned_at IS NULL ORDER BY erased_at
"""

CLEANED = """
UPDATE erasure SET cleaned_at = now() WHERE id = ANY($1::uuid[])
"""

IS_KEPT_OUT = """
SELECT hash, erased_at FROM erased_address WHERE hash = ANY($1::bytea[])
"""

ANY_KEPT_OUT = """
SELECT EXISTS (SELECT FROM erased_address)
"""

ERASED_AMONG = """
SELECT id FROM interaction WHERE id = ANY($1::uuid[]) AND erased_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Act:
    """One erasure, as it is kept. It names nobody."""

    id: UUID
    contact_id: UUID
    mode: str
    reason: str
    by: UUID | None
    at: datetime
    counts: Json
    interactions: Sequence[UUID] = field(repr=False)
    addresses: Sequence[bytes] = field(repr=False)


async def record(db: Connection, act: Act) -> None:
    """Keeps an act, and the hashes of addresses whose older mail stays out."""
    await db.execute(
        RECORD, act.id, act.contact_id, act.mode, act.reason, act.by, act.at, dict(act.counts),
        list(act.interactions), list(act.addresses),
    )  # fmt: skip
    await db.execute(KEEP_OUT, list(act.addresses), act.at)


async def unnoted(db: Connection) -> list[Act]:
    """Acts that the ledger does not know yet. Held to the end."""
    return [Act(*row) for row in await db.fetch(UNNOTED)]


async def mark_noted(db: Connection, ids: Sequence[UUID]) -> None:
    """They stand in the ledger."""
    await db.execute(NOTED, list(ids))


async def unclean(db: Connection) -> list[UUID]:
    """Acts whose bytes may still lie on the disk."""
    return [row["id"] for row in await db.fetch(UNCLEAN)]


async def mark_cleaned(db: Connection, ids: Sequence[UUID]) -> None:
    """Their bytes are gone."""
    await db.execute(CLEANED, list(ids))


async def kept_out(db: Connection, hashes: Sequence[bytes]) -> dict[bytes, datetime]:
    """Which of these addresses were erased, and when: mail from before that time is left out."""
    return {row["hash"]: row["erased_at"] for row in await db.fetch(IS_KEPT_OUT, list(hashes))}


IS_ERASED = """
SELECT EXISTS (SELECT FROM erasure WHERE contact_id = $1)
"""


async def is_erased(db: Connection, contact_id: UUID) -> bool:
    """Whether a contact was erased."""
    return bool(await db.fetchval(IS_ERASED, contact_id))


async def is_anybody_kept_out(db: Connection) -> bool:
    """Whether anybody was ever erased."""
    return bool(await db.fetchval(ANY_KEPT_OUT))


async def erased_among(db: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these interactions were erased."""
    return {row["id"] for row in await db.fetch(ERASED_AMONG, list(ids))}
