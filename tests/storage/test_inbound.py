"""The journal of webhooks: one row for an event, one worker for a row, and an end to what fails."""

import asyncio
from datetime import datetime, timedelta

import pytest

from storage import inbound, quarantine
from storage.database import Connection, Database
from storage.inbound import Event


def event(key: str, now: datetime, source: str = "main", body: bytes = b"\x00{}\xff") -> Event:
    return Event(source, key, now, "POST", "events/call", "a=1&a=2", {"x-sign": "имя"}, body, "203.0.113.7")


async def keys(database: Database, limit: int = 100) -> list[str]:
    async def work(db: Connection) -> list[str]:
        return [one.dedup_key for one in await inbound.claim(db, limit)]

    return await database.in_transaction(work)


async def test_a_request_comes_back_byte_for_byte(database: Database, now: datetime) -> None:
    async with database.connection() as db:
        await inbound.add(db, [event("1", now)])
        [found] = await inbound.claim(db, 10)

    assert found == Event(**{**vars_of(event("1", now)), "id": found.id})


def vars_of(one: Event) -> dict[str, object]:
    return {name: getattr(one, name) for name in Event.__slots__}


async def test_a_repeat_changes_nothing_and_another_sources_key_is_another_event(
    database: Database, now: datetime
) -> None:
    async with database.connection() as db:
        await inbound.add(db, [event("1", now), event("1", now, body=b"other"), event("1", now, "second")])
        await inbound.add(db, [event("1", now), event("2", now)])

    assert await keys(database) == ["1", "1", "2"]


async def test_the_same_event_posted_twice_at_once_is_one(database: Database, now: datetime) -> None:
    async def post() -> None:
        async with database.connection() as db:
            await inbound.add(db, [event(str(n), now) for n in range(50)])

    await asyncio.gather(post(), post(), post())

    assert await keys(database) == [str(n) for n in range(50)]


async def test_two_workers_share_without_waiting_and_without_overlap(database: Database, now: datetime) -> None:
    async with database.connection() as db:
        await inbound.add(db, [event(str(n), now) for n in range(4)])

    async def work(db: Connection) -> list[str]:
        mine = await inbound.claim(db, 2)
        async with asyncio.timeout(10):
            theirs = await keys(database)
        await inbound.mark_done(db, [one.id for one in mine])
        return [one.dedup_key for one in mine] + theirs

    assert await database.in_transaction(work) == ["0", "1", "2", "3"]
    assert await keys(database) == ["2", "3"]


async def test_work_that_breaks_off_leaves_the_event_to_do(database: Database, now: datetime) -> None:
    async with database.connection() as db:
        await inbound.add(db, [event("1", now)])

    async def work(db: Connection) -> None:
        await inbound.mark_done(db, [one.id for one in await inbound.claim(db, 1)])
        raise LookupError

    with pytest.raises(LookupError):
        await database.in_transaction(work)

    assert await keys(database) == ["1"]


async def test_a_failure_is_put_off_and_after_a_few_goes_to_quarantine(database: Database, now: datetime) -> None:
    async with database.connection() as db:
        await inbound.add(db, [event("1", now)])
        for attempt in range(inbound.ATTEMPTS_MAX):
            [found] = await inbound.claim(db, 1)
            assert found.attempts == attempt

            await inbound.mark_failed(db, found, "no such call")

            assert await inbound.claim(db, 1) == []
            assert len(await quarantine.list_open(db)) == (attempt == inbound.ATTEMPTS_MAX - 1)
            await db.execute("UPDATE inbound SET not_before = NULL")

        assert await inbound.claim(db, 1) == []
        [entry] = await quarantine.list_open(db)
    assert (entry.source, entry.kind, entry.reason) == ("main", "event", "no such call")


async def test_what_can_never_be_read_goes_to_quarantine_at_once_and_once(database: Database, now: datetime) -> None:
    async with database.connection() as db:
        await inbound.add(db, [event("1", now), event("2", now)])
        [bad, good] = await inbound.claim(db, 2)

        await inbound.mark_failed(db, bad, "no JSON", final=True)
        await inbound.mark_done(db, [good.id])

        assert [entry.reason for entry in await quarantine.list_open(db)] == ["no JSON"]
        assert await inbound.claim(db, 2) == []


async def test_a_reason_that_quotes_what_no_table_holds_is_kept_without_it(database: Database, now: datetime) -> None:
    async with database.connection() as db:
        await inbound.add(db, [event("1", now)])
        [found] = await inbound.claim(db, 10)

        await inbound.mark_failed(db, found, "the event is 'a\x00b\ud800'", final=True)

        [entry] = await quarantine.list_open(db)
    assert entry.reason == "the event is 'ab'"


async def test_what_was_done_long_ago_loses_its_words_and_then_its_row(database: Database, now: datetime) -> None:
    days = {name: now - timedelta(days=count) for name, count in (("a", 200), ("b", 50), ("c", 1), ("todo", 200))}
    async with database.connection() as db:
        await inbound.add(db, [event(name, at) for name, at in days.items()])
        await db.execute("UPDATE inbound SET state = 'done' WHERE dedup_key <> 'todo'")

        done = [await inbound.end(db, now - timedelta(days=30), now - timedelta(days=90), 10) for _ in range(2)]

        left = await db.fetch("SELECT dedup_key, body = '' AS is_empty FROM inbound ORDER BY dedup_key")
    assert done == [3, 0]
    assert [tuple(row) for row in left] == [("b", True), ("c", False), ("todo", False)]
