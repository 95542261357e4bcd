"""Subjects and the chains that have them: one subject for a whole chain, and a history of those it had.

A subject of interactions of which somebody sees none is not there for that person, unless he answers for it; and of those
who were copied from interactions only who takes part in one that is seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from interactions.access import EVERYTHING, Access
from interactions.records import Json, JsonValue
from interactions.subjects import Taken
from interactions.views import ContactView, Named, ParticipantView
from storage.database import Connection, storable
from storage.errors import Conflict

ADD = """
INSERT INTO subject (id, kind, title, state, responsible_id, client_id, due_at, external_ref, url, extra)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

ADD_PARTICIPANTS = """
INSERT INTO subject_participant (subject_id, n, role, display_name, address, address_id, contact_id, partner_id, origin)
SELECT $1, new.n, new.role, new.name, new.address, a.id, new.contact_id, new.partner_id, 'copied'
FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::uuid[])
     AS new (n, role, name, address, kind, key, contact_id, partner_id)
LEFT JOIN address a ON a.kind = new.kind AND a.value = new.key
"""


@dataclass(frozen=True, slots=True)
class NewSubject:
    """A subject to be written."""

    id: UUID
    kind: str
    title: str
    state: str = "open"
    responsible_id: UUID | None = None
    client_id: UUID | None = None
    due_at: datetime | None = None
    external_ref: str | None = None
    url: str | None = None
    extra: Json | None = None


@dataclass(frozen=True, slots=True)
class SubjectView:
    """A subject with the names behind its ids."""

    id: UUID
    number: int
    kind: str
    title: str
    state: str
    responsible: Named | None
    client: ContactView | None
    due_at: datetime | None
    closed_at: datetime | None
    external_ref: str | None
    url: str | None
    extra: Json
    version: int
    created_at: datetime
    updated_at: datetime
    participants: tuple[tuple[ParticipantView, str], ...] = ()


async def add(db: Connection, new: NewSubject, taken: Sequence[Taken]) -> None:
    """Writes a subject and its participants. Raises Conflict where another of its kind has its reference."""
    try:
        await db.execute(
            ADD, new.id, new.kind, storable(new.title), new.state, new.responsible_id, new.client_id, new.due_at,
            new.external_ref, new.url, dict(new.extra or {}),
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise Conflict(f"another {new.kind} has the reference {new.external_ref!r} already") from None
    if taken:
        await db.execute(
            ADD_PARTICIPANTS,
            new.id,
            list(range(len(taken))),
            [one.role for one in taken],
            [storable(one.display_name) for one in taken],
            [storable(one.address) for one in taken],
            [one.address_kind for one in taken],
            [one.key for one in taken],
            [one.contact_id for one in taken],
            [one.partner_id for one in taken],
        )


ROWS = """
SELECT s.*, re.name AS responsible_name, cl.name AS client_name, cl.kind AS client_kind
FROM subject s LEFT JOIN contact re ON re.id = s.responsible_id LEFT JOIN contact cl ON cl.id = s.client_id
WHERE s.id = ANY($1::uuid[])
"""

PARTICIPANTS = """
SELECT p.subject_id, p.role, p.display_name, p.address, p.origin, a.kind AS address_kind, a.value AS key,
    coalesce(a.own, false) AS own, a.rule, a.confidence, a.candidates,
    p.contact_id IS NOT NULL AND p.contact_id IS DISTINCT FROM a.contact_id AS chosen, c.id AS contact_id, c.kind AS contact_kind, c.name AS contact_name,
    pa.id AS partner_id, pa.name AS partner_name
FROM subject_participant p LEFT JOIN address a ON a.id = p.address_id
LEFT JOIN contact c ON c.id = coalesce(p.contact_id, a.contact_id)
LEFT JOIN contact pa ON pa.id = p.partner_id
WHERE p.subject_id = ANY($1::uuid[]) AND ($2::text[] IS NULL OR p.origin <> 'copied' OR (
    SELECT true FROM chain h JOIN interaction i ON i.chain_id = h.id JOIN participant q ON q.interaction_id = i.id
    WHERE h.subject_id = p.subject_id AND i.deleted_at IS NULL AND sees($2, $3, i.source, i.responsible_id, i.id)
      AND (q.address_id = p.address_id OR q.partner_id = p.contact_id
           OR (q.display_name, q.address) = (p.display_name, p.address)) LIMIT 1))
ORDER BY p.subject_id, p.n
"""

SEEN = """
SELECT s.id FROM subject s
WHERE s.id = ANY($1::uuid[]) AND (s.responsible_id = ANY($3::uuid[])
    OR NOT EXISTS (SELECT FROM chain c JOIN interaction i ON i.chain_id = c.id
                   WHERE c.subject_id = s.id AND i.deleted_at IS NULL)
    OR (SELECT true FROM chain c JOIN interaction i ON i.chain_id = c.id
        WHERE c.subject_id = s.id AND i.deleted_at IS NULL AND sees($2, $3, i.source, i.responsible_id, i.id) LIMIT 1))
"""


async def seen(db: Connection, ids: Sequence[UUID], access: Access) -> set[UUID]:
    """Those of these subjects that are seen."""
    if not access.hidden:
        return set(ids)
    return {row["id"] for row in await db.fetch(SEEN, list(ids), access.unseen, list(access.mine))}


async def views(db: Connection, ids: Sequence[UUID], access: Access = EVERYTHING) -> list[SubjectView]:
    """These subjects in this order; those that are not seen are left out."""
    known = await seen(db, ids, access)
    ids = [one for one in ids if one in known]
    rows = {row["id"]: row for row in await db.fetch(ROWS, list(ids))}
    people: dict[UUID, list[tuple[ParticipantView, str]]] = {}
    for row in await db.fetch(PARTICIPANTS, list(ids), access.unseen, list(access.mine)):
        people.setdefault(row["subject_id"], []).append((_participant(dict(row)), row["origin"]))
    return [_view(dict(rows[one]), people.get(one, [])) for one in ids if one in rows]


async def find(db: Connection, subject_id: UUID, access: Access = EVERYTHING) -> SubjectView | None:
    """One subject."""
    found = await views(db, [subject_id], access)
    return found[0] if found else None


def _participant(row: Mapping[str, Any]) -> ParticipantView:
    contact, chosen = None, row["chosen"]
    if row["contact_id"] is not None:
        partner = Named(row["partner_id"], row["partner_name"]) if row["partner_id"] else None
        contact = ContactView(row["contact_id"], row["contact_kind"], row["contact_name"], partner)
    return ParticipantView(
        role=row["role"], display_name=row["display_name"], address=row["address"],
        address_kind=row["address_kind"] or "other", key=row["key"], own=row["own"], contact=contact,
        rule="manual" if chosen else row["rule"] or "none", origin="manual" if chosen else "automatic",
        confidence="manual" if chosen else row["confidence"] or "none",
        candidates=() if chosen else tuple(row["candidates"] or ()),
    )  # fmt: skip


def _view(row: Mapping[str, Any], people: Sequence[tuple[ParticipantView, str]]) -> SubjectView:
    responsible = Named(row["responsible_id"], row["responsible_name"]) if row["responsible_id"] else None
    client = ContactView(row["client_id"], row["client_kind"], row["client_name"]) if row["client_id"] else None
    return SubjectView(
        row["id"], row["number"], row["kind"], row["title"], row["state"], responsible, client, row["due_at"],
        row["closed_at"], row["external_ref"], row["url"], row["extra"], row["version"], row["created_at"],
        row["updated_at"], tuple(people),
    )  # fmt: skip


PAGE = """
SELECT id FROM subject s
WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::uuid IS NULL OR responsible_id = $3) AND ($4::uuid IS NULL OR client_id = $4)
  AND ($5::text IS NULL OR external_ref = $5)
  AND (NOT $6::boolean OR (state = 'open' AND due_at < now()))
  AND ($7::bigint IS NULL OR number < $7)
  AND ($9::text[] IS NULL OR s.responsible_id = ANY($10::uuid[])
    OR (SELECT true FROM chain c JOIN interaction i ON i.chain_id = c.id
        WHERE c.subject_id = s.id AND i.deleted_at IS NULL LIMIT 1) IS NULL
    OR (SELECT true FROM chain c JOIN interaction i ON i.chain_id = c.id
        WHERE c.subject_id = s.id AND i.deleted_at IS NULL AND sees($9, $10, i.source, i.responsible_id, i.id) LIMIT 1))
ORDER BY number DESC LIMIT $8
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which subjects a list shows; None means any. `before` is the number of the last one of the page before."""

    kind: str | None = None
    state: str | None = None
    responsible_id: UUID | None = None
    client_id: UUID | None = None
    external_ref: str | None = None
    overdue: bool = False
    before: int | None = None
    limit: int = 50


async def page(db: Connection, wanted: Filter, access: Access = EVERYTHING) -> list[SubjectView]:
    """Subjects, the newest first."""
    rows = await db.fetch(
        PAGE, wanted.kind, wanted.state, wanted.responsible_id, wanted.client_id, wanted.external_ref, wanted.overdue,
        wanted.before, wanted.limit, access.unseen, list(access.mine),
    )  # fmt: skip
    return await views(db, [row["id"] for row in rows], access)


# $2 holds what is to be changed; null takes a value away. Whoever leaves the state "open" closes it now.
SET_FIELDS = """
UPDATE subject SET title = coalesce($2::jsonb->>'title', title), kind = coalesce($2->>'kind', kind),
    state = coalesce($2->>'state', state),
    closed_at = CASE WHEN coalesce($2->>'state', state) = 'open' THEN NULL ELSE coalesce(closed_at, now()) END,
    responsible_id = CASE WHEN $2 ? 'responsible_id' THEN ($2->>'responsible_id')::uuid ELSE responsible_id END,
    client_id = CASE WHEN $2 ? 'client_id' THEN ($2->>'client_id')::uuid ELSE client_id END,
    due_at = CASE WHEN $2 ? 'due_at' THEN ($2->>'due_at')::timestamptz ELSE due_at END,
    external_ref = CASE WHEN $2 ? 'external_ref' THEN $2->>'external_ref' ELSE external_ref END,
    url = CASE WHEN $2 ? 'url' THEN $2->>'url' ELSE url END,
    extra = CASE WHEN $2 ? 'extra' THEN coalesce($2->'extra', '{}') ELSE extra END,
    version = version + 1, updated_at = now()
WHERE id = $1 AND ($3::int IS NULL OR version = $3) RETURNING id
"""


async def set_fields(db: Connection, subject_id: UUID, changes: Mapping[str, JsonValue], version: int | None) -> bool:
    """Changes what is given; says whether the subject was there in that version. Raises Conflict."""
    try:
        return await db.fetchval(SET_FIELDS, subject_id, dict(changes), version) is not None
    except asyncpg.UniqueViolationError:
        raise Conflict(
            f"another subject of its kind has the reference {changes.get('external_ref')!r} already"
        ) from None


SET_ON_CHAIN = """
UPDATE chain SET subject_id = $2 WHERE id = $1 AND subject_id IS DISTINCT FROM $2
"""

REMEMBER = """
INSERT INTO chain_subject (chain_id, subject_id, set_by, set_at) VALUES ($1, $2, $3, clock_timestamp())
"""

TOUCH_MEMBERS = """
UPDATE interaction SET version = version + 1, updated_at = now() WHERE chain_id = $1 AND deleted_at IS NULL RETURNING id
"""


async def set_on_chain(db: Connection, chain_id: UUID, subject_id: UUID | None, by: UUID | None) -> list[UUID]:
    """Gives a chain, which is held, its subject; with it all its members, whatever they had. Returns those whose subject
    changed. What the chain had before stays in its history."""
    if not str(await db.execute(SET_ON_CHAIN, chain_id, subject_id)).endswith(" 1"):
        return []
    await db.execute(REMEMBER, chain_id, subject_id, by)
    return [row["id"] for row in await db.fetch(TOUCH_MEMBERS, chain_id)]


HISTORY = """
SELECT subject_id, set_at, set_by FROM chain_subject WHERE chain_id = $1 ORDER BY set_at
"""


async def history(db: Connection, chain_id: UUID) -> list[tuple[UUID | None, datetime, UUID | None]]:
    """Which subjects a chain had, since when, and who set them."""
    return [(row["subject_id"], row["set_at"], row["set_by"]) for row in await db.fetch(HISTORY, chain_id)]
