"""What calendars have said of a meeting, folded into the meeting as it stands: pure, and the same in any order.

    REQUEST, CANCEL of the organizer ──► the latest decides: what, when, where, who, whether it is called off
    the same about one occurrence    ──► that one start is moved or called off
    REPLY, COUNTER of an attendee    ──► that attendee's answer, and nothing else

Latest is by SEQUENCE, then by DTSTAMP, then by the time of the mail (RFC 5546 §2.1.4, §2.1.5); of equals, what calls off.
So a CANCEL that comes before its REQUEST calls it off, and a REQUEST with a higher SEQUENCE brings it back.

A meeting is known by its UID and its organizer, and only mails from the organizer change it. What somebody else sends in
the organizer's name (a forwarded invite, or a forgery) makes a meeting only as long as there is nothing better, and it
says so (`is_claim`); beside the organizer's own words it is listed as `doubtful` where it says something else. An answer
counts where it comes from the attendee whose answer it is, and is not older than what the organizer has asked last.

Limits: nobody says that a meeting was held: it stays planned until a person says more. An assistant who writes for an
organizer (SENT-BY) is somebody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from interactions.addresses import Mailbox, email_key
from interactions.bodies import excerpt
from interactions.chains import new_chain_id
from interactions.guards import CLAIMS
from interactions.invites import CANCEL, COUNTER, REPLY, REQUEST, Attendee, Invite
from interactions.records import Direction, Interaction, Json, JsonValue, Key, Kind, Link, Participant, Role, uuid7
from interactions.recurrence import STARTS_MAX

AFTER_ITS_MAIL_MS = 1  # the mail is the root of a chain that both begin
DOUBTFUL_MAX = 20
TOPIC_CHARS_MAX = 1024
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """One invite of a mail, the `n`th of it. `is_proved`: the mail is from the organizer, or for an answer from the
    attendee, as far as anything can say so."""

    mail_id: UUID
    n: int
    sent_at: datetime
    sender: str
    is_proved: bool
    invite: Invite

    @property
    def place(self) -> tuple[datetime, UUID, int]:
        return (self.sent_at, self.mail_id, self.n)

    @property
    def age(self) -> tuple[int, datetime, datetime, bool, UUID, int]:
        """What the latest of several is found by."""
        one = self.invite
        return (one.sequence, one.stamp or self.sent_at, self.sent_at, one.is_called_off, self.mail_id, self.n)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting as it stands. `mail_id`: the first mail that told of it, in whose chain it belongs."""

    mail_id: UUID
    mailed_at: datetime
    said: Invite
    is_cancelled: bool
    is_claim: bool
    starts: tuple[datetime, ...]
    attendees: tuple[Attendee, ...]
    doubtful: tuple[Told, ...]


def organizer_of(invite: Invite, sender: str) -> str:
    """The address of whom the meeting is by: the organizer, else whoever sent it. An answer without an organizer goes
    nowhere."""
    if invite.organizer is not None:
        return invite.organizer.address
    return "" if invite.method in (REPLY, COUNTER) else sender


def key_of(uid: str, organizer: str) -> bytes:
    """What all that is said of one meeting has in common."""
    return sha256(f"{uid}\x00{_same(organizer)}".encode("utf-8", "surrogatepass")).digest()


def meeting_id_of(key: bytes, mailed_at: datetime) -> UUID:
    """The id of a meeting's interaction; kept by its origin from the first mail on."""
    return uuid7(mailed_at, sha256(b"meeting\x00" + key).digest())


def is_of_sender(invite: Invite, sender: str) -> bool:
    """Whether what a mail says is its sender's to say."""
    if not sender:
        return False
    if invite.method in (REPLY, COUNTER):
        return any(_same(one.address) == _same(sender) for one in invite.attendees)
    return _same(organizer_of(invite, sender)) == _same(sender)


def _same(address: str) -> str:
    key = email_key(address)
    return key.value if key else address.casefold()


def fold(told: Sequence[Told]) -> Meeting | None:
    """The meeting; None while nobody has asked for one."""
    asked = [one for one in told if one.invite.method in (REQUEST, CANCEL)]
    believed = [one for one in asked if one.is_proved] or asked
    if not believed:
        return None
    first = min(believed, key=lambda one: one.place)
    whole = [one for one in believed if not one.invite.occurrence] or believed
    last = max(whole, key=lambda one: one.age)
    # Who calls off often says no more than the UID.
    said = max((one for one in whole if not one.invite.is_called_off), key=lambda one: one.age, default=last)
    single = [one for one in believed if one.invite.occurrence and one.invite.sequence >= said.invite.sequence]
    others = [one for one in asked if one not in believed and one.age > said.age and _differs(one.invite, said.invite)]
    return Meeting(
        mail_id=first.mail_id,
        mailed_at=first.sent_at,
        said=said.invite,
        is_cancelled=last.invite.is_called_off,
        is_claim=not believed[0].is_proved,
        starts=_starts(said.invite, single),
        attendees=_with_answers(said.invite, told),
        doubtful=tuple(sorted(others, key=lambda one: one.place)[:DOUBTFUL_MAX]),
    )


def _differs(one: Invite, other: Invite) -> bool:
    """Whether it says another thing of the meeting; who else is asked does not matter."""
    return one.is_called_off or (one.starts_at, one.location, one.summary) != (
        other.starts_at, other.location, other.summary,
    )  # fmt: skip


def _starts(said: Invite, single: Sequence[Told]) -> tuple[datetime, ...]:
    """The starts of a series with those that were moved or called off."""
    if not said.occurrences:
        return ()
    latest: dict[str, Told] = {}
    for one in single:
        held = latest.get(one.invite.occurrence)
        latest[one.invite.occurrence] = one if held is None else max(one, held, key=lambda each: each.age)
    found = {at for at in said.occurrences if at.isoformat() not in latest}
    found |= {one.invite.starts_at for one in latest.values() if one.invite.starts_at and not one.invite.is_called_off}
    return tuple(sorted(found)[:STARTS_MAX])


def _with_answers(said: Invite, told: Sequence[Told]) -> tuple[Attendee, ...]:
    answers: dict[str, Told] = {}
    for one in told:
        invite = one.invite
        if (
            invite.method in (REPLY, COUNTER)
            and one.is_proved
            and not invite.occurrence
            and invite.sequence >= said.sequence
        ):
            held = answers.get(_same(one.sender))
            answers[_same(one.sender)] = one if held is None else max(one, held, key=lambda each: each.age)
    return tuple(_with_answer(one, answers.get(_same(one.address))) for one in said.attendees)


def _with_answer(asked: Attendee, reply: Told | None) -> Attendee:
    if reply is None:
        return asked
    own = next((one for one in reply.invite.attendees if _same(one.address) == _same(asked.address)), asked)
    return replace(asked, answer="counter" if reply.invite.method == COUNTER else own.answer or asked.answer)


def topic_of(said: Invite) -> str:
    """What a calendar calls the meeting."""
    return said.summary[:TOPIC_CHARS_MAX]


def participants_of(meeting: Meeting) -> tuple[Participant, ...]:
    """The organizer, then who is to come."""
    rows: list[tuple[Role, Mailbox | Attendee]] = []
    organizer = meeting.said.organizer
    if organizer is not None:
        rows.append((Role.ORGANIZER, organizer))
    there = _same(organizer.address) if organizer else ""
    rows += [(Role.ATTENDEE, one) for one in meeting.attendees if _same(one.address) != there]
    return tuple(Participant(role, one.display_name, one.address, email_key(one.address)) for role, one in rows)


def keys_of(meeting: Meeting) -> set[Key]:
    """The keys of everybody in it."""
    return {one.key for one in participants_of(meeting) if one.key}


def decide_meeting(
    meeting_id: UUID, meeting: Meeting, source: str, direction: Direction | None, chain_id: UUID | None, now: datetime
) -> Interaction:
    """The record of a meeting as it stands now. It is born reviewed: its mail is what is to be looked at."""
    said = meeting.said
    at = datetime.fromtimestamp(meeting.mailed_at.timestamp() + AFTER_ITS_MAIL_MS / 1000, UTC)
    return Interaction(
        id=meeting_id,
        kind=Kind.MEETING,
        direction=direction,
        occurred_at=at,
        chain_id=chain_id or new_chain_id(meeting_id, at),
        topic=topic_of(said),
        description=said.description,
        excerpt=excerpt(said.description or said.location),
        based_on_id=meeting.mail_id,
        source=source,
        external_id=said.uid,
        reviewed=True,
        reviewed_at=now,
        block=_block(meeting),
        participants=participants_of(meeting),
        link=Link("based_on", "", (CLAIMS,) if meeting.is_claim else ()),
    )


def _block(meeting: Meeting) -> Json:
    said = meeting.said
    answers: list[JsonValue] = [
        {"address": one.address, "answer": one.answer} for one in meeting.attendees if one.answer
    ]
    block: dict[str, JsonValue] = {
        "starts_at": _time(said.starts_at),
        "ends_at": _time(said.ends_at),
        "location": said.location or None,
        "ical_uid": said.uid,
        "status": "cancelled" if meeting.is_cancelled else "planned",
        "sequence": said.sequence,
        "all_day": said.all_day,
        "answers": answers,
        "repeats": said.rule or None,
        "occurrences": [_time(one) for one in meeting.starts],
        "doubtful": [
            {"mail_id": str(one.mail_id), "from": one.sender, "method": one.invite.method, "starts_at": _time(one.invite.starts_at)}
            for one in meeting.doubtful
        ],
    }  # fmt: skip
    return block


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
