"""How far each source has read. Saved in the transaction of the records it counts, never apart from them."""

from collections.abc import Sequence

from interactions.records import Json
from storage.database import Connection

FIND = """
SELECT state FROM checkpoint WHERE source_id = $1 AND key = $2
"""

SAVE = """
INSERT INTO checkpoint (source_id, key, state) VALUES ($1, $2, $3)
ON CONFLICT (source_id, key) DO UPDATE SET state = excluded.state, updated_at = now()
"""


async def find(db: Connection, source_id: int, key: str) -> Json | None:
    """The last committed state under a key."""
    found: Json | None = await db.fetchval(FIND, source_id, key)
    return found


async def save(db: Connection, source_id: int, key: str, state: Json) -> None:
    """Moves a checkpoint."""
    await db.execute(SAVE, source_id, key, dict(state))


# Keys that begin with a slash and end with one are no folders but notes of the source's own.
DROP_OTHERS = """
DELETE FROM checkpoint WHERE source_id = $1 AND NOT (key = ANY($2::text[])) AND key NOT LIKE '/%/' RETURNING key, state
"""


async def drop_others(db: Connection, source_id: int, keys: Sequence[str]) -> list[tuple[str, Json]]:
    """Forgets how far all folders but these were read; which those were, and how far."""
    return [(row["key"], row["state"]) for row in await db.fetch(DROP_OTHERS, source_id, list(keys))]
