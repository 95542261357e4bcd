"""Two contacts become one: whatever names the one that goes names the other from then on.

`strip` takes from the one that goes what only one can have, and leaves a redirect that always points to the end in one
step. `move` lets everything that a person chose for it go over: participants, remembered decisions, subjects. Links that
follow from addresses are worked out by the caller. `put_back` undoes `move` for subjects; the rest is in the image of
`storage.snapshots`.
"""

from typing import Any
from uuid import UUID

from storage.database import Connection

TIED = """
SELECT person_id AS id FROM employment WHERE partner_id = $1
UNION SELECT id FROM contact WHERE parent_id = $1 AND deleted_at IS NULL AND merged_into IS NULL
"""

REDIRECTS = """
SELECT id FROM contact WHERE merged_into = $1
"""

CHOSEN = """
SELECT interaction_id, n FROM participant WHERE contact_id = $1
"""

DROP_OWNERS = """
DELETE FROM address_owner WHERE contact_id = $1
"""

DROP_EMPLOYMENTS = """
DELETE FROM employment WHERE person_id = $1
"""

REDIRECT = """
UPDATE contact SET merged_into = $2, external_ref = CASE WHEN $3 THEN NULL ELSE external_ref END,
    version = version + 1, updated_at = now()
WHERE id = $1
"""

REDIRECT_AGAIN = """
UPDATE contact SET merged_into = $2, version = version + 1 WHERE merged_into = $1
"""


async def tied(db: Connection, partner_id: UUID) -> list[UUID]:
    """The persons who serve or served a partner, and the companies that belong to it."""
    return [row["id"] for row in await db.fetch(TIED, partner_id)]


async def redirects(db: Connection, contact_id: UUID) -> list[UUID]:
    """The contacts that were merged into this one before."""
    return [row["id"] for row in await db.fetch(REDIRECTS, contact_id)]


async def chosen(db: Connection, contact_id: UUID) -> list[tuple[UUID, int]]:
    """The participants for whom a person chose this contact."""
    return [(row["interaction_id"], row["n"]) for row in await db.fetch(CHOSEN, contact_id)]


async def strip(db: Connection, source_id: UUID, target_id: UUID, *, gives_ref: bool) -> None:
    """Leaves a redirect of a contact. With `gives_ref` its reference is free for the other."""
    await db.execute(DROP_OWNERS, source_id)
    await db.execute(DROP_EMPLOYMENTS, source_id)
    await db.execute(REDIRECT_AGAIN, source_id, target_id)
    await db.execute(REDIRECT, source_id, target_id, gives_ref)


MOVE_CHOSEN = """
UPDATE participant SET contact_id = $2 WHERE contact_id = $1
"""

MOVE_REMEMBERED = """
UPDATE remembered_match SET contact_id = $2 WHERE contact_id = $1
"""

MOVE_CLIENTS = """
UPDATE subject SET client_id = $2, version = version + 1, updated_at = now() WHERE client_id = $1 RETURNING id
"""

MOVE_SUBJECT_CONTACTS = """
UPDATE subject_participant SET contact_id = $2 WHERE contact_id = $1 RETURNING subject_id, n
"""

MOVE_SUBJECT_PARTNERS = """
UPDATE subject_participant SET partner_id = $2 WHERE partner_id = $1 RETURNING subject_id, n
"""


async def move(db: Connection, source_id: UUID, target_id: UUID) -> Any:
    """Moves what was chosen for a contact; returns what of subjects it was, for `put_back`."""
    await db.execute(MOVE_CHOSEN, source_id, target_id)
    await db.execute(MOVE_REMEMBERED, source_id, target_id)
    clients = await db.fetch(MOVE_CLIENTS, source_id, target_id)
    seats = await db.fetch(MOVE_SUBJECT_CONTACTS, source_id, target_id)
    partners = await db.fetch(MOVE_SUBJECT_PARTNERS, source_id, target_id)
    return {
        "clients": [str(row["id"]) for row in clients],
        "contacts": [[str(row["subject_id"]), row["n"]] for row in seats],
        "partners": [[str(row["subject_id"]), row["n"]] for row in partners],
    }


PUT_BACK_CLIENTS = """
UPDATE subject SET client_id = $1, version = version + 1, updated_at = now()
WHERE id = ANY($3::uuid[]) AND client_id = $2
"""

PUT_BACK_CONTACTS = """
UPDATE subject_participant p SET contact_id = $1 FROM unnest($3::uuid[], $4::int[]) AS w (subject_id, n)
WHERE p.subject_id = w.subject_id AND p.n = w.n AND p.contact_id = $2
"""

PUT_BACK_PARTNERS = """
UPDATE subject_participant p SET partner_id = $1 FROM unnest($3::uuid[], $4::int[]) AS w (subject_id, n)
WHERE p.subject_id = w.subject_id AND p.n = w.n AND p.partner_id = $2
"""


async def put_back(db: Connection, source_id: UUID, target_id: UUID, moved: Any) -> None:
    """Gives subjects back to the contact that comes back, where nobody changed them since."""
    await db.execute(PUT_BACK_CLIENTS, source_id, target_id, [UUID(one) for one in moved["clients"]])
    for statement, name in ((PUT_BACK_CONTACTS, "contacts"), (PUT_BACK_PARTNERS, "partners")):
        ids, seats = [UUID(one) for one, _ in moved[name]], [n for _, n in moved[name]]
        await db.execute(statement, source_id, target_id, ids, seats)
