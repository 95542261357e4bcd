"""What the answers of an IMAP server say: folders, the state of a folder, mails. Pure reading of parsed responses.

Every field is optional on the wire: a server that leaves one out, or writes nonsense into it, gets None (or 0 for
UIDVALIDITY, which RFC 9051 §2.3.1.1 makes nonzero). What is no answer to our question is skipped.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.mail.arguments import UID_MAX, decode_name
from connectors.mail.responses import Response, Token, number, pairs, parse

_CODE_NUMBER = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) ([0-9]{1,20})\]", re.IGNORECASE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")  # RFC 8474 §7
_DATE = re.compile(r" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder as LIST tells it: its name on the wire, its name for people, the delimiter, its flags in lower case."""

    raw: bytes
    name: str
    delimiter: str
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder as it was when it was opened. `uidvalidity` is 0 where the server gives none."""

    uidvalidity: int
    uidnext: int | None
    exists: int
    highestmodseq: int | None = None


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """A folder as STATUS tells it without opening it; `raw` is its name on the wire. What is left out is None, or 0."""

    raw: bytes
    uidvalidity: int
    uidnext: int | None
    messages: int | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """One mail of an answer. What the server left out is None; `body` or `head` was asked for or is None too. `mail_id`
    and `thread_id` are what the server calls the mail and its conversation, with the kind of name before a colon:
    `oid:` RFC 8474, `gm:` Google. `labels` are Google's: the folders in which it shows the mail, by name or special use."""

    uid: int
    size: int | None = None
    internal_date: datetime | None = None
    flags: frozenset[str] = frozenset()
    body: bytes | None = None
    head: bytes | None = None
    mail_id: str | None = None
    thread_id: str | None = None
    labels: frozenset[str] | None = None
    seen: bool | None = None


def read_list(response: Response, peer: str) -> Listed | None:
    """`* LIST (flags) "delimiter" name`."""
    tokens = parse(response, peer)
    if len(tokens) < 4 or not isinstance(tokens[1], list) or not isinstance(tokens[3], bytes) or not tokens[3]:
        return None
    raw = tokens[3]
    if re.search(rb"[\x00\r\n]", raw):
        return None  # cannot be asked for
    delimiter = tokens[2].decode("utf-8", "replace") if isinstance(tokens[2], bytes) else ""
    flags = frozenset(flag.decode("ascii", "replace").lower() for flag in tokens[1] if isinstance(flag, bytes))
    return Listed(raw, decode_name(raw), delimiter, flags)


def read_state(responses: Sequence[Response]) -> FolderState:
    """What EXAMINE tells."""
    codes: dict[bytes, int] = {}
    exists = 0
    for response in responses:
        code = _CODE_NUMBER.match(response.text)
        if code is not None:
            codes[code[1].upper()] = int(code[2])
        words = response.text.split(None, 3)
        if len(words) == 3 and words[2].upper() == b"EXISTS":
            exists = number(words[1], UID_MAX) or 0
    uidvalidity = codes.get(b"UIDVALIDITY", 0)
    return FolderState(
        uidvalidity if uidvalidity <= UID_MAX else 0,
        codes.get(b"UIDNEXT") or None,
        exists,
        codes.get(b"HIGHESTMODSEQ") or None,
    )


def read_status(response: Response, peer: str) -> FolderStatus | None:
    """`* STATUS name (MESSAGES 231 UIDNEXT 44292)`."""
    tokens = parse(response, peer)
    if len(tokens) < 3 or not isinstance(tokens[1], bytes) or not isinstance(tokens[2], list):
        return None
    items = pairs(tokens[2])
    return FolderStatus(
        tokens[1],
        number(items.get(b"UIDVALIDITY"), UID_MAX) or 0,
        number(items.get(b"UIDNEXT"), UID_MAX + 1) or None,
        number(items.get(b"MESSAGES"), UID_MAX),
    )


def read_vanished(response: Response) -> list[tuple[int, int]]:
    """`* VANISHED (EARLIER) 41,43:116` (RFC 7162 §3.2.10): first and last UIDs, however many lie between them."""
    words = response.text.split(None, 3)[2:]
    found: list[tuple[int, int]] = []
    for piece in (words[-1] if words else b"").split(b","):
        ends = [number(end, UID_MAX) or 0 for end in piece.split(b":")]
        if len(ends) <= 2 and all(ends):
            found.append((min(ends), max(ends)))
    return sorted(found)


# What Courier gives where another session has expunged the mail meanwhile (5.0.13 of Debian 12, seen 2026-11-25).
_STAND_IN_HEAD = b"From: System Administrator <root@localhost>\r\nSubject: message unavailable\r\n\r\n"
_STAND_IN = _STAND_IN_HEAD + b"This message is no longer available on the server.\r\n"


def read_mail(response: Response, peer: str) -> Fetched | None:
    """`* 12 FETCH (UID 17 RFC822.SIZE 44827 …)`; None without a UID: news about flags that we did not ask for. None too
    for what a server shows in place of a mail that is gone."""
    tokens = parse(response, peer)
    if len(tokens) < 3 or not isinstance(tokens[2], list):
        return None
    items = pairs(tokens[2])
    uid = number(items.get(b"UID"), UID_MAX)
    if not uid:
        return None
    body, head = _section(items, b"BODY[]"), _section(items, b"BODY[HEADER]")
    if body == _STAND_IN or head == _STAND_IN_HEAD:
        return None
    told, labels = items.get(b"FLAGS"), items.get(b"X-GM-LABELS")
    flags = frozenset(one.decode("ascii", "replace").lower() for one in _words(told))
    when = items.get(b"INTERNALDATE")
    return Fetched(
        uid,
        number(items.get(b"RFC822.SIZE")),
        internal_date(when.decode("ascii", "replace")) if isinstance(when, bytes) else None,
        flags,
        body,
        head,
        _name(items, b"EMAILID", b"X-GM-MSGID"),
        _name(items, b"THREADID", b"X-GM-THRID"),
        frozenset(decode_name(one) for one in _words(labels)) if labels is not None else None,
        "\\seen" in flags if told is not None else None,
    )


def _words(token: Token) -> Iterator[bytes]:
    return (one for one in token if isinstance(one, bytes)) if isinstance(token, list) else iter(())


def _name(items: Mapping[bytes, Token], standard: bytes, googles: bytes) -> str | None:
    """`EMAILID (M6d99ac3275bb4e)`, `X-GM-MSGID 1278455344230334865`; `THREADID NIL` and what is no such name are none."""
    word = next(_words(items.get(standard)), b"")
    if _OBJECT_ID.fullmatch(word):
        return f"oid:{word.decode()}"
    given = number(items.get(googles), 2**64 - 1)
    return f"gm:{given}" if given else None


def _section(items: Mapping[bytes, Token], name: bytes) -> bytes | None:
    """A part of a mail, `BODY[]<0>` too; empty where the server says NIL, None where it does not say."""
    for key, value in items.items():
        if key.startswith(name):
            return value if isinstance(value, bytes) else b""
    return None


def merged(before: Fetched | None, now: Fetched) -> Fetched:
    """One mail whose items came in several responses; what came first is kept."""
    if before is None:
        return now
    return Fetched(
        now.uid,
        before.size if before.size is not None else now.size,
        before.internal_date or now.internal_date,
        now.flags or before.flags,
        before.body if before.body is not None else now.body,
        before.head if before.head is not None else now.head,
        before.mail_id or now.mail_id,
        before.thread_id or now.thread_id,
        now.labels if now.labels is not None else before.labels,
        now.seen if now.seen is not None else before.seen,
    )


def internal_date(text: str) -> datetime | None:
    """`17-Jul-1996 02:44:25 -0700` in UTC, or None where it is no date."""
    found = _DATE.fullmatch(text)
    if found is None or found[2].title() not in _MONTHS:
        return None
    month = _MONTHS.index(found[2].title()) + 1
    with contextlib.suppress(ValueError, OverflowError):
        written = f"{found[3]}-{month:02}-{int(found[1]):02}T{found[4]}{found[5]}:{found[6]}"
        return datetime.fromisoformat(written).astimezone(UTC)
    return None
