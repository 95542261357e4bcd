"""The journal's two ends: stored before the answer, worked off once, and no event holds up another."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from connectors.base import Unreadable, WebhookReply, WebhookRequest
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from daemon.journal import Journal, run, work_off
from interactions.arrivals import Arrival
from interactions.mime import ParsedMail, parse
from storage import inbound, quarantine, sources
from storage.blobs import Blobs
from storage.database import Database
from storage.errors import StorageDown
from tests.fakes.arrivals import call


@dataclass
class Provider:
    """Reads `ring KEY`, `garbage`, and whatever brings the intake down."""

    def verify(self, request: WebhookRequest) -> None: ...

    def dedup_key(self, request: WebhookRequest) -> str:
        return request.body.decode()

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        word, _, key = request.body.decode().partition(" ")
        if word == "garbage":
            raise Unreadable("no event is named garbage")
        if word == "bomb":
            # An event that passes the reader and that no table can hold.
            return [replace(call("x", "ringing"), call_key="a\x00b")]
        return [call(key, "ringing")]

    def answer(self, request: WebhookRequest) -> WebhookReply:
        return WebhookReply()


@pytest.fixture
def desk(database: Database, tmp_path: Path, now: datetime) -> Desk:
    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    return Desk(database, Blobs(tmp_path), IntakeSettings(), parse_here, lambda: now)


def event(body: str, now: datetime) -> inbound.Event:
    return inbound.Event("main", body, now, "POST", "", "", {}, body.encode(), "")


async def states(database: Database) -> dict[str, str]:
    async with database.connection() as db:
        return dict(await db.fetch("SELECT dedup_key, state FROM inbound"))  # type: ignore[arg-type]


async def test_a_source_succeeds_with_events_that_became_what_they_say(
    database: Database, desk: Desk, now: datetime
) -> None:
    journal = Journal(database)

    async def succeeded(*bodies: str) -> bool:
        async with database.connection() as db:
            await sources.save_all(db, [("main", "telephony", "generic")])
            await db.execute("UPDATE source SET last_success_at = NULL")
        for body in bodies:
            await journal.add(event(body, now))
        await work_off(database, desk, {"main": Provider()})
        async with database.connection() as db:
            return await db.fetchval("SELECT last_success_at FROM source") is not None

    assert not await succeeded()
    assert not await succeeded("garbage")
    assert await succeeded("ring 1")
    assert await succeeded("ring 2", "ring 3")
    assert await succeeded("bomb", "ring 4")


async def test_one_event_never_holds_up_another(database: Database, desk: Desk, now: datetime) -> None:
    journal = Journal(database)
    for body in ("ring 1", "bomb", "garbage", "ring 2"):
        await journal.add(event(body, now))

    assert await work_off(database, desk, {"main": Provider()}) == 4

    assert await states(database) == {"ring 1": "done", "bomb": "todo", "garbage": "quarantine", "ring 2": "done"}
    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM interaction") == 2
        for _ in range(inbound.ATTEMPTS_MAX - 1):
            await db.execute("UPDATE inbound SET not_before = NULL")
            await work_off(database, desk, {"main": Provider()})
        reasons = sorted(entry.reason for entry in await quarantine.list_open(db))
    assert reasons[1] == "no event is named garbage"
    assert "invalid byte sequence" in reasons[0]
    assert (await states(database))["bomb"] == "quarantine"


async def test_a_turn_of_many_events_gives_the_records_that_one_by_one_would(
    database: Database, desk: Desk, now: datetime
) -> None:
    journal = Journal(database)
    for number in range(30):
        await journal.add(replace(event(f"ring {number // 3}", now), dedup_key=str(number)))

    assert await work_off(database, desk, {"main": Provider()}) == 30

    assert set((await states(database)).values()) == {"done"}
    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM interaction") == 10
        assert await db.fetchval("SELECT count(*) FROM feed WHERE type = 'interaction.created'") == 10


async def test_an_event_of_a_source_that_is_gone_goes_to_quarantine(
    database: Database, desk: Desk, now: datetime
) -> None:
    await Journal(database).add(event("ring 1", now))

    await work_off(database, desk, {})

    assert await states(database) == {"ring 1": "quarantine"}


async def test_requests_that_wait_together_are_all_committed_when_add_returns(
    database: Database, now: datetime
) -> None:
    journal = Journal(database)

    await asyncio.gather(*(journal.add(event(f"ring {n}", now)) for n in range(500)))

    assert len(await states(database)) == 500
    assert journal.arrived.is_set()


async def test_what_is_not_stored_is_said_to_whoever_waits_and_the_next_one_is_stored(
    now: datetime,
) -> None:
    away = Journal(await Database.open("postgresql://nobody@127.0.0.1:1/x", connect_seconds=1))

    results = await asyncio.gather(*(away.add(event(str(n), now)) for n in range(3)), return_exceptions=True)

    assert [type(one) for one in results] == [StorageDown] * 3
    with pytest.raises(StorageDown):
        await away.add(event("4", now))


async def test_whoever_numbers_the_feed_is_woken_when_there_are_new_records(
    database: Database, desk: Desk, now: datetime
) -> None:
    journal = Journal(database)
    running = asyncio.create_task(run(database, desk, {"main": Provider()}, journal))
    await journal.add(event("ring 1", now))

    async with asyncio.timeout(10):
        await journal.worked_off.wait()

    assert await states(database) == {"ring 1": "done"}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_while_requests_pour_in_few_are_taken_at_once_and_then_all(
    database: Database, desk: Desk, now: datetime
) -> None:
    journal = Journal(database)
    assert not journal.is_busy

    await asyncio.gather(*(journal.add(event(f"ring {number}", now)) for number in range(30)))
    first = await work_off(database, desk, {"main": Provider()}, at_once=5)
    then = await work_off(database, desk, {"main": Provider()})

    assert (first, then) == (5, 25)
    assert set((await states(database)).values()) == {"done"}
