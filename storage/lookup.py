"""Who is this, and what was there with them: an address, its link, the last interactions and the open chains.

Each address brings its newest interactions from the index by itself (ids are in order of time), so an answer costs the
same for a contact of ten interactions and one of a hundred thousand. A timeline, which shows all, is a page by key.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from interactions.access import EVERYTHING, Access
from interactions.records import Key
from storage import access as storage_access
from storage.database import Connection

ADDRESS = """
SELECT id, own, contact_id, rule, confidence, candidates FROM address WHERE kind = $1 AND value = $2
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An address that was seen or given to somebody, and where it leads."""

    address_id: UUID
    own: bool
    contact_id: UUID | None
    rule: str
    confidence: str
    candidates: tuple[UUID, ...]


async def address(db: Connection, key: Key) -> Found | None:
    """What is stored of an address; nothing is made for it."""
    row = await db.fetchrow(ADDRESS, key.kind.value, key.value)
    if row is None:
        return None
    candidates = tuple(row["candidates"])
    return Found(row["id"], row["own"], row["contact_id"], row["rule"], row["confidence"], candidates)


OF_CONTACTS = """
SELECT value FROM address WHERE kind = 'email' AND value = ANY($1::text[]) AND contact_id IS NOT NULL
"""


async def of_contacts(db: Connection, emails: Sequence[str]) -> set[str]:
    """Those of these e-mail addresses that belong to somebody we know."""
    return {row["value"] for row in await db.fetch(OF_CONTACTS, list(emails))}


OF_CUSTOMERS = """
SELECT value FROM address WHERE kind = 'email' AND value = ANY($1::text[]) AND contact_id IS NOT NULL AND rule <> 'own'
"""


async def of_customers(db: Connection, emails: Sequence[str]) -> set[str]:
    """Those of these e-mail addresses that belong to a contact who is none of us."""
    return {row["value"] for row in await db.fetch(OF_CUSTOMERS, list(emails))}


# What a person chose for one interaction is followed; so is the partner that a participant stood for at the time.
RECENT = """
WITH mine AS (
    SELECT r.interaction_id FROM address a CROSS JOIN LATERAL (
        SELECT p.interaction_id FROM participant p JOIN interaction i ON i.id = p.interaction_id
        WHERE p.address_id = a.id AND p.contact_id IS NULL AND p.decided IS NULL AND i.deleted_at IS NULL
            AND ($4::text[] IS NULL OR sees($4, $5, i.source, i.responsible_id, i.id))
        ORDER BY p.interaction_id DESC LIMIT $3) r
    WHERE a.id = $1 OR a.contact_id = $2
    UNION (SELECT p.interaction_id FROM participant p JOIN interaction i ON i.id = p.interaction_id
        WHERE p.contact_id = $2 AND i.deleted_at IS NULL
            AND ($4::text[] IS NULL OR sees($4, $5, i.source, i.responsible_id, i.id))
        ORDER BY p.interaction_id DESC LIMIT $3)
    UNION (SELECT p.interaction_id FROM participant p JOIN interaction i ON i.id = p.interaction_id
        WHERE p.partner_id = $2 AND i.deleted_at IS NULL
            AND ($4::text[] IS NULL OR sees($4, $5, i.source, i.responsible_id, i.id))
        ORDER BY p.interaction_id DESC LIMIT $3))
SELECT i.id FROM mine JOIN interaction i ON i.id = mine.interaction_id
ORDER BY i.occurred_at DESC, i.id DESC LIMIT $3
"""


async def recent(
    db: Connection, address_id: UUID | None, contact_id: UUID | None, limit: int, access: Access = EVERYTHING
) -> list[UUID]:
    """The newest interactions of a contact, or of an address that is nobody's."""
    rows = await db.fetch(RECENT, address_id, contact_id, limit, access.unseen, list(access.mine))
    return [row["id"] for row in rows]


OPEN_CHAINS = """
WITH mine AS MATERIALIZED (SELECT DISTINCT chain_id FROM interaction WHERE id = ANY($1::uuid[]))
SELECT c.id, c.root_id, coalesce(root.topic, '') AS topic, c.size, c.last_at, s.id AS subject_id, s.kind AS subject_kind,
    s.title AS subject_title, coalesce(s.state, '') AS subject_state
FROM mine JOIN chain c ON c.id = mine.chain_id LEFT JOIN interaction root ON root.id = c.root_id
LEFT JOIN subject s ON s.id = c.subject_id
WHERE (s.state = 'open' OR EXISTS (SELECT 1 FROM interaction m
       WHERE m.chain_id = c.id AND m.deleted_at IS NULL AND (NOT m.reviewed OR m.on_control)
         AND ($3::text[] IS NULL OR sees($3, $4, m.source, m.responsible_id, m.id))))
ORDER BY c.last_at DESC, c.id LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class OpenChain:
    """A chain that waits for somebody, and its subject if it has one."""

    id: UUID
    root_id: UUID
    topic: str
    size: int
    last_at: datetime
    subject_id: UUID | None
    subject_kind: str | None
    subject_title: str | None
    subject_state: str


async def open_chains(
    db: Connection, interaction_ids: Sequence[UUID], limit: int, access: Access = EVERYTHING
) -> list[OpenChain]:
    """The open chains among those of these interactions, the liveliest first."""
    rows = await db.fetch(OPEN_CHAINS, list(interaction_ids), limit, access.unseen, list(access.mine))
    found = [OpenChain(*row) for row in rows]
    if not access.hidden:
        return found
    seen = await storage_access.chains(db, [one.id for one in found], access)
    return [
        replace(one, root_id=chain.root_id, topic=chain.topic, size=chain.size, last_at=chain.last_at)
        for one in found
        if (chain := seen.get(one.id)) is not None
    ]


TIMELINE = """
WITH mine AS (
    SELECT p.interaction_id FROM participant p JOIN address a ON a.id = p.address_id
    WHERE a.contact_id = $1 AND p.contact_id IS NULL AND p.decided IS NULL
    UNION SELECT interaction_id FROM participant WHERE contact_id = $1
    UNION SELECT interaction_id FROM participant WHERE partner_id = $1)
SELECT i.id FROM mine JOIN interaction i ON i.id = mine.interaction_id
WHERE i.deleted_at IS NULL AND ($2::timestamptz IS NULL OR (i.occurred_at, i.id) < ($2, $3::uuid))
  AND ($5::text[] IS NULL OR sees($5, $6, i.source, i.responsible_id, i.id))
ORDER BY i.occurred_at DESC, i.id DESC LIMIT $4
"""


async def timeline(
    db: Connection, contact_id: UUID, after: tuple[datetime, UUID] | None, limit: int, access: Access = EVERYTHING
) -> list[UUID]:
    """A page of all interactions of a contact, the newest first; for a partner those of its persons of the time too."""
    at, last = after or (None, None)
    rows = await db.fetch(TIMELINE, contact_id, at, last, limit, access.unseen, list(access.mine))
    return [row["id"] for row in rows]
