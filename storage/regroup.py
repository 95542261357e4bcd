"""Chains put together and taken apart by hand: what a person decides, with what is needed to take it back.

Both chains are held in the order of their ids before anything is read. A merged chain leaves a redirect, as after a merge
by rule; a member that is split off gets a chain of its own, and answers to it follow it there.

What a person decides holds against every rule: mails get a pin, the chain in which they were put or left, and pins that were
taken apart are never brought together by a later mail (`interactions.chains`). Both chains are loose from then on.
"""

from collections.abc import Sequence
from uuid import UUID

from storage import chains, threads
from storage.database import Connection

MEMBERS = """
SELECT id FROM interaction WHERE chain_id = $1 ORDER BY occurred_at, id
"""

SUBJECTS = """
SELECT id, subject_id FROM chain WHERE id = ANY($1::uuid[])
"""

MARK_MANUAL = """
UPDATE interaction SET link_rule = 'manual', link_origin = 'manual' WHERE id = ANY($1::uuid[])
"""

OPEN = """
INSERT INTO chain (id, root_id, first_at, last_at, size, subject_id)
SELECT $1, i.id, i.occurred_at, i.occurred_at, 0, c.subject_id FROM interaction i JOIN chain c ON c.id = i.chain_id
WHERE i.id = $2
ON CONFLICT (id) DO UPDATE SET merged_into = NULL
"""

MOVE = """
UPDATE interaction SET chain_id = $2, version = version + 1, updated_at = now() WHERE id = ANY($1::uuid[])
"""

UNREDIRECT = """
UPDATE chain SET merged_into = NULL WHERE id = $1 AND merged_into = $2
"""

REDIRECTS = """
SELECT id FROM chain WHERE merged_into = $1 ORDER BY id
"""

LEAD_BACK = """
UPDATE chain SET merged_into = $2 WHERE id = ANY($1::uuid[]) AND merged_into = $3
"""

SET_SUBJECT = """
UPDATE chain SET subject_id = $2 WHERE id = $1
"""


# What was taken apart from any of these pins before stays apart from the new one.
INHERIT_APART = """
WITH others AS (SELECT other FROM chain_apart WHERE one = ANY($1::uuid[]) AND other <> ALL($1::uuid[]) AND other <> $2)
INSERT INTO chain_apart (one, other) SELECT $2, other FROM others UNION SELECT other, $2 FROM others
ON CONFLICT (one, other) DO NOTHING
"""

TAKE_APART = """
INSERT INTO chain_apart (one, other) VALUES ($1, $2), ($2, $1) ON CONFLICT (one, other) DO NOTHING
"""

LET_MEET = """
DELETE FROM chain_apart WHERE one = ANY($1::uuid[]) AND other = ANY($1::uuid[])
"""

LOOSEN = """
UPDATE chain SET is_loose = true WHERE id = ANY($1::uuid[])
"""


async def hold_both(db: Connection, one: UUID, other: UUID) -> dict[UUID, UUID | None]:
    """Where two chains are now, held in the order of their ids; None for what was never a chain."""
    return {chain_id: await chains.hold(db, chain_id) for chain_id in sorted({one, other})}


async def members(db: Connection, chain_id: UUID) -> list[UUID]:
    """The members of a chain in order of time, those that were deleted too."""
    return [row["id"] for row in await db.fetch(MEMBERS, chain_id)]


async def subjects_of(db: Connection, chain_ids: Sequence[UUID]) -> dict[UUID, UUID | None]:
    """The subjects of these chains."""
    return {row["id"]: row["subject_id"] for row in await db.fetch(SUBJECTS, list(chain_ids))}


async def open_for(db: Connection, chain_id: UUID, member_id: UUID) -> None:
    """A chain of its own for a member of another, with the subject that the other has."""
    await db.execute(OPEN, chain_id, member_id)


async def mark_manual(db: Connection, member_ids: Sequence[UUID]) -> None:
    """Says that a person put these where they are."""
    await db.execute(MARK_MANUAL, list(member_ids))


async def pin_together(db: Connection, chain_id: UUID) -> None:
    """Keeps all members of a chain together, whatever they were before."""
    pins = [*await threads.pin(db, await members(db, chain_id), chain_id), chain_id]
    await db.execute(LET_MEET, pins)
    await db.execute(INHERIT_APART, pins, chain_id)
    await db.execute(LOOSEN, [chain_id])


async def pin_apart(db: Connection, one: UUID, other: UUID) -> None:
    """Keeps the members of each of two chains together, and away from those of the other."""
    for chain_id in (one, other):
        pins = await threads.pin(db, await members(db, chain_id), chain_id)
        await db.execute(INHERIT_APART, pins, chain_id)
    await db.execute(TAKE_APART, one, other)
    await db.execute(LOOSEN, [one, other])


async def move(db: Connection, member_ids: Sequence[UUID], source: UUID, target: UUID) -> None:
    """Moves members from one chain to another, both held, and counts both anew."""
    await db.execute(MOVE, list(member_ids), target)
    await chains.recount(db, [source, target])


async def reopen(db: Connection, chain_id: UUID, merged_into: UUID) -> bool:
    """Takes a redirect away; says whether it still led there."""
    return str(await db.execute(UNREDIRECT, chain_id, merged_into)).endswith(" 1")


async def redirects(db: Connection, chain_id: UUID) -> list[UUID]:
    """Chains that were merged into this one before."""
    return [row["id"] for row in await db.fetch(REDIRECTS, chain_id)]


async def lead_back(db: Connection, chain_ids: Sequence[UUID], source: UUID, target: UUID) -> None:
    """Lets redirects that went on to `target` with the chain `source` lead to it again."""
    await db.execute(LEAD_BACK, list(chain_ids), source, target)


async def set_subject(db: Connection, chain_id: UUID, subject_id: UUID | None) -> None:
    """Gives a chain back the subject it had."""
    await db.execute(SET_SUBJECT, chain_id, subject_id)
