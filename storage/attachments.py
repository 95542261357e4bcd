"""Files of an interaction: parts of its raw mail, or files of their own that people and programs add."""

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from interactions.records import Attachment
from storage.database import Connection, storable

FIND = """
SELECT name, part, sha256 FROM attachment WHERE interaction_id = $1 AND n = $2
"""

HOLD = """
SELECT id FROM interaction WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE
"""

SAME = """
SELECT n, name, content_type, size, inline, part FROM attachment
WHERE interaction_id = $1 AND sha256 = $2 AND name = $3
"""

ADD = """
INSERT INTO attachment (interaction_id, n, name, content_type, size, sha256)
SELECT $1, coalesce(max(n) + 1, 0), $2, $3, $4, $5 FROM attachment WHERE interaction_id = $1
HAVING count(*) < $6
RETURNING n, name, content_type, size, inline, part
"""

MARK = """
UPDATE interaction SET has_attachments = true, version = version + 1, updated_at = now() WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the bytes of an attachment are: a part of the raw mail, or a blob."""

    name: str
    part: str | None
    sha256: bytes | None


async def find(db: Connection, interaction_id: UUID, n: int) -> Stored | None:
    """One attachment."""
    row = await db.fetchrow(FIND, interaction_id, n) if 0 <= n < 2**31 else None
    return Stored(*row) if row else None


async def add(
    db: Connection, interaction_id: UUID, name: str, content_type: str, content: bytes, most: int
) -> tuple[Attachment, bool] | None:
    """Adds a file whose blob is stored, and whether it is new: the same content under the same name is one. None where
    the interaction is gone, or has `most` files."""
    if await db.fetchval(HOLD, interaction_id) is None:
        return None
    digest, clean = sha256(content).digest(), storable(name)
    same = await db.fetchrow(SAME, interaction_id, digest, clean)
    if same is not None:
        return Attachment(*same), False
    row = await db.fetchrow(ADD, interaction_id, clean, storable(content_type), len(content), digest, most)
    if row is None:
        return None
    await db.execute(MARK, interaction_id)
    return Attachment(*row), True
