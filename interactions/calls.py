"""A call is the fold of all its events: any order and any repetition give the same record.

Only order-free operators are used: the earliest or latest time, the union, and where two events name different values
the one with the higher rank of event, then the later time, then the larger key. A repeat (same `dedup_key`) counts
once, with the moment it was first received.

    event      rank  state        |  ended without an answer: direction and cause → result
    ringing      1   ringing      |  incoming  busy → busy, anything else → missed
    answered     2   in_progress  |  outgoing  busy → busy · cancel → cancelled · noAnswer, normalClearing → no_answer
    ended        3   ended        |            rejected → rejected · congestion, notFound → failed · else no_answer

An answer that comes after the end fills `answered_at` and makes the result `answered`; it never reopens the call.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from interactions.arrivals import CallChanged
from interactions.records import Direction

RANK = {"ringing": 1, "answered": 2, "ended": 3}
STATES = {0: "new", 1: "ringing", 2: "in_progress", 3: "ended"}
USERS_MAX = 100
_OUTGOING = {
    "busy": "busy",
    "cancel": "cancelled",
    "cancelled": "cancelled",
    "rejected": "rejected",
    "congestion": "failed",
    "notFound": "failed",
    "failed": "failed",
}
_EITHER = {"voicemail": "voicemail", "blocked": "blocked"}


@dataclass(frozen=True, slots=True)
class Call:
    """A call as far as it is known. Numbers and names are as the provider wrote them; times in UTC."""

    state: str
    result: str | None
    direction: Direction | None
    from_number: str
    to_number: str
    users: tuple[str, ...]
    answered_by: str
    cause: str
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None

    @property
    def other_number(self) -> str:
        """The other side's number."""
        return self.to_number if self.direction is Direction.OUTGOING else self.from_number

    @property
    def line(self) -> str:
        """Our number."""
        return self.from_number if self.direction is Direction.OUTGOING else self.to_number

    @property
    def ring_seconds(self) -> int | None:
        return _seconds(self.started_at, self.answered_at or self.ended_at)

    @property
    def talk_seconds(self) -> int | None:
        if self.state != "ended":
            return None
        return 0 if self.answered_at is None else _seconds(self.answered_at, self.ended_at)

    def as_block(self) -> dict[str, Any]:
        """The block `call` of an interaction, without the person behind `answered_by`."""
        return {
            "state": self.state,
            "result": self.result,
            "started_at": _text(self.started_at),
            "answered_at": _text(self.answered_at),
            "ended_at": _text(self.ended_at),
            "ring_seconds": self.ring_seconds,
            "talk_seconds": self.talk_seconds,
            "line": self.line or None,
            "answered_by": None,
            "cause": self.cause or None,
            "legs": [],
            "transfers": [],
            "recordings": [],
            "voicemail": self.result == "voicemail",
        }


def merge(events: Iterable[CallChanged]) -> Call:
    """Folds the events of one call, in whatever order they are given."""
    unique: dict[str, CallChanged] = {}
    for event in events:
        held = unique.get(event.dedup_key)
        if held is None or (event.received_at, repr(event)) < (held.received_at, repr(held)):
            unique[event.dedup_key] = event
    ordered = sorted(unique.values(), key=_weight)
    rank = max((RANK.get(event.event, 0) for event in ordered), default=0)
    answers = [event for event in ordered if event.event == "answered"]
    ends = [event for event in ordered if event.event == "ended"]
    direction = next((e.direction for e in reversed(ordered) if e.direction is not None), None)
    cause = next((e.cause for e in reversed(ends) if e.cause), "")
    answered_at = min((_when(e) for e in answers), default=None)
    users = sorted({user for event in ordered for user in event.users if user})[:USERS_MAX]
    answered_by = next((e.answered_by for e in reversed(answers) if e.answered_by), "")
    if not answered_by and answers:
        answered_by = next((e.answered_by for e in reversed(ends) if e.answered_by), "")
    return Call(
        state=STATES[rank],
        result=_result(direction, cause, bool(answers)) if ends else None,
        direction=direction,
        from_number=next((e.from_number for e in ordered if e.from_number), ""),
        to_number=next((e.to_number for e in ordered if e.to_number), ""),
        users=tuple(users),
        answered_by=answered_by,
        cause=cause,
        started_at=min((_when(e) for e in ordered), default=None),
        answered_at=answered_at,
        ended_at=max((_when(e) for e in ends), default=None),
    )


def _when(event: CallChanged) -> datetime:
    return event.at or event.received_at


def _weight(event: CallChanged) -> tuple[int, datetime, str]:
    return RANK.get(event.event, 0), _when(event), event.dedup_key


def _result(direction: Direction | None, cause: str, answered: bool) -> str:
    if answered:
        return "answered"
    if cause in _EITHER:
        return _EITHER[cause]
    if direction is Direction.OUTGOING:
        return _OUTGOING.get(cause, "no_answer")
    if direction is None:
        return "unknown"
    return "busy" if cause == "busy" else "missed"


def _seconds(start: datetime | None, end: datetime | None) -> int | None:
    if start is None or end is None:
        return None
    return max(int((end - start).total_seconds()), 0)


def _text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None
