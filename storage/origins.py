"""What outside thing an interaction was made from: the guard against doubles.

A row is claimed with the id that the interaction would get. Two daemons that bring one mail at once meet here: the second
waits for the first to commit and then finds the id that won. Rows outlive their interaction, so what was deleted does
not come back.
"""

from collections.abc import Mapping
from uuid import UUID

from storage.database import Connection

CLAIM = """
INSERT INTO origin (space, key, interaction_id)
SELECT $1, k, i FROM unnest($2::bytea[], $3::uuid[]) AS new (k, i) ORDER BY k ON CONFLICT (space, key) DO NOTHING
"""

FIND = """
SELECT key, interaction_id FROM origin WHERE space = $1 AND key = ANY($2::bytea[]) ORDER BY key FOR UPDATE
"""


async def claim(db: Connection, space: str, wanted: Mapping[bytes, UUID]) -> dict[bytes, UUID]:
    """The interaction of each key: the wanted id where it is new, else the one that is there. Held to the end."""
    if not wanted:
        return {}
    await db.execute(CLAIM, space, list(wanted), list(wanted.values()))
    return {row["key"]: row["interaction_id"] for row in await db.fetch(FIND, space, list(wanted))}
