"""Times of calendars in UTC, by the zones that they name (RFC 5545 §3.2.19, §3.6.5).

A name of the time zone database comes first, then what Windows calls it, then the rule that the mail gives for it; a time
without a zone is taken in the one zone of its calendar, else as UTC. The rules of a mail are read here, not by the
library, and forgotten with the mail: the library keeps what it was taught and would read the next mail by it.

Limits: of the rule of a zone the yearly ones are followed, by month and day; a day without a time begins at midnight UTC.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from interactions.recurrence import parts_of, starts

OBSERVANCES_MAX = 40
NAME_CHARS_MAX = 200
MOMENTS_MAX = 1_000
ZONE = "X-ZONE"  # the parameter TZID, so called that the library does not follow it

_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)")
_LOCAL = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)")
_DAY = re.compile(r"(\d{4})(\d\d)(\d\d)")
_NAME = re.compile(r"[\w+-]+(?:/[\w+-]+){0,3}", re.ASCII)


def local_time(text: str) -> datetime | None:
    """`20261201T100000` as the clock shows it; None for anything else."""
    found = _LOCAL.match(text)
    with suppress(ValueError):
        return datetime(*map(int, found.groups())) if found else None  # type: ignore[arg-type]  # noqa: DTZ001
    return None


def end_of(rule: str, zone: tzinfo) -> datetime | None:
    """The last moment of a series by its UNTIL, a day alone meaning all of it; None where it has none."""
    text = parts_of(rule).get("UNTIL", "")
    moment, day = local_time(text), _DAY.match(text)
    with suppress(ValueError, OverflowError):
        if moment is not None:
            return moment.replace(tzinfo=UTC if text.endswith("Z") else zone).astimezone(UTC)
        if day is not None:
            return datetime.combine(date(*map(int, day.groups())), time(23, 59, 59), zone).astimezone(UTC)
    return None


class Zones:
    """The zones of one calendar, and times read by them. A time is what the library made of a property: `dt`, `params`."""

    def __init__(self, blocks: Sequence[Sequence[str]], calendar_zone: str = "") -> None:
        self._own = {zone.name: zone for zone in map(Zone, blocks) if zone.name}
        only = next(iter(self._own)) if len(self._own) == 1 else ""
        self._default = self._named(calendar_zone.strip() or only)

    def _named(self, name: str) -> tzinfo:
        name = name.strip().strip('"')[:NAME_CHARS_MAX]
        pieces = name.lstrip("/").split("/")
        for candidate in (name, "/".join(pieces[-2:]), "/".join(pieces[-3:]), WINDOWS_TO_OLSON.get(name, "")):
            if candidate and _NAME.fullmatch(candidate):
                with suppress(Exception):  # it looks for files of that name, and fails in several ways
                    return ZoneInfo(candidate)
        return self._own.get(name) or UTC

    def zone_of(self, value: object) -> tzinfo:
        """The zone in which a time was said."""
        name = str(getattr(value, "params", {}).get(ZONE, ""))
        if name:
            return self._named(name)
        told = said(value)
        return UTC if isinstance(told, datetime) and told.tzinfo is not None else self._default

    def wall(self, value: object) -> datetime | None:
        """What the clock shows, without its zone."""
        told = said(value)
        if isinstance(told, datetime):
            return told.replace(tzinfo=None)
        return datetime.combine(told, time()) if isinstance(told, date) else None

    def moment(self, value: object) -> datetime | None:
        """A time in UTC."""
        wall = self.wall(value)
        if wall is None:
            return None
        with suppress(OverflowError, ValueError):
            return wall.replace(tzinfo=UTC if is_day(value) else self.zone_of(value)).astimezone(UTC)
        return None

    def moments(self, value: object) -> list[datetime]:
        """The times of a list, or of several lists."""
        found: list[datetime] = []
        for some in value if isinstance(value, list) else [value]:
            params = getattr(some, "params", {})
            for one in list(getattr(some, "dts", ()))[: MOMENTS_MAX - len(found)]:
                moment = self.moment(_Said(said(one), params))
                found += [] if moment is None else [moment]
        return found


def said(value: object) -> object:
    """What the library read; it raises where that is broken."""
    try:
        return getattr(value, "dt", None)
    except Exception:  # an error of its own, with several parents
        return None


def is_day(value: object) -> bool:
    """Whether a time is a day only."""
    told = said(value)
    return isinstance(told, date) and not isinstance(told, datetime)


@dataclass(frozen=True, slots=True)
class _Said:
    """One time of a list, with the parameters of the list."""

    dt: object
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Observance:
    """From when on a zone goes by an offset: once, or every year by a rule."""

    begins: datetime
    offset: timedelta
    rule: str = ""


@lru_cache(maxsize=512)
def _onset(one: _Observance, year: int) -> datetime:
    """When it begins in a year, or in the last year in which it does."""
    parts = parts_of(one.rule)
    until = _DAY.match(parts.get("UNTIL", ""))
    year = min(year, int(until.group(1))) if until else year
    if not parts or year <= one.begins.year:
        return one.begins
    wanted = {name: text for name, text in parts.items() if name in ("BYMONTH", "BYDAY", "BYMONTHDAY")}
    if "BYDAY" not in wanted:
        wanted.setdefault("BYMONTHDAY", str(one.begins.day))
    wanted.setdefault("BYMONTH", str(one.begins.month))
    rule = ";".join(["FREQ=YEARLY", *(f"{name}={text}" for name, text in wanted.items())])
    found = starts(rule, one.begins.replace(year=year, month=1, day=1), years=0)
    return found[0] if found else one.begins


class Zone(tzinfo):
    """A zone by the rule that a mail gives for it, as the lines of its VTIMEZONE."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.name = ""
        self._parts: list[_Observance] = []
        current: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name = name.partition(";")[0].upper()
            if name == "TZID":
                self.name = value.strip().strip('"')
            elif name == "BEGIN":
                current = {}
            elif name == "END" and len(self._parts) < OBSERVANCES_MAX:
                self._take(current)
                current = {}
            else:
                current[name] = value.strip().upper()

    def _take(self, said: Mapping[str, str]) -> None:
        offset = _OFFSET.match(said.get("TZOFFSETTO", ""))
        begins = local_time(said.get("DTSTART", ""))
        if offset and begins:
            sign, hours, minutes = offset.groups()
            ahead = timedelta(hours=int(hours) % 24, minutes=int(minutes) % 60)
            self._parts.append(_Observance(begins, -ahead if sign == "-" else ahead, said.get("RRULE", "")))

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """The offset of the observance that began last."""
        if moment is None or not self._parts:
            return timedelta()
        wall = moment.replace(tzinfo=None)
        onsets = ((_onset(one, year), one) for one in self._parts for year in (wall.year, wall.year - 1))
        begun = [(onset, one.offset) for onset, one in onsets if onset <= wall]
        return max(begun)[1] if begun else min(self._parts, key=lambda one: one.begins).offset

    def dst(self, _: datetime | None) -> timedelta:
        """Not told apart."""
        return timedelta()

    def tzname(self, _: datetime | None) -> str:
        return self.name
