"""Calls through a PBX with menus, queues, ring groups and transfers: text tables of events, and the call that they are.

Each is folded in every order (in 500 random ones where it is long), each event repeated up to twice more.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.arrivals import CallChanged
from interactions.calls import Call, group_keys, joined, merge
from interactions.records import Direction
from tests.fakes.call_tables import at, events_of

PERMUTED_MAX = 5

SCENARIOS = {
    "answered after a menu and a queue": (
        """
        00:00 machine  leg=a direction=incoming from_number=79161234567 to_number=74951234567
        00:12 left     leg=a cause=scheme
        00:12 machine  leg=b
        00:20 ringing  leg=c users=101
        00:20 ringing  leg=d users=102
        00:26 answered leg=d answered_by=102
        00:26 left     leg=b
        00:26 left     leg=c cause=cancel
        02:26 left     leg=d cause=normalClearing
        02:26 ended    final=yes cause=normalClearing
        00:26 answered final=yes
        00:00 ringing  final=yes
        """,
        "answered by 102, rings 26, talks 120",
    ),
    "missed after a menu: the menu is no answer": (
        """
        00:00 machine leg=a direction=incoming from_number=79161234567 to_number=74951234567
        00:10 ringing leg=b users=101
        00:40 left    leg=b cause=cancel
        00:40 ended   cause=cancel
        """,
        "missed (caller_hung_up), rings 40, talks 0",
    ),
    "busy": (
        "00:00 ringing leg=a direction=incoming users=101\n00:01 left leg=a cause=busy\n00:01 ended cause=busy",
        "busy, rings 1, talks 0",
    ),
    "a voice mail": (
        """
        00:00 ringing leg=a direction=incoming users=101
        00:25 left    leg=a cause=noAnswer
        00:26 machine leg=v cause=voicemail
        00:50 ended   cause=normalClearing
        00:55 noted   recordings=https://pbx.example/1.mp3
        """,
        "voicemail, rings 50, talks 0, recorded",
    ),
    "transferred": (
        """
        00:00 ringing  leg=a direction=incoming users=101
        00:05 answered leg=a answered_by=101
        01:00 ringing  leg=b users=102 taken_from=a
        01:04 answered leg=b answered_by=102
        01:04 left     leg=a
        02:05 ended    cause=normalClearing
        """,
        "answered by 102, rings 5, talks 120, 101→102",
    ),
    "transferred to somebody who does not answer": (
        """
        00:00 ringing  leg=a direction=incoming users=101
        00:05 answered leg=a answered_by=101
        01:00 ringing  leg=b users=102 taken_from=a
        01:30 ended
        """,
        "answered by 101, rings 5, talks 85, 101→102",
    ),
    "outgoing and answered": (
        """
        00:00 ringing  leg=a direction=outgoing users=101 from_number=74951234567 to_number=79161234567
        00:09 answered leg=a answered_by=101
        01:09 ended    cause=normalClearing
        """,
        "answered by 101, rings 9, talks 60",
    ),
    "click to call: our own telephone that picks up first is no answer": (
        """
        00:00 ringing  leg=a direction=outgoing users=101 to_number=79161234567
        00:03 machine  leg=a
        00:03 ringing  leg=b direction=outgoing users=101 to_number=79161234567
        00:33 ended    cause=noAnswer
        """,
        "no_answer, rings 33, talks 0",
    ),
    "the report says that nobody answered although a leg did": (
        """
        00:00 ringing  leg=a direction=incoming users=101
        00:05 answered leg=a answered_by=101
        00:00 ringing  final=yes
        00:05 ended    final=yes cause=cancel
        """,
        "missed (caller_hung_up), rings 5, talks 0",
    ),
    "the report turns the direction and the numbers": (
        """
        00:00 ringing  direction=incoming from_number=1111111 to_number=2222222
        00:05 answered answered_by=101
        00:00 ringing  final=yes direction=outgoing from_number=2222222 to_number=1111111
        00:06 answered final=yes
        00:30 ended    final=yes
        """,
        "answered by 101, rings 6, talks 24",
    ),
    "the report knows of an answer and not when: the time is that of the event": (
        """
        00:00 ringing  direction=incoming users=101
        00:05 answered answered_by=101
        00:35 ended    cause=normalClearing
        00:00 ringing  final=yes
        00:36 answered final=yes untimed=yes
        00:36 ended    final=yes untimed=yes
        """,
        "answered by 101, rings 5, talks 30",
    ),
    "only such a report came": (
        """
        00:00 ringing  final=yes direction=incoming
        00:36 answered final=yes untimed=yes
        00:36 ended    final=yes untimed=yes
        """,
        "answered, rings 0, talks 36",
    ),
    "all legs have left and no report came": (
        "00:00 ringing leg=a direction=incoming users=101\n00:09 left leg=a cause=cancel",
        "ringing",
    ),
    "only a recording": ("09:00 noted recordings=r1", "new, recorded"),
}


def in_words(call: Call) -> str:
    words = [call.result or call.state]
    words[0] += f" by {call.answered_by}" if call.answered_by else ""
    words[0] += f" ({call.missed_reason})" if call.missed_reason else ""
    if call.state == "ended":
        words += [f"rings {call.ring_seconds}", f"talks {call.talk_seconds}"]
    words += [f"{one.from_who}→{one.to_who}" for one in call.transfers]
    return ", ".join([*words, *(["recorded"] if call.recordings else [])])


def orders(events: Sequence[CallChanged], chance: Random) -> Iterator[list[CallChanged]]:
    """Every order of a few events, 500 of many, with repeats."""
    if len(events) <= PERMUTED_MAX:
        yield from map(list, permutations(events))
    for _ in range(500):
        some = [one for one in events for _ in range(chance.randint(1, 3))]
        chance.shuffle(some)
        yield some


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_one_call_in_any_order(name: str) -> None:
    table, expected = SCENARIOS[name]
    events = events_of(table)
    whole = merge(events)

    assert in_words(whole) == expected
    assert all(merge(some) == whole for some in orders(events, Random(name)))


def test_a_leg_says_who_when_and_how_it_ended() -> None:
    table, _ = SCENARIOS["answered after a menu and a queue"]

    legs = merge(events_of(table)).as_block()["legs"]

    assert [(leg["id"], leg["who"], leg["machine"], leg["cause"]) for leg in legs] == [
        ("a", None, True, "scheme"),
        ("b", None, True, None),
        ("c", "101", False, "cancel"),
        ("d", "102", False, "normalClearing"),
    ]
    assert (legs[3]["rang_at"], legs[3]["answered_at"]) == ("2026-11-23T09:00:20Z", "2026-11-23T09:00:26Z")
    assert legs[3]["left_at"] == "2026-11-23T09:02:26Z"


def test_recordings_are_links_or_names_and_transfers_have_a_time() -> None:
    call = merge(
        events_of(
            "00:05 answered leg=a answered_by=101 recordings=r1,https://pbx.example/1.mp3\n"
            "01:00 answered leg=b answered_by=102 recordings=r1"
        )
    )

    block = call.as_block()

    assert block["recordings"] == [{"id": None, "link": "https://pbx.example/1.mp3"}, {"id": "r1", "link": None}]
    assert block["transfers"] == [{"from": "101", "to": "102", "at": "2026-11-23T09:01:00Z"}]


@pytest.mark.parametrize(
    ("cause", "why"),
    [("cancel", "caller_hung_up"), ("noAnswer", "no_answer"), ("congestion", "unreachable"), ("", "unknown")],
)
def test_a_missed_call_says_why(cause: str, why: str) -> None:
    call = merge(events_of(f"00:00 ringing direction=incoming\n00:20 ended cause={cause}"))

    assert call.as_block()["missed_reason"] == why


def test_the_same_event_of_two_calls_that_became_one_counts_for_both() -> None:
    call = merge(
        events_of(
            "00:00 ringing call=1 key=x direction=incoming users=101\n00:09 ringing call=2 key=x users=102\n"
            "00:30 ended call=1"
        )
    )

    assert call.users == ("101", "102")
    assert call.started_at == at("00:00")


def test_names_that_share_an_event_are_one_call() -> None:
    events = events_of(
        "00:00 ringing call=a\n00:01 ringing call=b\n00:02 ringing call=c aliases=b\n00:03 noted call=b aliases=a,d"
    )

    assert group_keys(events) == [("a", "b", "c", "d")]
    assert group_keys(events[:3]) == [("a",), ("b", "c")]
    assert group_keys([]) == []


def test_ids_are_joined_too() -> None:
    one, two, three = (UUID(int=n) for n in (1, 2, 3))

    assert joined([[three, one], [two]]) == [(one, three), (two,)]


@given(st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3), max_size=8), st.randoms())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_joining_does_not_depend_on_the_order(sets: list[list[str]], chance: Random) -> None:
    shuffled = [chance.sample(one, len(one)) for one in chance.sample(sets, len(sets))]

    groups = joined(sets)

    assert joined(shuffled) == groups
    assert sorted(one for group in groups for one in group) == sorted({one for some in sets for one in some})
    assert all(any(set(some) <= set(group) for group in groups) for some in sets)


_ANY = st.builds(
    CallChanged,
    source=st.just("main"),
    call_key=st.sampled_from("12"),
    dedup_key=st.sampled_from("abcd"),
    event=st.sampled_from(["ringing", "machine", "answered", "left", "ended", "noted"]),
    received_at=st.sampled_from([at("00:00"), at("00:05")]),
    at=st.none() | st.sampled_from([at("00:00"), at("00:03"), at("00:09")]),
    direction=st.none() | st.sampled_from(Direction),
    users=st.sampled_from([(), ("101",), ("102",)]),
    answered_by=st.sampled_from(["", "101", "102"]),
    cause=st.sampled_from(["", "busy", "voicemail"]),
    leg=st.sampled_from(["", "x", "y"]),
    taken_from=st.sampled_from(["", "x", "z"]),
    recordings=st.sampled_from([(), ("r1",), ("r2", "r1")]),
    is_final=st.booleans(),
)


@given(st.lists(_ANY, max_size=7), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_events_with_legs_are_one_call_in_any_order(events: list[CallChanged], chance: Random) -> None:
    shuffled = [*events, *chance.sample(events, len(events) // 2)]
    chance.shuffle(shuffled)

    assert merge(shuffled) == merge(events)
    assert merge(shuffled).as_block() == merge(events).as_block()
