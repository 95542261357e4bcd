"""When a plan that repeats is due again. RFC 5545 §3.3.10, by the clock of our place, so that nine o'clock stays nine."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from interactions.recurrence import parts_of, starts


@dataclass(frozen=True, slots=True)
class Due:
    """The next time, and the rule from then on; "" where that time is the last one."""

    at: datetime
    rule: str


def next_due(rule: str, due: datetime, now: datetime, zone: ZoneInfo) -> Due | None:
    """The first time after `due` that has not passed yet; what was missed in between is left out. None after the last."""
    parts = parts_of(rule)
    until, times = _until(parts.pop("UNTIL", ""), zone), parts.pop("COUNT", "")
    count = int(times) if times.isascii() and times.isdigit() and len(times) < 9 else 0
    here = due.astimezone(zone).replace(tzinfo=None)
    today = max(now, due).astimezone(zone).replace(tzinfo=None)
    endless = ";".join(f"{name}={value}" for name, value in parts.items())
    for passed, one in enumerate(_later(endless, here, today), 1):
        if (count and passed >= count) or (until is not None and one > until):
            return None
        if one > today or (one == today and now <= due):
            left = count - passed if count else 0
            rest = [endless] + ([f"COUNT={left}"] if left else []) + ([f"UNTIL={_text(until)}"] if until else [])
            return Due(one.replace(tzinfo=zone).astimezone(UTC), "" if count and left == 1 else ";".join(rest))
    return None


def _later(rule: str, here: datetime, today: datetime) -> Iterator[datetime]:
    """The times after `here`, a stretch at a time, until one lies well after today."""
    while True:
        some = [one for one in starts(rule, here, years=5) if one > here]
        yield from some
        if not some or here > today:
            return
        here = some[-1]


def _until(text: str, zone: ZoneInfo) -> datetime | None:
    """The end of a rule by the clock of the place; a day lasts to its end."""
    digits = text.rstrip("Z").replace("T", "")
    if not digits.isdigit() or len(digits) not in (8, 14):
        return None
    whole = digits if len(digits) == 14 else f"{digits}235959"
    try:
        moment = datetime.strptime(whole, "%Y%m%d%H%M%S")  # noqa: DTZ007  # by the clock of the place
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) if text.endswith("Z") else moment


def _text(moment: datetime | None) -> str:
    return moment.strftime("%Y%m%dT%H%M%S") if moment else ""
