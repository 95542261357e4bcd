"""When a series of meetings begins each time (RFC 5545 §3.3.10), within bounds that no rule can move.

A rule of strangers may step by seconds, never come true (30 February, which `dateutil` looks for until the year 9999) or
go on for ever. So days are the finest step, and the search ends with a horizon and a number of starts. That nothing is
found ends it too: the rule is followed in years of the same calendar just before the end of time, where the library has
at most YEARS_LEFT years to look through, and what it finds is moved back.

Limits: no rules that step by hours or less, none about Easter, none that begin outside FIRST_YEAR to LAST_YEAR.
"""

import re
from calendar import isleap
from collections.abc import Mapping
from contextlib import suppress
from datetime import MAXYEAR, datetime
from functools import lru_cache

from dateutil.rrule import rrule, rrulestr

STARTS_MAX = 1_000
HORIZON_YEARS = 5
TIMES_A_DAY_MAX = 24
RULE_CHARS_MAX = 1_000
FIRST_YEAR, LAST_YEAR = 1970, 2090
YEARS_LEFT = 34

_PART = re.compile(r"([A-Z]+)=([^;]*)")
_STEPS = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})


def parts_of(rule: str) -> dict[str, str]:
    """The parts of a rule by their names."""
    return dict(_PART.findall(rule[:RULE_CHARS_MAX].upper()))


def starts(rule: str, begins: datetime, years: int = HORIZON_YEARS) -> list[datetime]:
    """The starts by the clock of the place, without a zone, in order; none where the rule is not followed. `begins`
    has no zone either, and `years` more than its own are looked at. The rule's UNTIL is left to the caller, who knows the zone."""
    parts = parts_of(rule)
    parts.pop("UNTIL", None)
    found: list[datetime] = []
    with suppress(ValueError, TypeError, OverflowError, IndexError, AttributeError):
        count = min(max(int(parts.pop("COUNT", STARTS_MAX)), 0), STARTS_MAX)
        if not (FIRST_YEAR <= begins.year <= LAST_YEAR and _is_tame(parts)):
            return found
        shift = _twin_of(begins.year) - begins.year
        last = begins.replace(year=begins.year + years, month=12, day=31, hour=23)
        series = rrulestr(";".join(f"{name}={value}" for name, value in parts.items()), dtstart=_moved(begins, shift))
        if isinstance(series, rrule):
            for one in series.replace(until=_moved(last, shift)):
                if len(found) >= count:
                    break
                found.append(_moved(one, -shift))
    return found


def _is_tame(parts: Mapping[str, str]) -> bool:
    """Whether a rule steps by days at least, and onward."""
    if parts.get("FREQ") not in _STEPS or not 1 <= int(parts.get("INTERVAL", 1)) <= 1_000:
        return False
    times = 1
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        times *= parts[name].count(",") + 1 if name in parts else 1
    return times <= TIMES_A_DAY_MAX and "BYEASTER" not in parts


def _moved(moment: datetime, years: int) -> datetime:
    return moment.replace(year=moment.year + years)


@lru_cache(maxsize=256)
def _twin_of(year: int) -> int:
    """The last year whose calendar, and that of the years after it, is that of `year`."""
    span = range(HORIZON_YEARS + 1)
    wanted = [(datetime(year + n, 1, 1).weekday(), isleap(year + n)) for n in span]  # noqa: DTZ001  a day of a calendar
    for twin in range(MAXYEAR - HORIZON_YEARS, MAXYEAR - YEARS_LEFT, -1):
        if [(datetime(twin + n, 1, 1).weekday(), isleap(twin + n)) for n in span] == wanted:  # noqa: DTZ001
            return twin
    raise ValueError(f"no year like {year}")
