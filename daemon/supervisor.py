"""Keeps sources running: takes their leases, runs each, starts it again when it fails, and says how it is.

    free ──acquire──▶ running ──Unavailable, anything unexpected──▶ waiting (back-off) ──▶ running
                        │  ──Refused──▶ waiting (a person must act; tried again all the same, seldom)
                        └──lease lost, paused or removed──▶ cancelled

Four times in the length of a lease the daemon says that it lives, renews what it holds and takes its fair share of what
is free. Work whose lease is lost is cancelled; the fence in the intake stops what it may still try to write.

The back-off doubles with each failure and starts anew only after the source has run for `SETTLED_SECONDS`: a server that
accepts a login and fails a second later would otherwise be asked for ever at full speed.
"""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog

from connectors.base import ConnectorError, Intake, Refused, Report, Source, Unavailable
from storage import leases, sources
from storage.database import Connection, Database
from storage.errors import Stale, StorageError
from storage.leases import LEASE_SECONDS, Lease

LOG = structlog.get_logger()
PAUSE_SECONDS_FIRST = 2.0
PAUSE_SECONDS_MAX = 300.0
REFUSED_SECONDS = 300.0
RETRY_AFTER_SECONDS_MAX = 3600.0  # whatever a server asks for
STORAGE_SECONDS = 2.0
SETTLED_SECONDS = 300.0
TURNS_IN_A_LEASE = 4  # so a daemon that misses three in a row still has what it runs
TURNS_MISSED_MAX = 3  # one that has missed more no longer counts among those that live

IntakeFor = Callable[[Lease], Intake]
PauseAfter = Callable[[Exception, int, float], float]


async def _nothing() -> None:
    """What runs in place of a source that is no longer there: the next turn gives its lease back."""


def pause_after(error: Exception, failures: int, chance: float) -> float:
    """Seconds until the next try. `chance` from 0 to 1 spreads those that failed together."""
    if isinstance(error, StorageError):
        return STORAGE_SECONDS * (0.5 + chance)
    pause: float = min(PAUSE_SECONDS_FIRST * 2.0 ** min(failures - 1, 20), PAUSE_SECONDS_MAX)
    if isinstance(error, Refused):
        pause = max(pause, REFUSED_SECONDS)
    if isinstance(error, Unavailable) and error.retry_after is not None:
        return min(max(error.retry_after, PAUSE_SECONDS_FIRST), RETRY_AFTER_SECONDS_MAX) + chance
    return pause * (0.75 + chance / 2)


def report_of(error: Exception) -> Report:
    """How a source is after it failed, in words for a person."""
    if isinstance(error, ConnectorError):
        return Report(error.state, str(error))
    return Report("unreachable", f"an unexpected error ({type(error).__name__}); the log of the daemon says more")


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
        self._held: dict[str, tuple[Lease, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()

    def replace(self, running: Mapping[str, Source]) -> None:
        """Other sources from now on: those that changed are started anew."""
        changed = [name for name, source in self._sources.items() if running.get(name) is not source]
        self._sources = dict(running)
        for name in changed:
            if name in self._held:
                self._held[name][1].cancel()
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
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._turn_seconds)
        finally:
            await self._stop()

    async def _turn(self) -> None:
        async with self._database.connection() as db:
            await leases.beat(db, self._owner, socket.gethostname(), os.getpid())
            held = {name: lease for name, (lease, task) in self._held.items() if not task.done()}
            ended = [lease for name, (lease, _) in self._held.items() if name not in held]
            ours = {one.name for one in await leases.renew(db, self._owner, list(held.values()), self._lease_seconds)}
            await leases.release(db, ended)
            for name in set(self._held) - ours:
                _, task = self._held.pop(name)
                task.cancel()
            free = [name for name in self._sources if name not in self._held]
            alive = await leases.alive(db, TURNS_MISSED_MAX * self._turn_seconds)
            room = -(-len(self._sources) // max(alive, 1)) - len(self._held)
            taken = await leases.acquire(db, self._owner, free, room, self._lease_seconds) if free else []
        for lease in taken:
            source = self._sources.get(lease.name)
            work = self._keep(lease, source) if source is not None else _nothing()  # it was taken out while we asked
            self._held[lease.name] = (lease, asyncio.create_task(work, name=f"source {lease.name}"))

    async def _stop(self) -> None:
        tasks = [task for _, task in self._held.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(StorageError, TimeoutError):
            async with asyncio.timeout(STORAGE_SECONDS), self._database.connection() as db:
                await leases.release(db, [lease for lease, _ in self._held.values()])
                await leases.leave(db, self._owner)
        self._held.clear()

    async def _keep(self, lease: Lease, source: Source) -> None:
        """Runs one source for as long as its lease is ours."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            try:
                await source.run(self._intake_for(lease))
                error: Exception = Unavailable("it ended by itself")
            except Stale:
                LOG.info("another daemon runs this source now", source=lease.name)
                return
            except Exception as failure:
                error = failure
            failures = 1 if loop.time() - started > SETTLED_SECONDS else failures + 1
            pause = self._pause_after(error, failures, random.random())  # noqa: S311 (only to spread them)
            _log(lease.name, error, pause)
            await self._tell(lease.name, error, pause)
            await asyncio.sleep(pause)

    async def _tell(self, name: str, error: Exception, pause: float) -> None:
        if isinstance(error, StorageError):
            return  # there is nowhere to write it, and it is not the source's state
        report = report_of(error)
        next_try = datetime.now(UTC) + timedelta(seconds=pause)

        async def write(db: Connection) -> None:
            await sources.report(db, name, report.state, report.detail, next_try)

        with contextlib.suppress(StorageError):
            await self._database.in_transaction(write)


def _log(name: str, error: Exception, pause: float) -> None:
    if isinstance(error, ConnectorError | StorageError):
        LOG.warning("a source failed", source=name, reason=str(error), next_try_seconds=round(pause))
    else:
        LOG.error("a source failed unexpectedly", source=name, next_try_seconds=round(pause), exc_info=error)
