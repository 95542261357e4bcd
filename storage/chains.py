"""Chains: how they grow, merge and are taken apart, and which open one a party has.

Whoever adds a single member to a chain takes it with `hold`, which waits for a merge and follows it; what a batch of mails
rests on is locked by `storage.weaving`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from interactions.chains import Placement
from interactions.records import Interaction, Link, uuid7
from storage.database import Connection

TEXTS = """
SELECT m.ref, left(b.body_text, $2) AS text FROM message_ref m JOIN body b ON b.interaction_id = m.interaction_id
WHERE m.ref = ANY($1::bytea[])
"""


async def texts(db: Connection, refs: Sequence[bytes], chars_max: int) -> dict[bytes, str]:
    """The beginnings of the mails with these ids, of those that are stored."""
    return {row["ref"]: row["text"] for row in await db.fetch(TEXTS, refs, chars_max)}


SAVE_OWNERS = """
UPDATE message_ref SET interaction_id = new.i FROM unnest($1::bytea[], $2::uuid[]) AS new (r, i)
WHERE message_ref.ref = new.r
"""

SAVE_AWAITED = """
INSERT INTO message_awaited (ref, subject_key, interaction_id, rank)
SELECT r, k, i, a FROM unnest($1::bytea[], $2::bytea[], $3::uuid[], $4::timestamptz[]) AS new (r, k, i, a)
ORDER BY r, k
ON CONFLICT (ref, subject_key) DO UPDATE SET interaction_id = excluded.interaction_id, rank = excluded.rank
WHERE excluded.rank < message_awaited.rank
"""


async def save_refs(db: Connection, placement: Placement) -> None:
    """Remembers which mail has which id, and which ids are waited for."""
    if placement.owned:
        await db.execute(SAVE_OWNERS, list(placement.owned), list(placement.owned.values()))
    if placement.awaits:
        refs, keys = zip(*placement.awaits, strict=True)
        ranks = [placement.ranks[wait] for wait in placement.awaits]
        await db.execute(SAVE_AWAITED, list(refs), list(keys), list(placement.awaits.values()), ranks)


OPEN = """
INSERT INTO chain (id, root_id, first_at, last_at, size)
SELECT DISTINCT ON (new.chain) new.chain, i.id, i.occurred_at, i.occurred_at, 0
FROM unnest($1::uuid[], $2::uuid[]) AS new (member, chain) JOIN interaction i ON i.id = new.member
ORDER BY new.chain, i.occurred_at, i.id ON CONFLICT (id) DO NOTHING
"""

SOURCES = """
SELECT id, chain_id FROM interaction WHERE id = ANY($1::uuid[])
"""

LEAVE = """
UPDATE interaction SET chain_id = new.chain, version = version + 1, updated_at = now()
FROM unnest($1::uuid[], $2::uuid[]) AS new (member, chain) WHERE interaction.id = new.member
"""

# Root, span and size from the members that are there; an empty chain keeps what it had.
RECOUNT = """
UPDATE chain SET size = m.size, root_id = m.ids[1], first_at = m.first_at, last_at = m.last_at
FROM unnest($1::uuid[]) AS c (id), LATERAL (
    SELECT count(*)::int AS size, array_agg(id ORDER BY occurred_at, id) AS ids,
           min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM interaction WHERE chain_id = c.id) AS m
WHERE chain.id = c.id AND m.size > 0
"""


async def move(db: Connection, moved: Mapping[UUID, UUID]) -> dict[UUID, UUID]:
    """Moves single members into other chains, made where they are new, all held; returns which chain each has left. To be
    called before new members are added."""
    if not moved:
        return {}
    members, targets = list(moved), list(moved.values())
    left = {row["id"]: row["chain_id"] for row in await db.fetch(SOURCES, members)}
    await db.execute(OPEN, members, targets)
    await db.execute(LEAVE, members, targets)
    await recount(db, [*left.values(), *targets])
    return left


async def recount(db: Connection, chain_ids: Sequence[UUID]) -> None:
    """Counts the members of chains anew."""
    await db.execute(RECOUNT, sorted(set(chain_ids)))


RELINK = """
UPDATE interaction SET link_rule = new.rule, link_evidence = new.evidence,
    link_flags = array_remove(link_flags, 'provisional') || string_to_array(new.flags, ' '),
    version = version + 1, updated_at = now()
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS new (id, rule, evidence, flags)
WHERE interaction.id = new.id AND link_origin <> 'manual'
"""


async def relink(db: Connection, links: Mapping[UUID, Link]) -> None:
    """Says why stored members are where they are now."""
    if links:
        rows = [(one.rule, one.evidence, " ".join(one.flags)) for one in links.values()]
        rules, evidence, flags = (list(column) for column in zip(*rows, strict=True))
        await db.execute(RELINK, list(links), rules, evidence, flags)


LOOSEN = """
UPDATE chain SET is_loose = new.is_loose FROM unnest($1::uuid[], $2::bool[]) AS new (id, is_loose) WHERE chain.id = new.id
"""

CONTINUE = """
UPDATE chain SET continues_id = new.earlier FROM unnest($1::uuid[], $2::uuid[]) AS new (id, earlier)
WHERE chain.id = new.id AND chain.continues_id IS NULL
"""


async def describe(db: Connection, placement: Placement) -> None:
    """Says which chains are loose now, and which come after others."""
    if placement.loose:
        await db.execute(LOOSEN, list(placement.loose), list(placement.loose.values()))
    if placement.continues:
        await db.execute(CONTINUE, list(placement.continues), list(placement.continues.values()))


EXTEND = """
INSERT INTO chain (id, root_id, first_at, last_at, size)
SELECT c, r, f, l, s FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::int[])
       AS new (c, r, f, l, s)
ORDER BY c
ON CONFLICT (id) DO UPDATE SET
    root_id = CASE WHEN (excluded.first_at, excluded.root_id) < (chain.first_at, chain.root_id)
                   THEN excluded.root_id ELSE chain.root_id END,
    first_at = least(chain.first_at, excluded.first_at),
    last_at = greatest(chain.last_at, excluded.last_at),
    size = chain.size + excluded.size
"""


async def extend(db: Connection, members: Sequence[Interaction]) -> None:
    """Makes the chains of new members, or lets those that are there grow. To be called before the members are written."""
    roots: dict[UUID, tuple[datetime, UUID]] = {}
    last: dict[UUID, datetime] = {}
    size: dict[UUID, int] = {}
    for member in members:
        chain_id, place = member.chain_id, (member.occurred_at, member.id)
        roots[chain_id] = min(roots.get(chain_id, place), place)
        last[chain_id] = max(last.get(chain_id, member.occurred_at), member.occurred_at)
        size[chain_id] = size.get(chain_id, 0) + 1
    ids = list(roots)
    await db.execute(
        EXTEND,
        ids,
        [roots[c][1] for c in ids],
        [roots[c][0] for c in ids],
        [last[c] for c in ids],
        [size[c] for c in ids],
    )


MOVE_MEMBERS = """
UPDATE interaction SET chain_id = new.target, version = version + 1, updated_at = now()
FROM unnest($1::uuid[], $2::uuid[]) AS new (source, target) WHERE interaction.chain_id = new.source
"""

JOIN_SUMMARIES = """
WITH lost AS (
    SELECT new.target, min(c.first_at) AS first_at, max(c.last_at) AS last_at, sum(c.size)::int AS size,
           (array_agg(c.root_id ORDER BY c.first_at, c.root_id))[1] AS root_id,
           (array_agg(c.subject_id ORDER BY c.first_at, c.id) FILTER (WHERE c.subject_id IS NOT NULL))[1] AS subject_id
    FROM unnest($1::uuid[], $2::uuid[]) AS new (source, target) JOIN chain c ON c.id = new.source GROUP BY new.target)
UPDATE chain SET
    root_id = CASE WHEN (lost.first_at, lost.root_id) < (chain.first_at, chain.root_id)
                   THEN lost.root_id ELSE chain.root_id END,
    first_at = least(chain.first_at, lost.first_at), last_at = greatest(chain.last_at, lost.last_at),
    size = chain.size + lost.size, subject_id = coalesce(chain.subject_id, lost.subject_id)
FROM lost WHERE chain.id = lost.target
"""

REDIRECT = """
UPDATE chain SET merged_into = new.target FROM unnest($1::uuid[], $2::uuid[]) AS new (source, target)
WHERE chain.id = new.source OR chain.merged_into = new.source
"""


async def merge(db: Connection, merged: Mapping[UUID, UUID]) -> None:
    """Moves the members of chains into others; what is left is a redirect that leads to the end in one step."""
    if not merged:
        return
    sources, targets = list(merged), list(merged.values())
    await db.execute(MOVE_MEMBERS, sources, targets)
    await db.execute(JOIN_SUMMARIES, sources, targets)
    await db.execute(REDIRECT, sources, targets)


SETTLE = """
UPDATE chain SET root_id = first.id, first_at = first.occurred_at, last_at = last.occurred_at
FROM interaction moved,
    LATERAL (SELECT id, occurred_at FROM interaction WHERE chain_id = moved.chain_id
             ORDER BY occurred_at, id LIMIT 1) AS first,
    LATERAL (SELECT occurred_at FROM interaction WHERE chain_id = moved.chain_id
             ORDER BY occurred_at DESC, id DESC LIMIT 1) AS last
WHERE moved.id = $1 AND chain.id = moved.chain_id
  AND (chain.root_id, chain.first_at, chain.last_at) IS DISTINCT FROM (first.id, first.occurred_at, last.occurred_at)
"""


async def settle(db: Connection, member_id: UUID) -> None:
    """Finds root and span of a chain anew after a member's time has changed. To be held before: a statement that waits
    for the chain's row would go on with the members it saw before it waited."""
    await db.execute(SETTLE, member_id)


# Open: a member to review or on control, or an open subject. Parties: the same contact, else the same address. Ids are
# made of the time of the event, so that the smallest possible one keeps a long history of the party out of the search.
OPEN_OF_PARTY = """
WITH party AS (
    SELECT $1::uuid AS id UNION SELECT id FROM address WHERE contact_id = $2
), recent AS (
    SELECT p.interaction_id FROM party JOIN participant p ON p.address_id = party.id AND p.interaction_id >= $5
    UNION
    SELECT interaction_id FROM participant WHERE contact_id = $2::uuid AND interaction_id >= $5
)
SELECT DISTINCT c.id FROM recent JOIN interaction i ON i.id = recent.interaction_id JOIN chain c ON c.id = i.chain_id
LEFT JOIN subject s ON s.id = c.subject_id
WHERE i.occurred_at > $3 AND i.deleted_at IS NULL AND c.last_at > $3 AND c.last_at <= $4
  AND (s.state = 'open' OR EXISTS (
          SELECT 1 FROM interaction m WHERE m.chain_id = c.id AND m.deleted_at IS NULL AND (NOT m.reviewed OR m.on_control)))
LIMIT 2
"""


class Several(Exception):
    """Of several open chains none is the one."""


ID_LAG = timedelta(days=1)  # an id may be this much older than what later events say of the time


async def open_of_party(
    db: Connection, address_id: UUID, contact_id: UUID | None, at: datetime, join_hours: float
) -> UUID | None:
    """The one open chain of a party whose last member is younger than `join_hours`, held until the transaction ends; None
    if there is none. Raises Several."""
    since = at - timedelta(hours=join_hours)
    oldest = uuid7(since - ID_LAG, bytes(10))
    rows = await db.fetch(OPEN_OF_PARTY, address_id, contact_id, since, at + timedelta(hours=1), oldest)
    if len(rows) > 1:
        raise Several
    return await hold(db, rows[0]["id"]) if rows else None


# Of each address the last few, since what is newest may be deleted.
LAST_OF_PARTY = """
SELECT coalesce(c.merged_into, c.id) FROM (
    SELECT $1::uuid AS id UNION SELECT id FROM address WHERE contact_id = $2) AS party
CROSS JOIN LATERAL (
    SELECT p.interaction_id FROM participant p WHERE p.address_id = party.id AND p.interaction_id < $3
    ORDER BY p.interaction_id DESC LIMIT 3) AS newest
JOIN interaction i ON i.id = newest.interaction_id AND i.deleted_at IS NULL JOIN chain c ON c.id = i.chain_id
ORDER BY i.occurred_at DESC, i.id DESC LIMIT 1
"""


async def last_of_party(db: Connection, address_id: UUID, contact_id: UUID | None, at: datetime) -> UUID | None:
    """The chain in which a party was heard of last before a moment."""
    found: UUID | None = await db.fetchval(LAST_OF_PARTY, address_id, contact_id, uuid7(at, bytes(10)))
    return found


async def go_on(db: Connection, chain_id: UUID, earlier: UUID) -> None:
    """Says that a chain continues an earlier one."""
    if chain_id != earlier:
        await db.execute(CONTINUE, [chain_id], [earlier])


HOLD = """
SELECT merged_into FROM chain WHERE id = $1 FOR NO KEY UPDATE
"""


async def hold(db: Connection, chain_id: UUID) -> UUID | None:
    """Where a chain is now, redirects followed, held so that it can't be merged away before the transaction ends, and a
    member can be added. None if there never was such a chain."""
    wanted: UUID | None = chain_id
    while wanted is not None:
        chain_id = wanted
        row = await db.fetchrow(HOLD, chain_id)
        if row is None:
            return None
        wanted = row["merged_into"]
    return chain_id


FINAL = """
SELECT coalesce(merged_into, id) FROM chain WHERE id = $1
"""


async def final(db: Connection, chain_id: UUID) -> UUID | None:
    """Where a chain is now, redirects followed; None if there never was such a chain. For reading: see `hold`."""
    found: UUID | None = await db.fetchval(FINAL, chain_id)
    return found
