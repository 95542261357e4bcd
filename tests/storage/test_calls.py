"""Events of calls and reports on SMS: each once, back as they came, whatever they hold."""

from dataclasses import replace
from datetime import timedelta

import pytest

from interactions.arrivals import SmsStatusChanged
from storage import calls
from storage.database import Database
from tests.fakes.arrivals import START, call

FULL = call(
    "c1", "answered", number="(495) 632-98-16", users=("101", "анна@example.org"), answered_by="101", cause="normal",
    extra={"line": ["a", 1, None]}, leg="l1", aliases=("c0",), taken_from="l0", recordings=("r1",), is_final=True,
)  # fmt: skip


@pytest.mark.parametrize(
    "event", [FULL, call("c1", "ringing", at=None, direction=None, from_number="", users=()), call("c1", "ended")]
)
async def test_an_event_comes_back_as_it_came(database: Database, event: calls.CallChanged) -> None:
    async with database.connection() as db:
        await calls.add_events(db, [event])

        assert await calls.events_of(db, "main", ["c1", "c2"]) == {"c1": [event], "c2": []}
        assert await calls.events_of(db, "other", ["c1"]) == {"c1": []}


async def test_a_repeat_keeps_the_moment_it_was_first_received(database: Database) -> None:
    later = replace(FULL, received_at=FULL.received_at + timedelta(minutes=5))
    async with database.connection() as db:
        await calls.add_events(db, [FULL, later])
        await calls.add_events(db, [later, call("c1", "ended")])

        found = await calls.events_of(db, "main", ["c1"])

    assert sorted(one.event for one in found["c1"]) == ["answered", "ended"]
    assert FULL in found["c1"]


async def test_what_no_text_can_hold_is_left_out_of_an_event(database: Database) -> None:
    odd = call("c1", "ringing", cause="a\x00\ud800b", extra={"k\x00": ["\x00", {"x": "\udfff"}], "plain": "\\u0000"})
    async with database.connection() as db:
        await calls.add_events(db, [odd])

        [found] = (await calls.events_of(db, "main", ["c1"]))["c1"]

    assert found.cause == "ab"
    assert found.extra == {"k": ["", {"x": ""}], "plain": "\\u0000"}


async def test_reports_are_kept_by_message_each_once(database: Database) -> None:
    reports = [SmsStatusChanged("main", "s1", str(n), status, START) for n, status in enumerate(["sent", "delivered"])]
    async with database.connection() as db:
        await calls.add_statuses(db, [*reports, reports[0]])
        await calls.add_statuses(db, reports)

        found = await calls.statuses_of(db, "main", ["s1", "s2"])

    assert {key: sorted(some) for key, some in found.items()} == {"s1": ["delivered", "sent"], "s2": []}
