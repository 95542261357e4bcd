"""Parties: addresses and numbers that are nobody yet, with what they said.

A party is an address that leads to no contact, is none of ours, and takes part in something. Nothing is written to make
one: it is there with the first message, and gone from the list as soon as the address leads to somebody. One that nobody
wants to see is ignored, which changes no message. Lists show first who came last; how often and when is counted for the
lines of a page only, and of what is seen by whoever asks ($1, $2): an address that spoke only where that person may not
look is not there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from interactions.access import EVERYTHING, Access
from interactions.records import AddressKind, Key
from storage import audit
from storage.database import Connection

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Party:
    """An address with its history. `name` and `address` are as the last message had them."""

    id: UUID
    key: Key
    own: bool
    ignored: bool
    contact_id: UUID | None
    candidates: tuple[UUID, ...]
    first_seen_at: datetime
    count: int
    last_at: datetime | None
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which parties a list shows."""

    kind: str | None = None
    ambiguous: bool = False
    ignored: bool = False
    after: tuple[datetime, UUID] | None = None
    limit: int = 50


_COUNTED = """a.id, a.kind, a.value, a.own, a.ignored, a.contact_id, a.candidates, a.first_seen_at, seen.count, seen.last_at,
    coalesce(last.display_name, '') AS name, coalesce(last.address, '') AS address
FROM address a CROSS JOIN LATERAL (
    SELECT count(DISTINCT i.id) AS count, max(i.occurred_at) AS last_at
    FROM participant p JOIN interaction i ON i.id = p.interaction_id
    WHERE p.address_id = a.id AND p.contact_id IS NULL AND p.decided IS NULL AND i.deleted_at IS NULL
      AND ($1::text[] IS NULL OR sees($1, $2, i.source, i.responsible_id, i.id))) seen
LEFT JOIN LATERAL (
    SELECT p.display_name, p.address FROM participant p JOIN interaction i ON i.id = p.interaction_id
    WHERE p.address_id = a.id AND ($1::text[] IS NULL OR sees($1, $2, i.source, i.responsible_id, i.id))
    ORDER BY p.interaction_id DESC LIMIT 1) last ON true"""

PAGE = f"""
SELECT {_COUNTED}
WHERE a.contact_id IS NULL AND NOT a.own AND NOT a.ignored AND seen.count > 0
  AND ($3::text IS NULL OR a.kind = $3) AND (NOT $4::boolean OR (a.candidates <> '{{}}' AND a.rule <> 'domain'))
  AND (a.first_seen_at, a.id) < ($5::timestamptz, $6::uuid)
ORDER BY a.first_seen_at DESC, a.id DESC LIMIT $7
"""

IGNORED_PAGE = f"""
SELECT {_COUNTED}
WHERE a.ignored AND ($1::text[] IS NULL OR seen.count > 0)
  AND ($3::text IS NULL OR a.kind = $3) AND (NOT $4::boolean OR (a.candidates <> '{{}}' AND a.rule <> 'domain'))
  AND (a.first_seen_at, a.id) < ($5::timestamptz, $6::uuid)
ORDER BY a.first_seen_at DESC, a.id DESC LIMIT $7
"""

FIND = f"""
SELECT {_COUNTED}
WHERE a.id = $3 AND ($1::text[] IS NULL OR seen.count > 0)
"""

HOLD = """
SELECT id FROM address WHERE id = $1 FOR UPDATE
"""

IGNORE = """
UPDATE address SET ignored = $2 WHERE id = $1
"""

TIMELINE = """
SELECT DISTINCT i.id, i.occurred_at FROM participant p JOIN interaction i ON i.id = p.interaction_id
WHERE p.address_id = $1 AND i.deleted_at IS NULL AND ($2::timestamptz IS NULL OR (i.occurred_at, i.id) < ($2, $3::uuid))
  AND ($5::text[] IS NULL OR sees($5, $6, i.source, i.responsible_id, i.id))
ORDER BY i.occurred_at DESC, i.id DESC LIMIT $4
"""


async def page(db: Connection, wanted: Filter, access: Access = EVERYTHING) -> list[Party]:
    """A page of the list: the newest first. The next one begins after (last.first_seen_at, last.id)."""
    at, last = wanted.after or (END_OF_TIME, UUID(int=2**128 - 1))
    statement = IGNORED_PAGE if wanted.ignored else PAGE
    rows = await db.fetch(
        statement, access.unseen, list(access.mine), wanted.kind, wanted.ambiguous, at, last, wanted.limit
    )
    return [_party(row) for row in rows]


async def find(db: Connection, party_id: UUID, access: Access = EVERYTHING, *, hold: bool = False) -> Party | None:
    """One address, whomever it leads to. With `hold` nobody else changes its owners until the transaction ends."""
    if hold:
        await db.fetch(HOLD, party_id)
    row = await db.fetchrow(FIND, access.unseen, list(access.mine), party_id)
    return _party(row) if row else None


def _party(row: Any) -> Party:
    key = Key(AddressKind(row["kind"]), row["value"])
    return Party(
        row["id"], key, row["own"], row["ignored"], row["contact_id"], tuple(row["candidates"]), row["first_seen_at"],
        row["count"], row["last_at"], row["name"], row["address"],
    )  # fmt: skip


async def ignore(db: Connection, party_id: UUID, ignored: bool) -> None:
    """Takes a party out of the list, or back into it."""
    await db.execute(IGNORE, party_id, ignored)
    await audit.note(db, "party.ignored" if ignored else "party.shown", party_id)


async def timeline(
    db: Connection, party_id: UUID, after: tuple[datetime, UUID] | None, limit: int, access: Access = EVERYTHING
) -> list[UUID]:
    """A page of all that an address took part in, the newest first."""
    at, last = after or (None, None)
    rows = await db.fetch(TIMELINE, party_id, at, last, limit, access.unseen, list(access.mine))
    return [row["id"] for row in rows]
