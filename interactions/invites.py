"""Calendar parts of mails: what was asked, changed, called off or answered (iCalendar, RFC 5545; iTIP, RFC 5546, 6047).

`read_invites` turns the bytes of one `text/calendar` part into Invites, one for each event, and never raises. What comes
in is hostile, so it is sifted by hand before the library sees it: lines are unfolded, and only events and the few
properties that are wanted go on, each held to its length and number. Alarms, tasks, pictures and the rest are left out.

    bytes ──► lines ──► events, zones ──► icalendar ──► Invite        several events: a series and its single changes

All times of an Invite are in UTC (`zones`). `occurrences` are the starts of a series (`recurrence`); its single changes
are Invites of their own, with the `occurrence` that they change.

Limits: parts that are larger than BYTES_MAX, or hold more than EVENTS_MAX events, say nothing. PUBLISH, REFRESH, ADD and
DECLINECOUNTER are not read: they ask nobody. RDATE is kept as single starts, without periods.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import icalendar

from interactions.addresses import Mailbox
from interactions.mime_words import clean
from interactions.recurrence import STARTS_MAX, starts
from interactions.zones import OBSERVANCES_MAX, ZONE, Zones, end_of, is_day, said

BYTES_MAX = 512 * 1024
LINES_MAX = 20_000
EVENTS_MAX = 50
SERIES_MAX = 10  # of those whose starts are worked out: a calendar brings one series and its changes
ATTENDEES_MAX = 500
LINE_CHARS_MAX = 2_000
TEXT_CHARS_MAX = 10_000
DATES_CHARS_MAX = 20_000
DURATION_MAX = timedelta(days=366)
SEQUENCE_MAX = 2**31 - 1
ID_CHARS_MAX = 1_000

REQUEST, CANCEL, REPLY, COUNTER = "REQUEST", "CANCEL", "REPLY", "COUNTER"
METHODS = frozenset({REQUEST, CANCEL, REPLY, COUNTER})
_LONG = {"DESCRIPTION": TEXT_CHARS_MAX, "SUMMARY": TEXT_CHARS_MAX, "LOCATION": TEXT_CHARS_MAX,
         "EXDATE": DATES_CHARS_MAX, "RDATE": DATES_CHARS_MAX}  # fmt: skip
_WANTED = frozenset(
    "UID SEQUENCE DTSTAMP DTSTART DTEND DURATION RECURRENCE-ID SUMMARY DESCRIPTION LOCATION STATUS ORGANIZER ATTENDEE "
    "RRULE EXDATE RDATE".split()
)
_TIMES = frozenset("DTSTART DTEND RECURRENCE-ID EXDATE RDATE".split())
_MANY = {"ATTENDEE": ATTENDEES_MAX, "EXDATE": 100, "RDATE": 100}
_ANSWERS = frozenset({"accepted", "declined", "tentative", "delegated"})
_FOLDED = re.compile(r"\r?\n[ \t]")
_FOLDED_BYTES = re.compile(rb"\r?\n[ \t]")
_ZONE = re.compile(r";TZID=\"?([^\";]{1,200})", re.IGNORECASE)
_DAYS = re.compile(r";VALUE=DATE(?![\w-])", re.IGNORECASE)
_NAME = re.compile(r"([A-Za-z-]{1,40})[;:]")


@dataclass(frozen=True, slots=True)
class Attendee:
    """Who is to come. `answer`: accepted, declined, tentative, delegated, or empty."""

    address: str
    display_name: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Invite:
    """What one event of a calendar part says. `occurrence`: the one start of a series it is about, in UTC, as text."""

    method: str
    uid: str
    sequence: int = 0
    stamp: datetime | None = None
    occurrence: str = ""
    organizer: Mailbox | None = None
    attendees: tuple[Attendee, ...] = ()
    summary: str = ""
    description: str = ""
    location: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    all_day: bool = False
    is_called_off: bool = False
    rule: str = ""
    occurrences: tuple[datetime, ...] = ()


@dataclass(slots=True)
class _Sifted:
    """The wanted lines of a calendar: its own, those of its events, those of its zones."""

    own: dict[str, str] = field(default_factory=dict)
    events: list[list[str]] = field(default_factory=list)
    zones: list[list[str]] = field(default_factory=list)


def unfolded(content: bytes) -> bytes:
    """The bytes of a calendar with its lines whole (RFC 5545 §3.1): many programs fold in the middle of a character."""
    return _FOLDED_BYTES.sub(b"", content)


def read_invites(text: str) -> tuple[Invite, ...]:
    """The events of a calendar that asks or answers something. Never raises; what is broken says nothing."""
    if len(text) > BYTES_MAX:
        return ()
    try:
        sifted = _sift(text)
        method = sifted.own.get("METHOD", "").strip().upper()
        if sifted.events and len(sifted.events) <= EVENTS_MAX and method in METHODS:
            zones = Zones(sifted.zones, sifted.own.get("X-WR-TIMEZONE", ""))
            found = (_invite(method, lines, zones, n < SERIES_MAX) for n, lines in enumerate(sifted.events))
            return tuple(one for one in found if one is not None)
    except MemoryError:
        raise
    except Exception:  # the library and the rules of others raise several kinds on bad input
        return ()
    return ()


def _sift(text: str) -> _Sifted:
    """One pass over the unfolded lines. What stands in a component that is not wanted is passed over with it."""
    found = _Sifted()
    path: list[str] = []
    counts: dict[str, int] = {}
    for line in clean(_FOLDED.sub("", text)).splitlines()[:LINES_MAX]:
        named = _NAME.match(line)
        if named is None:
            continue
        name = named.group(1).upper()
        if name == "BEGIN":
            path.append(line[6:40].strip().upper())
            if path[-1] == "VEVENT" and len(path) == 2 and len(found.events) <= EVENTS_MAX:
                found.events.append([])
                counts = {}
            elif path[-1] == "VTIMEZONE" and len(path) == 2 and len(found.zones) < EVENTS_MAX:
                found.zones.append([])
        elif name == "END":
            if path:
                path.pop()
        elif path[1:] == ["VEVENT"] and name in _WANTED and len(found.events) <= EVENTS_MAX:
            counts[name] = counts.get(name, 0) + 1
            if counts[name] <= _MANY.get(name, 1) and (name in _LONG or len(line) <= LINE_CHARS_MAX):
                kept = _retold(name, line) if name in _TIMES else line
                found.events[-1].append(_cut(kept, _LONG.get(name, LINE_CHARS_MAX)))
            continue
        elif len(path) == 1 and len(line) <= LINE_CHARS_MAX:
            found.own.setdefault(name, line[named.end() :])
        if found.zones and path[1:2] == ["VTIMEZONE"] and len(found.zones[-1]) < 10 * OBSERVANCES_MAX:
            found.zones[-1].append(line[:LINE_CHARS_MAX])
    return found


def _retold(name: str, line: str) -> str:
    """A line of times with what is wanted of it. The zone may hold a colon, quoted or not; no time does."""
    head, _, value = line.rpartition(":")
    zone = _ZONE.search(head)
    return "".join([
        name, ";VALUE=DATE" if _DAYS.search(head) else "", f';{ZONE}="{zone.group(1)}"' if zone else "", ":", value,
    ])  # fmt: skip


def _cut(line: str, chars: int) -> str:
    """A long value held to its length, its last escape whole."""
    if len(line) <= chars:
        return line
    line = line[:chars]
    return line[:-1] if line.endswith("\\") and not line.endswith("\\\\") else line


def _invite(method: str, lines: Sequence[str], zones: Zones, is_followed: bool) -> Invite | None:
    event = icalendar.Event.from_ical("\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""]))
    if not isinstance(event, icalendar.Event):
        return None
    uid = str(event.get("UID", "")).strip()
    if not uid or len(uid) > ID_CHARS_MAX:
        return None
    starts_at, occurrence = zones.moment(event.get("DTSTART")), zones.moment(event.get("RECURRENCE-ID"))
    rule = next((line.partition(":")[2].strip().upper() for line in lines if line[:5].upper() == "RRULE"), "")
    return Invite(
        method=method,
        uid=uid,
        sequence=_sequence(event.get("SEQUENCE")),
        stamp=zones.moment(event.get("DTSTAMP")),
        occurrence=occurrence.isoformat() if occurrence else "",
        organizer=_mailbox(event.get("ORGANIZER")),
        attendees=tuple(_attendees(event.get("ATTENDEE"))),
        summary=" ".join(_text(event, "SUMMARY").split())[:LINE_CHARS_MAX],
        description=_text(event, "DESCRIPTION").strip(),
        location=" ".join(_text(event, "LOCATION").split())[:LINE_CHARS_MAX],
        starts_at=starts_at,
        ends_at=_end(event, starts_at, zones),
        all_day=is_day(event.get("DTSTART")),
        is_called_off=method == CANCEL or (method == REQUEST and _text(event, "STATUS").strip().upper() == "CANCELLED"),
        rule=rule,
        occurrences=_series(event, rule, zones) if is_followed else (),
    )


def _text(event: icalendar.Event, name: str) -> str:
    value = event.get(name, "")
    return clean(str(value[0] if isinstance(value, list) and value else value)).replace("\r\n", "\n")


def _sequence(value: object) -> int:
    with suppress(ValueError, TypeError, OverflowError):
        return min(max(int(str(value)), 0), SEQUENCE_MAX)
    return 0


def _mailbox(value: object) -> Mailbox | None:
    """An address of a calendar: `mailto:` in any case, and its common name."""
    address = clean(str(value or "")).strip()
    if address[:7].casefold() == "mailto:":
        address = address[7:].strip()
    if "@" not in address[1:-1] or any(letter.isspace() for letter in address) or len(address) > ID_CHARS_MAX:
        return None
    given = getattr(value, "params", {})
    return Mailbox(" ".join(clean(str(given.get("CN", ""))).split())[:ID_CHARS_MAX], address)


def _attendees(value: object) -> Iterator[Attendee]:
    seen: set[str] = set()
    for one in value if isinstance(value, list) else [value]:
        box = _mailbox(one)
        given: Mapping[str, object] = getattr(one, "params", {})
        if (
            box is None
            or box.address.casefold() in seen
            or str(given.get("CUTYPE", "")).upper() in ("ROOM", "RESOURCE")
        ):
            continue
        seen.add(box.address.casefold())
        answer = str(given.get("PARTSTAT", "")).casefold()
        yield Attendee(box.address, box.display_name, answer if answer in _ANSWERS else "")


def _end(event: icalendar.Event, starts_at: datetime | None, zones: Zones) -> datetime | None:
    """By its end or by its duration; an end before the start is none."""
    ends_at = zones.moment(event.get("DTEND"))
    lasts = said(event.get("DURATION"))
    if ends_at is None and starts_at is not None and isinstance(lasts, timedelta):
        with suppress(OverflowError):
            ends_at = starts_at + min(lasts, DURATION_MAX)
    return ends_at if ends_at and starts_at and ends_at >= starts_at else None


def _series(event: icalendar.Event, rule: str, zones: Zones) -> tuple[datetime, ...]:
    """The starts of a series in UTC, counted by the clock of its zone: ten o'clock stays ten o'clock in summer."""
    begin, wall = event.get("DTSTART"), zones.wall(event.get("DTSTART"))
    first, more = zones.moment(begin), zones.moments(event.get("RDATE"))
    if wall is None or first is None or not (rule or more):
        return ()
    zone = UTC if is_day(begin) else zones.zone_of(begin)
    last = end_of(rule, zone)
    found = {first, *more}
    with suppress(OverflowError, ValueError):
        found.update(one.replace(tzinfo=zone).astimezone(UTC) for one in starts(rule, wall))
    found -= set(zones.moments(event.get("EXDATE")))
    return tuple(sorted(one for one in found if last is None or one <= last))[:STARTS_MAX]
