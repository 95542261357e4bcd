"""Sources under leases: run, run again after they failed, cancelled when their lease is lost, replaced while others run."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from connectors.base import Accepted, Batch, ConnectorError, Intake, Refused, Report, Source, Unavailable
from daemon.supervisor import (
    PAUSE_SECONDS_MAX,
    REFUSALS_SECONDS,
    REFUSED_SECONDS,
    RETRY_AFTER_SECONDS_MAX,
    SAID_AGAIN_SECONDS,
    SETTLED_SECONDS,
    THROTTLED_SECONDS_MAX,
    Failures,
    Supervisor,
    pause_after,
    report_of,
)
from storage import leases, sources
from storage.database import Database
from storage.errors import Stale, StorageDown
from storage.leases import Lease

LEASE_SECONDS = 0.4
NAMES = ("a", "b", "c", "d")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


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


def running_in(boxes: Mapping[str, Mailbox]) -> set[str]:
    return {name for name, box in boxes.items() if box.running.is_set()}


async def until_shared(*daemons: Mapping[str, Mailbox]) -> None:
    """Until every source runs once, and nobody has two more than another."""

    async def is_shared() -> bool:
        shares = [running_in(boxes) for boxes in daemons]
        sizes = sorted(len(share) for share in shares)
        return sum(sizes) == len(set().union(*shares)) == len(daemons[0]) and sizes[-1] - sizes[0] <= 1

    await until(is_shared)


def boxes() -> dict[str, Mailbox]:
    return {name: Mailbox() for name in NAMES}


async def test_a_daemon_that_joins_later_gets_its_share_and_nothing_goes_to_and_fro(database: Database) -> None:
    first, second, third = boxes(), boxes(), boxes()
    async with kept(supervisor(database, first)):
        await until_shared(first)
        async with kept(supervisor(database, second)):
            await until_shared(first, second)
            async with kept(supervisor(database, third)):
                await until_shared(first, second, third)
                await asyncio.sleep(2 * LEASE_SECONDS)
                await until_shared(first, second, third)
            await until_shared(first, second)  # who leaves in order is replaced at once
        await until_shared(first)

    assert sum(len(box.runs) for daemon in (first, second, third) for box in daemon.values()) <= 4 * len(NAMES)


async def test_what_one_that_died_had_is_shared_by_those_who_live(database: Database) -> None:
    first, second = boxes(), boxes()
    async with database.connection() as db:
        await db.execute("INSERT INTO daemon (id, host, pid) VALUES ('dead', 'x', 1)")
        held = await leases.acquire(db, "dead", NAMES, 9, LEASE_SECONDS)

    async with kept(supervisor(database, first)), kept(supervisor(database, second)):
        await until_shared(first, second)

    async with database.connection() as db:
        for lease in held:
            with pytest.raises(Stale):
                await leases.fence(db, lease.source_id, lease.token)


async def test_sources_that_nobody_else_knows_are_taken_back_and_not_offered_again(database: Database) -> None:
    mine = boxes()
    async with kept(supervisor(database, mine)):
        await until_shared(mine)
        async with kept(supervisor(database, {})):
            await until(lambda: given_back(mine))
            await until_shared(mine)
            runs = sum(len(box.runs) for box in mine.values())
            await asyncio.sleep(5 * LEASE_SECONDS)

            assert sum(len(box.runs) for box in mine.values()) == runs


async def given_back(boxes: Mapping[str, Mailbox]) -> bool:
    return any(box.cancelled.is_set() for box in boxes.values())


class Portions:
    """A source that accepts portion after portion, and notes when it is stopped in the middle of one."""

    def __init__(self) -> None:
        self.is_busy = False
        self.was_cut = False
        self.running = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self, intake: Intake) -> None:
        self.running.set()
        try:
            while True:
                self.is_busy = True
                await asyncio.sleep(0.15)
                await intake.accept(Batch([]))
                self.is_busy = False
                await asyncio.sleep(0)
        finally:
            self.was_cut = self.was_cut or self.is_busy
            self.running.clear()
            self.ended.set()

    async def check(self) -> str:
        return ""


class Committing:
    async def accept(self, batch: Batch, after: object = None) -> Accepted:
        return Accepted()


async def test_a_source_that_is_given_away_finishes_its_portion(database: Database) -> None:
    mine = {name: Portions() for name in NAMES}
    one = Supervisor(database, mine, lambda _: cast(Intake, Committing()), 4 * LEASE_SECONDS, lambda *_: 0.01)
    async with kept(one):
        for source in mine.values():
            await source.running.wait()
        async with kept(Supervisor(database, boxes(), lambda lease: cast(Intake, lease), 4 * LEASE_SECONDS)):
            while sum(source.ended.is_set() for source in mine.values()) < 2:
                await asyncio.sleep(0.02)

            assert not any(source.was_cut for source in mine.values())


async def test_an_overtaken_daemon_says_nothing_of_the_source(database: Database) -> None:
    mailbox = Mailbox(Unavailable("no answer"))
    slow = Supervisor(database, {"a": mailbox}, lambda lease: cast(Intake, lease), 60.0, lambda *_: 60.0)
    async with database.connection() as db, kept(slow):
        await until_said(database, "unreachable")
        await db.execute("UPDATE source SET lease_token = lease_token + 1, state = 'ok'")
        await slow._tell(cast(Lease, mailbox.runs[0]), Unavailable("no answer"), 1.0)

    assert (await row(database))["state"] == "ok"


async def until_said(database: Database, state: str) -> None:
    async def is_said() -> bool:
        return bool((await row(database))["state"] == state)

    await until(is_said)


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
        (Unavailable("x"), 10**9, 1.0, 50.0),
        (ValueError("x"), 3, 0.5, 8.0),
        (Refused("the certificate has expired"), 1, 0.5, 2.0),
        (Refused("the certificate has expired"), 99, 1.0, 50.0),
        (Refused("no password", "needs_reauth"), 1, 0.5, PAUSE_SECONDS_MAX),
        (Refused("no password", "needs_reauth"), 2, 1.0, 50.0),
        (Refused("no password", "needs_reauth"), 3, 0.0, REFUSED_SECONDS),
        (Refused("no password", "needs_reauth"), 99, 1.0, 1.25 * REFUSED_SECONDS),
        (Refused("no grant", "needs_reauth", may_lock=False), 99, 1.0, 50.0),
        (Unavailable("x", 30.0), 1, 0.5, 30.5),
        (Unavailable("x", 3600.0), 1, 0.5, PAUSE_SECONDS_MAX + 0.5),
        (Unavailable("x", 0.0), 1, 0.0, 2.0),
        (Unavailable("x", -5.0), 1, 0.0, 2.0),
        (Unavailable("x", 60.0, "throttled"), 9, 0.0, 60.0),
        (Unavailable("x", 1e12, "throttled"), 1, 0.0, RETRY_AFTER_SECONDS_MAX),
        (Unavailable("x", None, "throttled"), 3, 0.5, 8.0),
        (Unavailable("x", None, "throttled"), 99, 0.5, THROTTLED_SECONDS_MAX),
        (StorageDown("x"), 1, 0.5, 2.0),
        (StorageDown("x"), 50, 0.0, 1.0),
    ],
)
def test_how_long_to_wait(error: Exception, failures: int, chance: float, seconds: float) -> None:
    assert pause_after(error, failures, chance) == pytest.approx(seconds)


def test_whatever_ends_is_noticed_within_a_minute_unless_a_lock_out_is_at_stake() -> None:
    passing = [Unavailable("x"), Unavailable("x", 3600.0), Refused("x"), ValueError("x")]
    tokens = [Refused("x", "needs_reauth", may_lock=False)]

    longest = max(pause_after(error, n, 1.0) for error in (*passing, *tokens) for n in (1, 5, 20, 10**6))

    assert longest <= 50.0


def test_four_refused_passwords_in_ten_minutes_and_no_more() -> None:
    now, clock = 0.0, Clock()
    failures, tried = Failures(clock), []
    while now < 7200.0:
        tried.append(now)
        clock.now = now
        refusal = Refused("no password", "needs_reauth")
        now += pause_after(refusal, failures.add(refusal, 1.0), 0.0)

    assert max(sum(start <= at < start + 600.0 for at in tried) for start in tried) == 4
    assert tried[2] < 100.0


def test_trouble_of_other_kinds_makes_no_refusal_wait_longer_and_a_long_life_starts_the_count_anew() -> None:
    clock = Clock()
    failures, refusal = Failures(clock), Refused("no password", "needs_reauth")
    away = [failures.add(Unavailable("x"), 1.0) for _ in range(99)]

    assert away[-1] == 99
    assert [failures.add(refusal, 1.0) for _ in range(3)] == [1, 2, 3]
    assert failures.add(Unavailable("x"), SETTLED_SECONDS + 1) == 1
    clock.now += REFUSALS_SECONDS
    assert failures.add(refusal, 1.0) == 1


def test_the_same_trouble_is_news_once_in_a_while() -> None:
    clock = Clock()
    failures = Failures(clock)

    assert [failures.is_news(Unavailable(words)) for words in ("a", "a", "b", "a")] == [True, False, True, True]
    clock.now += SAID_AGAIN_SECONDS
    assert [failures.is_news(Unavailable("a")) for _ in range(2)] == [True, False]


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
