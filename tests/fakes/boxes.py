"""Sources that do what a test says, and supervisors that run them under short leases."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast

from connectors.base import Intake, Source
from daemon.supervisor import Supervisor
from storage import sources
from storage.database import Database
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


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    while not await condition():
        await asyncio.sleep(0.02)


async def save_rows(database: Database) -> None:
    """The rows of the sources called `NAMES`."""
    async with database.connection() as db:
        await sources.save_all(db, [(name, "mailbox", "imap") for name in NAMES])
