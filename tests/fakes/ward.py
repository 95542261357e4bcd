"""Sources under a supervisor whose pauses are shorter than in life, and what is said of them meanwhile.

    async with Ward(database, desk, {"sales": source}, speed=100).open() as ward:
        told = await ward.until("unreachable")

The pauses are those of the daemon, noted in `pauses` and slept through `speed` times faster; all else takes its time.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.base import Source
from connectors.mail.source import ImapSource, MailboxSettings
from daemon.api.system import source_json
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk, SourceIntake
from daemon.supervisor import Supervisor, pause_after
from interactions.mime import ParsedMail, parse
from storage import sources
from storage.blobs import Blobs
from storage.database import Database
from storage.leases import Lease
from tests.fakes.dovecot import PASSWORD, Dovecot
from tests.fakes.imap_script import ImapScript

PATIENCE_SECONDS = 40.0
LEASE_SECONDS = 20.0
HOUR = 3600.0
SOON = 50.0
FAILED = frozenset({"needs_reauth", "throttled", "unreachable", "misconfigured"})


class Ward:
    """See the module."""

    def __init__(self, database: Database, desk: Desk, running: Mapping[str, Source], speed: float = 100.0) -> None:
        self.pauses: list[float] = []
        self.states: list[str] = []  # as they were told, without repeats
        self._database = database
        self._desk = desk
        self._speed = speed
        self._names = list(running)
        self.supervisor = Supervisor(database, running, self._intake_for, LEASE_SECONDS, self._pause)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Ward"]:
        """Runs them for the length of a `with`."""
        async with self._database.connection() as db:
            await sources.save_all(db, [(name, "mailbox", "imap") for name in self._names])
        task = asyncio.create_task(self.supervisor.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def told(self, name: str = "sales") -> dict[str, Any]:
        """What `/sources` says. A state of failure names the next try, no other does."""
        async with self._database.connection() as db:
            row = next(one for one in await sources.list_all(db) if one.name == name)
        said: dict[str, Any] = source_json(row)
        assert (said["next_try"] is not None) == (said["state"] in FAILED), said
        if self.states[-1:] != [said["state"]]:
            self.states.append(said["state"])
        return said

    async def until(self, state: str, words: str = "") -> dict[str, Any]:
        """Waits until this is said."""
        said: dict[str, Any] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (said := await self.told())["state"] != state or words not in said["detail"]:
                    await asyncio.sleep(0.01)
                return said
        raise AssertionError(f"not {state} {words!r} but {said}; so far {self.states}")

    async def outlast(self, seconds: float) -> set[str]:
        """Waits until so much has been slept through; what was said meanwhile."""
        start, seen = sum(self.pauses), set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sum(self.pauses) - start < seconds:
                seen.add((await self.told())["state"])
                await asyncio.sleep(0.005)
        return seen

    def _intake_for(self, lease: Lease) -> SourceIntake:
        return SourceIntake(self._desk, self._database, lease)

    def _pause(self, error: Exception, failures: int, chance: float) -> float:
        seconds = pause_after(error, failures, chance)
        self.pauses.append(seconds)
        return seconds / self._speed


def desk_of(database: Database, folder: Path) -> Desk:
    """A door that reads mails in the test's own process."""

    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    return Desk(database, Blobs(folder), IntakeSettings(), parse_here)


def at_dovecot(dovecot: Dovecot, user: str, host: str = "localhost") -> ImapSource:
    context = dovecot.trusting()
    context.check_hostname = host == "localhost"
    return ImapSource(
        MailboxSettings("sales", user, host, dovecot.imaps, user, PASSWORD, ssl_context=context, poll_seconds=5.0)
    )


def at_script(server: ImapScript, **more: Any) -> ImapSource:
    settings = MailboxSettings(
        "sales", "anna@example.org", server.host, server.port, "anna@example.org", "secret", "none", poll_seconds=5.0
    )
    return ImapSource(replace(settings, **more))


async def mails(database: Database) -> int:
    async with database.connection() as db:
        return int(await db.fetchval("SELECT count(*) FROM mail_location WHERE gone_at IS NULL"))


async def until_mails(database: Database, count: int) -> None:
    async with asyncio.timeout(40):
        while await mails(database) != count:
            await asyncio.sleep(0.01)


def assert_kind(ward: Ward) -> None:
    """Soon enough for whoever waits for the mail, and seldom enough for the server."""
    assert max(ward.pauses) <= SOON
    assert sum(ward.pauses) / len(ward.pauses) > 25.0
