"""Events of calls and reports on SMS, as they came; records are their folds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from interactions.arrivals import CallChanged, SmsStatusChanged
from interactions.records import Direction, uuid7
from storage.database import Connection

ADD_EVENTS = """
INSERT INTO call_event (source, call_key, dedup_key, received_at, event)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::jsonb[]) AS new (s, k, d, r, e)
WHERE NOT EXISTS (SELECT FROM origin o JOIN interaction i ON i.id = o.interaction_id AND i.erased_at IS NOT NULL
                  WHERE o.space = 'call:' || new.s AND o.key = convert_to(new.k, 'UTF8'))
ON CONFLICT DO NOTHING
"""

EVENTS_OF = """
SELECT source, call_key, dedup_key, received_at, event FROM call_event WHERE source = $1 AND call_key = ANY($2::text[])
"""


async def add_events(db: Connection, events: Sequence[CallChanged]) -> None:
    """Stores events; a repeat changes nothing. Those of calls that were erased are left out."""
    await db.execute(
        ADD_EVENTS,
        [one.source for one in events],
        [one.call_key for one in events],
        [one.dedup_key for one in events],
        [one.received_at for one in events],
        [
            {
                "event": one.event,
                "at": one.at.isoformat() if one.at else None,
                "direction": one.direction,
                "from": one.from_number,
                "to": one.to_number,
                "users": list(one.users),
                "answered_by": one.answered_by,
                "cause": one.cause,
                "extra": dict(one.extra),
                "leg": one.leg,
                "aliases": list(one.aliases),
                "taken_from": one.taken_from,
                "recordings": list(one.recordings),
                "is_final": one.is_final,
            }
            for one in events
        ],
    )


async def events_of(db: Connection, source: str, call_keys: Sequence[str]) -> dict[str, list[CallChanged]]:
    """All stored events of these calls."""
    found: dict[str, list[CallChanged]] = {key: [] for key in call_keys}
    for row in await db.fetch(EVENTS_OF, source, list(call_keys)):
        event = row["event"]
        found[row["call_key"]].append(
            CallChanged(
                source=row["source"],
                call_key=row["call_key"],
                dedup_key=row["dedup_key"],
                event=event["event"],
                received_at=row["received_at"],
                at=datetime.fromisoformat(event["at"]) if event["at"] else None,
                direction=Direction(event["direction"]) if event["direction"] else None,
                from_number=event["from"],
                to_number=event["to"],
                users=tuple(event["users"]),
                answered_by=event["answered_by"],
                cause=event["cause"],
                extra=event["extra"],
                # what follows is missing in events of the first release
                leg=event.get("leg", ""),
                aliases=tuple(event.get("aliases", ())),
                taken_from=event.get("taken_from", ""),
                recordings=tuple(event.get("recordings", ())),
                is_final=event.get("is_final", False),
            )
        )
    return found


# What people wrote about the one that is given up goes over where the other has nothing.
TAKE_OVER = """
UPDATE interaction SET topic = CASE WHEN interaction.topic = '' THEN lost.topic ELSE interaction.topic END,
    description = CASE WHEN interaction.description = '' THEN lost.description ELSE interaction.description END,
    comment = coalesce(interaction.comment, lost.comment),
    tags = array(SELECT DISTINCT unnest(interaction.tags || lost.tags) ORDER BY 1)
FROM interaction lost WHERE interaction.id = $2 AND lost.id = $1 AND lost.deleted_at IS NULL
"""

GIVE_UP = """
UPDATE interaction SET deleted_at = now(), updated_at = now(), version = version + 1,
    block = block || jsonb_build_object('merged_into', $2::text)
WHERE id = $1 AND deleted_at IS NULL RETURNING id
"""


async def give_up(db: Connection, lost: UUID, kept: UUID) -> bool:
    """Buries the record of a call that turned out to be another's; says whether it was there to be buried."""
    await db.execute(TAKE_OVER, lost, kept)
    return await db.fetchval(GIVE_UP, lost, str(kept)) is not None


# The first call or message of ours to the same party after a call that nobody took. What a person set is left alone.
SETTLE_MISSED = """
WITH party AS (
    SELECT $1::uuid AS id UNION SELECT id FROM address WHERE contact_id = $2::uuid
), recent AS (
    SELECT DISTINCT p.interaction_id AS id FROM party JOIN participant p ON p.address_id = party.id AND p.interaction_id >= $3
), found AS (
    SELECT m.id, back.id AS back_id, back.occurred_at - m.occurred_at AS after
    FROM recent JOIN interaction m ON m.id = recent.id,
        LATERAL (SELECT i.id, i.occurred_at FROM recent r JOIN interaction i ON i.id = r.id
                 WHERE i.direction = 'outgoing' AND i.deleted_at IS NULL AND i.occurred_at > m.occurred_at
                 ORDER BY i.occurred_at, i.id LIMIT 1) AS back
    WHERE m.kind = 'phone_call' AND m.direction = 'incoming' AND m.deleted_at IS NULL AND m.reviewed_by IS NULL
      AND m.block->>'result' IN ('missed', 'busy', 'voicemail') AND NOT m.block ? 'settled_by')
UPDATE interaction SET reviewed = true, reviewed_at = coalesce(reviewed_at, $4), updated_at = $4, version = version + 1,
    block = block || jsonb_build_object('settled_by', found.back_id, 'settled_seconds', floor(extract(epoch FROM found.after))::int)
FROM found WHERE interaction.id = found.id RETURNING interaction.id
"""

MISSED_FOR = timedelta(days=30)  # older ones wait for a person


async def settle_missed(
    db: Connection, address_id: UUID, contact_id: UUID | None, at: datetime, now: datetime
) -> list[UUID]:
    """Settles the calls of a party that nobody took and to which one of ours has called or written back since, however
    that came to be known; returns those that were settled."""
    oldest = uuid7(at - MISSED_FOR, bytes(10))
    return [row["id"] for row in await db.fetch(SETTLE_MISSED, address_id, contact_id, oldest, now)]


ADD_STATUSES = """
INSERT INTO sms_status (source, sms_key, dedup_key, received_at, status)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[]) ON CONFLICT DO NOTHING
"""

STATUSES_OF = """
SELECT sms_key, status FROM sms_status WHERE source = $1 AND sms_key = ANY($2::text[])
"""


async def add_statuses(db: Connection, statuses: Sequence[SmsStatusChanged]) -> None:
    """Stores delivery reports; a repeat changes nothing."""
    await db.execute(
        ADD_STATUSES,
        [one.source for one in statuses],
        [one.sms_key for one in statuses],
        [one.dedup_key for one in statuses],
        [one.received_at for one in statuses],
        [one.status for one in statuses],
    )


async def statuses_of(db: Connection, source: str, sms_keys: Sequence[str]) -> dict[str, list[str]]:
    """All reports on these messages."""
    found: dict[str, list[str]] = {key: [] for key in sms_keys}
    for row in await db.fetch(STATUSES_OF, source, list(sms_keys)):
        found[row["sms_key"]].append(row["status"])
    return found
