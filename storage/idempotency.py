"""The answer to a request that carried an Idempotency-Key, kept so that a repeat hears the same and changes nothing.

The row is claimed in the transaction of the change: of two requests with one key at the same moment the second waits for
the first, and then finds its answer.
"""

from interactions.records import Json
from storage.database import Connection

CLAIM = """
INSERT INTO idempotency (owner, key, request_hash, status, response) VALUES ($1, $2, $3, 0, '{}')
ON CONFLICT (owner, key) DO NOTHING RETURNING key
"""

FIND = """
SELECT request_hash, status, response FROM idempotency WHERE owner = $1 AND key = $2
"""

KEEP = """
UPDATE idempotency SET status = $3, response = $4 WHERE owner = $1 AND key = $2
"""


async def claim(db: Connection, owner: str, key: str, request_hash: bytes) -> tuple[bytes, int, Json] | None:
    """None for a key that is new, which is ours until the transaction ends; else the request it was used for, the status
    and the body of the answer."""
    if await db.fetchval(CLAIM, owner, key, request_hash) is not None:
        return None
    row = await db.fetchrow(FIND, owner, key)
    return (row["request_hash"], row["status"], row["response"]) if row else None


async def keep(db: Connection, owner: str, key: str, status: int, response: Json) -> None:
    """Keeps the answer, in the same transaction."""
    await db.execute(KEEP, owner, key, status, dict(response))
