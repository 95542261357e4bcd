"""Calendars of people: by which secret one is read, and which meetings and plans are in it."""

from datetime import datetime
from uuid import UUID

from storage.database import Connection

PUT = """
INSERT INTO calendar_link (user_id, secret_hash) VALUES ($1, $2)
ON CONFLICT (user_id) DO UPDATE SET secret_hash = excluded.secret_hash, created_at = now()
"""

DROP = """
DELETE FROM calendar_link WHERE user_id = $1
"""

OWNER = """
SELECT l.user_id, c.name, l.role, l.language FROM calendar_link k
JOIN login l ON l.user_id = k.user_id AND l.disabled_at IS NULL JOIN contact c ON c.id = l.user_id
WHERE k.secret_hash = $1
"""

# What is this person's: answered for, or taken part in.
ENTRIES = """
SELECT i.id FROM interaction i
WHERE i.kind IN ('meeting', 'planned') AND i.deleted_at IS NULL
    AND coalesce(i.block->>'starts_at', i.block->>'due_at') >= $2
    AND (i.responsible_id = $1 OR i.id IN (
        SELECT interaction_id FROM participant WHERE contact_id = $1
        UNION ALL SELECT p.interaction_id FROM address a JOIN participant p ON p.address_id = a.id WHERE a.contact_id = $1))
ORDER BY coalesce(i.block->>'starts_at', i.block->>'due_at'), i.id LIMIT $3
"""


async def put(db: Connection, user_id: UUID, secret_hash: bytes) -> None:
    """Makes a secret the only one that reads this person's calendar."""
    await db.execute(PUT, user_id, secret_hash)


async def drop(db: Connection, user_id: UUID) -> None:
    """Nobody reads this person's calendar any more."""
    await db.execute(DROP, user_id)


async def owner(db: Connection, secret_hash: bytes) -> tuple[UUID, str, str, str | None] | None:
    """Whose calendar a secret reads, of those who may sign in: id, name, role, language."""
    row = await db.fetchrow(OWNER, secret_hash)
    return (row["user_id"], row["name"], row["role"], row["language"]) if row else None


async def entries(db: Connection, user_id: UUID, since: datetime, limit: int) -> list[UUID]:
    """Meetings that begin, and plans that are due, from a moment on, in that order."""
    text = since.isoformat().replace("+00:00", "Z")
    return [row["id"] for row in await db.fetch(ENTRIES, user_id, text, limit)]
