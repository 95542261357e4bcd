"""What contacts and their links were before a change, as JSON, and the way back to exactly that.

    before = await take(db, contacts, addresses, seats)     held, read, not changed yet
    …                                                       the change
    image = await seal(db, before)                          and what it left behind, so that later changes are seen
    await restore(db, image, today)                         everything in `before` stands again

An image holds the rows of what a person can enter: contacts, who owns which address, who serves whom, what was decided
and remembered. What follows from them (the links of addresses, the partner of the time) is not kept but worked out anew,
so that mails and calls which came in between have their part in it. A contact that did not exist before is deleted.

`restore` raises Conflict where one of the contacts, or what was remembered, has been changed again since: it never takes
a later change along. A participant that was decided again keeps the later decision. Versions only grow.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from interactions.records import Json
from storage import addresses, decisions, feed
from storage.database import Connection
from storage.errors import Conflict

HOLD = """
SELECT id, version FROM contact WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""

CONTACTS = """
SELECT to_jsonb(c) AS row FROM contact c WHERE id = ANY($1::uuid[]) ORDER BY id
"""

OWNERS = """
SELECT to_jsonb(o) AS row FROM address_owner o WHERE contact_id = ANY($1::uuid[]) ORDER BY contact_id, address_id
"""

EMPLOYMENTS = """
SELECT to_jsonb(e) AS row FROM employment e WHERE person_id = ANY($1::uuid[]) ORDER BY person_id, partner_id, since
"""

REMEMBERED = """
SELECT to_jsonb(r) AS row FROM remembered_match r WHERE address_id = ANY($1::uuid[]) OR contact_id = ANY($2::uuid[])
ORDER BY id
"""

SEATS = """
SELECT jsonb_build_object('interaction_id', p.interaction_id, 'n', p.n, 'contact_id', p.contact_id,
    'partner_id', p.partner_id, 'decided', p.decided, 'edited', p.edited) AS row
FROM unnest($1::uuid[], $2::int[]) AS w (i, n) JOIN participant p ON p.interaction_id = w.i AND p.n = w.n
ORDER BY p.interaction_id, p.n
"""

IGNORED = """
SELECT jsonb_build_object('id', id, 'ignored', ignored) AS row FROM address WHERE id = ANY($1::uuid[]) ORDER BY id
"""

Seats = Collection[tuple[UUID, int]]
Image = dict[str, Any]


async def take(
    db: Connection, contact_ids: Collection[UUID], address_ids: Collection[UUID] = (), seats: Seats = ()
) -> Image:
    """What these contacts, addresses and participants are now. The contacts are held; ids of none are those to be made."""
    ids = sorted(contact_ids)
    found = {row["id"] for row in await db.fetch(HOLD, ids)} if ids else set()
    wanted = sorted({*address_ids, *await addresses.of_contacts(db, ids)})
    return {
        "ids": [str(one) for one in ids],
        "missing": [str(one) for one in ids if one not in found],
        "addresses": [str(one) for one in wanted],
        "seats": [[str(interaction_id), n] for interaction_id, n in sorted(seats)],
        "rows": await _rows(db, ids, wanted, seats),
    }


async def _rows(db: Connection, ids: Sequence[UUID], address_ids: Sequence[UUID], seats: Seats) -> Image:
    places = sorted(seats)
    return {
        "contacts": await _fetch(db, CONTACTS, ids) if ids else [],
        "owners": await _fetch(db, OWNERS, ids) if ids else [],
        "employments": await _fetch(db, EMPLOYMENTS, ids) if ids else [],
        "remembered": await _fetch(db, REMEMBERED, address_ids, ids),
        "seats": await _fetch(db, SEATS, [one for one, _ in places], [n for _, n in places]) if places else [],
        "ignored": await _fetch(db, IGNORED, address_ids),
    }


async def _fetch(db: Connection, statement: str, *values: Sequence[object]) -> list[Any]:
    return [row["row"] for row in await db.fetch(statement, *map(list, values))]


async def seal(db: Connection, before: Image) -> Image:
    """The image with what the change left behind. To be called after the change, in its transaction."""
    ids, places, addressed = _ids(before["ids"]), _places(before), _ids(before["addresses"])
    versions = {str(row["id"]): row["version"] for row in await db.fetch(HOLD, ids)} if ids else {}
    left = await _rows(db, (), (), places)
    remembered = await _fetch(db, REMEMBERED, addressed, ids)
    after = {"versions": versions, "remembered": _names(remembered), "seats": left["seats"]}
    return {**before, "after": after}


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(str(row["id"]) for row in rows)


def _ids(texts: Sequence[str]) -> list[UUID]:
    return [UUID(one) for one in texts]


def _places(image: Mapping[str, Any]) -> list[tuple[UUID, int]]:
    return [(UUID(one), n) for one, n in image["seats"]]


DROP_OWNERS = """
DELETE FROM address_owner WHERE contact_id = ANY($1::uuid[])
"""

PUT_OWNERS = """
INSERT INTO address_owner SELECT * FROM jsonb_populate_recordset(NULL::address_owner, $1)
"""

DROP_EMPLOYMENTS = """
DELETE FROM employment WHERE person_id = ANY($1::uuid[])
"""

PUT_EMPLOYMENTS = """
INSERT INTO employment SELECT * FROM jsonb_populate_recordset(NULL::employment, $1)
"""

DROP_REMEMBERED = """
DELETE FROM remembered_match WHERE address_id = ANY($1::uuid[]) OR contact_id = ANY($2::uuid[])
"""

PUT_REMEMBERED = """
INSERT INTO remembered_match SELECT * FROM jsonb_populate_recordset(NULL::remembered_match, $1)
"""

# A reference that moved from one contact to the other is free before it goes back.
FREE_REFS = """
UPDATE contact SET external_ref = NULL WHERE id = ANY($1::uuid[]) AND external_ref IS NOT NULL
"""

PUT_CONTACTS = """
UPDATE contact c SET kind = r.kind, name = r.name, name_key = r.name_key, parent_id = r.parent_id,
    department_id = r.department_id, responsible_id = r.responsible_id, external_ref = r.external_ref,
    domains = r.domains, inn = r.inn, kpp = r.kpp, tags = r.tags, comment = r.comment, extra = r.extra,
    merged_into = r.merged_into, deleted_at = r.deleted_at, version = c.version + 1, updated_at = now()
FROM jsonb_populate_recordset(NULL::contact, $1) r WHERE c.id = r.id
"""

BURY = """
UPDATE contact SET deleted_at = now(), version = version + 1, updated_at = now() WHERE id = ANY($1::uuid[])
"""

PUT_SEATS = """
UPDATE participant p SET contact_id = b.contact_id, partner_id = b.partner_id, decided = b.decided, edited = b.edited
FROM jsonb_populate_recordset(NULL::participant, $1) b, jsonb_populate_recordset(NULL::participant, $2) a
WHERE p.interaction_id = b.interaction_id AND p.n = b.n AND a.interaction_id = b.interaction_id AND a.n = b.n
  AND p.contact_id IS NOT DISTINCT FROM a.contact_id AND p.decided IS NOT DISTINCT FROM a.decided
RETURNING p.interaction_id
"""

PUT_IGNORED = """
UPDATE address SET ignored = r.ignored FROM jsonb_populate_recordset(NULL::address, $1) r
WHERE address.id = ANY($2::uuid[]) AND address.id = r.id AND address.ignored <> r.ignored
"""

AGAIN = "the change can't be taken back: {what} was changed again since"


async def restore(db: Connection, image: Json, today: date) -> None:
    """Brings back what an image holds. Raises Conflict where it was changed again since."""
    before: Any = image
    rows, after = before["rows"], before["after"]
    ids, addressed, missing = _ids(before["ids"]), _ids(before["addresses"]), _ids(before["missing"])
    for row in await db.fetch(HOLD, ids):
        if row["version"] != after["versions"].get(str(row["id"])):
            raise Conflict(AGAIN.format(what=f"the contact {row['id']}"))
    if _names(await _fetch(db, REMEMBERED, addressed, ids)) != after["remembered"]:
        raise Conflict(AGAIN.format(what="what is remembered of an address"))
    wanted = {*addressed, *await addresses.of_contacts(db, ids)}
    await addresses.hold(db, wanted)
    await db.execute(DROP_OWNERS, ids)
    await db.execute(PUT_OWNERS, rows["owners"])
    await db.execute(DROP_EMPLOYMENTS, ids)
    await db.execute(PUT_EMPLOYMENTS, rows["employments"])
    await db.execute(DROP_REMEMBERED, addressed, ids)
    await db.execute(PUT_REMEMBERED, rows["remembered"])
    await db.execute(FREE_REFS, ids)
    await db.execute(PUT_CONTACTS, rows["contacts"])
    await db.execute(BURY, missing)
    await db.execute(PUT_IGNORED, rows["ignored"], addressed)
    seats = {row["interaction_id"] for row in await db.fetch(PUT_SEATS, rows["seats"], after["seats"])}
    await decisions.touch(db, seats)
    await addresses.resolve(db, wanted, today)
    await decisions.settle(db, ids)
    told = [feed.Change("contact.deleted" if one in missing else "contact.updated", one) for one in ids]
    await feed.add(db, [*told, *(feed.Change("interaction.updated", one) for one in sorted(seats))])
