"""The block of each type as a person or program gives it: the facts of a call, a meeting, an SMS or a plan.

What came from a source has its facts from there; only what was entered by hand takes them from here. Unknown names are
mistakes in a creation, and left out of a change, so that a record can be sent back as it was read.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from dateutil.rrule import rrulestr
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from interactions.records import JsonValue
from interactions.recurrence import starts

SECONDS_MAX = 7 * 24 * 3600
RULE_CHARS_MAX = 500
YEARS = range(1970, 2200)


def _believable(at: datetime) -> datetime:
    """In UTC: at the ends of the calendar another zone would lie beyond them."""
    if at.year not in YEARS:
        raise ValueError(f"must lie in the years {YEARS[0]} to {YEARS[-1]}")
    return at.astimezone(UTC)


def _rule(text: str) -> str:
    """A recurrence rule of RFC 5545 §3.3.10, without its name. Only read here, never expanded."""
    body = text.removeprefix("RRULE:")
    if "\n" in body or "\r" in body or ":" in body:
        raise ValueError("must be one rule, like FREQ=WEEKLY;BYDAY=MO")
    try:
        rrulestr(body, dtstart=datetime(2026, 1, 1, tzinfo=UTC))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError):
        raise ValueError("is no recurrence rule; one looks like FREQ=WEEKLY;BYDAY=MO") from None
    if not starts(body, datetime(2026, 1, 1)):  # noqa: DTZ001  # a day of a calendar
        raise ValueError("never comes, or comes more often than once a day")
    return body


def _text_of_time(value: object) -> object:
    """RFC 3339: a number is no time here."""
    if isinstance(value, int | float):
        raise ValueError("must be a time like 2026-11-23T09:30:00Z")  # pydantic shows ValueErrors
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_text_of_time), AfterValidator(_believable)]
Seconds = Annotated[int, Field(ge=0, le=SECONDS_MAX)]
Line = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00]*$")]
Result = Literal[
    "answered", "missed", "no_answer", "busy", "rejected", "cancelled", "voicemail", "failed", "blocked", "unknown"
]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def facts(self) -> dict[str, JsonValue]:
        """What was given."""
        given: dict[str, JsonValue] = self.model_dump(mode="json", exclude_unset=True)
        return given


class CallIn(_Block):
    """A call that somebody remembers."""

    result: Result | None = None
    started_at: Moment | None = None
    answered_at: Moment | None = None
    ended_at: Moment | None = None
    ring_seconds: Seconds | None = None
    talk_seconds: Seconds | None = None
    line: Line | None = None


class MeetingIn(_Block):
    """When and where."""

    starts_at: Moment | None = None
    ends_at: Moment | None = None
    location: Line | None = None
    status: Literal["planned", "held", "cancelled"] = "planned"

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "MeetingIn":
        if self.starts_at and self.ends_at and self.ends_at < self.starts_at:
            raise ValueError("ends before it starts")
        return self


class SmsIn(_Block):
    """The text of a message that was sent or received elsewhere."""

    text: Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")] = ""
    state: Literal["received", "queued", "sent", "delivered", "failed", "unknown"] = "received"


class PlannedIn(_Block):
    """When it is due, whether it comes again, and as what it is meant to be carried out."""

    due_at: Moment | None = None
    repeats: Annotated[str, Field(max_length=RULE_CHARS_MAX), AfterValidator(_rule)] | None = None
    intended_type: Literal["phone_call", "meeting", "email", "sms"] | None = None
    state: Literal["open", "done", "cancelled"] = "open"


BLOCKS: Mapping[str, tuple[str, type[_Block]]] = {
    "phone_call": ("call", CallIn),
    "meeting": ("meeting", MeetingIn),
    "sms": ("sms", SmsIn),
    "planned": ("planned", PlannedIn),
}


def known_only(given: Mapping[str, Any]) -> dict[str, Any]:
    """A change with nothing in its blocks but what may be changed there."""
    blocks = dict(BLOCKS.values())
    return {
        name: {key: one for key, one in value.items() if key in blocks[name].model_fields}
        if name in blocks and isinstance(value, dict)
        else value
        for name, value in given.items()
    }
