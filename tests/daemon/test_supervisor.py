"""Sources under leases: run, run again after they failed, cancelled when their lease is lost, replaced while others run."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from connectors.base import ConnectorError, Intake, Refused, Report, Source, Unavailable
from daemon.supervisor import (
    PAUSE_SECONDS_MAX,
    REFUSED_SECONDS,
    RETRY_AFTER_SECONDS_MAX,
    Supervisor,
    pause_after,
    report_of,
)
from storage import sources
from storage.database import Database
from storage.errors import Stale, StorageDown
from storage.leases import Lease

LEASE_SECONDS = 0.4
NAMES = ("a", "b", "c", "d")


class Mailbox:
    """A source that does what it was told, one thing a run, and then runs until it is cancelled."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self._outcomes = list(outcomes)
        self.runs: list[Lease] = []
        self.running = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def run(self, intake: Intake) -> None:
        self.runs.append(cast(Lease, intake))
        if self._outcomes:
            outcome = self._outcomes.pop(0)
            if outcome is not None:
                raise outcome
            return
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.running.clear()
            self.cancelled.set()

    async def check(self) -> str:
        return ""


@pytest.fixture(autouse=True)
async def rows(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, [(name, "mailbox", "imap") for name in NAMES])


def supervisor(database: Database, running: Mapping[str, Source]) -> Supervisor:
    return Supervisor(database, running, lambda lease: cast(Intake, lease), LEASE_SECONDS, lambda *_: 0.01)


@contextlib.asynccontextmanager
async def kept(one: Supervisor) -> AsyncIterator[Supervisor]:
    task = asyncio.create_task(one.run())
    try:
        async with asyncio.timeout(10):
            yield one
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def row(database: Database, name: str = "a") -> dict[str, Any]:
    async with database.connection() as db:
        return dict(await db.fetchrow("SELECT * FROM source WHERE name = $1", name) or {})


async def set_row(database: Database, change: str, name: str = "a") -> None:
    async with database.connection() as db:
        await db.execute(f"UPDATE source SET {change} WHERE name = $1", name)


async def until(condition: Any) -> None:
    while not await condition():
        await asyncio.sleep(0.02)


async def test_a_source_runs_under_a_lease_that_is_given_back_at_the_end(database: Database) -> None:
    mailbox = Mailbox()

    async with kept(supervisor(database, {"a": mailbox})):
        await mailbox.running.wait()
        held = await row(database)

    assert (held["lease_token"], held["lease_owner"] is None) == (mailbox.runs[0].token, False)
    assert mailbox.cancelled.is_set()
    after = await row(database)
    assert (after["lease_owner"], after["lease_until"]) == (None, None)
    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM daemon") == 0


@pytest.mark.parametrize(
    ("outcome", "state", "detail"),
    [
        (Unavailable("no answer from imap.example.org"), "unreachable", "no answer from imap.example.org"),
        (Unavailable("too many connections", 1.0, "throttled"), "throttled", "too many connections"),
        (Refused("the password is wrong", "needs_reauth"), "needs_reauth", "the password is wrong"),
        (ZeroDivisionError("inner"), "unreachable", "an unexpected error (ZeroDivisionError); the log of the daemon says more"),
        (None, "unreachable", "it ended by itself"),
    ],
)  # fmt: skip
async def test_what_failed_is_told_and_run_again(
    database: Database, outcome: Exception | None, state: str, detail: str
) -> None:
    mailbox = Mailbox(outcome)

    async with kept(supervisor(database, {"a": mailbox})):
        await mailbox.running.wait()

    assert len(mailbox.runs) == 2
    told = await row(database)
    assert (told["state"], told["detail"], told["next_try_at"] is not None) == (state, detail, True)


async def test_trouble_of_the_database_is_no_trouble_of_the_source(database: Database) -> None:
    mailbox = Mailbox(StorageDown("the database is away"))
    before = await row(database)

    async with kept(supervisor(database, {"a": mailbox})):
        await mailbox.running.wait()

    after = await row(database)
    assert (after["state"], after["detail"]) == (before["state"], before["detail"])


async def test_a_source_that_another_daemon_took_is_left_to_it_and_taken_when_it_is_free(database: Database) -> None:
    mailbox = Mailbox(Stale("overtaken"))

    async with kept(supervisor(database, {"a": mailbox})):
        await mailbox.running.wait()

    first, second = mailbox.runs
    assert second.token == first.token + 1


async def test_a_lost_lease_cancels_the_work(database: Database) -> None:
    mailbox = Mailbox()

    async with kept(supervisor(database, {"a": mailbox})):
        await mailbox.running.wait()
        await set_row(database, "lease_owner = 'other', lease_token = lease_token + 1, lease_until = now() + interval '1 h'")  # fmt: skip
        await mailbox.cancelled.wait()

    assert (await row(database))["lease_owner"] == "other"


async def test_a_paused_source_stops_and_starts_again(database: Database) -> None:
    mailbox = Mailbox()

    async with kept(supervisor(database, {"a": mailbox})):
        await mailbox.running.wait()
        await set_row(database, "paused_at = now()")
        await mailbox.cancelled.wait()
        await set_row(database, "paused_at = NULL, lease_until = NULL")
        await mailbox.running.wait()

    assert len(mailbox.runs) == 2


async def test_what_was_replaced_is_started_anew_and_the_rest_runs_on(database: Database) -> None:
    same, old, new, added = Mailbox(), Mailbox(), Mailbox(), Mailbox()

    async with kept(supervisor(database, {"a": same, "b": old})) as one:
        await same.running.wait()
        await old.running.wait()
        one.replace({"a": same, "b": new, "c": added})
        await new.running.wait()
        await added.running.wait()

        assert old.cancelled.is_set()
        assert same.running.is_set()
    assert len(same.runs) == 1


async def test_what_was_taken_out_stops_and_its_lease_is_free(database: Database) -> None:
    mailbox = Mailbox()

    async def is_free() -> bool:
        return (await row(database))["lease_owner"] is None

    async with kept(supervisor(database, {"a": mailbox})) as one:
        await mailbox.running.wait()
        one.replace({})
        await mailbox.cancelled.wait()
        await until(is_free)


async def test_sources_may_be_replaced_at_any_moment(database: Database) -> None:
    mailboxes = {name: Mailbox() for name in NAMES}

    async with kept(supervisor(database, {})) as one:
        for _ in range(15):
            one.replace(mailboxes)
            await asyncio.sleep(0.004)
            one.replace({})
            await asyncio.sleep(0.004)
        one.replace(mailboxes)
        for mailbox in mailboxes.values():
            await mailbox.running.wait()


async def test_two_daemons_share_the_sources(database: Database) -> None:
    first, second = {name: Mailbox() for name in NAMES}, {name: Mailbox() for name in NAMES}
    async with database.connection() as db:  # the other one is known to live, and comes a moment later
        await db.execute("INSERT INTO daemon (id, host, pid) VALUES ('other', 'x', 1)")

    async with kept(supervisor(database, first)):
        while sum(bool(one.runs) for one in first.values()) < 2:
            await asyncio.sleep(0.02)
        async with database.connection() as db:
            await db.execute("DELETE FROM daemon WHERE id = 'other'")
        async with kept(supervisor(database, second)):
            while sum(one.running.is_set() for one in [*first.values(), *second.values()]) < len(NAMES):
                await asyncio.sleep(0.02)

            ran = {name for name in NAMES if first[name].running.is_set()}
            assert ran.isdisjoint(name for name in NAMES if second[name].running.is_set())


async def test_it_goes_on_when_the_database_fails_in_the_middle(database: Database) -> None:
    mailbox = Mailbox()
    async with database.connection() as db:
        await db.execute("ALTER TABLE daemon RENAME TO gone")

    async with kept(supervisor(database, {"a": mailbox})):
        await asyncio.sleep(0.15)
        assert not mailbox.runs
        async with database.connection() as db:
            await db.execute("ALTER TABLE gone RENAME TO daemon")
        await mailbox.running.wait()


@pytest.mark.parametrize(
    ("error", "failures", "chance", "seconds"),
    [
        (Unavailable("x"), 1, 0.5, 2.0),
        (Unavailable("x"), 1, 0.0, 1.5),
        (Unavailable("x"), 1, 1.0, 2.5),
        (Unavailable("x"), 2, 0.5, 4.0),
        (Unavailable("x"), 5, 0.5, 32.0),
        (Unavailable("x"), 9, 0.5, PAUSE_SECONDS_MAX),
        (Unavailable("x"), 10**9, 0.5, PAUSE_SECONDS_MAX),
        (ValueError("x"), 3, 0.5, 8.0),
        (Refused("x"), 1, 0.5, REFUSED_SECONDS),
        (Refused("x"), 20, 0.5, REFUSED_SECONDS),
        (Unavailable("x", 60.0), 1, 0.5, 60.5),
        (Unavailable("x", 60.0), 9, 0.0, 60.0),
        (Unavailable("x", 0.0), 1, 0.0, 2.0),
        (Unavailable("x", -5.0), 1, 0.0, 2.0),
        (Unavailable("x", 1e12), 1, 0.0, RETRY_AFTER_SECONDS_MAX),
        (StorageDown("x"), 1, 0.5, 2.0),
        (StorageDown("x"), 50, 0.0, 1.0),
    ],
)
def test_how_long_to_wait(error: Exception, failures: int, chance: float, seconds: float) -> None:
    assert pause_after(error, failures, chance) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Unavailable("x"), "unreachable"),
        (Unavailable("x", state="throttled"), "throttled"),
        (Refused("x"), "misconfigured"),
        (Refused("x", "needs_reauth"), "needs_reauth"),
        (ConnectorError("x"), "unreachable"),
    ],
)
def test_how_a_source_is_after_it_failed(error: Exception, state: str) -> None:
    assert report_of(error) == Report(state, "x")


def test_an_error_that_nobody_thought_of_tells_nothing_of_what_is_inside() -> None:
    assert "canary" not in report_of(ValueError("canary")).detail
