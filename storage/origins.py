"""What outside thing an interaction was made from: the guard against doubles.

A row is claimed with the id that the interaction would get. Two daemons that bring one mail at once meet here: the second
waits for the first to commit and then finds the id that won. Rows outlive their interaction, so what was deleted does
not come back.
"""

from collections.abc import Collection, Mapping
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


KEYS_OF = """
SELECT key, interaction_id FROM origin WHERE interaction_id = ANY($1::uuid[]) AND space = $2 ORDER BY key FOR UPDATE
"""


async def keys_of(db: Connection, space: str, ids: Collection[UUID]) -> dict[UUID, list[bytes]]:
    """All keys that lead to these interactions. Held to the end: whoever comes with any of them waits."""
    found: dict[UUID, list[bytes]] = {one: [] for one in ids}
    for row in await db.fetch(KEYS_OF, list(found), space):
        found[row["interaction_id"]].append(row["key"])
    return found


REDIRECT = """
UPDATE origin SET interaction_id = new.target FROM unnest($1::uuid[], $2::uuid[]) AS new (source, target)
WHERE origin.interaction_id = new.source AND origin.space = $3
"""


async def redirect(db: Connection, space: str, joined: Mapping[UUID, UUID]) -> None:
    """Lets the keys of interactions that turned out to be others lead to those."""
    await db.execute(REDIRECT, list(joined), list(joined.values()), space)
