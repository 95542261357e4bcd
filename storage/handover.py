"""Handing over what a user answers for, in one act: contacts, what is still open, plans, open subjects. Closed records
keep their responsible: that is history."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from storage.database import Connection

CONTACTS = """
UPDATE contact SET responsible_id = $2, version = version + 1, updated_at = now()
WHERE responsible_id = $1 AND deleted_at IS NULL AND ($3::uuid[] IS NULL OR id = ANY($3)) RETURNING id
"""

INTERACTIONS = """
UPDATE interaction SET responsible_id = $2, version = version + 1, updated_at = now()
WHERE responsible_id = $1 AND deleted_at IS NULL AND ($3::uuid[] IS NOT NULL OR NOT reviewed OR on_control
    OR (kind = 'planned' AND block->>'state' = 'open')) AND ($3::uuid[] IS NULL OR id = ANY($3))
RETURNING id
"""

SUBJECTS = """
UPDATE subject SET responsible_id = $2, version = version + 1, updated_at = now()
WHERE responsible_id = $1 AND ($3::uuid[] IS NOT NULL OR state = 'open') AND ($3::uuid[] IS NULL OR id = ANY($3))
RETURNING id
"""

_STATEMENTS = {"contacts": CONTACTS, "interactions": INTERACTIONS, "subjects": SUBJECTS}


async def move(db: Connection, leaver: UUID, heir: UUID) -> dict[str, list[UUID]]:
    """Moves all that is open; what was moved, by kind."""
    return {
        name: [row["id"] for row in await db.fetch(statement, leaver, heir, None)]
        for name, statement in _STATEMENTS.items()
    }


async def move_back(
    db: Connection, leaver: UUID, heir: UUID, moved: Mapping[str, Sequence[UUID]]
) -> dict[str, list[UUID]]:
    """Moves back what still is with the heir; what that was."""
    return {
        name: [row["id"] for row in await db.fetch(statement, heir, leaver, list(moved.get(name, ())))]
        for name, statement in _STATEMENTS.items()
    }
