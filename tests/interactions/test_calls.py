"""Calls as text tables of events: any order and any repetition gives the same call."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.arrivals import CallChanged
from interactions.calls import USERS_MAX, Call, merge
from interactions.records import Direction
from tests.fakes.call_tables import START, at, events_of

MISSED = """
    00:00 ringing direction=incoming from_number=84956329816 to_number=74951234567 users=101,102
    00:20 ended   cause=noAnswer
"""
ANSWERED = """
    00:00 ringing  direction=incoming from_number=84956329816 to_number=74951234567 users=102,101
    00:07 answered answered_by=101
    03:27 ended    cause=normalClearing
"""


def test_an_answered_call_has_its_times_and_its_person() -> None:
    call = merge(events_of(ANSWERED))

    assert call == Call(
        state="ended",
        result="answered",
        direction=Direction.INCOMING,
        from_number="84956329816",
        to_number="74951234567",
        users=("101", "102"),
        answered_by="101",
        cause="normalClearing",
        started_at=at("00:00"),
        answered_at=at("00:07"),
        ended_at=at("03:27"),
    )
    assert (call.ring_seconds, call.talk_seconds) == (7, 200)
    assert (call.other_number, call.line) == ("84956329816", "74951234567")


@pytest.mark.parametrize(
    ("direction", "cause", "expected"),
    [
        ("incoming", "noAnswer", "missed"),
        ("incoming", "cancel", "missed"),
        ("incoming", "normalClearing", "missed"),
        ("incoming", "congestion", "missed"),
        ("incoming", "", "missed"),
        ("incoming", "nonsense", "missed"),
        ("incoming", "busy", "busy"),
        ("incoming", "voicemail", "voicemail"),
        ("incoming", "blocked", "blocked"),
        ("outgoing", "noAnswer", "no_answer"),
        ("outgoing", "normalClearing", "no_answer"),
        ("outgoing", "", "no_answer"),
        ("outgoing", "busy", "busy"),
        ("outgoing", "cancel", "cancelled"),
        ("outgoing", "rejected", "rejected"),
        ("outgoing", "congestion", "failed"),
        ("outgoing", "notFound", "failed"),
        ("outgoing", "voicemail", "voicemail"),
        ("internal", "busy", "busy"),
        ("internal", "", "missed"),
    ],
)
def test_a_call_nobody_answered_ends_by_direction_and_cause(direction: str, cause: str, expected: str) -> None:
    call = merge(events_of(f"00:00 ringing direction={direction}\n00:20 ended cause={cause}"))

    assert (call.state, call.result, call.talk_seconds, call.ring_seconds) == ("ended", expected, 0, 20)


def test_a_call_of_no_known_direction_ends_as_unknown() -> None:
    assert merge(events_of("00:00 ended")).result == "unknown"


@pytest.mark.parametrize("cause", ["busy", "noAnswer", "voicemail", "blocked", "congestion"])
def test_an_answer_beats_every_cause(cause: str) -> None:
    assert merge(events_of(ANSWERED + f"\n03:28 ended cause={cause}")).result == "answered"


SCENARIOS = {
    "missed": (MISSED, ("ended", "missed", "", 20, 0)),
    "answered": (ANSWERED, ("ended", "answered", "101", 7, 200)),
    "only rings": ("00:00 ringing direction=incoming", ("ringing", None, "", None, None)),
    "in progress": ("00:00 ringing\n00:05 answered answered_by=101", ("in_progress", None, "101", 5, None)),
    "the end comes first": ("03:27 ended cause=normalClearing", ("ended", "unknown", "", 0, 0)),
    "no ringing": (
        "00:07 answered direction=incoming answered_by=101\n03:27 ended",
        ("ended", "answered", "101", 0, 200),
    ),
    "only the end says who answered": (
        "00:00 ringing direction=incoming\n00:07 answered\n03:27 ended answered_by=101",
        ("ended", "answered", "101", 7, 200),
    ),
    "the end names somebody although nobody answered": (
        "00:00 ringing direction=incoming\n00:20 ended answered_by=101 cause=noAnswer",
        ("ended", "missed", "", 20, 0),
    ),
    "answered again after a transfer": (
        "00:00 ringing direction=incoming\n00:07 answered answered_by=101\n01:00 answered answered_by=102\n02:00 ended",
        ("ended", "answered", "102", 7, 113),
    ),
    "two ends": (
        "00:00 ringing direction=incoming\n00:10 ended cause=noAnswer\n00:30 ended cause=busy",
        ("ended", "busy", "", 30, 0),
    ),
    "the answer is later than the end": (
        "00:00 ringing direction=incoming\n00:20 ended cause=cancel\n00:25 answered answered_by=101",
        ("ended", "answered", "101", 25, 0),
    ),
    "rings on after the end": (
        "00:00 ringing direction=incoming\n00:20 ended cause=noAnswer\n00:21 ringing users=103",
        ("ended", "missed", "", 20, 0),
    ),
    "an event nobody knows": ("00:00 hold", ("new", None, "", None, None)),
    "nothing": ("", ("new", None, "", None, None)),
}


def in_short(call: Call) -> tuple[str, str | None, str, int | None, int | None]:
    return call.state, call.result, call.answered_by, call.ring_seconds, call.talk_seconds


@pytest.mark.parametrize("name", SCENARIOS)
def test_any_order_and_any_repetition_give_the_same_call(name: str) -> None:
    table, expected = SCENARIOS[name]
    events = events_of(table)
    whole = merge(events)

    assert in_short(whole) == expected
    for order in permutations(events):
        assert merge(order) == whole
        for event in order:
            assert merge([*order, event]) == whole
            assert merge([event, *order]) == whole


def test_a_repeat_counts_once_with_the_moment_it_came_first() -> None:
    first = replace(events_of("00:00 ringing")[0], at=None)
    again = replace(first, received_at=first.received_at + timedelta(minutes=5))

    for order in permutations([first, again]):
        assert merge(order).started_at == first.received_at


def test_a_repeat_that_says_something_else_gives_one_call_in_any_order() -> None:
    one, other = events_of("00:00 ringing key=k from_number=1\n00:00 ringing key=k from_number=2")

    assert merge([one, other]) == merge([other, one])


def test_without_times_of_the_provider_the_moments_of_receipt_are_used() -> None:
    events = [replace(one, at=None) for one in events_of(ANSWERED)]

    assert merge(events) == merge(events_of(ANSWERED))


def test_what_is_certain_early_is_kept_when_later_events_are_silent() -> None:
    events = events_of(MISSED)

    assert merge(events).from_number == "84956329816"
    assert merge(events).direction is Direction.INCOMING


def test_the_last_event_corrects_the_direction_and_the_first_keeps_the_numbers() -> None:
    call = merge(
        events_of(
            "00:00 ringing direction=incoming from_number=1111111 to_number=2222222\n"
            "00:20 ended direction=outgoing from_number=3333333 to_number=4444444"
        )
    )

    assert call.direction is Direction.OUTGOING
    assert (call.from_number, call.to_number) == ("1111111", "2222222")
    assert (call.line, call.other_number) == ("1111111", "2222222")


def test_an_event_nobody_knows_weighs_less_than_any_other() -> None:
    call = merge(events_of("00:00 ringing direction=incoming\n00:05 hold direction=outgoing"))

    assert call.direction is Direction.INCOMING


def test_times_never_run_backwards() -> None:
    call = merge(events_of("05:00 answered direction=incoming\n01:00 ended"))

    assert (call.ring_seconds, call.talk_seconds) == (240, 0)


def test_the_rung_are_bounded() -> None:
    event = replace(events_of("00:00 ringing")[0], users=tuple(f"{n:04}" for n in range(5000)))

    assert merge([event]).users == event.users[:USERS_MAX]


_EVENTS = st.builds(
    CallChanged,
    source=st.just("main"),
    call_key=st.just("1"),
    dedup_key=st.sampled_from("abcd"),
    event=st.sampled_from(["ringing", "answered", "ended", "hold"]),
    received_at=st.sampled_from([START, START + timedelta(seconds=5)]),
    at=st.none() | st.sampled_from([START, START + timedelta(seconds=3), START + timedelta(seconds=9)]),
    direction=st.none() | st.sampled_from(Direction),
    from_number=st.sampled_from(["", "1", "2"]),
    to_number=st.sampled_from(["", "3"]),
    users=st.sampled_from([(), ("101",), ("102", "101"), ("",)]),
    answered_by=st.sampled_from(["", "101", "102"]),
    cause=st.sampled_from(["", "busy", "cancel"]),
)


@given(st.lists(_EVENTS, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_events_in_any_order_are_one_call(events: list[CallChanged], chance: Random) -> None:
    shuffled = [*events, *chance.sample(events, len(events) // 2)]
    chance.shuffle(shuffled)

    call = merge(events)

    assert merge(shuffled) == call
    assert call.result is None or call.state == "ended"
    assert call.talk_seconds is None or call.talk_seconds >= 0


@given(st.lists(_EVENTS, min_size=1, max_size=6))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_call_never_goes_back(events: list[CallChanged]) -> None:
    ranks = ["new", "ringing", "in_progress", "ended"]
    unique = list({one.dedup_key: one for one in events}.values())

    states = [ranks.index(merge(unique[: n + 1]).state) for n in range(len(unique))]

    assert states == sorted(states)


def test_the_block_has_every_field_and_its_times_in_utc() -> None:
    block = merge(events_of(ANSWERED)).as_block()

    assert block == {
        "state": "ended",
        "result": "answered",
        "started_at": "2026-11-23T09:00:00Z",
        "answered_at": "2026-11-23T09:00:07Z",
        "ended_at": "2026-11-23T09:03:27Z",
        "ring_seconds": 7,
        "talk_seconds": 200,
        "line": "74951234567",
        "answered_by": None,
        "cause": "normalClearing",
        "missed_reason": None,
        "legs": [],
        "transfers": [],
        "recordings": [],
        "voicemail": False,
    }


def test_the_block_of_a_voicemail_says_so() -> None:
    block = merge(events_of("00:00 ringing direction=incoming\n00:20 ended cause=voicemail")).as_block()

    assert (block["voicemail"], block["result"], block["line"]) == (True, "voicemail", None)
