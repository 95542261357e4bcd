"""What single headers of a mail mean: ids, date, marks, importance, the name of an attachment."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from dateutil import parser as dateparser

ID_CHARS_MAX = 1000
DATE_CHARS_MAX = 100
NAME_CHARS_MAX = 200

_ANGLED = re.compile(r"<([^<>\s]{3,1000})>")
_BARE = re.compile(r"[^\s<>,()]+@[^\s<>,()]+")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff\ud800-\udfff]')


def message_ids(value: str) -> list[str]:
    """The sane ids of a header, in order, each once: they have an `@`, no white space, under 1,000 characters."""
    found = _ANGLED.findall(value) or _BARE.findall(value)
    kept = (one for one in found if "@" in one and len(one) < ID_CHARS_MAX)
    return list(dict.fromkeys(kept))


def read_date(value: str) -> datetime | None:
    """The Date header in UTC: by the standard first, then tolerantly; None where it says no moment."""
    text = value.strip()[:DATE_CHARS_MAX]
    if not text:
        return None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        try:
            found = dateparser.parse(text, dayfirst=True)
        except (ValueError, TypeError, OverflowError, AttributeError):
            return None
    try:
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def marks_of(headers: Mapping[str, Sequence[str]], content_type: str) -> tuple[str, ...]:
    """What a mail is besides a letter of one person to another (RFC 3834 §5, RFC 3464, RFC 2369)."""
    marks: list[str] = []
    submitted = " ".join(headers.get("auto-submitted", ())).strip().lower()
    precedence = " ".join(headers.get("precedence", ())).strip().lower()
    is_bounce = "multipart/report" in content_type or [v.strip() for v in headers.get("return-path", ())] == ["<>"]
    if is_bounce:
        marks.append("bounce")
    elif (submitted and submitted != "no") or precedence == "auto_reply" or headers.keys() & _AUTO_HEADERS:
        marks.append("auto_reply")
    if precedence in ("bulk", "list", "junk") or headers.keys() & {"list-unsubscribe", "list-id"}:
        marks.append("bulk")
    if content_type.startswith(("multipart/encrypted", "application/pkcs7-mime")):
        marks.append("encrypted")
    return tuple(marks)


_AUTO_HEADERS = {"x-autoreply", "x-autorespond", "x-auto-response-suppress-reply", "x-autoreply-from"}


def importance_of(headers: Mapping[str, Sequence[str]]) -> str:
    """low, normal or high, by Importance (RFC 2156) or the older X-Priority."""
    text = " ".join([*headers.get("importance", ()), *headers.get("x-priority", ())]).strip().lower()
    if text.startswith(("high", "1", "2")):
        return "high"
    return "low" if text.startswith(("low", "4", "5")) else "normal"


def attachment_name(filename: str, content_type: str, n: int) -> str:
    """A file name that is a name only: no folders, no controls, no hidden turns of writing direction."""
    name = _UNSAFE.sub("_", filename).strip(" .")[-NAME_CHARS_MAX:]
    return name or f"part-{n + 1}.{content_type.rpartition('/')[2][:20] or 'bin'}"
