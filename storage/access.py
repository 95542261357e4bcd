"""What a person may see, as the storage knows it: who is asking, how far sources are open, and which records are seen.

The condition itself is the function `sees` of the database; every statement that shows interactions asks it with the
two parameters `Access.unseen` and `Access.mine`. Where nothing is narrowed the first is null, and nothing is asked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interactions.access import Access, Asker, Door
from storage import people
from storage.database import Connection

# Whoever leads a department belongs to it, and whoever belongs to one belongs to those above it.
WHO = """
WITH RECURSIVE above AS (
    SELECT d.id, d.name, d.parent_id FROM department d JOIN contact c ON c.id = $1
    WHERE d.id = c.department_id OR d.head_id = c.id
    UNION SELECT d.id, d.name, d.parent_id FROM above JOIN department d ON d.id = above.parent_id)
SELECT l.email, ARRAY(SELECT name FROM above) AS departments FROM login l WHERE l.user_id = $1
"""

REMEMBER = """
UPDATE source s SET privacy = new.privacy, members = string_to_array(new.members, E'\\n')
FROM unnest($1::text[], $2::text[], $3::text[]) AS new (name, privacy, members)
WHERE s.name = new.name AND (s.privacy, array_to_string(s.members, E'\\n')) IS DISTINCT FROM (new.privacy, new.members)
"""

DEPARTED = """
SELECT name, privacy, members FROM source
WHERE (privacy = 'private' OR members <> '{}') AND NOT (name = ANY($1::text[])) ORDER BY name
"""

LOOK = """
SELECT i.id, sees($2, $4, i.source, i.responsible_id, i.id) AS is_seen,
    sees($3, $4, i.source, i.responsible_id, i.id) AS is_read
FROM interaction i WHERE i.id = ANY($1::uuid[])
"""

CHAINS = """
SELECT DISTINCT ON (i.chain_id) i.chain_id, i.id AS root_id, i.topic, i.occurred_at AS first_at,
    count(*) OVER w AS size, max(i.occurred_at) OVER w AS last_at
FROM interaction i
WHERE i.chain_id = ANY($1::uuid[]) AND i.deleted_at IS NULL AND sees($2, $3, i.source, i.responsible_id, i.id)
WINDOW w AS (PARTITION BY i.chain_id)
ORDER BY i.chain_id, i.occurred_at, i.id
"""

GONE_CHAINS = """
SELECT c.id FROM chain c WHERE c.id = ANY($1::uuid[]) AND NOT EXISTS (
    SELECT FROM interaction i WHERE i.chain_id = coalesce(c.merged_into, c.id)
        AND i.deleted_at IS NULL AND sees($2, $3, i.source, i.responsible_id, i.id))
"""


GONE_ADDRESSES = """
SELECT a.id FROM address a WHERE a.id = ANY($1::uuid[]) AND NOT EXISTS (
    SELECT FROM participant p JOIN interaction i ON i.id = p.interaction_id
    WHERE p.address_id = a.id AND i.deleted_at IS NULL AND sees($2, $3, i.source, i.responsible_id, i.id))
"""


@dataclass(frozen=True, slots=True)
class SeenChain:
    """A chain as far as it is seen: its first member that is, how many there are, and when the last one was."""

    root_id: UUID
    topic: str
    first_at: datetime
    size: int
    last_at: datetime


async def asker(db: Connection, user_id: UUID, at: datetime) -> Asker | None:
    """A person with a login, as departments and absences are at a moment."""
    row = await db.fetchrow(WHO, user_id)
    if row is None:
        return None
    standing_in = (await people.staff(db, "", at)).standing_in
    answers_for = {user_id, *(one for one, other in standing_in.items() if other == user_id)}
    return Asker(row["email"], frozenset(row["departments"]), frozenset(answers_for))


async def remember(db: Connection, doors: Sequence[Door]) -> None:
    """Keeps how far these sources are open, for the time when nobody configures them any more."""
    await db.execute(
        REMEMBER,
        [door.source for door in doors],
        ["private" if door.is_private else "shared" for door in doors],
        ["\n".join(door.members) for door in doors],
    )


async def departed(db: Connection, configured: Collection[str]) -> list[Door]:
    """The narrowed sources that are no longer among these: what came from them stays as narrow as it was."""
    rows = await db.fetch(DEPARTED, list(configured))
    return [Door(row["name"], row["privacy"] == "private", tuple(row["members"])) for row in rows]


async def seen(db: Connection, ids: Collection[UUID], access: Access) -> Mapping[UUID, bool]:
    """Those of these interactions that are seen, deleted ones too, and whether what they say is."""
    if access.is_whole:
        return dict.fromkeys(ids, True)
    rows = await db.fetch(LOOK, list(ids), access.unseen, access.unread, list(access.mine))
    return {row["id"]: row["is_read"] for row in rows if row["is_seen"]}


async def chains(db: Connection, ids: Collection[UUID], access: Access) -> dict[UUID, SeenChain]:
    """These chains as far as they are seen; one of which nothing is, is not among them."""
    rows = await db.fetch(CHAINS, list(ids), access.unseen, list(access.mine))
    return {
        row["chain_id"]: SeenChain(row["root_id"], row["topic"], row["first_at"], row["size"], row["last_at"])
        for row in rows
    }


MEMBERS = """
SELECT id FROM interaction WHERE chain_id = $1 AND deleted_at IS NULL
"""


async def is_chain_whole(db: Connection, chain_id: UUID, access: Access) -> bool:
    """Whether every member of a chain is seen, and what it says."""
    if access.is_whole:
        return True
    ids = [row["id"] for row in await db.fetch(MEMBERS, chain_id)]
    return sum((await seen(db, ids, access)).values()) == len(ids)


async def unseen_chains(db: Connection, ids: Collection[UUID], access: Access) -> set[UUID]:
    """Those of these chains of which nothing is seen; nobody knows of them."""
    if not access.hidden or not ids:
        return set()
    return {row["id"] for row in await db.fetch(GONE_CHAINS, list(ids), access.unseen, list(access.mine))}


async def unseen_addresses(db: Connection, ids: Collection[UUID], access: Access) -> set[UUID]:
    """Those of these addresses that take part in nothing that is seen."""
    if not access.hidden or not ids:
        return set()
    return {row["id"] for row in await db.fetch(GONE_ADDRESSES, list(ids), access.unseen, list(access.mine))}
