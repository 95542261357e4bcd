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
