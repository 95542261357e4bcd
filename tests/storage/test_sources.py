"""Sources: the configured ones are listed, the retired keep their history, and their state is the truth."""

from datetime import UTC, datetime

import pytest

from storage import leases, sources
from storage.database import Database
from storage.errors import Stale

BOTH = [("sales", "mailbox", "imap"), ("main", "telephony", "generic")]


async def test_configured_sources_are_listed_and_others_retired_until_they_come_back(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH)
        ids = await db.fetch("SELECT id FROM source ORDER BY id")

        await sources.save_all(db, BOTH[:1])
        assert [one.name for one in await sources.list_all(db)] == ["sales"]
        await sources.save_all(db, [BOTH[0], ("main", "telephony", "mango")])

        assert [(one.name, one.type) for one in await sources.list_all(db)] == [("sales", "imap"), ("main", "mango")]
        assert await db.fetch("SELECT id FROM source ORDER BY id") == ids
        await sources.save_all(db, [])
        assert await sources.list_all(db) == []


async def test_a_report_is_shown_with_since_when_it_is_so(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH[:1])
        await db.execute("UPDATE source SET state_since = '2026-01-01Z'")

        await sources.report(db, "sales", "catching_up", "INBOX", done=10, total=100)
        [catching] = await sources.list_all(db)
        await sources.report(db, "sales", "ok")
        [fine] = await sources.list_all(db)
        await sources.report(db, "sales", "unreachable", "х" * 2000)
        [away] = await sources.list_all(db)

    assert (catching.state, catching.detail, catching.done, catching.total) == ("catching_up", "INBOX", 10, 100)
    assert catching.since.year == 2026
    assert catching.since.month == 1
    assert catching.last_success_at is None
    assert fine.since > catching.since
    assert fine.last_success_at is not None
    assert (len(away.detail), away.done, away.last_success_at) == (1000, 10, fine.last_success_at)


async def test_an_audit_is_shown_with_what_it_repaired(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH[:1])
        number = await sources.find_id(db, "sales")
        assert number is not None
        await sources.report(db, "sales", "ok")
        [before] = await sources.list_all(db)

        await sources.report(db, "sales", "ok", is_audited=True)
        await sources.count_repairs(db, number, 0)
        await sources.count_repairs(db, number, 3)
        await sources.count_repairs(db, number, 2)
        [after] = await sources.list_all(db)

    assert (before.audited_at, before.audit_repairs) == (None, 0)
    assert after.audited_at is not None
    assert after.audit_repairs == 5


async def test_a_paused_source_says_so_whatever_it_reports(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH[:1])
        await db.execute("UPDATE source SET paused_at = now()")

        await sources.report(db, "sales", "ok")

        assert [one.state for one in await sources.list_all(db)] == ["paused"]


async def test_what_is_known_already_is_not_written_again(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH[:1])
        await sources.report(db, "sales", "ok", done=1)
        before = await db.fetchval("SELECT xmin FROM source")

        await sources.report(db, "sales", "ok", done=1)
        await sources.report(db, "sales", "ok")
        assert await db.fetchval("SELECT xmin FROM source") == before
        await db.execute("UPDATE source SET last_success_at = now() - interval '2 minutes'")
        await sources.report(db, "sales", "ok")

        [fresh] = await sources.list_all(db)
        assert await db.fetchval("SELECT now() - $1 < interval '1 minute'", fresh.last_success_at)


async def test_a_rate_is_told_while_a_source_catches_up_and_gets_on(database: Database) -> None:
    async def told(state: str, done: int | None = None, total: int | None = None) -> tuple[float | None, int | None]:
        await sources.report(db, "sales", state, done=done, total=total)
        [row] = await sources.list_all(db)
        return row.per_second and round(row.per_second), row.seconds_left

    async def passed(seconds: int) -> None:
        await db.execute(
            "UPDATE source SET counted_since = counted_since - make_interval(secs => $1), "
            "counted_at = counted_at - make_interval(secs => $1)",
            seconds,
        )

    async with database.connection() as db:
        await sources.save_all(db, BOTH[:1])
        assert await told("catching_up", 0, 100) == (None, None)
        await passed(10)
        assert await told("catching_up", 50, 100) == (5, 10)
        await passed(10)
        assert await told("catching_up", 80, 120) == (4, 10)
        await passed(119)  # silent for long
        assert (await told("catching_up"))[0] == 4
        await passed(10)
        assert await told("catching_up") == (None, None)
        assert await told("catching_up", 90, 120) == (None, None)  # counted anew
        await passed(5)
        assert await told("catching_up", 100, 120) == (2, 10)
        assert await told("catching_up", 0, 10) == (None, None)  # another gap
        assert await told("unreachable") == (None, None)
        assert await told("ok") == (None, None)


async def test_who_was_overtaken_does_not_say_how_a_source_is(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH[:1])
        [old] = await leases.acquire(db, "a", ["sales"], 1, 60)
        await sources.report(db, "sales", "ok", token=old.token)
        await leases.release(db, [old])
        [new] = await leases.acquire(db, "b", ["sales"], 1, 60)

        await sources.report(db, "sales", "unreachable", "stale", token=old.token)
        assert [one.state for one in await sources.list_all(db)] == ["ok"]
        await sources.report(db, "sales", "catching_up", token=new.token)
        assert [one.state for one in await sources.list_all(db)] == ["catching_up"]


async def test_telephony_succeeds_with_its_events_and_not_by_being_there(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH)
        await sources.report(db, "main", "ok", "webhooks are taken")
        assert [one.last_success_at for one in await sources.list_all(db)] == [None, None]

        await sources.mark_success(db, [])
        await sources.mark_success(db, {"main", "gone"})
        [_, main] = await sources.list_all(db)
        assert main.last_success_at is not None
        before = await db.fetchval("SELECT xmin FROM source WHERE name = 'main'")
        await sources.mark_success(db, ["main"])
        assert await db.fetchval("SELECT xmin FROM source WHERE name = 'main'") == before
        await db.execute("UPDATE source SET last_success_at = now() - interval '2 minutes'")
        await sources.mark_success(db, ["main"])
        assert await db.fetchval("SELECT xmin FROM source WHERE name = 'main'") != before


async def test_a_source_has_a_number_once_it_has_run(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH[:1])

        assert await sources.find_id(db, "sales") == await db.fetchval("SELECT id FROM source")
        assert await sources.find_id(db, "other") is None


async def test_a_source_is_paused_resumed_and_started_anew(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH[:1])

        async def held() -> list[str]:
            return [one.name for one in await leases.acquire(db, "daemon", ["sales"], 1, 60)]

        [lease] = await leases.acquire(db, "daemon", ["sales"], 1, 60)
        await sources.report(db, "sales", "ok")

        assert await sources.pause(db, "sales")
        assert await sources.pause(db, "sales")
        with pytest.raises(Stale):  # from this moment on nothing is written any more
            await leases.fence(db, lease.source_id, lease.token)
        assert await held() == []
        assert [one.state for one in await sources.list_all(db)] == ["paused"]

        assert await sources.resume(db, "sales")
        assert [one.state for one in await sources.list_all(db)] == ["catching_up"]
        assert await held() == ["sales"]
        assert not await sources.resume(db, "sales")
        assert await held() == []

        await sources.report(db, "sales", "needs_reauth", "no", next_try_at=datetime(2030, 1, 1, tzinfo=UTC))
        assert await sources.sync_now(db, "sales")
        [row] = await sources.list_all(db)
        assert (row.state, row.next_try_at) == ("needs_reauth", None)
        assert await held() == ["sales"]


async def test_nothing_is_asked_of_a_source_that_is_not_there(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, BOTH[:1])
        await sources.save_all(db, [])

        for ask in (sources.pause, sources.resume, sources.sync_now):
            assert not await ask(db, "sales")
            assert not await ask(db, "nobody")
