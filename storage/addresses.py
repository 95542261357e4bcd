"""Addresses and the links that follow from their owners.

An address row exists for every e-mail and number that was ever seen or given to a contact. It carries the resolved link,
so that looking up who is behind it is one read, and giving it to somebody re-matches all its history with one update.

What shows another contact or partner after that is told to the feed: `interaction.updated` for each interaction, or, where
there are more than `TOLD_MAX` in one change, `address.relinked` for each address (its key, and whom it leads to now):
a reader asks for its interactions anew. The versions of interactions stay: they count what is written in them.

Whoever admits arrivals holds the rows FOR SHARE, whoever changes owners updates them: a link never gets lost between.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from interactions.admission import KnownAddress
from interactions.contacts import FAR, ContactKind, Employment, Match, Near, Owner, Remembered, choose
from interactions.records import AddressKind, Json, Key
from interactions.variants import Local, may_be_local, stem
from storage import feed, variants
from storage.database import Connection
from storage.feed import Change

TOLD_MAX = 1000  # interactions that are told one by one

ADD_MISSING = """
INSERT INTO address (id, kind, value, variant)
SELECT i, k, v, s FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS new (i, k, v, s)
ORDER BY k, v
ON CONFLICT (kind, value) DO NOTHING RETURNING id, kind, value, variant
"""

TODAY = """
SELECT (now() AT TIME ZONE 'UTC')::date
"""

HOLD = """
SELECT a.id, a.kind, a.value, a.own, a.contact_id FROM address a
WHERE (a.kind, a.value) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY a.kind, a.value
FOR SHARE
"""

# Asked after the addresses are held: a row that was waited for may lead to somebody else than when the wait began.
LED_TO = """
SELECT id, kind, responsible_id FROM contact WHERE id = ANY($1::uuid[])
"""

EMPLOYMENTS = """
SELECT person_id, partner_id, since, until FROM employment WHERE person_id = ANY($1::uuid[])
"""


async def claim(db: Connection, keys: Collection[Key]) -> dict[Key, KnownAddress]:
    """The stored address of every key, made where it is missing; held until the transaction ends."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    kinds = [key.kind.value for key in ordered]
    values = [key.value for key in ordered]
    rows = await db.fetch(HOLD, kinds, values)
    if len(rows) < len(ordered):
        new = await add_missing(db, ordered)
        near = await _with_neighbours(db, new)
        if near:
            await _link(db, near, await db.fetchval(TODAY))
        rows = await db.fetch(HOLD, kinds, values)
    return await _known(db, rows)


LOOK_UP = """
SELECT a.id, a.kind, a.value, a.own, a.contact_id FROM unnest($1::text[], $2::text[]) AS w (kind, value)
JOIN address a ON a.kind = w.kind AND a.value = w.value
"""


async def look_up(db: Connection, keys: Collection[Key]) -> dict[Key, KnownAddress]:
    """The stored addresses of those keys that have one, as they are now; nothing is made or held."""
    some = sorted(set(keys))
    if not some:
        return {}
    rows = await db.fetch(LOOK_UP, [key.kind.value for key in some], [key.value for key in some])
    return await _known(db, rows)


async def _known(db: Connection, rows: Sequence[Any]) -> dict[Key, KnownAddress]:
    led_to = list({row["contact_id"] for row in rows if row["contact_id"]})
    people = {row["id"]: row for row in await db.fetch(LED_TO, led_to)} if led_to else {}
    jobs = await employments(db, led_to)
    found = {}
    for row in rows:
        key, who = Key(AddressKind(row["kind"]), row["value"]), people.get(row["contact_id"])
        kind, responsible = (ContactKind(who["kind"]), who["responsible_id"]) if who else (None, None)
        found[key] = KnownAddress(
            row["id"], key, row["own"], row["contact_id"], kind, responsible, jobs.get(row["contact_id"], ())
        )
    return found


async def add_missing(db: Connection, keys: Sequence[Key]) -> dict[UUID, Key]:
    """Makes the addresses of keys that are not stored yet, given in order; returns the new ones."""
    local = await variants.settings(db) if any(map(may_be_local, keys)) else Local()
    rows = await db.fetch(
        ADD_MISSING,
        [uuid4() for _ in keys],
        [key.kind.value for key in keys],
        [key.value for key in keys],
        [stem(key, local) for key in keys],
    )
    return {row["id"]: Key(AddressKind(row["kind"]), row["value"]) for row in rows}


async def _with_neighbours(db: Connection, new: Mapping[UUID, Key]) -> set[UUID]:
    """Which of these new addresses may lead to somebody who has another spelling, or the domain."""
    if not new:
        return set()
    return {*await variants.classes(db, new), *await variants.partners(db, new)}


async def employments(db: Connection, person_ids: Sequence[UUID]) -> dict[UUID, tuple[Employment, ...]]:
    """For whom these persons work or worked."""
    if not person_ids:
        return {}
    found: dict[UUID, tuple[Employment, ...]] = {}
    for row in await db.fetch(EMPLOYMENTS, list(set(person_ids))):
        job = Employment(row["partner_id"], row["since"], row["until"])
        found[row["person_id"]] = (*found.get(row["person_id"], ()), job)
    return found


# By who owns it, by whom it leads to for another reason (a partner of all), and by what was remembered of it.
OF_CONTACTS = """
SELECT address_id AS id FROM address_owner WHERE contact_id = ANY($1::uuid[])
UNION SELECT id FROM address WHERE contact_id = ANY($1::uuid[])
UNION SELECT address_id FROM remembered_match WHERE contact_id = ANY($1::uuid[])
"""


async def of_contacts(db: Connection, contact_ids: Collection[UUID]) -> set[UUID]:
    """The addresses whose link may follow from these contacts."""
    if not contact_ids:
        return set()
    found = {row["id"] for row in await db.fetch(OF_CONTACTS, list(contact_ids))}
    return found | await variants.under(db, await variants.domains_of(db, contact_ids))


HOLD_FOR_CHANGE = """
SELECT id, kind, value, own, contact_id, candidates FROM address WHERE id = ANY($1::uuid[])
ORDER BY kind, value FOR UPDATE
"""

OWNERS = """
SELECT o.address_id, c.id, c.kind FROM address_owner o JOIN contact c ON c.id = o.contact_id
WHERE o.address_id = ANY($1::uuid[]) AND c.deleted_at IS NULL AND c.merged_into IS NULL
  AND (o.until IS NULL OR o.until > $2)
"""

# A decision for a contact that is no more is as if it had never been made.
DECIDED = """
SELECT r.address_id, r.contact_id FROM remembered_match r LEFT JOIN contact c ON c.id = r.contact_id
WHERE r.address_id = ANY($1::uuid[]) AND r.chain_id IS NULL AND c.deleted_at IS NULL
"""

SET_LINK = """
UPDATE address SET contact_id = new.contact_id, rule = new.rule, confidence = new.confidence,
       candidates = string_to_array(new.candidates, ',')::uuid[]
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
     AS new (id, contact_id, rule, confidence, candidates)
WHERE address.id = new.id
"""

# The partner at the time follows the link for rows without a manual choice; of several employers the latest begun.
SET_PARTNERS = """
WITH history AS (
    SELECT p.interaction_id, p.n, p.partner_id, c.id AS contact_id, c.kind, (i.occurred_at AT TIME ZONE 'UTC')::date AS day
    FROM address a LEFT JOIN contact c ON c.id = a.contact_id JOIN participant p ON p.address_id = a.id
    JOIN interaction i ON i.id = p.interaction_id
    WHERE a.id = ANY($1::uuid[]) AND p.contact_id IS NULL AND p.decided IS NULL
), resolved AS (
    SELECT h.interaction_id, h.n, h.partner_id AS before, CASE WHEN h.kind = 'partner' THEN h.contact_id ELSE (
        SELECT e.partner_id FROM employment e
        WHERE e.person_id = h.contact_id AND (e.since IS NULL OR e.since <= h.day) AND (e.until IS NULL OR e.until > h.day)
        ORDER BY e.since DESC NULLS LAST, e.partner_id DESC LIMIT 1) END AS partner_id
    FROM history h
), moved AS (
    UPDATE participant p SET partner_id = r.partner_id FROM resolved r
    WHERE p.interaction_id = r.interaction_id AND p.n = r.n AND r.before IS DISTINCT FROM r.partner_id
    RETURNING p.address_id)
SELECT DISTINCT address_id FROM moved
"""

HISTORY = """
SELECT h.interaction_id FROM unnest($1::uuid[]) AS w (id) CROSS JOIN LATERAL (
    SELECT p.interaction_id FROM participant p WHERE p.address_id = w.id AND p.contact_id IS NULL AND p.decided IS NULL
    ORDER BY p.interaction_id DESC LIMIT $2) h
LIMIT $2
"""


OF_NOBODY = """
SELECT id FROM address a
WHERE id = ANY($1::uuid[]) AND contact_id IS NULL AND NOT own AND NOT ignored AND candidates = '{}'
    AND NOT EXISTS (SELECT FROM remembered_match r WHERE r.address_id = a.id AND r.chain_id IS NULL)
"""


async def of_nobody(db: Connection, address_ids: Collection[UUID]) -> set[UUID]:
    """Which of these lead to nobody, and nobody has decided that they shall."""
    ids = list(address_ids)
    return {row["id"] for row in await db.fetch(OF_NOBODY, ids)} if ids else set()


COUNT_HISTORY = """
SELECT count(DISTINCT interaction_id) FROM participant
WHERE address_id = ANY($1::uuid[]) AND contact_id IS NULL AND decided IS NULL
"""


async def count_history(db: Connection, address_ids: Collection[UUID]) -> int:
    """How many interactions show what these addresses lead to."""
    return int(await db.fetchval(COUNT_HISTORY, list(address_ids)))


async def hold(db: Connection, address_ids: Collection[UUID]) -> None:
    """Holds these addresses for a change of their owners."""
    await db.fetch(HOLD_FOR_CHANGE, list(address_ids))


async def resolve(db: Connection, address_ids: Collection[UUID], today: date) -> None:
    """Works out the link of these addresses and of their other spellings anew, and with it all their history."""
    if address_ids:
        others = await variants.classes(db, address_ids)
        await _link(db, {*address_ids, *(other for some in others.values() for other, _ in some)}, today)


async def _link(db: Connection, address_ids: Collection[UUID], today: date) -> None:
    held = await db.fetch(HOLD_FOR_CHANGE, list(address_ids))
    ids = [row["id"] for row in held]
    decided = {row["address_id"]: Remembered(row["contact_id"]) for row in await db.fetch(DECIDED, ids)}
    owners = await _owners(db, {row["id"]: [row["id"]] for row in held}, today)
    keys = {row["id"]: Key(AddressKind(row["kind"]), row["value"]) for row in held}
    near = await _near(db, {one: key for one, key in keys.items() if not owners.get(one)}, today)
    links: Mapping[UUID, Match] = {
        row["id"]: choose(
            keys[row["id"]],
            owners.get(row["id"], []),
            today,
            own=row["own"],
            remembered=decided.get(row["id"]),
            near=near.get(row["id"], FAR),
        )
        for row in held
    }
    matches, changed = list(links.values()), dict[UUID, Change]()
    await db.execute(
        SET_LINK,
        list(links),
        [match.contact_id for match in matches],
        [match.rule for match in matches],
        [match.confidence for match in matches],
        [",".join(map(str, match.candidates)) for match in matches],
    )
    moved = {row["address_id"] for row in await db.fetch(SET_PARTNERS, list(links))}
    for row in held:
        match = links[row["id"]]
        if row["id"] in moved or (row["contact_id"], tuple(row["candidates"])) != (match.contact_id, match.candidates):
            changed[row["id"]] = Change("address.relinked", row["id"], _relinked(row, match))
    await _tell(db, changed)


async def _owners(db: Connection, wanted: Mapping[UUID, Sequence[UUID]], today: date) -> dict[UUID, list[Owner]]:
    """Who has any of the addresses that are named for each one."""
    asked = list({other for some in wanted.values() for other in some})
    rows = await db.fetch(OWNERS, asked, today) if asked else []
    jobs = await employments(db, [row["id"] for row in rows])
    having: dict[UUID, list[Owner]] = {}
    for row in rows:
        owner = Owner(row["id"], ContactKind(row["kind"]), jobs.get(row["id"], ()))
        having.setdefault(row["address_id"], []).append(owner)
    return {one: [owner for other in some for owner in having.get(other, ())] for one, some in wanted.items()}


async def _near(db: Connection, keys: Mapping[UUID, Key], today: date) -> dict[UUID, Near]:
    """What there is for addresses that nobody has."""
    if not keys:
        return {}
    others = await variants.classes(db, keys)
    owners = await _owners(db, {one: [other for other, _ in some] for one, some in others.items()}, today)
    left = {one: key for one, key in keys.items() if not owners.get(one)}
    partners = await variants.partners(db, left)
    return {
        one: Near(owners.get(one, ()), any(own for _, own in others.get(one, ())), partners.get(one, ()))
        for one in keys
    }


def _relinked(row: Any, match: Match) -> Json:
    contact_id = str(match.contact_id) if match.contact_id else None
    return {"kind": row["kind"], "key": row["value"], "contact_id": contact_id}


async def _tell(db: Connection, changed: Mapping[UUID, Change]) -> None:
    """Tells the feed which interactions show another contact or partner now: each, or of many only the addresses."""
    if not changed:
        return
    rows = await db.fetch(HISTORY, list(changed), TOLD_MAX + 1)
    told = sorted({row["interaction_id"] for row in rows})
    many = len(rows) > TOLD_MAX
    await feed.add(db, list(changed.values()) if many else [Change("interaction.updated", one) for one in told])


MARK_OWN = """
WITH wanted AS (
    SELECT a.id FROM unnest($1::text[], $2::text[]) AS w (kind, value)
    JOIN address a ON a.kind = w.kind AND a.value = w.value
), changed AS (
    SELECT id FROM wanted EXCEPT SELECT id FROM address WHERE own
    UNION ALL (SELECT id FROM address WHERE own EXCEPT SELECT id FROM wanted))
UPDATE address SET own = NOT own FROM changed WHERE address.id = changed.id RETURNING address.id, kind, value
"""


async def mark_own(db: Connection, keys: Collection[Key], today: date, local: Local | None = None) -> None:
    """Makes these keys, and no others, our own side: mailboxes, aliases and lines of the configuration. `local` is what it
    says about local numbers and domains."""
    changed = await variants.save_settings(db, local) if local is not None else set()
    await claim(db, keys)
    ordered = sorted(set(keys))
    rows = await db.fetch(MARK_OWN, [key.kind.value for key in ordered], [key.value for key in ordered])
    domains = {row["value"].rpartition("@")[2] for row in rows if row["kind"] == "email"}
    await resolve(db, {*changed, *(row["id"] for row in rows), *await variants.under(db, domains)}, today)
