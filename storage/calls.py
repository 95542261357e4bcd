"""Events of calls and reports on SMS, as they came; records are their folds."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from interactions.arrivals import CallChanged, SmsStatusChanged
from interactions.records import Direction
from storage.database import Connection

ADD_EVENTS = """
INSERT INTO call_event (source, call_key, dedup_key, received_at, event)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::jsonb[]) ON CONFLICT DO NOTHING
"""

EVENTS_OF = """
SELECT source, call_key, dedup_key, received_at, event FROM call_event WHERE source = $1 AND call_key = ANY($2::text[])
"""


async def add_events(db: Connection, events: Sequence[CallChanged]) -> None:
    """Stores events; a repeat changes nothing."""
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
