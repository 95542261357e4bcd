"""Addresses that are spelled otherwise, and partners that have a domain: what is below an exact match.

An address carries the stem of its spellings (`interactions.variants`), made with it. A whole number stands for its own
stem. `classes` gives whatever must be worked out again together with some addresses.

Limits: an address that is seen for the first time in the very moment in which another spelling of it, or its domain, is
given to somebody stays without that link until one of them changes. An exact match is never lost so: both hold one row.
"""

from collections.abc import Collection, Mapping
from uuid import UUID

from interactions.records import AddressKind, Key
from interactions.variants import FREEMAIL, PROVIDER_DOMAINS, Local, domains_above, stem
from storage.database import Connection

SETTINGS = """
SELECT region, area_code, freemail FROM matching
"""

SAVE_SETTINGS = """
UPDATE matching SET region = $1, area_code = $2, freemail = $3
"""

OWN_DOMAINS = """
SELECT DISTINCT split_part(value, '@', 2) AS domain FROM address WHERE own AND kind = 'email'
"""

# Three look-ups by key: of one stem, a whole number from a local one, and the other way round.
CLASSES = """
WITH mine AS MATERIALIZED (SELECT id, kind, value, variant FROM address WHERE id = ANY($1::uuid[]))
SELECT m.id, s.id AS other, s.own FROM mine m JOIN address s ON s.variant = m.variant
UNION SELECT m.id, s.id, s.own FROM mine m JOIN address s ON s.variant = m.value WHERE m.kind = 'phone'
UNION SELECT m.id, s.id, s.own FROM mine m JOIN address s ON s.kind = 'phone' AND s.value = m.variant
"""

PARTNERS = """
SELECT w.id AS address_id, w.domain, c.id FROM unnest($1::uuid[], $2::text[]) AS w (id, domain)
JOIN contact c ON c.domains @> ARRAY[w.domain] AND c.domains <> '{}'
WHERE c.kind = 'partner' AND c.deleted_at IS NULL AND c.merged_into IS NULL
"""

UNDER = """
SELECT a.id FROM unnest($1::text[], $2::text[]) AS w (first, beyond) JOIN address a
  ON reverse(split_part(a.value, '@', 2)) ~>=~ w.first AND reverse(split_part(a.value, '@', 2)) ~<~ w.beyond
WHERE a.kind = 'email' AND a.contact_id IS NULL
"""

DOMAINS_OF = """
SELECT DISTINCT d AS domain FROM contact c, unnest(c.domains) AS d WHERE c.id = ANY($1::uuid[]) AND c.domains <> '{}'
"""

LOCAL_ONES = """
SELECT id, value FROM address WHERE kind = 'other' AND length(value) <= 8 AND value ~ '^[0-9]+$'
"""

# Mailboxes at providers that were stored before there were stems.
UNSTEMMED = """
SELECT id, value FROM address
WHERE kind = 'email' AND variant IS NULL AND split_part(value, '@', 2) = ANY($1::text[])
"""

SET_STEMS = """
UPDATE address SET variant = new.stem FROM unnest($1::uuid[], $2::text[]) AS new (id, stem)
WHERE address.id = new.id AND address.variant IS DISTINCT FROM new.stem RETURNING address.id
"""


async def settings(db: Connection) -> Local:
    """What the configuration says about local numbers and domains."""
    row = await db.fetchrow(SETTINGS)
    return Local(row["region"], row["area_code"], frozenset(row["freemail"])) if row else Local()


async def save_settings(db: Connection, local: Local) -> set[UUID]:
    """Takes over what the configuration says; returns the addresses whose link may be another now."""
    before = await settings(db)
    if before == local:
        return set()
    await db.execute(SAVE_SETTINGS, local.region, local.area_code, sorted(local.freemail))
    stems = {row["id"]: stem(Key(AddressKind.OTHER, row["value"]), local) for row in await db.fetch(LOCAL_ONES)}
    if not before.region:
        rows = await db.fetch(UNSTEMMED, sorted(PROVIDER_DOMAINS))
        stems |= {row["id"]: stem(Key(AddressKind.EMAIL, row["value"]), local) for row in rows}
    former = await classes(db, stems)
    changed = {row["id"] for row in await db.fetch(SET_STEMS, list(stems), list(stems.values()))}
    left = {other for one in changed for other, _ in former.get(one, ())}
    return {*changed, *left, *await under(db, before.freemail ^ local.freemail)}


async def silent_domains(db: Connection) -> frozenset[str]:
    """Domains that tell nothing: of providers, and our own."""
    own = frozenset(row["domain"] for row in await db.fetch(OWN_DOMAINS))
    return FREEMAIL | own | (await settings(db)).freemail


async def classes(db: Connection, address_ids: Collection[UUID]) -> dict[UUID, list[tuple[UUID, bool]]]:
    """The other spellings of these addresses, each with whether it is our own."""
    found: dict[UUID, list[tuple[UUID, bool]]] = {}
    for row in await db.fetch(CLASSES, list(address_ids)):
        if row["other"] != row["id"]:
            found.setdefault(row["id"], []).append((row["other"], row["own"]))
    return found


async def partners(db: Connection, keys: Mapping[UUID, Key]) -> dict[UUID, tuple[UUID, ...]]:
    """The partners that have the domain of these addresses; of several domains the narrowest that anybody has."""
    if not any(key.kind is AddressKind.EMAIL for key in keys.values()):
        return {}
    silent = await silent_domains(db)
    asked = [(one, domain) for one, key in keys.items() for domain in domains_above(key, silent)]
    if not asked:
        return {}
    rows = await db.fetch(PARTNERS, [one for one, _ in asked], [domain for _, domain in asked])
    narrowest: dict[UUID, int] = {}
    for row in rows:
        narrowest[row["address_id"]] = max(narrowest.get(row["address_id"], 0), len(row["domain"]))
    found: dict[UUID, set[UUID]] = {}
    for row in rows:
        if len(row["domain"]) == narrowest[row["address_id"]]:
            found.setdefault(row["address_id"], set()).add(row["id"])
    return {one: tuple(sorted(some)) for one, some in found.items()}


async def under(db: Connection, domains: Collection[str]) -> set[UUID]:
    """The addresses of these domains, and of those below, that lead to nobody."""
    reversed_ones = [domain[::-1] for domain in domains]
    firsts = [*reversed_ones, *(one + "." for one in reversed_ones)]
    beyond = [*(one + "\x01" for one in reversed_ones), *(one + "/" for one in reversed_ones)]  # "/" follows "."
    return {row["id"] for row in await db.fetch(UNDER, firsts, beyond)} if firsts else set()


async def domains_of(db: Connection, contact_ids: Collection[UUID]) -> set[str]:
    """The domains of contacts."""
    return {row["domain"] for row in await db.fetch(DOMAINS_OF, list(contact_ids))} if contact_ids else set()
