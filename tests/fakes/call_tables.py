"""Calls as text tables of events.

A line: `time event field=value …`. Times are minutes and seconds after 09:00; `users`, `aliases` and `recordings` are
joined by commas; `call` names the call (else it is 1), `final=yes` marks what a report of the whole call
says, `untimed=yes` an event whose time the provider does not say.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from interactions.arrivals import CallChanged
from interactions.records import Direction

START = datetime(2026, 11, 23, 9, tzinfo=UTC)


def at(text: str) -> datetime:
    """Minutes and seconds after the start."""
    minutes, seconds = text.split(":")
    return START + timedelta(minutes=int(minutes), seconds=int(seconds))


def events_of(table: str) -> list[CallChanged]:
    """The events of a table."""
    found = []
    for n, line in enumerate(one for one in table.strip().splitlines() if one.strip()):
        time, event, *words = line.split()
        values: dict[str, Any] = dict(word.split("=", 1) for word in words)
        if "direction" in values:
            values["direction"] = Direction(values["direction"])
        if "users" in values:
            values["users"] = tuple(values["users"].split(","))
        for name in ("aliases", "recordings"):
            if name in values:
                values[name] = tuple(values[name].split(","))
        if "final" in values:
            values["is_final"] = values.pop("final") == "yes"
        is_untimed = values.pop("untimed", "") == "yes"
        received = at(values.pop("received", time))
        call_key = values.pop("call", "1")
        found.append(
            CallChanged(
                "main", call_key, values.pop("key", f"{n}"), event, received, None if is_untimed else at(time), **values
            )
        )
    return found
