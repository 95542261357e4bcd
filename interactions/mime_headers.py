"""What single headers of a mail mean: ids, date, marks, importance, the name of an attachment."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime

from dateutil import parser as dateparser

from interactions.mime_words import clean

ID_CHARS_MAX = 1000
DATE_CHARS_MAX = 100
NAME_CHARS_MAX = 200

_ANGLED = re.compile(r"<([^<>]{3,1200})>")
_BARE_BREAK = re.compile(r"[\s<>,()]+")
_MOSCOW = re.compile(r"\bMSK$")
_YEAR_FIRST = re.compile(r"(?:19|20)\d\d(?:\D|\d{4})")
_DEFAULTS = (datetime(2001, 1, 1), datetime(2002, 2, 2))  # noqa: DTZ001  the text itself has the zone
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff\ud800-\udfff]')


def message_ids(value: str) -> list[str]:
    """The sane ids of a header, in order, each once: they have an `@` and less than 1,000 characters. White space within
    one is a line that was folded badly."""
    angled = ["".join(clean(one).split()) for one in _ANGLED.findall(value)]
    found = angled or [one for one in _BARE_BREAK.split(clean(value)) if "@" in one[1:-1]]
    kept = (one for one in found if "@" in one and len(one) < ID_CHARS_MAX)
    return list(dict.fromkeys(kept))


def read_date(value: str) -> datetime | None:
    """The Date header in UTC: by the standard first, then tolerantly; None where it says no moment. A date without a
    zone is taken as UTC."""
    text = _MOSCOW.sub("+0300", value.strip()[:DATE_CHARS_MAX])
    found: datetime | None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        found = _read_tolerantly(text)
    try:
        if found is not None:
            found = (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found


def _read_tolerantly(text: str) -> datetime | None:
    """Day before month, as everywhere but in America, unless the year comes first. What does not say its whole date is
    none: the parser would fill the gaps from a default."""
    found = []
    for default in _DEFAULTS:
        try:
            day_first = _YEAR_FIRST.match(text) is None
            found.append(dateparser.parse(text, dayfirst=day_first, default=default, tzinfos=_zone))
        except Exception:  # it raises several kinds on bad input, and more in each release
            return None
    return found[0] if found[0] == found[1] else None


def _zone(_: str | None, offset: int | None) -> tzinfo | None:
    """The offset where the text has one; a name alone says too little."""
    return timezone(timedelta(seconds=offset)) if offset is not None else UTC


def marks_of(headers: Mapping[str, Sequence[str]], content_type: str) -> tuple[str, ...]:
    """What a mail is besides a letter of one person to another (RFC 3834 §5, RFC 3464, RFC 2369)."""
    marks: list[str] = []
    submitted = " ".join(headers.get("auto-submitted", ())).strip().lower()
    precedence = " ".join(headers.get("precedence", ())).strip().lower()
    is_receipt = (
        "disposition-notification" in " ".join(headers.get("content-type", ())).lower()
    )  # RFC 8098: it was read
    is_report = "multipart/report" in content_type and not is_receipt
    is_returned = [v.strip() for v in headers.get("return-path", ())] == ["<>"] or "x-failed-recipients" in headers
    is_bounce = is_report or (is_returned and not is_receipt and submitted != "auto-replied")
    if is_bounce:
        marks.append("bounce")
    elif (
        is_receipt or (submitted and submitted != "no") or precedence == "auto_reply" or headers.keys() & _AUTO_HEADERS
    ):
        marks.append("auto_reply")
    if precedence in ("bulk", "list", "junk") or headers.keys() & {"list-unsubscribe", "list-id"}:
        marks.append("bulk")
    is_sealed = content_type in ("application/pkcs7-mime", "application/x-pkcs7-mime") and not _SIGNED.search(
        " ".join(headers.get("content-type", ()))
    )  # RFC 8551 §3.2.2: what is only signed has the same type
    if is_sealed or content_type.startswith("multipart/encrypted"):
        marks.append("encrypted")
    return tuple(marks)


_SIGNED = re.compile(r"smime-type\s*=\s*\"?(?:signed-data|certs-only|compressed-data)", re.IGNORECASE)
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
