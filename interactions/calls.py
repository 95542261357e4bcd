"""A call is the fold of all its events: any order and any repetition give the same record.

Only order-free operators are used: the earliest or latest time, the union, and where two events name different values
the one with the higher rank of event, then the later time, then the larger key. A repeat (same `dedup_key`) counts
once, with the moment it was first received.

    event      rank  state        |  ended without an answer: direction and cause → result
    noted        0   new          |  any       voicemail → voicemail, blocked → blocked
    ringing      1   ringing      |  incoming  busy → busy, anything else → missed
    machine      1   ringing      |  outgoing  busy → busy · cancel → cancelled · noAnswer, normalClearing → no_answer
    left         1   ringing      |            rejected → rejected · congestion, notFound → failed · else no_answer
    answered     2   in_progress
    ended        3   ended

Only a person answers. A menu, a queue or an answering machine that picks up is `machine`: the caller still waits. A leg
that ends is `left`: the call may go on elsewhere. An answer that comes after the end fills `answered_at` and makes the
result `answered`; it never reopens the call.

A report of the whole call (`is_final`) is believed before everything that was said while it went on: its numbers, its
direction, its times, and whether anybody answered at all. A report that states no time for an answer or an end leaves
the time at which it was seen to happen.

Several names may turn out to be one call (`group_keys`): a transfer joins two calls that were two records until then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeVar
from uuid import UUID

from interactions.arrivals import CallChanged
from interactions.records import Direction

T = TypeVar("T", str, UUID)

RANK = {"ringing": 1, "machine": 1, "left": 1, "answered": 2, "ended": 3}
STATES = {0: "new", 1: "ringing", 2: "in_progress", 3: "ended"}
USERS_MAX = 100
LEGS_MAX = 100
RECORDINGS_MAX = 100
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
_WHY_MISSED = {
    "cancel": "caller_hung_up",
    "cancelled": "caller_hung_up",
    "noAnswer": "no_answer",
    "rejected": "rejected",
    "congestion": "unreachable",
    "notFound": "unreachable",
    "failed": "unreachable",
}


@dataclass(frozen=True, slots=True)
class Leg:
    """One telephone's part in a call. `is_machine`: a menu, a queue or an answering machine."""

    key: str
    who: str = ""
    is_machine: bool = False
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    left_at: datetime | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Somebody of ours handed the call on to somebody else."""

    from_who: str
    to_who: str
    at: datetime


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
    legs: tuple[Leg, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    recordings: tuple[str, ...] = ()
    has_voicemail: bool = False

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

    @property
    def missed_reason(self) -> str | None:
        return _WHY_MISSED.get(self.cause, "unknown") if self.result == "missed" else None

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
            "missed_reason": self.missed_reason,
            "legs": [_leg_block(leg) for leg in self.legs],
            "transfers": [{"from": one.from_who, "to": one.to_who, "at": _text(one.at)} for one in self.transfers],
            "recordings": [_recording_block(one) for one in self.recordings],
            "voicemail": self.has_voicemail,
        }


def merge(events: Iterable[CallChanged]) -> Call:
    """Folds the events of one call, in whatever order they are given."""
    ordered = sorted(_unique(events), key=_weight)
    rank = max((RANK.get(event.event, 0) for event in ordered), default=0)
    ends = [event for event in ordered if event.event == "ended"]
    reported = [event for event in ordered if event.is_final]
    human = [event for event in ordered if event.event == "answered"]
    has_report = any(event.event == "ended" for event in reported)
    answers = [event for event in reported if event.event == "answered"] if has_report else human
    ended = [event for event in reported if event.event == "ended"] or ends
    # What is said of the call as a whole comes before what is said of one leg.
    whole = [*reported, *sorted(ordered, key=lambda event: event.leg != "")]
    latest = [*reversed(ordered)]
    latest.sort(key=lambda event: event.leg != "")
    directions = [e.direction for e in [*reversed(reported), *latest] if e.direction is not None]
    # A colleague who is asked during a call does not make it one among ourselves.
    outward = [one for one in directions if one is not Direction.INTERNAL or has_report]
    direction = next(iter(outward or directions), None)
    cause = next((e.cause for e in reversed(ended) if e.cause), "")
    from_number = next((e.from_number for e in whole if e.from_number), "")
    to_number = next((e.to_number for e in whole if e.to_number), "")
    other = to_number if direction is Direction.OUTGOING else from_number
    users = tuple(sorted({user for event in ordered for user in event.users} - {"", other})[:USERS_MAX])
    answered_by = _who_answered(human, ends, other) if answers else ""
    if answers and not answered_by and direction is Direction.OUTGOING and len(users) == 1:
        answered_by = users[0]  # who began it by a click is the one who speaks
    has_voicemail = any(event.cause == "voicemail" for event in ordered) and not answers
    started_at = min(map(_when, [e for e in reported if e.at is not None] or ordered), default=None)
    return Call(
        state=STATES[rank],
        result=_result(direction, "voicemail" if has_voicemail else cause, bool(answers)) if ends else None,
        direction=direction,
        from_number=from_number,
        to_number=to_number,
        users=users,
        answered_by=answered_by,
        cause=cause,
        started_at=started_at,
        answered_at=min(_times(answers, human), default=started_at) if answers else None,
        ended_at=max(_times(ended, ends) or map(_when, ended), default=None),
        legs=_legs(ordered),
        transfers=_transfers(ordered, human) if answers else (),
        recordings=tuple(sorted({one for event in ordered for one in event.recordings if one})[:RECORDINGS_MAX]),
        has_voicemail=has_voicemail,
    )


def group_keys(events: Iterable[CallChanged]) -> list[tuple[str, ...]]:
    """The names of calls that belong together."""
    return joined((event.call_key, *event.aliases) for event in events)


def joined(sets: Iterable[Sequence[T]]) -> list[tuple[T, ...]]:
    """Union-find: whatever shares a member is one. Each result is sorted, and all of them by their first."""
    parents: dict[T, T] = {}

    def root(one: T) -> T:
        parents.setdefault(one, one)
        while parents[one] != one:
            parents[one] = parents[parents[one]]
            one = parents[one]
        return one

    for some in sets:
        for one in some:
            first, other = sorted((root(some[0]), root(one)))
            parents[other] = first
    groups: dict[T, list[T]] = {}
    for one in sorted(parents):
        groups.setdefault(root(one), []).append(one)
    return [tuple(group) for group in groups.values()]


def _unique(events: Iterable[CallChanged]) -> Iterable[CallChanged]:
    unique: dict[tuple[str, str], CallChanged] = {}
    for event in events:
        key = (event.call_key, event.dedup_key)
        held = unique.get(key)
        if held is None or (event.received_at, repr(event)) < (held.received_at, repr(held)):
            unique[key] = event
    return unique.values()


def _times(told: Sequence[CallChanged], seen: Sequence[CallChanged]) -> list[datetime]:
    """The times that a report states; where it states none, those at which it was seen to happen."""
    stated = [event.at for event in told if event.is_final and event.at is not None]
    return stated or [_when(event) for event in seen if not event.is_final]


def _who_answered(human: Sequence[CallChanged], ends: Sequence[CallChanged], other: str) -> str:
    """Whoever of ours had the call last. The final report is asked last: it may name the one who was called first. The
    other side may have been called like one of ours, and is none."""
    spoken = [event for event in human if not event.is_final]
    reported = [event for event in human if event.is_final]
    latest = [*reversed(spoken), *reversed(reported), *reversed(ends)]
    return next((e.answered_by for e in latest if e.answered_by and e.answered_by != other), "")


def _legs(ordered: Sequence[CallChanged]) -> tuple[Leg, ...]:
    """The legs in the order of their first sign of life."""
    by_key: dict[str, list[CallChanged]] = {}
    for event in ordered:
        if event.leg:
            by_key.setdefault(event.leg, []).append(event)
    legs = [(min(map(_when, some)), key, _leg(key, some)) for key, some in by_key.items()]
    return tuple(leg for _, _, leg in sorted(legs, key=lambda one: one[:2])[:LEGS_MAX])


def _leg(key: str, events: Sequence[CallChanged]) -> Leg:
    named = [e.answered_by or next(iter(e.users), "") for e in events]
    is_machine = any(e.event == "machine" for e in events) and not any(e.event == "answered" for e in events)
    return Leg(
        key=key,
        who=next((name for name in reversed(named) if name), ""),
        is_machine=is_machine,
        rang_at=min((_when(e) for e in events if e.event in ("ringing", "machine")), default=None),
        answered_at=min((_when(e) for e in events if e.event == "answered"), default=None),
        left_at=max((_when(e) for e in events if e.event in ("left", "ended")), default=None),
        cause=next((e.cause for e in reversed(events) if e.event == "left" and e.cause), ""),
    )


def _transfers(ordered: Sequence[CallChanged], human: Sequence[CallChanged]) -> tuple[Transfer, ...]:
    """Who handed the call on to whom: as the provider says, and as one person after another had it."""
    who = {leg.key: leg.who for leg in _legs(ordered)}
    found: dict[tuple[str, str], datetime] = {}

    def add(from_who: str, to_who: str, at: datetime) -> None:
        if from_who and to_who and from_who != to_who:
            found[from_who, to_who] = min(found.get((from_who, to_who), at), at)

    for event in ordered:
        if event.taken_from:
            to_who = event.answered_by or who.get(event.leg, "") or next(iter(event.users), "")
            add(who.get(event.taken_from, ""), to_who, _when(event))
    spoken = sorted((_when(e), e.dedup_key, e.answered_by) for e in human if e.answered_by and not e.is_final)
    for (_, _, before), (at, _, after) in pairwise(spoken):
        add(before, after, at)
    return tuple(Transfer(*pair, at) for pair, at in sorted(found.items(), key=lambda one: (one[1], one[0])))


def _when(event: CallChanged) -> datetime:
    return event.at or event.received_at


def _weight(event: CallChanged) -> tuple[int, datetime, str, str]:
    return RANK.get(event.event, 0), _when(event), event.dedup_key, event.call_key


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


def _leg_block(leg: Leg) -> dict[str, Any]:
    return {
        "id": leg.key,
        "who": leg.who or None,
        "machine": leg.is_machine,
        "rang_at": _text(leg.rang_at),
        "answered_at": _text(leg.answered_at),
        "left_at": _text(leg.left_at),
        "cause": leg.cause or None,
    }


def _recording_block(recording: str) -> dict[str, Any]:
    """A recording by its link, or by the provider's own name where a link has to be asked for."""
    is_link = recording.startswith(("https://", "http://"))
    return {"id": None if is_link else recording, "link": recording if is_link else None}


def _seconds(start: datetime | None, end: datetime | None) -> int | None:
    if start is None or end is None:
        return None
    return max(int((end - start).total_seconds()), 0)


def _text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None
