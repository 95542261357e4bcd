"""Contacts: partners, persons and users, with their addresses and the partners that persons serve.

Written in batches: one statement a table, whatever the number of contacts. Rows of contacts are locked before rows of
addresses, each in sorted order. Where an address gained or lost an owner, or the kind or the partners of an owner
changed, its link is worked out anew (`addresses.resolve`), and with it all history. Every change is told to the feed.

A deleted contact keeps its row, so that history goes on naming it, and its reference, so that an import does not bring
it back. Whoever served a deleted partner serves it until the day of the deletion.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg

from interactions.contacts import Contact, ContactKind, Coordinate
from interactions.records import AddressKind, Key
from interactions.search import fold
from storage import addresses, decisions, feed, variants
from storage.database import Connection
from storage.errors import Conflict

ROWS = """
SELECT id, kind, name, responsible_id, parent_id, external_ref, domains, inn, kpp, tags, comment, version, created_at,
    updated_at, deleted_at, merged_into
FROM contact WHERE id = ANY($1::uuid[])
"""

COORDINATES = """
SELECT o.contact_id, a.kind, a.value, o.raw, o.label FROM address_owner o JOIN address a ON a.id = o.address_id
WHERE o.contact_id = ANY($1::uuid[]) AND o.until IS NULL ORDER BY o.contact_id, o.position, a.kind, a.value
"""

HOLD = """
SELECT id FROM contact WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""


async def find_all(db: Connection, ids: Collection[UUID], *, hold: bool = False) -> dict[UUID, Contact]:
    """These contacts, the deleted ones too. With `hold` nobody else changes them until the transaction ends."""
    if not ids:
        return {}
    wanted = list(ids)
    if hold:
        await db.fetch(HOLD, wanted)
    own: dict[UUID, list[Coordinate]] = {}
    for row in await db.fetch(COORDINATES, wanted):
        key = Key(AddressKind(row["kind"]), row["value"])
        own.setdefault(row["contact_id"], []).append(Coordinate(key, row["raw"], row["label"]))
    jobs = await addresses.employments(db, wanted)
    return {
        row["id"]: Contact(
            row["id"], ContactKind(row["kind"]), row["name"], tuple(own.get(row["id"], ())),
            tuple(sorted(jobs.get(row["id"], ()), key=lambda job: (job.since or date.min, job.partner_id))),
            row["responsible_id"], row["parent_id"], row["external_ref"], tuple(row["domains"]), row["inn"], row["kpp"],
            tuple(row["tags"]), row["comment"], row["version"], row["created_at"], row["updated_at"], row["deleted_at"],
            row["merged_into"],
        )
        for row in await db.fetch(ROWS, wanted)
    }  # fmt: skip


async def find(db: Connection, contact_id: UUID, *, hold: bool = False) -> Contact | None:
    """One contact, a deleted one too."""
    return (await find_all(db, [contact_id], hold=hold)).get(contact_id)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which contacts a list shows. `words` must all be in the name; `key` is an address; `partner_id` is served today."""

    kinds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    key: Key | None = None
    partner_id: UUID | None = None
    external_ref: str | None = None
    after: tuple[str, UUID] | None = None
    limit: int = 50


PAGE = """
SELECT c.id FROM contact c WHERE c.deleted_at IS NULL AND c.merged_into IS NULL
  AND ($1::text[] IS NULL OR c.kind = ANY($1))
  AND c.name_key LIKE ALL($2::text[])
  AND ($3::text IS NULL OR c.id IN (SELECT o.contact_id FROM address_owner o JOIN address a ON a.id = o.address_id
       WHERE a.kind = $3 AND a.value = $4 AND o.until IS NULL))
  AND ($5::uuid IS NULL OR c.id IN (SELECT e.person_id FROM employment e WHERE e.partner_id = $5
       AND (e.since IS NULL OR e.since <= $6) AND (e.until IS NULL OR e.until > $6)))
  AND ($7::text IS NULL OR c.external_ref = $7)
  AND ($8::text IS NULL OR (c.name_key, c.id) > ($8, $9::uuid))
ORDER BY c.name_key, c.id LIMIT $10
"""


async def page(db: Connection, wanted: Filter, today: date) -> list[Contact]:
    """A page of the list, by name. The next one begins after (`name_key(last.name)`, last.id)."""
    name, last = wanted.after or (None, None)
    kind, value = (wanted.key.kind.value, wanted.key.value) if wanted.key else (None, None)
    rows = await db.fetch(
        PAGE, list(wanted.kinds) or None, [f"%{_literal(word)}%" for word in wanted.words], kind, value,
        wanted.partner_id, today, wanted.external_ref, name, last, wanted.limit,
    )  # fmt: skip
    ids = [row["id"] for row in rows]
    found = await find_all(db, ids)
    return [found[one] for one in ids if one in found]


def name_key(name: str) -> str:
    """The form in which names are sorted and looked for."""
    return fold(name)


def _literal(word: str) -> str:
    return fold(word).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


BY_REF = """
SELECT external_ref, id FROM contact WHERE external_ref = ANY($1::text[])
"""

BY_NAME = """
SELECT id FROM contact WHERE name_key = ANY($1::text[]) AND deleted_at IS NULL AND merged_into IS NULL
"""

NAMES = """
SELECT id, name FROM contact WHERE id = ANY($1::uuid[])
"""

LIVE_KINDS = """
SELECT id, kind FROM contact WHERE id = ANY($1::uuid[]) AND deleted_at IS NULL AND merged_into IS NULL
"""

ABOVE = """
WITH RECURSIVE up AS (
    SELECT id, parent_id FROM contact WHERE id = $1
    UNION SELECT c.id, c.parent_id FROM contact c JOIN up ON c.id = up.parent_id)
SELECT id FROM up
"""

BOUND = """
SELECT EXISTS (SELECT 1 FROM employment e WHERE e.partner_id = $1)
           OR EXISTS (SELECT 1 FROM contact c WHERE c.parent_id = $1 AND c.deleted_at IS NULL) AS as_partner,
       EXISTS (SELECT 1 FROM login l WHERE l.user_id = $1) AS as_user,
       EXISTS (SELECT 1 FROM login l WHERE l.user_id = $1 AND l.disabled_at IS NULL) AS signs_in
"""


async def find_by_refs(db: Connection, refs: Collection[str]) -> dict[str, UUID]:
    """The contacts that another program knows by these references, the deleted ones too."""
    return {row["external_ref"]: row["id"] for row in await db.fetch(BY_REF, list(refs))} if refs else {}


async def find_by_ref(db: Connection, external_ref: str) -> UUID | None:
    """The contact that another program knows by this reference, a deleted one too."""
    return (await find_by_refs(db, [external_ref])).get(external_ref)


async def find_by_names(db: Connection, names: Collection[str]) -> list[UUID]:
    """The contacts of these names, in any case."""
    return [row["id"] for row in await db.fetch(BY_NAME, [name_key(name) for name in names])] if names else []


async def names(db: Connection, ids: Collection[UUID]) -> dict[UUID, str]:
    """The names of contacts, of the deleted ones too."""
    return {row["id"]: row["name"] for row in await db.fetch(NAMES, list(ids))} if ids else {}


async def live_kinds(db: Connection, ids: Collection[UUID]) -> dict[UUID, ContactKind]:
    """Which of these are contacts, and of what kind."""
    return {row["id"]: ContactKind(row["kind"]) for row in await db.fetch(LIVE_KINDS, list(ids))} if ids else {}


async def above(db: Connection, partner_id: UUID) -> set[UUID]:
    """A partner and all the companies it belongs to."""
    return {row["id"] for row in await db.fetch(ABOVE, partner_id)}


@dataclass(frozen=True, slots=True)
class Bound:
    """What ties a contact to its kind: persons or companies of a partner, the login of a user."""

    as_partner: bool
    as_user: bool
    signs_in: bool


async def bound(db: Connection, contact_id: UUID) -> Bound:
    """What ties this contact to its kind."""
    row = await db.fetchrow(BOUND, contact_id)
    assert row is not None
    return Bound(*row)


_RECORD = """jsonb_to_recordset($1) AS r (id uuid, kind text, name text, name_key text, responsible_id uuid,
    parent_id uuid, external_ref text, domains text[], inn text, kpp text, tags text[], comment text)"""

ADD = f"""
INSERT INTO contact (id, kind, name, name_key, responsible_id, parent_id, external_ref, domains, inn, kpp, tags, comment)
SELECT r.id, r.kind, r.name, r.name_key, r.responsible_id, r.parent_id, r.external_ref, r.domains, r.inn, r.kpp, r.tags,
    r.comment
FROM {_RECORD}
"""  # noqa: S608 (constants only)

CHANGE = f"""
UPDATE contact c SET kind = r.kind, name = r.name, name_key = r.name_key, responsible_id = r.responsible_id,
    parent_id = r.parent_id, external_ref = r.external_ref, domains = r.domains, inn = r.inn, kpp = r.kpp,
    tags = r.tags, comment = r.comment, version = c.version + 1, updated_at = now()
FROM {_RECORD} WHERE c.id = r.id
"""  # noqa: S608 (constants only)


async def add(db: Connection, new: Contact, today: date) -> UUID:
    """Writes one new contact, of kind user too: a login may be given to it afterwards."""
    await add_all(db, [new], today)
    return new.id


async def add_all(db: Connection, new: Sequence[Contact], today: date) -> None:
    """Writes new contacts and links all that was ever seen of their addresses. Raises Conflict for a taken reference."""
    if not new:
        return
    await _execute(db, ADD, new)
    await _save_employments(db, [(None, one) for one in new])
    await _save_owners(db, [(None, one) for one in new], today)
    await feed.add(db, [feed.Change("contact.created", one.id) for one in new])


async def change_all(db: Connection, changes: Sequence[tuple[Contact, Contact]], today: date) -> None:
    """Writes contacts, each given as it was found with `hold` and as it shall be. Raises Conflict as `add_all`."""
    if not changes:
        return
    await _execute(db, CHANGE, [new for _, new in changes])
    await _save_employments(db, changes)
    await _save_owners(db, changes, today)
    await decisions.settle(db, _moved(changes))
    await feed.add(db, [feed.Change("contact.updated", new.id) for _, new in changes])


async def _execute(db: Connection, statement: str, some: Sequence[Contact]) -> None:
    try:
        await db.execute(statement, [_row(one) for one in some])
    except asyncpg.UniqueViolationError as error:
        raise Conflict("another contact has this external_ref") from error


def _row(one: Contact) -> dict[str, object]:
    return {
        "id": str(one.id),
        "kind": one.kind.value,
        "name": one.name,
        "name_key": name_key(one.name),
        "responsible_id": str(one.responsible_id) if one.responsible_id else None,
        "parent_id": str(one.parent_id) if one.parent_id else None,
        "external_ref": one.external_ref,
        "domains": list(one.domains),
        "inn": one.inn,
        "kpp": one.kpp,
        "tags": list(one.tags),
        "comment": one.comment,
    }


DROP_EMPLOYMENTS = """
DELETE FROM employment e USING unnest($1::uuid[], $2::uuid[], $3::date[]) AS old (person_id, partner_id, since)
WHERE e.person_id = old.person_id AND e.partner_id = old.partner_id AND e.since IS NOT DISTINCT FROM old.since
"""

SAVE_EMPLOYMENTS = """
INSERT INTO employment (person_id, partner_id, since, until)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::date[])
ON CONFLICT (person_id, partner_id, since) DO UPDATE SET until = excluded.until
"""


async def _save_employments(db: Connection, changes: Sequence[tuple[Contact | None, Contact]]) -> None:
    dropped, saved = [], []
    for old, new in changes:
        former = set(old.employments) if old else set()
        kept = {(job.partner_id, job.since) for job in new.employments}
        dropped += [(new.id, job) for job in former if (job.partner_id, job.since) not in kept]
        saved += [(new.id, job) for job in new.employments if job not in former]
    if dropped:
        ids = [person for person, _ in dropped]
        await db.execute(
            DROP_EMPLOYMENTS, ids, [job.partner_id for _, job in dropped], [job.since for _, job in dropped]
        )
    if saved:
        await db.execute(
            SAVE_EMPLOYMENTS,
            [person for person, _ in saved],
            [job.partner_id for _, job in saved],
            [job.since for _, job in saved],
            [job.until for _, job in saved],
        )


HOLD_ADDRESSES = """
SELECT id, kind, value FROM address WHERE (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY kind, value FOR UPDATE
"""

DROP_OWNERS = """
DELETE FROM address_owner o USING unnest($1::uuid[], $2::uuid[]) AS old (address_id, contact_id)
WHERE o.address_id = old.address_id AND o.contact_id = old.contact_id
"""

SAVE_OWNERS = """
INSERT INTO address_owner (address_id, contact_id, raw, label, position)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[])
ON CONFLICT (address_id, contact_id) DO UPDATE SET raw = excluded.raw, label = excluded.label,
    position = excluded.position, until = NULL
"""


async def _save_owners(db: Connection, changes: Sequence[tuple[Contact | None, Contact]], today: date) -> None:
    """Writes who owns which address; works out anew the links that may have changed by it, and no others."""
    changed = [(old, new) for old, new in changes if old is None or old.coordinates != new.coordinates]
    stale = {key for old, new in changes for key in _touched(old, new)}
    ids = await _hold(db, {*stale, *(key for _, new in changed for key in new.keys)})
    dropped = [(ids[key], new.id) for old, new in changed if old for key in old.keys - new.keys]
    if dropped:
        await db.execute(DROP_OWNERS, [one for one, _ in dropped], [owner for _, owner in dropped])
    saved = [(new.id, n, one) for _, new in changed for n, one in enumerate(new.coordinates)]
    if saved:
        await db.execute(
            SAVE_OWNERS,
            [ids[one.key] for _, _, one in saved],
            [owner for owner, _, _ in saved],
            [one.raw for _, _, one in saved],
            [one.label for _, _, one in saved],
            [n for _, n, _ in saved],
        )
    domains = {domain for old, new in changes for domain in {*(old.domains if old else ())} ^ {*new.domains}}
    led = await addresses.of_contacts(db, _moved(changes))  # by what is remembered too, not only as owners
    await addresses.resolve(db, {*(ids[key] for key in stale), *led, *await variants.under(db, domains)}, today)


def _moved(changes: Iterable[tuple[Contact | None, Contact]]) -> list[UUID]:
    """Whose kind or partners have changed."""
    return [new.id for old, new in changes if old and (old.kind, old.employments) != (new.kind, new.employments)]


def _touched(old: Contact | None, new: Contact) -> Iterable[Key]:
    if old is None:
        return new.keys
    return old.keys | new.keys if _moved([(old, new)]) else old.keys ^ new.keys


async def _hold(db: Connection, keys: Collection[Key]) -> dict[Key, UUID]:
    """The addresses of these keys, made where they are missing, for a change of their owners."""
    ordered = sorted(keys)
    if not ordered:
        return {}
    kinds, values = [key.kind.value for key in ordered], [key.value for key in ordered]
    rows = await db.fetch(HOLD_ADDRESSES, kinds, values)
    if len(rows) < len(ordered):
        await addresses.add_missing(db, ordered)
        rows = await db.fetch(HOLD_ADDRESSES, kinds, values)
    return {Key(AddressKind(row["kind"]), row["value"]): row["id"] for row in rows}


DELETE = """
UPDATE contact SET deleted_at = now(), version = version + 1, updated_at = now() WHERE id = $1
"""

END_EMPLOYMENTS = """
UPDATE employment SET until = greatest(since, $2::date) WHERE partner_id = $1 AND (until IS NULL OR until > $2)
RETURNING person_id
"""

TOUCH = """
UPDATE contact SET version = version + 1, updated_at = now() WHERE id = ANY($1::uuid[])
"""


async def delete(db: Connection, contact_id: UUID, today: date) -> None:
    """Deletes a contact that was found with `hold`: its addresses lead to nobody, or to who else has them."""
    await db.execute(DELETE, contact_id)
    persons = sorted({row["person_id"] for row in await db.fetch(END_EMPLOYMENTS, contact_id, today)})
    if persons:
        await db.execute(TOUCH, persons)
    await addresses.resolve(db, await addresses.of_contacts(db, [contact_id, *persons]), today)
    await decisions.settle(db, persons)
    changes = [feed.Change("contact.updated", one) for one in persons]
    await feed.add(db, [feed.Change("contact.deleted", contact_id), *changes])


ANALYZE = """
ANALYZE contact, address, address_owner, employment
"""


async def analyze(db: Connection) -> None:
    """Lets statements be planned anew, after many contacts came at once: plans made for empty tables read all of them."""
    await db.execute(ANALYZE)
