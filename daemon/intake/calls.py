"""Calls and SMS: store what came, fold all that is known of each, write the record as it stands now.

A call may have several names at its source; an event that says so joins their records. Calls among ourselves leave no
record unless the source wants them (`internal_calls`); their events are stored all the same. A call that nobody took is
settled by a call or message of ours to the same party.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from connectors.recordings import is_link
from daemon import attention
from daemon.intake.context import IntakeSettings, our_side
from daemon.intake.ruling import ruled
from daemon.intake.skipping import is_skipped
from interactions.admission import (
    KnownAddress,
    OurSide,
    call_id_of,
    call_participants,
    decide_call,
    decide_sms,
    sms_id_of,
    sms_participants,
)
from interactions.arrivals import CallChanged, SmsArrived, SmsStatusChanged
from interactions.calls import Call, group_keys, joined, merge
from interactions.records import Direction, Interaction, Key, Link, sane_time
from interactions.sms import merge_status, segments
from storage import addresses, calls, chains, feed, origins, recordings, records
from storage.database import Connection

_FEED_OF = {"ringing": "call.ringing", "in_progress": "call.answered", "ended": "call.ended"}


async def admit_calls(
    db: Connection, source: str, events: Sequence[CallChanged], settings: IntakeSettings, now: datetime
) -> int:
    """Admits changes of calls within the caller's transaction; returns how many calls were new."""
    if not events:
        return 0
    keys = await _claim(db, source, events, now)
    await calls.add_events(db, events)
    stored = await calls.events_of(db, source, sorted(key for some in keys.values() for key in some))
    folded = {
        one: merge(event for key in some for event in stored[key])
        for one, some in keys.items()
        if any(stored[key] for key in some)  # of one that was erased nothing is stored
    }

    ours = await our_side(db, settings, source, now)
    wanted = {p.key for call in folded.values() for p in call_participants(call, ours) if p.key}
    known = await addresses.claim(db, wanted)
    there = await records.which_exist(db, list(keys))
    created = 0
    own = settings.source(source)
    for interaction_id, folded_call in folded.items():
        call = folded_call if own.keep_recordings else replace(folded_call, recordings=())
        is_new = interaction_id not in there
        if is_new and call.direction is Direction.INTERNAL and not own.keep_internal:
            continue
        decided = decide_call(interaction_id, source, keys[interaction_id][0], call, known, ours, now)
        if is_new and is_skipped(decided, settings):
            continue
        if is_new:
            await _add(db, decided, known, settings, ours, now)
            created += 1
        elif not await records.update_call(db, decided, known, now):
            continue  # a person deleted it: nobody is told of what goes on with it
        await feed.add(db, _changes(decided, call, is_new))
        if own.store_recordings and call.recordings:
            await recordings.want(db, decided.id, [one for one in call.recordings if is_link(one)], source)
        is_missed = call.state == "ended" and call.result != "answered"
        if is_missed or decided.direction is Direction.OUTGOING:
            await _settle_missed(db, decided, known, now)
    return created


async def _claim(db: Connection, source: str, events: Sequence[CallChanged], now: datetime) -> dict[UUID, list[str]]:
    """The records that these events belong to, each with all names of its call. Names that turn out to be one call lead
    to the older record from now on; the younger is given up. One that a person deleted takes no live one with it."""
    space = f"call:{source}"
    groups = group_keys(events)
    wanted: dict[bytes, UUID] = {}
    for group in groups:
        first = next(one for one in events if one.call_key in group)
        wanted_id = call_id_of(source, group[0], sane_time(first.at or first.received_at, now))
        wanted |= {key.encode(): wanted_id for key in group}
    ids = await origins.claim(db, space, wanted)
    held = await origins.keys_of(db, space, set(ids.values()))
    lost: dict[UUID, UUID] = {}
    for same in joined([[ids[key.encode()] for key in group] for group in groups]):
        if len(same) > 1:
            # The oldest that people see, else the oldest there is; ids grow with time.
            kept = min(await records.which_live(db, same) or await records.which_exist(db, same) or same)
            lost |= {one: kept for one in same if one != kept}
    if lost:
        await origins.redirect(db, space, lost)
    for one, kept in lost.items():
        held[kept] += held.pop(one)
        if await calls.give_up(db, one, kept):
            await feed.add(db, [feed.Change("interaction.deleted", one, {"merged_into": str(kept)})])
    return {one: sorted(key.decode() for key in some) for one, some in held.items()}


def _changes(decided: Interaction, call: Call, is_new: bool) -> list[feed.Change]:
    first = feed.Change("interaction.created" if is_new else "interaction.updated", decided.id)
    told = _FEED_OF.get(call.state)
    return [first, feed.Change(told, decided.id)] if told else [first]


async def _add(
    db: Connection, decided: Interaction, known: dict[Key, KnownAddress], settings: IntakeSettings, ours: OurSide,
    now: datetime,
) -> None:  # fmt: skip
    """Writes a new call or SMS, into the one open chain of its party if there is one, else into a chain of its own."""
    [decided], on_control = ruled([decided], settings, ours, now)
    joined, continued = await _chain_of(db, decided, known, settings)
    if joined is not None:
        decided = replace(decided, chain_id=joined, link=Link("recent_party"))
    await chains.extend(db, [decided])
    if continued is not None:
        await chains.go_on(db, decided.chain_id, continued)
    await records.add_all(db, [decided], known)
    await attention.hold(db, on_control)
    await attention.wake(db, [decided])


async def _settle_missed(db: Connection, decided: Interaction, known: dict[Key, KnownAddress], now: datetime) -> None:
    """A call that nobody took is settled by a call or message of ours to the same party, whichever comes in first."""
    party = next((known[p.key] for p in decided.participants if p.key in known and not known[p.key].is_ours), None)
    if party is not None:
        settled = await calls.settle_missed(db, party.id, party.contact_id, decided.occurred_at, now)
        await feed.add(db, [feed.Change("interaction.updated", one) for one in settled])


async def _chain_of(
    db: Connection, decided: Interaction, known: dict[Key, KnownAddress], settings: IntakeSettings
) -> tuple[UUID | None, UUID | None]:
    """The open chain of its party, which it joins; or the one that is over, which its own chain continues."""
    at = decided.occurred_at
    for one in decided.participants:
        address = known.get(one.key) if one.key else None
        if address is not None and not address.is_ours:
            try:
                joined = await chains.open_of_party(db, address.id, address.contact_id, at, settings.join_hours)
            except chains.Several:
                return None, None
            if joined is not None:
                return joined, None
            return None, await chains.last_of_party(db, address.id, address.contact_id, at)
    return None, None


async def admit_sms(
    db: Connection, source: str, arrivals: Sequence[SmsArrived], settings: IntakeSettings, now: datetime
) -> int:
    """Admits messages within the caller's transaction; returns how many were new."""
    if not arrivals:
        return 0
    first: dict[bytes, SmsArrived] = {}
    for one in arrivals:
        first.setdefault(one.sms_key.encode(), one)
    wanted = {key: sms_id_of(one, sane_time(one.at or one.received_at, now)) for key, one in first.items()}
    ids = await origins.claim(db, f"sms:{source}", wanted)
    there = await records.which_exist(db, list(ids.values()))
    ours = await our_side(db, settings, source, now)
    keys = {p.key for one in first.values() for p in sms_participants(one, settings.region) if p.key}
    known = await addresses.claim(db, keys)
    reports = await calls.statuses_of(db, source, [one.sms_key for one in first.values()])
    created = 0
    for key, one in first.items():
        if ids[key] in there or ids[key] != wanted[key]:
            continue
        await _add_sms(db, one, reports[one.sms_key], known, ours, settings, now)
        created += 1
    return created


async def _add_sms(
    db: Connection, one: SmsArrived, reports: Sequence[str], known: dict[Key, KnownAddress], ours: OurSide,
    settings: IntakeSettings, now: datetime,
) -> None:  # fmt: skip
    initial = "received" if one.direction is Direction.INCOMING else "queued"
    decided = decide_sms(one, merge_status(reports, initial), segments(one.text), known, ours, now)
    if is_skipped(decided, settings):
        return
    await _add(db, decided, known, settings, ours, now)
    await feed.add(db, [feed.Change("interaction.created", decided.id)])
    if decided.direction is Direction.OUTGOING:
        await _settle_missed(db, decided, known, now)


async def admit_statuses(db: Connection, source: str, reports: Sequence[SmsStatusChanged]) -> None:
    """Admits delivery reports; one that comes before its message waits for it."""
    if not reports:
        return
    await calls.add_statuses(db, reports)
    keys = sorted({one.sms_key for one in reports})
    ids = await records.find_by_origin(db, f"sms:{source}", [key.encode() for key in keys])
    stored = await calls.statuses_of(db, source, keys)
    for key in keys:
        interaction_id = ids.get(key.encode())
        state = merge_status(stored[key], "unknown")
        if interaction_id and await records.set_sms_state(db, interaction_id, state):
            await feed.add(db, [feed.Change("interaction.updated", interaction_id)])
