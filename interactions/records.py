"""An interaction as we keep it, whatever its type: the values that every floor above speaks in.

Identifiers are UUIDv7 made from the time of the event (RFC 9562 §5.7), so that their order is time order and a
record has its id before it is written: a write that is tried twice meets itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
Json: TypeAlias = Mapping[str, JsonValue]


class Kind(StrEnum):
    """The five types of interaction. An e-mail is one type; its direction tells the rest."""

    PHONE_CALL = "phone_call"
    MEETING = "meeting"
    EMAIL = "email"
    SMS = "sms"
    PLANNED = "planned"


class Direction(StrEnum):
    """Seen from us. Meetings and plans may have none."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    INTERNAL = "internal"


class Importance(StrEnum):
    """Низкая, обычная, высокая."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Role(StrEnum):
    """What a participant is in an interaction. SUBSCRIBER is the other side of a call, EMPLOYEE our side."""

    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    REPLY_TO = "reply_to"
    SUBSCRIBER = "subscriber"
    EMPLOYEE = "employee"
    ATTENDEE = "attendee"
    ORGANIZER = "organizer"


class AddressKind(StrEnum):
    """What sort of address a key is. OTHER: an extension, a short code, a sender name; compared exactly."""

    EMAIL = "email"
    PHONE = "phone"
    OTHER = "other"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The canonical form of an address: what two spellings of one address have in common."""

    kind: AddressKind
    value: str


@dataclass(frozen=True, slots=True)
class Participant:
    """One person's or company's part in an interaction.

    `display_name` and `address` are kept letter by letter as they came, also after a contact is linked.
    `contact_id` is set only where a person chose it; otherwise the link follows from the key.
    """

    role: Role
    display_name: str = ""
    address: str = ""
    key: Key | None = None
    contact_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of an interaction. `part` is its path in the raw mail (`1.2`), so its bytes are stored once."""

    n: int
    name: str
    content_type: str
    size: int
    inline: bool = False
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """Why an interaction is in its chain."""

    rule: str
    evidence: str = ""
    flags: tuple[str, ...] = ()
    origin: str = "automatic"


@dataclass(frozen=True, slots=True)
class Interaction:
    """What we keep of one event. `block` holds the facts of its type (`email`, `call`, `sms`, …) as JSON."""

    id: UUID
    kind: Kind
    direction: Direction | None
    occurred_at: datetime
    chain_id: UUID
    topic: str = ""
    description: str = ""
    comment: str | None = None
    importance: Importance = Importance.NORMAL
    excerpt: str = ""
    author_id: UUID | None = None
    responsible_id: UUID | None = None
    based_on_id: UUID | None = None
    source: str | None = None
    external_id: str | None = None
    external_ref: str | None = None
    reviewed: bool = False
    reviewed_at: datetime | None = None
    reviewed_by: UUID | None = None
    review_after: datetime | None = None
    tags: tuple[str, ...] = ()
    extra: Json = field(default_factory=dict)
    block: Json = field(default_factory=dict)
    participants: tuple[Participant, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    body_text: str = ""
    reply_text: str = ""
    raw_sha256: bytes | None = None
    link: Link = field(default_factory=lambda: Link("root"))


_LAST_MILLISECOND = 2**48 - 1


def uuid7(at: datetime, randomness: bytes) -> UUID:
    """UUIDv7 of the time `at` and ten random (or, for a repeatable id, derived) bytes. RFC 9562 §5.7.

    Times before 1970 or beyond the 48 bits are held at the ends.
    """
    milliseconds = min(max(int(at.timestamp() * 1000), 0), _LAST_MILLISECOND)
    value = milliseconds.to_bytes(6, "big") + randomness[:10]
    number = int.from_bytes(value, "big")
    number = (number & ~(0xF << 76)) | (0x7 << 76)
    number = (number & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=number)


def sane_time(at: datetime | None, now: datetime) -> datetime:
    """`at` in UTC, or `now` where it is missing, naive or outside the years 1990 to one day from now."""
    if at is None or at.tzinfo is None:
        return now
    try:
        moment = at.astimezone(UTC)
    except (OverflowError, ValueError):
        return now
    if moment.year < 1990 or (moment - now).total_seconds() > 86_400:
        return now
    return moment
