"""Sources under leases: run, run again after they failed, cancelled when their lease is lost, replaced while others run."""

import asyncio

import pytest

from connectors.base import ConnectorError, Refused, Report, Unavailable
from daemon.supervisor import (
    PAUSE_SECONDS_MAX,
    REFUSALS_SECONDS,
    REFUSED_SECONDS,
    RETRY_AFTER_SECONDS_MAX,
    SAID_AGAIN_SECONDS,
    SETTLED_SECONDS,
    THROTTLED_SECONDS_MAX,
    Failures,
    pause_after,
    report_of,
)
from storage.database import Database
from storage.errors import Stale, StorageDown
from tests.fakes.boxes import NAMES, Mailbox, kept, row, save_rows, set_row, supervisor, until


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
async def rows(database: Database) -> None:
    await save_rows(database)


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
