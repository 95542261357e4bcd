"""Recordings that are to be fetched: asked for with the call, tried again later, closed when they are stored or given up."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from storage.database import Connection, storable

WANT = """
INSERT INTO recording (interaction_id, link, source) SELECT $1, l, $3 FROM unnest($2::text[]) AS l ON CONFLICT DO NOTHING
"""

# Whoever takes one has until then to fetch it.
TAKE = """
UPDATE recording SET attempts = attempts + 1, not_before = now() + make_interval(secs => $2)
WHERE (interaction_id, link) IN (
    SELECT interaction_id, link FROM recording WHERE done_at IS NULL AND not_before <= now()
    ORDER BY not_before LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING interaction_id, link, source, attempts
"""

HOLD = """
SELECT 1 FROM recording WHERE interaction_id = $1 AND link = $2 AND done_at IS NULL FOR UPDATE
"""

CLOSE = """
UPDATE recording SET done_at = now(), error = $3 WHERE interaction_id = $1 AND link = $2
"""

PUT_OFF = """
UPDATE recording SET error = $3, not_before = now() + make_interval(secs => $4) WHERE interaction_id = $1 AND link = $2
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A recording to fetch now, for the so-many-th time."""

    interaction_id: UUID
    link: str
    source: str
    attempts: int


async def want(db: Connection, interaction_id: UUID, links: Collection[str], source: str) -> None:
    """Asks for recordings of a call, each once."""
    await db.execute(WANT, interaction_id, [storable(one) for one in sorted(set(links))], source)


async def take(db: Connection, limit: int, seconds: float) -> list[Due]:
    """Some that are due; nobody else takes them for so many seconds."""
    return [Due(*row) for row in await db.fetch(TAKE, limit, seconds)]


async def hold(db: Connection, one: Due) -> bool:
    """Whether it is still wanted: nobody else has brought it, and its call was not erased. Held to the end."""
    return await db.fetchval(HOLD, one.interaction_id, one.link) is not None


async def close(db: Connection, one: Due, error: str | None = None) -> None:
    """It is stored, or given up with a reason."""
    await db.execute(CLOSE, one.interaction_id, one.link, storable(error) if error else None)


async def put_off(db: Connection, one: Due, error: str, seconds: float) -> None:
    """It is tried again later."""
    await db.execute(PUT_OFF, one.interaction_id, one.link, storable(error), seconds)
