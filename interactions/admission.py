"""An arrival and what is known about its addresses → the interaction to keep. The heart; a table of cases, no I/O.

Direction of a mail, by whose addresses stand where (own: a mailbox, alias or line of ours, or a user's address):

    From own, some recipient not own   outgoing, born reviewed, author = the user it is from
    From own, all recipients own       internal
    otherwise                          incoming, to review; automatic answers and bounces are born reviewed

In a mailbox that is handled in another program every mail is born reviewed; later what is read there decides.

Where a From without proof is only a claim (`unproved`; always, where a host that we believe says it is false), one from own that was not found in Sent comes in like any other.

`occurred_at` of a mail is its Date, held within 7 days before and 1 day after the moment the server received it.
A call is the fold of all its events (`calls`): its record is made again from them each time, and what a person wrote
into it stays. It is born to review; when it was answered and the source says so, it is reviewed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from interactions import threads
from interactions.addresses import Mailbox, domain_of, email_key
from interactions.arrivals import MailArrived, SmsArrived
from interactions.bodies import excerpt
from interactions.calls import Call
from interactions.chains import new_chain_id
from interactions.contacts import ContactKind, Employment, partner_at
from interactions.guards import CLAIMS
from interactions.mime import ParsedMail
from interactions.phones import phone_key
from interactions.proofs import authenticated
from interactions.records import (
    Direction,
    Importance,
    Interaction,
    Json,
    JsonValue,
    Key,
    Kind,
    Link,
    Participant,
    Role,
    sane_time,
    uuid7,
)
from interactions.responsible import choose
from interactions.threads import House, Threadable
from interactions.topics import base_subject

DATE_BEFORE_MAX = timedelta(days=7)
DATE_AFTER_MAX = timedelta(days=1)
PARTICIPANTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """An address as stored, with the link that follows from its owners."""

    id: UUID
    key: Key
    own: bool = False
    contact_id: UUID | None = None
    contact_kind: ContactKind | None = None
    responsible_id: UUID | None = None
    employments: tuple[Employment, ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.own or self.contact_kind is ContactKind.USER

    def partner_at(self, at: datetime) -> UUID | None:
        if self.contact_id is None or self.contact_kind is None:
            return None
        return partner_at(self.contact_kind, self.contact_id, self.employments, at)


@dataclass(frozen=True, slots=True)
class OurSide:
    """Who we are: users by e-mail and by extension of the source, and who of them is still with us. `default` answers
    for what nobody else does; `lines` are the responsible of own numbers."""

    users: Mapping[str, UUID] = field(default_factory=dict)
    extensions: Mapping[str, UUID] = field(default_factory=dict)
    lines: Mapping[Key, UUID] = field(default_factory=dict)
    default: UUID | None = None
    active: frozenset[UUID] = frozenset()
    standing_in: Mapping[UUID, UUID] = field(default_factory=dict)
    region: str = "RU"
    review_answered: bool = True
    auth_servers: frozenset[str] = frozenset()
    unproved_claims: bool = False


@dataclass(frozen=True, slots=True)
class ReadMail:
    """A mail on its way in: the arrival, what its bytes say, and its identity."""

    arrival: MailArrived
    mail: ParsedMail
    identity: bytes
    interaction_id: UUID
    occurred_at: datetime


def read_mail(arrival: MailArrived, mail: ParsedMail, now: datetime) -> ReadMail:
    """Gives a parsed mail its time, its identity and its id, each the same however often it comes."""
    at = mail_time(mail.date, arrival.received_at, now)
    identity = mail_identity(mail)
    return ReadMail(arrival, mail, identity, uuid7(at, identity), at)


def mail_time(date: datetime | None, received_at: datetime | None, now: datetime) -> datetime:
    """When a mail was sent, as far as it can be believed."""
    received = sane_time(received_at, now)
    if date is None:
        return received
    return min(max(sane_time(date, now), received - DATE_BEFORE_MAX), received + DATE_AFTER_MAX)


def mail_identity(mail: ParsedMail) -> bytes:
    """What makes two copies one mail: id, sender, date and topic. Two mails with one id and different dates stay two;
    a mail without an id is known by its text."""
    sender = mail.from_[0].address.casefold() if mail.from_ else ""
    date = mail.date.isoformat() if mail.date else ""
    parts = [mail.message_id, sender, date, base_subject(mail.subject)[0]]
    if not mail.message_id:
        parts.append(mail.body_text)
    return sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).digest()


def mail_participants(mail: ParsedMail) -> tuple[Participant, ...]:
    """Everybody named in a mail, with their words and addresses letter by letter."""
    rows: list[Participant] = []
    roles: list[tuple[Role, tuple[Mailbox, ...]]] = [
        (Role.FROM, mail.from_),
        (Role.TO, mail.to),
        (Role.CC, mail.cc),
        (Role.BCC, mail.bcc),
        (Role.REPLY_TO, mail.reply_to),
    ]
    trusted = len(mail.from_) == 1
    for role, boxes in roles:
        for box in boxes:
            key = email_key(box.address) if role is not Role.FROM or trusted else None
            rows.append(Participant(role, box.display_name, box.address, key))
    return tuple(rows[:PARTICIPANTS_MAX])


def threadable(read: ReadMail, house: House | None = None) -> Threadable:
    """What threading needs of a mail."""
    return threads.threadable(read.mail, read.arrival, read.interaction_id, read.occurred_at, house or House())


def is_automatic(mail: ParsedMail) -> bool:
    """Whether no person has written it."""
    return "auto_reply" in mail.marks or "bounce" in mail.marks


def decide_mail(read: ReadMail, known: Mapping[Key, KnownAddress], ours: OurSide, now: datetime) -> Interaction:
    """The record of one new mail; its chain is placed by the caller."""
    mail = read.mail
    participants = mail_participants(mail)
    sender = _known(participants[:1] if mail.from_ else (), known)
    recipients = [p for p in participants if p.role in (Role.TO, Role.CC, Role.BCC)]
    proof = _proof(mail, ours)
    is_claim = (proof == "fail" or (ours.unproved_claims and proof != "pass")) and read.arrival.folder_role != "sent"
    from_ours = bool(sender and sender[0].is_ours) and not is_claim
    all_ours = bool(recipients) and all(p.key and p.key in known and known[p.key].is_ours for p in recipients)
    direction = Direction.INCOMING
    if from_ours:
        direction = Direction.INTERNAL if all_ours else Direction.OUTGOING
    author = sender[0].contact_id if from_ours and sender[0].contact_kind is ContactKind.USER else None
    candidates = [author, *(one.responsible_id for one in sender), ours.default]
    reviewed = direction is Direction.OUTGOING or is_automatic(mail) or read.arrival.handled_elsewhere
    marks = [*mail.marks]
    if read.arrival.size > len(read.arrival.raw):  # the rest was left on the server
        marks += ["truncated", "oversized"]
    if read.arrival.folder_role == "junk":
        marks.append("from_junk")
    return Interaction(
        id=read.interaction_id,
        kind=Kind.EMAIL,
        direction=direction,
        occurred_at=read.occurred_at,
        chain_id=new_chain_id(read.interaction_id, read.occurred_at),
        topic=mail.subject,
        importance=Importance(mail.importance),
        excerpt=excerpt(mail.reply_text or mail.body_text),
        author_id=author,
        responsible_id=choose(candidates, ours.active, ours.standing_in),
        source=read.arrival.source or None,
        external_id=mail.message_id or None,
        reviewed=reviewed,
        reviewed_at=now if reviewed else None,
        block=_mail_block(mail, marks, proof),
        participants=participants,
        attachments=mail.attachments,
        body_text=mail.body_text,
        reply_text=mail.reply_text,
        link=Link("root", "", (CLAIMS,) if is_claim else ()),
    )


def _proof(mail: ParsedMail, ours: OurSide) -> str:
    key = email_key(mail.from_[0].address) if len(mail.from_) == 1 else None
    return authenticated(mail.auth_results, ours.auth_servers, domain_of(key)) if key else "none"


def _mail_block(mail: ParsedMail, marks: Sequence[str], proof: str) -> Json:
    block: Json = {
        "message_id": mail.message_id or None,
        "in_reply_to": mail.in_reply_to[0] if mail.in_reply_to else None,
        "references": list(mail.references),
        "has_html": mail.html is not None,
        "marks": list(dict.fromkeys(marks)),
        "authenticated": proof,
    }
    if mail.forwarded is not None:
        within = mail.forwarded
        said: dict[str, JsonValue] = {"address": within.address, "name": within.display_name}
        block = {**block, "forwarded_from": {**said, "date": within.date, "subject": within.subject}}
    if "bounce" in marks:
        block = {**block, "bounced": {"message_id": mail.report.message_id or None, "to": list(mail.report.failed)}}
    return block


def _known(participants: Sequence[Participant], known: Mapping[Key, KnownAddress]) -> list[KnownAddress]:
    return [known[p.key] for p in participants if p.key is not None and p.key in known]


def call_participants(call: Call, ours: OurSide) -> tuple[Participant, ...]:
    """The other side as subscriber; our side by the person who answered or was rung, else by the line."""
    rows = [Participant(Role.SUBSCRIBER, "", call.other_number, phone_key(call.other_number, ours.region))]
    rung = [call.answered_by] if call.answered_by else list(call.users)
    for name in dict.fromkeys(rung):
        user = _user_of(name, ours)
        rows.append(Participant(Role.EMPLOYEE, "", name, None, user))
    if len(rows) == 1 and call.line:
        rows.append(Participant(Role.EMPLOYEE, "", call.line, phone_key(call.line, ours.region)))
    return tuple(rows[:PARTICIPANTS_MAX])


def _user_of(name: str, ours: OurSide) -> UUID | None:
    """A user by extension or e-mail: whatever the PBX calls its people by."""
    if name in ours.extensions:
        return ours.extensions[name]
    return ours.users.get(name.casefold())


def call_id_of(source: str, call_key: str, at: datetime) -> UUID:
    """The id of a call's interaction; kept by its origin from the first event on."""
    return uuid7(at, sha256(f"call\x00{source}\x00{call_key}".encode()).digest())


def decide_call(
    interaction_id: UUID,
    source: str,
    call_key: str,
    call: Call,
    known: Mapping[Key, KnownAddress],
    ours: OurSide,
    now: datetime,
) -> Interaction:
    """The record of a call as it stands now."""
    participants = call_participants(call, ours)
    answered = _user_of(call.answered_by, ours) if call.answered_by else None
    other = _known(participants[:1], known)
    line_key = phone_key(call.line, ours.region)
    candidates = [
        answered,
        *(_user_of(name, ours) for name in call.users),
        *(one.responsible_id for one in other),
        ours.lines.get(line_key) if line_key else None,
        ours.default,
    ]
    reviewed = call.result == "answered" and ours.review_answered
    block = dict(call.as_block())
    block["answered_by_id"] = str(answered) if answered else None
    return Interaction(
        id=interaction_id,
        kind=Kind.PHONE_CALL,
        direction=call.direction,
        occurred_at=sane_time(call.started_at, now),
        chain_id=new_chain_id(interaction_id, sane_time(call.started_at, now)),
        responsible_id=choose(candidates, ours.active, ours.standing_in),
        source=source,
        external_id=call_key,
        reviewed=reviewed,
        reviewed_at=now if reviewed else None,
        block=block,
        participants=participants,
    )


def sms_id_of(arrival: SmsArrived, at: datetime) -> UUID:
    """The id of an SMS's interaction."""
    return uuid7(at, sha256(f"sms\x00{arrival.source}\x00{arrival.sms_key}".encode()).digest())


def sms_participants(arrival: SmsArrived, region: str) -> tuple[Participant, ...]:
    """Who wrote to whom."""
    return (
        Participant(Role.FROM, "", arrival.from_number, phone_key(arrival.from_number, region)),
        Participant(Role.TO, "", arrival.to_number, phone_key(arrival.to_number, region)),
    )


def decide_sms(
    arrival: SmsArrived, state: str, segments: int, known: Mapping[Key, KnownAddress], ours: OurSide, now: datetime
) -> Interaction:
    """The record of one SMS; its topic is its first words."""
    at = sane_time(arrival.at or arrival.received_at, now)
    interaction_id = sms_id_of(arrival, at)
    participants = sms_participants(arrival, ours.region)
    incoming = arrival.direction is Direction.INCOMING
    other = _known(participants[:1] if incoming else participants[1:], known)
    line = participants[1 if incoming else 0].key
    candidates = [*(one.responsible_id for one in other), ours.lines.get(line) if line else None, ours.default]
    return Interaction(
        id=interaction_id,
        kind=Kind.SMS,
        direction=arrival.direction,
        occurred_at=at,
        chain_id=new_chain_id(interaction_id, at),
        topic=" ".join(arrival.text.split()[:3])[:200],
        excerpt=excerpt(arrival.text),
        responsible_id=choose(candidates, ours.active, ours.standing_in),
        source=arrival.source,
        external_id=arrival.sms_key,
        reviewed=not incoming,
        reviewed_at=None if incoming else now,
        block={"text": arrival.text, "state": state, "segments": segments, "service": "sms"},
        participants=participants,
        body_text=arrival.text,
    )


def in_chain(interaction: Interaction, chain_id: UUID) -> Interaction:
    """The same record in another chain."""
    return replace(interaction, chain_id=chain_id)
