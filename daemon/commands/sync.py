"""`ringmail sync NAME`: reads one mailbox to its end, now and in this process.

    acquire the lease ─► ImapSource.catch_up ─► release
                          │  each batch: fetch, parse, one transaction, checkpoint
                          └─ the lease is renewed beside it; should it be lost, the work is cancelled (Stale)

A mailbox has one reader. While a daemon reads it, it is up to date already or about to be, so there is nothing to do but
say so (exit code 1). Broken off at any moment it goes on where it was. `--since` goes further back than the configuration
does, for this time: what comes earlier is read again and what is known is not fetched.

A dry run logs in, counts and writes nothing: how many mails there are, how many of them are wanted, known, new. It works
beside a daemon too.
"""

import asyncio
import os
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated

import typer

from config.mail_settings import Mailbox
from config.settings import Settings
from connectors.base import Accepted, After, Batch, ConnectorError, Report
from connectors.mail.source import ImapSource
from connectors.mail.survey import FolderSurvey
from connectors.oauth import Vault
from connectors.registry import mailbox_source
from daemon.commands import show
from daemon.commands.given import ExitCode, Failed, given_of, with_storage
from daemon.intake.desk import Desk, SourceIntake, utc_now
from daemon.matching import local_rules
from daemon.opening import Storage, blobs_of, vault_of
from daemon.wiring import intake_settings, source_rows
from daemon.workers import Workers
from storage import addresses, leases, sources
from storage.database import Connection, Database
from storage.errors import Stale
from storage.leases import Lease

app = typer.Typer(rich_markup_mode=None)


@dataclass(slots=True)
class Done:
    """What became of what was read."""

    new: int = 0
    known: int = 0
    quarantined: int = 0


@dataclass(frozen=True)
class CountingIntake(SourceIntake):
    """The intake of the source, which also counts and moves the progress along."""

    progress: show.Progress
    done: Done = field(default_factory=Done)

    async def accept(self, batch: Batch, after: After = None) -> Accepted:
        accepted = await super().accept(batch, after)
        self.done.new += accepted.new
        self.done.known += accepted.known
        self.done.quarantined += accepted.quarantined
        return accepted

    async def report(self, report: Report) -> None:
        if report.total:
            self.progress.reach(report.done or 0, report.total)
        await super().report(report)


@app.command("sync")
def sync(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name of a mailbox in the configuration.")],
    since: Annotated[str, typer.Option(metavar="DATE", help="Go back to this day, like 2020-01-31.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would come.")] = False,
    json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False,
) -> None:
    """Reads one mailbox to its end now."""
    source = source_of(given_of(context).settings(), name, first_day(since))
    if dry_run:

        async def count(settings: Settings, storage: Storage) -> list[FolderSurvey]:
            async with vault_of(settings, storage) as vault:
                return await survey(settings, storage.database, with_tokens(source, vault))

        show_survey(with_storage(context, count), json)
        return

    async def read(settings: Settings, storage: Storage) -> Done:
        async with vault_of(settings, storage) as vault:
            return await catch_up(settings, storage, with_tokens(source, vault))

    done = with_storage(context, read)
    if json:
        show.as_json({"new": done.new, "known": done.known, "quarantined": done.quarantined})
        return
    held = f", {done.quarantined} in quarantine (ringmail quarantine list)" if done.quarantined else ""
    show.say(f"{name} is read to its end: {done.new} new, {done.known} known already{held}.")


def first_day(text: str) -> date | None:
    """The day that --since names. Raises Failed."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Failed(f"--since takes a day like 2020-01-31, not {text[:40]!r}.", ExitCode.USAGE) from None


def mailbox_of(settings: Settings, name: str) -> Mailbox:
    """The mailbox of this name. Raises Failed."""
    for mailbox in settings.mailboxes:
        if mailbox.name == name:
            return mailbox
    names = ", ".join(mailbox.name for mailbox in settings.mailboxes) or "none"
    raise Failed(f"There is no mailbox called {name[:60]!r} in the configuration; there are: {names}.", ExitCode.USAGE)


def source_of(settings: Settings, name: str, since: date | None) -> ImapSource:
    """The source of this mailbox. Raises Failed, or Refused for settings that cannot be used."""
    source = mailbox_source(mailbox_of(settings, name))
    if source is None:
        raise Failed(f"The mailbox {name!r} has no way to log in; give it a password or oauth.", ExitCode.CONFIGURATION)
    return source if since is None else ImapSource(replace(source.settings, since=since))


def with_tokens(source: ImapSource, vault: Vault) -> ImapSource:
    """The source, taking its tokens from where the daemon keeps them."""
    return ImapSource(replace(source.settings, vault=vault)) if source.settings.oauth is not None else source


# ---- counting


async def survey(settings: Settings, database: Database, source: ImapSource) -> list[FolderSurvey]:
    """What would come. Asks what is known, and takes no lease."""
    name = source.settings.name
    async with database.connection() as db:
        source_id = await sources.find_id(db, name)
    desk = Desk(database, blobs_of(settings), intake_settings(settings), Workers().parse)  # parses nothing
    return await source.survey(SourceIntake(desk, database, Lease(source_id or 0, name, 0)))


def show_survey(found: Sequence[FolderSurvey], json: bool) -> None:
    """What was counted, folder by folder."""
    rows = [(one.folder, one.messages, one.wanted, one.new, one.matched, one.duplicate) for one in found]
    totals = [sum(row[n] for row in rows) for n in range(1, 6)]  # type: ignore[misc]
    keys = ("messages", "wanted", "new", "matched", "duplicate")
    if json:
        folders = [{"folder": row[0], **dict(zip(keys, row[1:], strict=True))} for row in rows]
        show.as_json({"folders": folders, **dict(zip(keys, totals, strict=True))})
        return
    show.table(("folder", *keys), [*rows, ("together", *totals)], "")
    show.warn(
        "Nothing was read. Matched: new mails with a contact in them. Duplicate: mails that we have, or counted in another folder."
    )


# ---- reading


async def catch_up(settings: Settings, storage: Storage, source: ImapSource) -> Done:
    """Reads to the end, under a lease. Raises Failed where somebody else reads, Stale, ConnectorError or NoWorker."""
    database = storage.database
    name, owner = source.settings.name, f"{socket.gethostname()}/{os.getpid()}/sync"
    if not storage.is_running:
        await database.in_transaction(lambda db: _prepare(db, settings))
    lease = await _acquire(database, name, owner)
    workers = Workers()
    await workers.start()
    try:
        desk = Desk(database, storage.blobs, intake_settings(settings), workers.parse)
        with show.Progress(name) as progress:
            intake = CountingIntake(desk, database, lease, progress)
            await _beside(source.catch_up(intake), _keep(database, owner, lease))
        return intake.done
    except ConnectorError as error:
        report = Report(error.state, str(error))
        await database.in_transaction(lambda db: sources.report(db, name, report.state, report.detail))
        raise
    finally:
        await workers.stop()
        async with database.connection() as db:
            await leases.release(db, [lease])


async def _prepare(db: Connection, settings: Settings) -> None:
    """The rows that the daemon makes when it starts; and since none runs on our own database, no lease holds."""
    await sources.save_all(db, source_rows(settings))
    await addresses.mark_own(db, intake_settings(settings).own, utc_now().date(), local_rules(settings))
    if settings.database.is_embedded:
        await leases.free_all(db)


async def _acquire(database: Database, name: str, owner: str) -> Lease:
    async with database.connection() as db:
        taken = await leases.acquire(db, owner, [name], 1, leases.LEASE_SECONDS)
        if taken:
            return taken[0]
        state = next((one.state for one in await sources.list_all(db) if one.name == name), None)
    if state is None:
        raise Failed(f"The running daemon does not know the mailbox {name!r} yet. Send it SIGHUP or start it anew.")
    if state == "paused":
        raise Failed(f"The mailbox {name!r} is paused; resume it first.")
    raise Failed(
        f"A running daemon reads the mailbox {name!r} already (its state: {state}; `ringmail status`). "
        "--dry-run counts beside it; to read here, stop the daemon first."
    )


async def _keep(database: Database, owner: str, lease: Lease) -> None:
    """Renews the lease until cancelled. Raises Stale when it is lost."""
    while True:
        await asyncio.sleep(leases.LEASE_SECONDS / 4)
        async with database.connection() as db:
            if not await leases.renew(db, owner, [lease], leases.LEASE_SECONDS):
                raise Stale(f"Another daemon has taken over the mailbox {lease.name!r}; it goes on where we were.")


async def _beside(work: Coroutine[object, object, None], watch: Coroutine[object, object, None]) -> None:
    """Runs the work until it ends, or until the watch fails."""
    tasks = [asyncio.create_task(work), asyncio.create_task(watch)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
