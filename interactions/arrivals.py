"""What connectors bring: facts from outside, not yet joined to anything we know.

A mail comes as its raw bytes and where it was seen; it is read (`mime.parse`) on the way to the record. A call comes as
changes, in any order and any number of times; the record is always the fold of all changes stored so far (`calls`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TypeAlias

from interactions.records import Direction, Json


@dataclass(frozen=True, slots=True)
class Location:
    """Where on a server a mail was seen: its folder's name as people see it, UIDVALIDITY and UID (RFC 9051 §2.3.1)."""

    folder: str
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """What tells a mail from others without its text: its size, its INTERNALDATE and a digest of its headers as
    `head_digest` makes it (empty: any), or in place of that its identity (`admission.mail_identity`; empty: unknown); or
    its size and what the server calls it wherever it lies. The same at two places of a mailbox, it is one mail. The rest
    is as in `MailArrived`."""

    location: Location
    size: int
    received_at: datetime
    head_sha256: bytes = b""
    mail_id: str | None = None
    thread_id: str | None = None
    labels: tuple[str, ...] = ()
    identity: bytes = b""


def head_digest(raw: bytes) -> bytes:
    """The digest of a mail's header block, from the whole mail or from the block alone, whatever its line ends."""
    end = raw.find(b"\r\n\r\n")
    bare = raw.find(b"\n\n", 0, end) if end >= 0 else raw.find(b"\n\n")  # not to the end of every mail
    head = raw[: bare if bare >= 0 else end] if max(end, bare) >= 0 else raw
    return sha256(head.replace(b"\r\n", b"\n").rstrip(b"\n")).digest()


@dataclass(frozen=True, slots=True)
class MailArrived:
    """One mail as a server gave it, byte by byte. `received_at` is its INTERNALDATE; `folder_role` a special use
    (`sent`, `junk`, `archive`, `all`, …) or empty. `seen` is the server's \\Seen flag, which we never change. `size` is
    what the server says; larger than `raw`, the mail was cut at the mailbox's limit. `mail_id` is what the server calls
    this mail wherever it lies (EMAILID, X-GM-MSGID), `thread_id` its conversation (THREADID, X-GM-THRID): opaque, and of
    meaning within `source` only; None where the server tells none. `labels` are Google's. `handled_elsewhere`: people
    read this mailbox in another program, where `seen` says what they have read."""

    source: str
    location: Location
    raw: bytes
    received_at: datetime | None = None
    seen: bool = False
    folder_role: str = ""
    size: int = 0
    mail_id: str | None = None
    thread_id: str | None = None
    labels: tuple[str, ...] = ()
    handled_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class CallChanged:
    """One fact about a call. `call_key` names the call at its source and `aliases` are other names of the same call;
    `dedup_key` names the event, so that the same event sent twice is one. `at` is the provider's time, or None where it
    sends none.

    `event` is one of `ringing`, `machine` (a menu, a queue or an answering machine took it), `answered` (by a person),
    `left` (one leg ended), `ended`, `noted` (something about it, whatever its state). Numbers are as the provider wrote
    them. `leg` names one telephone's part in the call; `taken_from` is the leg it was transferred from. `recordings` are links, or the provider's own names of recordings. `is_final` marks what a report of the whole call
    says: it is believed before what was said while the call went on."""

    source: str
    call_key: str
    dedup_key: str
    event: str
    received_at: datetime
    at: datetime | None = None
    direction: Direction | None = None
    from_number: str = ""
    to_number: str = ""
    users: tuple[str, ...] = ()
    answered_by: str = ""
    cause: str = ""
    extra: Json = field(default_factory=dict)
    leg: str = ""
    aliases: tuple[str, ...] = ()
    taken_from: str = ""
    recordings: tuple[str, ...] = ()
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class SmsArrived:
    """One SMS, in or out. `sms_key` is the provider's id of the message."""

    source: str
    sms_key: str
    received_at: datetime
    direction: Direction
    from_number: str
    to_number: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SmsStatusChanged:
    """What became of an SMS that was sent. It may come before the SMS itself is known."""

    source: str
    sms_key: str
    dedup_key: str
    status: str
    received_at: datetime
    at: datetime | None = None


Arrival: TypeAlias = MailArrived | CallChanged | SmsArrived | SmsStatusChanged
