"""Mails: gather, decide, write, for a whole batch at a time.

The rows of a batch are locked in one order: origins, then message ids, chains, addresses. Whatever was brought before is
found by its origin; only its place on the server is new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid4

from daemon import attention
from daemon.intake import meetings, newcomers, placing
from daemon.intake.answers import beside_their_parents
from daemon.intake.context import IntakeSettings, our_side
from daemon.intake.prepared import Prepared
from daemon.intake.ruling import ruled
from daemon.intake.slices import Slices
from interactions.admission import ReadMail, decide_mail, is_automatic, mail_participants
from interactions.arrivals import MailArrived, head_digest
from interactions.chains import Placement
from interactions.guards import flags_of
from interactions.records import Interaction, Json
from storage import addresses, feed, guards, locations, origins, quarantine, records
from storage.database import Connection


@dataclass(frozen=True, slots=True)
class Unread:
    """A mail that could not be read, and why."""

    arrival: MailArrived
    reason: str


@dataclass(frozen=True, slots=True)
class MailBatch:
    """The mails of one source, read; ready to be admitted. Those that a person brings come from none, and lie nowhere."""

    source: str
    source_id: int | None
    mails: Sequence[ReadMail]
    unread: Sequence[Unread] = ()
    prepared: Prepared = field(default_factory=Prepared)
    hashes: Mapping[int, bytes] = field(default_factory=dict)  # by the identity of the bytes, which the mails hold

    def hash_of(self, arrival: MailArrived) -> bytes:
        return self.hashes.get(id(arrival.raw)) or sha256(arrival.raw).digest()


async def admit(db: Connection, batch: MailBatch, settings: IntakeSettings, now: datetime) -> int:
    """Admits a batch within the caller's transaction; returns how many mails were new."""
    first: dict[bytes, ReadMail] = {}
    for read in batch.mails:
        first.setdefault(read.identity, read)
    ids = await origins.claim(db, "mail", {key: read.interaction_id for key, read in first.items()})
    new = [read for key, read in first.items() if ids[key] == read.interaction_id]
    fresh = await _still_unwritten(db, new)
    await _write(db, batch, fresh, ids, settings, now)
    await _locate(db, batch, ids)
    return len(fresh)


async def _still_unwritten(db: Connection, mails: Sequence[ReadMail]) -> list[ReadMail]:
    """Leaves out mails that an earlier try of this very batch has written: their ids are the same each time."""
    there = await records.which_exist(db, [read.interaction_id for read in mails])
    return [read for read in mails if read.interaction_id not in there]


async def _write(
    db: Connection,
    batch: MailBatch,
    mails: Sequence[ReadMail],
    ids: Mapping[bytes, UUID],
    settings: IntakeSettings,
    now: datetime,
) -> None:
    if not mails and not any(read.arrival.thread_id for read in batch.mails):
        return
    ours = await our_side(db, settings, batch.source, now)
    house = settings.house(ours)
    threads, echoes = placing.facts_of(mails, batch.mails, ids, house, batch.prepared.facts_for(house))
    placement = await placing.decide(db, threads, echoes)
    mails, _ = await beside_their_parents(db, mails, threads, batch.prepared.compared)
    keys = {p.key for read in mails for p in mail_participants(read.mail) if p.key}
    known = await addresses.claim(db, keys)

    decided, slices = list[Interaction](), Slices()
    for read in mails:
        one = _placed(decide_mail(read, known, ours, now), placement)
        decided.append(replace(one, raw_sha256=batch.hash_of(read.arrival)))
        await slices.pause()
    decided, on_control = ruled(decided, settings, ours, now)
    changes = await placing.write(db, placement, threads, decided)
    await records.add_all(db, decided, known)
    if not settings.source(batch.source).is_private:  # contacts are for everybody
        await newcomers.admit(db, decided, known, settings.auto_create, now)
    await meetings.admit(db, batch.source, mails, decided, settings, ours, now, placement.moved)
    flagged = await _flag(db, decided, placement)
    await attention.hold(db, on_control)
    read_elsewhere = [
        one.interaction_id for one in mails if one.arrival.handled_elsewhere and not is_automatic(one.mail)
    ]
    await attention.wake(db, decided, read_elsewhere)
    changes = [feed.Change("interaction.created", one.id) for one in decided] + changes
    changes += [feed.Change("interaction.updated", one) for one in flagged]
    await feed.add(db, changes)


def _placed(decided: Interaction, placement: Placement) -> Interaction:
    link = placement.link_of[decided.id]
    link = replace(link, flags=(*decided.link.flags, *link.flags))
    return replace(decided, chain_id=placement.chain_of[decided.id], link=link)


async def _flag(db: Connection, new: Sequence[Interaction], placement: Placement) -> list[UUID]:
    """Finds the flags of all members of the chains that have grown or parted; returns who had other ones before."""
    changed: dict[UUID, tuple[str, ...]] = {}
    touched = (
        {one.chain_id for one in new} | {*placement.moved.values(), *placement.merged.values()} | {*placement.loose}
    )
    for members in await guards.members(db, sorted(touched)):
        held = {member.id: member.flags for member in members}
        changed.update({one: flags for one, flags in flags_of(members).items() if flags != held[one]})
    await guards.set_flags(db, changed)
    return sorted(changed.keys() - {one.id for one in new})


def _locator(arrival: MailArrived) -> Json:
    """What is known of a mail besides its bytes: it is read again as it came (`daemon.quarantine`)."""
    where, received_at = arrival.location, arrival.received_at
    known: Json = {
        "size": arrival.size if arrival.size != len(arrival.raw) else None,
        "folder_role": arrival.folder_role,
        "mail_id": arrival.mail_id,
        "thread_id": arrival.thread_id,
        "labels": list(arrival.labels),
        "handled_elsewhere": arrival.handled_elsewhere,
        "seen": arrival.handled_elsewhere and arrival.seen,
    }
    return {
        "folder": where.folder,
        "uidvalidity": where.uidvalidity,
        "uid": where.uid,
        "received_at": received_at.isoformat() if received_at else None,
        **{name: value for name, value in known.items() if value},
    }


async def _locate(db: Connection, batch: MailBatch, ids: dict[bytes, UUID]) -> None:
    if batch.source_id is None:
        return
    placed = [
        locations.Placed(
            read.arrival.location,
            ids[read.identity],
            size=read.arrival.size or None,
            received_at=read.arrival.received_at,
            head_sha256=head_digest(read.arrival.raw),
            mail_id=read.arrival.mail_id,
            thread_id=read.arrival.thread_id,
            labels=read.arrival.labels,
            seen=read.arrival.seen if read.arrival.handled_elsewhere else None,
        )
        for read in batch.mails
    ]
    kept = []
    for one in batch.unread:
        entry = quarantine.Kept(uuid4(), one.reason, _locator(one.arrival), batch.hash_of(one.arrival))
        kept.append(entry)
        placed.append(locations.Placed(one.arrival.location, None, entry.id))
    await quarantine.add_mails(db, batch.source, kept)
    await locations.add_all(db, batch.source_id, placed)
