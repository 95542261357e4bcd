"""The members of chains as guards see them, and the flags on their links."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from interactions.guards import Member, Person
from storage.database import Connection

MEMBERS_MAX = 200  # of a chain, from its beginning; later ones are not flagged

MEMBERS = """
SELECT m.chain_id, m.id, m.topic, m.kind, m.direction, m.link_origin, m.link_flags
FROM chain c CROSS JOIN LATERAL (
    SELECT chain_id, id, occurred_at, topic, kind, direction, link_origin, link_flags FROM interaction
    WHERE chain_id = c.id ORDER BY occurred_at, id LIMIT $2) m
WHERE c.id = ANY($1::uuid[]) AND c.size > 1
ORDER BY m.chain_id, m.occurred_at, m.id
"""

PEOPLE = """
SELECT p.interaction_id, p.role, a.value, a.own OR coalesce(k.kind = 'user', false) AS is_ours, k.id AS contact_id,
       p.partner_id
FROM participant p JOIN address a ON a.id = p.address_id LEFT JOIN contact k
    ON k.id = CASE WHEN p.decided IS NULL THEN coalesce(p.contact_id, a.contact_id) ELSE p.contact_id END
WHERE p.interaction_id = ANY($1::uuid[])
ORDER BY p.interaction_id, p.n
"""


async def members(db: Connection, chain_ids: Sequence[UUID]) -> list[list[Member]]:
    """The members of those of the chains that have several, in time order."""
    rows = await db.fetch(MEMBERS, chain_ids, MEMBERS_MAX)
    if not rows:
        return []
    people: dict[UUID, list[Person]] = {}
    senders: dict[UUID, Person] = {}
    for row in await db.fetch(PEOPLE, [one["id"] for one in rows]):
        person = Person(row["value"], row["is_ours"], row["contact_id"], row["partner_id"])
        people.setdefault(row["interaction_id"], []).append(person)
        if row["role"] == "from":
            senders[row["interaction_id"]] = person
    found: dict[UUID, list[Member]] = {}
    for row in rows:
        found.setdefault(row["chain_id"], []).append(
            Member(
                row["id"],
                row["topic"],
                row["kind"] == "email",
                row["direction"] == "incoming",
                row["link_origin"] == "manual",
                senders.get(row["id"]),
                tuple(people.get(row["id"], ())),
                tuple(row["link_flags"]),
            )
        )
    return list(found.values())


SET_FLAGS = """
UPDATE interaction SET link_flags = string_to_array(new.flags, ' '), version = version + 1, updated_at = now()
FROM unnest($1::uuid[], $2::text[]) AS new (id, flags) WHERE interaction.id = new.id
"""


async def set_flags(db: Connection, flags: Mapping[UUID, Sequence[str]]) -> None:
    """Writes the flags of links. The chains of the members are to be held."""
    if flags:
        await db.execute(SET_FLAGS, list(flags), [" ".join(one) for one in flags.values()])
