"""Invites of mails: store what came, fold all that was said of each meeting, write its record as it stands now.

The record belongs into the chain of the first mail that told of it: it goes there when that turns out to be another mail,
and with that mail where a rule takes it to another chain.
Answers alone make no meeting; they wait for the invite.

Limits: what a mail says is believed or not when it comes; a host that is trusted later changes nothing about it. A meeting
does not follow its mail into a chain that the mail is taken to by hand.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from daemon import attention
from daemon.intake.context import IntakeSettings
from daemon.intake.ruling import ruled
from daemon.intake.skipping import is_skipped
from interactions.admission import OurSide, ReadMail
from interactions.guards import CLAIMS
from interactions.meetings import Told, decide_meeting, fold, is_of_sender, key_of, keys_of, meeting_id_of, organizer_of
from interactions.records import Direction, Interaction
from storage import addresses, feed, meetings, origins, records
from storage.database import Connection

SPACE = "meeting"


async def admit(
    db: Connection, source: str, mails: Sequence[ReadMail], decided: Sequence[Interaction], settings: IntakeSettings,
    ours: OurSide, now: datetime, moved: Collection[UUID] = (),
) -> None:  # fmt: skip
    """Admits the invites of new mails, whose records are written already. `moved` are stored mails that have gone to
    another chain: their meetings go with them."""
    if moved:
        followed = await meetings.follow(db, sorted(moved))
        await feed.add(db, [feed.Change("interaction.updated", one) for one in followed])
    told = _told(mails, decided)
    if not told:
        return
    responsible = {one.id: one.responsible_id for one in decided}
    ids = await origins.claim(db, SPACE, {key: meeting_id_of(key, some[0].sent_at) for key, some in told.items()})
    await meetings.add_invites(db, told)
    stored = await meetings.invites_of(db, sorted(told))
    folded = {key: found for key, some in sorted(stored.items()) if (found := fold(some)) is not None}
    known = await addresses.claim(db, {key for one in folded.values() for key in keys_of(one)})
    there = await records.which_exist(db, [ids[key] for key in folded])
    for key, meeting in folded.items():
        mail = await meetings.mail_of(db, meeting.mail_id)
        if mail is None:
            continue
        direction = Direction(mail[1]) if mail[1] else None
        record = decide_meeting(ids[key], meeting, source, direction, mail[0], now)
        if ids[key] in there:
            if not await meetings.update(db, record, known, stored[key], now):
                continue
            change = "interaction.updated"
        else:
            new = replace(record, responsible_id=responsible.get(meeting.mail_id))
            if is_skipped(new, settings):
                continue
            [new], on_control = ruled([new], settings, ours, now)
            await meetings.add(db, new, known)
            await attention.hold(db, on_control)
            change = "interaction.created"
        await feed.add(db, [feed.Change(change, record.id)])


def _told(mails: Sequence[ReadMail], decided: Sequence[Interaction]) -> dict[bytes, list[Told]]:
    """The invites of mails by the key of their meeting."""
    found: dict[bytes, list[Told]] = {}
    for read, record in zip(mails, decided, strict=True):
        sender = read.mail.from_[0].address if len(read.mail.from_) == 1 else ""
        is_doubted = record.block.get("authenticated") == "fail" or CLAIMS in record.link.flags
        for n, invite in enumerate(read.mail.invites):
            organizer = organizer_of(invite, sender)
            if organizer:
                proved = is_of_sender(invite, sender) and not is_doubted
                one = Told(record.id, n, record.occurred_at, sender, proved, invite)
                found.setdefault(key_of(invite.uid, organizer), []).append(one)
    return found
