"""What people decided about participants: whom one is, or that it is nobody we know.

A decision stands in the participant itself (`decided`, with `contact_id` null for nobody) and no rule changes it. Where a
person asks for it, it is remembered beside: for the address in one chain, which `follow` gives to every message that
joins it, or for the address everywhere, which `addresses.resolve` puts above its owners. What is remembered leads no
further than its contact: one that is deleted is forgotten, a merged one is moved.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from storage.database import Connection

SEAT = """
SELECT p.address_id, i.chain_id FROM participant p JOIN interaction i ON i.id = p.interaction_id
WHERE p.interaction_id = $1 AND p.n = $2 AND i.deleted_at IS NULL FOR UPDATE
"""

# The partner at the time: the contact itself, or whom the person served then; of several the latest begun.
DECIDE = """
UPDATE participant p SET contact_id = $3, decided = 'manual', edited = true,
    partner_id = (SELECT CASE WHEN c.kind = 'partner' THEN c.id ELSE (
        SELECT e.partner_id FROM employment e
        WHERE e.person_id = c.id AND (e.since IS NULL OR e.since <= (i.occurred_at AT TIME ZONE 'UTC')::date)
          AND (e.until IS NULL OR e.until > (i.occurred_at AT TIME ZONE 'UTC')::date)
        ORDER BY e.since DESC NULLS LAST, e.partner_id DESC LIMIT 1) END
        FROM contact c WHERE c.id = $3)
FROM interaction i WHERE i.id = p.interaction_id AND p.interaction_id = $1 AND p.n = $2
"""

TOUCH = """
UPDATE interaction SET version = version + 1, updated_at = now() WHERE id = ANY($1::uuid[])
"""

REMEMBER = """
INSERT INTO remembered_match (id, address_id, chain_id, contact_id, decided_by) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (address_id, chain_id) DO UPDATE SET id = excluded.id, contact_id = excluded.contact_id,
    decided_by = excluded.decided_by, decided_at = now()
"""

IN_CHAIN = """
SELECT p.interaction_id, p.n FROM interaction i JOIN participant p ON p.interaction_id = i.id
WHERE i.chain_id = $1 AND p.address_id = $2 ORDER BY p.interaction_id, p.n
"""


@dataclass(frozen=True, slots=True)
class Seat:
    """A participant's address, and the chain it takes part in."""

    address_id: UUID | None
    chain_id: UUID


async def seat(db: Connection, interaction_id: UUID, n: int) -> Seat | None:
    """A participant, held for a decision; None where there is none."""
    row = await db.fetchrow(SEAT, interaction_id, n)
    return Seat(row["address_id"], row["chain_id"]) if row else None


async def decide(db: Connection, interaction_id: UUID, n: int, contact_id: UUID | None) -> None:
    """Links a participant by hand, or says that it is nobody."""
    await db.execute(DECIDE, interaction_id, n, contact_id)


async def touch(db: Connection, interaction_ids: Collection[UUID]) -> None:
    """Gives interactions a new version, since what they show has changed."""
    await db.execute(TOUCH, list(interaction_ids))


async def remember(
    db: Connection, address_id: UUID, chain_id: UUID | None, contact_id: UUID | None, by: UUID | None
) -> None:
    """Remembers a decision for an address: in one chain, or everywhere. The links are to be worked out by the caller."""
    await db.execute(REMEMBER, uuid4(), address_id, chain_id, contact_id, by)


async def in_chain(db: Connection, chain_id: UUID, address_id: UUID) -> list[tuple[UUID, int]]:
    """Where an address takes part in a chain."""
    return [(row["interaction_id"], row["n"]) for row in await db.fetch(IN_CHAIN, chain_id, address_id)]


# What was remembered for a chain that was merged goes on in the chain it went into; of two decisions the later one holds.
FOLLOW = """
WITH wanted AS (
    SELECT DISTINCT ON (q.interaction_id, q.n) q.interaction_id, q.n, r.contact_id, i.occurred_at
    FROM interaction i JOIN participant q ON q.interaction_id = i.id
    JOIN remembered_match r ON r.address_id = q.address_id JOIN chain c ON c.id = r.chain_id
    LEFT JOIN contact k ON k.id = r.contact_id
    WHERE i.id = ANY($1::uuid[]) AND coalesce(c.merged_into, c.id) = i.chain_id AND k.deleted_at IS NULL
      AND (q.decided = 'remembered' OR (q.decided IS NULL AND q.contact_id IS NULL AND NOT q.edited))
    ORDER BY q.interaction_id, q.n, r.decided_at DESC)
UPDATE participant p SET contact_id = w.contact_id, decided = 'remembered',
    partner_id = CASE WHEN k.kind = 'partner' THEN k.id ELSE (
        SELECT e.partner_id FROM employment e
        WHERE e.person_id = k.id AND (e.since IS NULL OR e.since <= (w.occurred_at AT TIME ZONE 'UTC')::date)
          AND (e.until IS NULL OR e.until > (w.occurred_at AT TIME ZONE 'UTC')::date)
        ORDER BY e.since DESC NULLS LAST, e.partner_id DESC LIMIT 1) END
FROM wanted w LEFT JOIN contact k ON k.id = w.contact_id
WHERE p.interaction_id = w.interaction_id AND p.n = w.n
"""


async def follow(db: Connection, interaction_ids: Sequence[UUID]) -> None:
    """Gives these interactions what was remembered for their chains, where nobody decided otherwise."""
    if interaction_ids:
        await db.execute(FOLLOW, list(interaction_ids))


SETTLE = """
UPDATE participant p SET partner_id = r.partner_id
FROM (SELECT q.interaction_id, q.n, q.partner_id AS before, CASE WHEN c.kind = 'partner' THEN c.id ELSE (
          SELECT e.partner_id FROM employment e
          WHERE e.person_id = c.id AND (e.since IS NULL OR e.since <= (i.occurred_at AT TIME ZONE 'UTC')::date)
            AND (e.until IS NULL OR e.until > (i.occurred_at AT TIME ZONE 'UTC')::date)
          ORDER BY e.since DESC NULLS LAST, e.partner_id DESC LIMIT 1) END AS partner_id
      FROM participant q JOIN interaction i ON i.id = q.interaction_id JOIN contact c ON c.id = q.contact_id
      WHERE q.contact_id = ANY($1::uuid[])) r
WHERE p.interaction_id = r.interaction_id AND p.n = r.n AND r.before IS DISTINCT FROM r.partner_id
"""


async def settle(db: Connection, contact_ids: Collection[UUID]) -> None:
    """Works out the partner at the time anew where these contacts were chosen by hand: for whom they worked has changed."""
    if contact_ids:
        await db.execute(SETTLE, list(contact_ids))


HAND_OVER = """
UPDATE remembered_match SET contact_id = $3 WHERE address_id = ANY($1::uuid[]) AND contact_id = $2
"""


async def hand_over(db: Connection, address_ids: Collection[UUID], old: UUID, new: UUID) -> None:
    """What was remembered of these addresses for one contact counts for another from now on."""
    await db.execute(HAND_OVER, list(address_ids), old, new)
