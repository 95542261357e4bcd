"""Invites of mails as they came, and the records of meetings, which are their folds.

Whoever adds an invite holds the meeting's origin first, so that two daemons that bring two mails of one meeting write its
record one after the other, each from all that is there. What people wrote about a meeting stays: topic and description
are followed only while they are the calendar's own, and participants only until a person has
edited them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from interactions.addresses import Mailbox
from interactions.admission import KnownAddress
from interactions.invites import Attendee, Invite
from interactions.meetings import Told, topic_of
from interactions.records import Interaction, Json, Key
from storage import chains, records, regroup
from storage.database import Connection, storable

INVITES_MAX = 500  # of one meeting, those of its people and those of strangers: more are kept by their mails only

ADD_INVITES = """
INSERT INTO invite (key, mail_id, n, sent_at, sender, is_proved, said)
SELECT new.* FROM unnest($1::bytea[], $2::uuid[], $3::int[], $4::timestamptz[], $5::text[], $6::boolean[], $7::jsonb[])
    AS new (key, mail_id, n, sent_at, sender, is_proved, said)
WHERE (SELECT count(*) FROM invite i WHERE i.key = new.key AND i.is_proved = new.is_proved) < $8
ON CONFLICT DO NOTHING
"""

INVITES_OF = """
SELECT key, mail_id, n, sent_at, sender, is_proved, said FROM invite WHERE key = ANY($1::bytea[]) ORDER BY key, mail_id, n
"""

FOLLOWERS = """
SELECT DISTINCT i.id, i.chain_id, m.chain_id AS target
FROM invite v JOIN origin o ON o.space = 'meeting' AND o.key = v.key JOIN interaction i ON i.id = o.interaction_id
    JOIN interaction m ON m.id = v.mail_id
WHERE v.mail_id = ANY($1::uuid[]) AND i.based_on_id = v.mail_id AND i.link_origin = 'automatic'
  AND i.chain_id <> m.chain_id ORDER BY i.id
"""

MAIL_OF = """
SELECT chain_id, direction FROM interaction WHERE id = $1
"""

PLACE_OF = """
SELECT chain_id, link_origin FROM interaction WHERE id = $1 AND deleted_at IS NULL AND erased_at IS NULL
"""

UPDATE = """
UPDATE interaction SET direction = $2, occurred_at = $3, based_on_id = $4, external_id = $5, link_flags = $6,
    topic = CASE WHEN topic = ANY($12::text[]) THEN $7 ELSE topic END,
    description = CASE WHEN description = ANY($13::text[]) THEN $8 ELSE description END,
    excerpt = CASE WHEN description = ANY($13::text[]) THEN $9 ELSE excerpt END,
    block = block || $10::jsonb, version = version + 1, updated_at = $11
WHERE id = $1 AND deleted_at IS NULL AND erased_at IS NULL RETURNING id
"""

# A person who was chosen for an attendee stays with that attendee, not with the place in the list.
PUT_PEOPLE = """
INSERT INTO participant (interaction_id, n, role, display_name, address, address_id, partner_id)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[])
ON CONFLICT (interaction_id, n) DO UPDATE SET role = excluded.role, display_name = excluded.display_name,
    address = excluded.address, address_id = excluded.address_id, partner_id = excluded.partner_id,
    contact_id = CASE WHEN participant.address = excluded.address THEN participant.contact_id END,
    decided = CASE WHEN participant.address = excluded.address THEN participant.decided END,
    edited = participant.edited AND participant.address = excluded.address
"""

DROP_PEOPLE = """
DELETE FROM participant WHERE interaction_id = $1 AND n >= $2
"""

IS_EDITED = """
SELECT EXISTS (SELECT 1 FROM participant WHERE interaction_id = $1 AND edited AND decided IS NULL)
"""


async def add_invites(db: Connection, told: Mapping[bytes, Sequence[Told]]) -> None:
    """Stores invites by the key of their meeting; a repeat changes nothing."""
    rows = [(key, one) for key, some in told.items() for one in some]
    await db.execute(
        ADD_INVITES,
        [key for key, _ in rows],
        [one.mail_id for _, one in rows],
        [one.n for _, one in rows],
        [one.sent_at for _, one in rows],
        [storable(one.sender) for _, one in rows],
        [one.is_proved for _, one in rows],
        [_json(one.invite) for _, one in rows],
        INVITES_MAX,
    )


async def invites_of(db: Connection, keys: Sequence[bytes]) -> dict[bytes, list[Told]]:
    """All that was said of these meetings."""
    found: dict[bytes, list[Told]] = {key: [] for key in keys}
    for row in await db.fetch(INVITES_OF, list(keys)):
        found[row["key"]].append(
            Told(row["mail_id"], row["n"], row["sent_at"], row["sender"], row["is_proved"], _invite(row["said"]))
        )
    return found


def _json(one: Invite) -> Json:
    """Times as text; the library writes no dates."""
    said = asdict(one)
    for name in ("stamp", "starts_at", "ends_at"):
        said[name] = said[name].isoformat() if said[name] else None
    said["occurrences"] = [at.isoformat() for at in one.occurrences]
    return said


def _invite(said: Mapping[str, Any]) -> Invite:
    given = dict(said)
    given |= {name: _time(given[name]) for name in ("stamp", "starts_at", "ends_at")}
    given["organizer"] = Mailbox(**given["organizer"]) if given["organizer"] else None
    given["attendees"] = tuple(Attendee(**one) for one in given["attendees"])
    given["occurrences"] = tuple(map(datetime.fromisoformat, given["occurrences"]))
    return Invite(**given)


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


async def mail_of(db: Connection, mail_id: UUID) -> tuple[UUID, str | None] | None:
    """The chain and the direction of the mail that a meeting came with; the chain is held."""
    row = await db.fetchrow(MAIL_OF, mail_id)
    if row is None:
        return None
    held = await chains.hold(db, row["chain_id"])
    return (held, row["direction"]) if held else None


async def follow(db: Connection, mail_ids: Sequence[UUID]) -> list[UUID]:
    """Takes the meetings that these mails told of first to the chains where the mails are now; returns those meetings."""
    rows = await db.fetch(FOLLOWERS, list(mail_ids))
    for row in rows:
        held = await regroup.hold_both(db, row["chain_id"], row["target"])
        source, target = held[row["chain_id"]], held[row["target"]]
        if source and target and source != target:
            await regroup.move(db, [row["id"]], source, target)
    return [row["id"] for row in rows]


async def add(db: Connection, meeting: Interaction, known: Mapping[Key, KnownAddress]) -> None:
    """Writes a meeting for the first time; its chain is held or new."""
    await chains.extend(db, [meeting])
    await records.add_all(db, [meeting], known)


async def update(
    db: Connection, meeting: Interaction, known: Mapping[Key, KnownAddress], told: Sequence[Told], now: datetime
) -> bool:
    """Writes what calendars say now over what they said before. Says whether it was there: what was deleted stays so."""
    place = await db.fetchrow(PLACE_OF, meeting.id)
    if place is None:
        return False
    held = await regroup.hold_both(db, place["chain_id"], meeting.chain_id)
    source, target = held[place["chain_id"]], held[meeting.chain_id]
    found = await db.fetchval(
        UPDATE,
        meeting.id,
        meeting.direction,
        meeting.occurred_at,
        meeting.based_on_id,
        meeting.external_id,
        list(meeting.link.flags),
        storable(meeting.topic),
        storable(meeting.description),
        storable(meeting.excerpt),
        dict(meeting.block),
        now,
        sorted({storable(topic_of(one.invite)) for one in told}),
        sorted({storable(one.invite.description) for one in told}),
    )
    if found is None:
        return False
    if not await db.fetchval(IS_EDITED, meeting.id):
        await _put_people(db, meeting, known)
    if source and target and source != target and place["link_origin"] == "automatic":
        await regroup.move(db, [meeting.id], source, target)
    else:
        await chains.settle(db, meeting.id)
    await records.reindex(db, [meeting.id])
    return True


async def _put_people(db: Connection, meeting: Interaction, known: Mapping[Key, KnownAddress]) -> None:
    people = meeting.participants
    found = [known.get(one.key) if one.key else None for one in people]
    await db.execute(
        PUT_PEOPLE,
        meeting.id,
        list(range(len(people))),
        [one.role.value for one in people],
        [storable(one.display_name) for one in people],
        [storable(one.address) for one in people],
        [one.id if one else None for one in found],
        [one.partner_at(meeting.occurred_at) if one else None for one in found],
    )
    await db.execute(DROP_PEOPLE, meeting.id, len(people))
