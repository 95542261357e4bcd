"""What could not be read: kept raw, with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interactions.records import Json
from storage.database import Connection

ADD_MAILS = """
INSERT INTO quarantine (id, source, kind, reason, locator, raw_sha256)
SELECT i, $1, 'mail', r, l, s FROM unnest($2::uuid[], $3::text[], $4::jsonb[], $5::bytea[]) AS new (i, r, l, s)
ON CONFLICT (id) DO NOTHING
"""

LIST = """
SELECT id, source, kind, reason, locator, attempts, created_at FROM quarantine
WHERE resolved_at IS NULL ORDER BY created_at DESC, id LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail that could not be read."""

    id: UUID
    reason: str
    locator: Json
    raw_sha256: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the quarantine."""

    id: UUID
    source: str
    kind: str
    reason: str
    locator: Json
    attempts: int
    created_at: datetime


async def add_mails(db: Connection, source: str, kept: Sequence[Kept]) -> None:
    """Keeps mails with their reasons."""
    if kept:
        await db.execute(
            ADD_MAILS,
            source,
            [one.id for one in kept],
            [one.reason for one in kept],
            [dict(one.locator) for one in kept],
            [one.raw_sha256 for one in kept],
        )


async def list_open(db: Connection, limit: int = 200) -> list[Entry]:
    """What waits there, newest first."""
    return [Entry(*row) for row in await db.fetch(LIST, limit)]


FIND = """
SELECT q.id, q.source, q.kind, q.reason, q.locator, q.attempts, q.created_at, q.raw_sha256, i.body
FROM quarantine q LEFT JOIN inbound i ON i.id = q.inbound_id WHERE q.id = $1
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One entry, and where its bytes are: under a hash for a mail, in the journal for an event."""

    entry: Entry
    raw_sha256: bytes | None
    body: bytes | None


async def find(db: Connection, entry_id: UUID) -> Found | None:
    """One entry, a resolved one too."""
    row = await db.fetchrow(FIND, entry_id)
    if row is None:
        return None
    *entry, raw_sha256, body = row
    return Found(Entry(*entry), raw_sha256, body)


HOLD = """
SELECT source, kind, locator, raw_sha256, inbound_id FROM quarantine WHERE id = $1 AND resolved_at IS NULL FOR UPDATE
"""

TRIED = """
UPDATE quarantine SET attempts = attempts + 1, reason = $2 WHERE id = $1
"""

RESOLVE = """
UPDATE quarantine SET resolved_at = now() WHERE id = $1
"""

FREE_PLACE = """
DELETE FROM mail_location WHERE quarantine_id = $1
"""

REQUEUE = """
UPDATE inbound SET state = 'todo', attempts = 0, not_before = NULL, error = NULL WHERE id = $1 AND state = 'quarantine'
"""


@dataclass(frozen=True, slots=True)
class Held:
    """An open entry, held while it is tried again."""

    source: str
    kind: str
    locator: Json
    raw_sha256: bytes | None
    inbound_id: int | None


async def hold(db: Connection, entry_id: UUID) -> Held | None:
    """An entry that is not resolved; nobody else tries it until the transaction ends."""
    row = await db.fetchrow(HOLD, entry_id)
    return Held(*row) if row else None


async def mark_tried(db: Connection, entry_id: UUID, reason: str) -> None:
    """It could not be read again, for this reason."""
    await db.execute(TRIED, entry_id, reason)


async def resolve(db: Connection, entry_id: UUID) -> None:
    """It was read; its place in the mailbox belongs to the record from now on."""
    await db.execute(FREE_PLACE, entry_id)
    await db.execute(RESOLVE, entry_id)


async def requeue(db: Connection, inbound_id: int) -> None:
    """Lets the journal work off an event once more."""
    await db.execute(REQUEUE, inbound_id)
