"""Keeps sources running: takes their leases, runs each, starts it again when it fails, and says how it is.

    free ──acquire──▶ running ──Unavailable, anything unexpected──▶ waiting (back-off) ──▶ running
                        │  ──Refused──▶ waiting (a person must act; tried again all the same) ──▶ running
                        ├──others have less──▶ leaving ──its portion is committed──▶ free
                        └──lease lost, paused or removed──▶ cancelled

Four times in the length of a lease the daemon says that it lives, renews what it holds and takes its fair share of what
is free. Work whose lease is lost is cancelled; the fence in the intake stops what it may still try to write. Where a
daemon has joined that has less, a few sources a turn are let go, each after the portion in hand. One that nobody wanted
is taken back, and none is offered for a while: the others may not know it.

How long a source waits (docs/decisions/0026-when-to-try-again.md). Whatever ends, ends unseen for less than a minute:

    unreachable, certificates, tokens    2 s, doubling to 50 s at most
    a password that was refused          twice soon, then each five minutes: servers count, and lock accounts and addresses out
    throttled                            as long as the server says, else doubling to five minutes

The back-off starts anew only after the source has run for `SETTLED_SECONDS`: a server that accepts a login and fails a
second later would otherwise be asked for ever at full speed. A source whose configuration changed starts at once, and
so does one that a person asks for (`/sources/{name}/sync`).
"""

import asyncio
import contextlib
import os
import random
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import structlog

from connectors.base import Accepted, After, Batch, ConnectorError, Intake, Refused, Report, Source, Unavailable
from storage import leases, sources
from storage.database import Connection, Database
from storage.errors import Stale, StorageError
from storage.leases import LEASE_SECONDS, Lease, Shares

LOG = structlog.get_logger()
PAUSE_SECONDS_FIRST = 2.0
PAUSE_SECONDS_MAX = 40.0  # and a quarter more: what has healed is noticed, and read, within a minute
THROTTLED_SECONDS_MAX = 300.0  # where the server does not say how long
RETRY_AFTER_SECONDS_MAX = 3600.0  # whatever a server asks for
# Of refused passwords four tries in ten minutes: one fewer than what usually gets an address banned.
REFUSED_SOON_MAX = 2
REFUSED_SECONDS = 300.0
REFUSALS_SECONDS = 1800.0  # for how long a refusal counts
STORAGE_SECONDS = 2.0
SETTLED_SECONDS = 300.0
SAID_AGAIN_SECONDS = 600.0  # the same trouble is logged once in so long
TURNS_IN_A_LEASE = 4  # so a daemon that misses three in a row still has what it runs
TURNS_MISSED_MAX = 3  # one that has missed more no longer counts among those that live
PORTION_TURNS_MAX = 2  # a source that leaves may finish its portion for so long
UNTAKEN_TURNS = 6  # what nobody has taken for so long is taken by whoever can, whatever his share
UNWANTED_SECONDS = 600.0

IntakeFor = Callable[[Lease], Intake]
PauseAfter = Callable[[Exception, int, float], float]


async def _nothing() -> None:
    """What runs in place of a source that is no longer there: the next turn gives its lease back."""


def pause_after(error: Exception, failures: int, chance: float) -> float:
    """Seconds until the next try. `failures` in a row; of a refused password, refusals of late. `chance` from 0 to 1
    spreads those that failed together."""
    if isinstance(error, StorageError):
        return STORAGE_SECONDS * (0.5 + chance)
    if isinstance(error, Refused) and error.may_lock and failures > REFUSED_SOON_MAX:
        return REFUSED_SECONDS * (1.0 + chance / 4)  # never sooner
    is_throttled = isinstance(error, Unavailable) and error.state == "throttled"
    asked_for = error.retry_after if isinstance(error, Unavailable) else None
    if asked_for is not None:
        most = RETRY_AFTER_SECONDS_MAX if is_throttled else PAUSE_SECONDS_MAX
        return min(max(asked_for, PAUSE_SECONDS_FIRST), most) + chance
    if isinstance(error, Refused) and error.may_lock:
        pause = PAUSE_SECONDS_MAX
    else:
        most = THROTTLED_SECONDS_MAX if is_throttled else PAUSE_SECONDS_MAX
        pause = min(PAUSE_SECONDS_FIRST * 2.0 ** min(failures - 1, 20), most)
    return pause * (0.75 + chance / 2)


def report_of(error: Exception) -> Report:
    """How a source is after it failed, in words for a person."""
    if isinstance(error, ConnectorError):
        return Report(error.state, str(error))
    return Report("unreachable", f"an unexpected error ({type(error).__name__}); the log of the daemon says more")


class Failures:
    """What went wrong with one source of late: how often, and what was said of it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._in_a_row = 0
        self._refused_at: deque[float] = deque(maxlen=100)
        self._said: tuple[str, float] = ("", 0.0)

    def add(self, error: Exception, ran_seconds: float) -> int:
        """One more, after the source has run for so long; the count that decides about the pause."""
        self._in_a_row = 1 if ran_seconds > SETTLED_SECONDS else self._in_a_row + 1
        if not isinstance(error, Refused) or not error.may_lock:
            return self._in_a_row
        now = self._clock()
        self._refused_at.append(now)
        return sum(now - at < REFUSALS_SECONDS for at in self._refused_at)

    def is_news(self, error: Exception) -> bool:
        """Whether to log it: not what was logged a while ago."""
        words, (said, at) = f"{type(error).__name__} {error}", self._said
        if words == said and self._clock() - at < SAID_AGAIN_SECONDS:
            return False
        self._said = (words, self._clock())
        return True


class _Watched:
    """An intake that tells when a portion is committed."""

    def __init__(self, intake: Intake, committed: asyncio.Event) -> None:
        self._intake = intake
        self._committed = committed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._intake, name)

    async def accept(self, batch: Batch, after: After = None) -> Accepted:
        accepted = await self._intake.accept(batch, after)
        self._committed.set()
        return accepted


@dataclass(slots=True, eq=False)
class _Held:
    """A source that we run, or are about to let go."""

    lease: Lease
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    is_leaving: bool = False
    task: "asyncio.Task[None]" = field(init=False)


class Supervisor:
    """Runs the sources of one daemon. `sources` may be replaced while it runs (`replace`)."""

    def __init__(
        self,
        database: Database,
        running: Mapping[str, Source],
        intake_for: IntakeFor,
        lease_seconds: float = LEASE_SECONDS,
        pause: PauseAfter = pause_after,
    ) -> None:
        self._database = database
        self._sources = dict(running)
        self._intake_for = intake_for
        self._pause_after = pause
        self._lease_seconds = lease_seconds
        self._turn_seconds = lease_seconds / TURNS_IN_A_LEASE
        self._owner = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"
        self._held: dict[str, _Held] = {}
        self._offered: set[str] = set()  # what was given back, and is not ours to take
        self._offers_from = 0.0  # nobody wanted what was given back before
        self._free_since: dict[str, float] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    def replace(self, running: Mapping[str, Source]) -> None:
        """Other sources from now on: those that changed are started anew."""
        changed = [name for name, source in self._sources.items() if running.get(name) is not source]
        self._sources = dict(running)
        for name in changed:
            if name in self._held:
                self._held[name].task.cancel()
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; then all sources are stopped and their leases given back."""
        try:
            while True:
                self._wake.clear()  # before looking: what is replaced from here on is looked at once more
                try:
                    await self._turn()
                except StorageError as error:
                    LOG.warning("leases wait for the database", reason=str(error))
                except Exception:
                    LOG.exception("the sources could not be looked after; it is tried again")
                await _event_within(self._wake, self._turn_seconds)
        finally:
            await self._stop()

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        async with self._database.connection() as db:
            await leases.beat(db, self._owner, socket.gethostname(), os.getpid())
            held = {name: one.lease for name, one in self._held.items() if not one.task.done()}
            ended = [one.lease for name, one in self._held.items() if name not in held]
            ours = {one.name for one in await leases.renew(db, self._owner, list(held.values()), self._lease_seconds)}
            await leases.release(db, ended)
            for name in set(self._held) - ours:
                self._held.pop(name).task.cancel()
            free = [name for name in self._sources if name not in self._held]
            shares = await leases.shares(db, free, TURNS_MISSED_MAX * self._turn_seconds)
            taken = await self._take(db, shares, now)
        for lease in taken:
            source = self._sources.get(lease.name)
            one = self._held[lease.name] = _Held(lease)
            work = self._keep(one, source) if source is not None else _nothing()  # it was taken out while we asked
            one.task = asyncio.create_task(work, name=f"source {lease.name}")
        if not taken and now >= self._offers_from:
            self._give_back(shares)

    async def _take(self, db: Connection, shares: Shares, now: float) -> list[Lease]:
        """Our share of what is free; all of it that nobody has taken for long, maybe because the others do not know it."""
        self._offered &= {*shares.free, *self._held}
        self._free_since = {name: self._free_since.get(name, now) for name in shares.free}
        wanted = [name for name in shares.free if name not in self._offered]
        room = shares.room(len(self._sources), len(self._held))
        taken = await leases.acquire(db, self._owner, wanted, room, self._lease_seconds) if wanted else []
        untaken = [name for name, at in self._free_since.items() if now - at >= UNTAKEN_TURNS * self._turn_seconds]
        if untaken:
            taken += await leases.acquire(db, self._owner, untaken, len(untaken), self._lease_seconds)
        if unwanted := self._offered.intersection(lease.name for lease in taken):
            self._offers_from = now + UNWANTED_SECONDS
            self._offered -= unwanted
        return taken

    def _give_back(self, shares: Shares) -> None:
        """Lets go of what others should have."""
        staying = [one for one in self._held.values() if not one.is_leaving]
        giving = shares.surplus(self._owner, len(staying), len(self._held) - len(staying))
        for one in random.sample(staying, giving):
            one.is_leaving = True
            self._offered.add(one.lease.name)
            task = asyncio.create_task(self._let_go(one))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _let_go(self, one: _Held) -> None:
        """Stops a source once it has committed its portion; the next turn releases its lease."""
        one.committed.clear()
        await _event_within(one.committed, PORTION_TURNS_MAX * self._turn_seconds)
        one.task.cancel()
        await asyncio.gather(one.task, return_exceptions=True)
        LOG.info("a source is given to another daemon", source=one.lease.name)
        self._wake.set()

    async def _stop(self) -> None:
        tasks = [one.task for one in self._held.values()]
        for task in (*self._leaving, *tasks):
            task.cancel()
        await asyncio.gather(*self._leaving, *tasks, return_exceptions=True)
        with contextlib.suppress(StorageError, TimeoutError):
            async with asyncio.timeout(STORAGE_SECONDS), self._database.connection() as db:
                await leases.release(db, [one.lease for one in self._held.values()])
                await leases.leave(db, self._owner)
        self._held.clear()

    async def _keep(self, one: _Held, source: Source) -> None:
        """Runs one source for as long as its lease is ours."""
        loop = asyncio.get_running_loop()
        failures = Failures(loop.time)
        while True:
            started = loop.time()
            try:
                await source.run(cast("Intake", _Watched(self._intake_for(one.lease), one.committed)))
                error: Exception = Unavailable("it ended by itself")
            except Stale:
                LOG.info("another daemon runs this source now", source=one.lease.name)
                return
            except Exception as failure:
                error = failure
            count = failures.add(error, loop.time() - started)
            pause = self._pause_after(error, count, random.random())  # noqa: S311 (only to spread them)
            if failures.is_news(error):
                _log(one.lease.name, error, pause)
            await self._tell(one.lease, error, pause)
            await asyncio.sleep(pause)

    async def _tell(self, lease: Lease, error: Exception, pause: float) -> None:
        if isinstance(error, StorageError):
            return  # there is nowhere to write it, and it is not the source's state
        report = report_of(error)
        next_try = datetime.now(UTC) + timedelta(seconds=pause)

        async def write(db: Connection) -> None:
            await sources.report(db, lease.name, report.state, report.detail, next_try, token=lease.token)

        with contextlib.suppress(StorageError):
            await self._database.in_transaction(write)


async def _event_within(event: asyncio.Event, seconds: float) -> None:
    """Waits for an event, or for so long. Not by `wait_for`, which up to Python 3.11 forgets a cancellation that comes at the
    moment of the event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _log(name: str, error: Exception, pause: float) -> None:
    if isinstance(error, ConnectorError | StorageError):
        LOG.warning("a source failed", source=name, reason=str(error), next_try_seconds=round(pause))
    else:
        LOG.error("a source failed unexpectedly", source=name, next_try_seconds=round(pause), exc_info=error)
