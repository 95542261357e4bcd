"""Meetings and plans as a calendar that telephones and Outlook subscribe to. RFC 5545, RFC 7986.

A meeting that came by mail keeps the UID of its invitation, so that a program which has both shows it once. A plan is an
entry of a quarter of an hour at the time it is due that leaves its owner free; what is done or cancelled is left out.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event

from interactions.records import Kind
from interactions.views import InteractionView

MEETING_MINUTES = 30  # where nobody said how long
PLAN_MINUTES = 15
REFRESH = timedelta(minutes=15)


def calendar_of(some: Sequence[InteractionView], name: str, public_url: str, now: datetime) -> bytes:
    """The calendar of these meetings and plans; those without a time, and plans that are not open, are left out."""
    calendar = Calendar()
    calendar.add("prodid", "-//Ringmail//Ringmail//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    for one in some:
        if (entry := _entry(one, public_url, now)) is not None:
            calendar.add_component(entry)
    return bytes(calendar.to_ical())


def _entry(one: InteractionView, public_url: str, now: datetime) -> Event | None:
    is_plan = one.kind == Kind.PLANNED
    if is_plan and one.block.get("state") != "open":
        return None
    starts = _moment(one.block.get("due_at" if is_plan else "starts_at"))
    if starts is None:
        return None
    ends = None if is_plan else _moment(one.block.get("ends_at"))
    entry = Event()
    entry.add("uid", str(one.block.get("ical_uid") or f"{one.id}@ringmail"))
    entry.add("dtstamp", now)
    entry.add("last-modified", one.updated_at)
    entry.add("sequence", one.version)
    entry.add("dtstart", starts)
    entry.add("dtend", ends or starts + timedelta(minutes=PLAN_MINUTES if is_plan else MEETING_MINUTES))
    entry.add("summary", one.topic)
    entry.add("url", f"{public_url}/interactions/{one.id}")
    if place := one.block.get("location"):
        entry.add("location", str(place))
    people = ", ".join(
        filter(None, (p.contact.name if p.contact else p.display_name or p.address for p in one.participants))
    )
    words = "\n\n".join(filter(None, (people, one.description)))
    if words:
        entry.add("description", words)
    entry.add("status", "CANCELLED" if one.block.get("status") == "cancelled" else "CONFIRMED")
    entry.add("transp", "TRANSPARENT" if is_plan else "OPAQUE")
    return entry


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None
    except ValueError:
        return None
