"""The daemon whole: builds everything from the configuration, starts it, changes it while it runs, and drains it.

The only place where objects meet. In order of starting; stopping goes the other way and takes at most ten seconds:

    the listening socket       a taken port ends the start before anything else has begun
    the embedded database      or the pool of an external one, which may be away: then we wait for it, `/readyz` is 503
    parsers, the door, the journal, the HTTP server
    migrations, our sources and addresses, the leases of a daemon that was killed on the embedded database   `prepare`
    the loops: sources, journal, numbering of the feed, search index, reminders, erasures, recordings,
        what was read

A loop that fails says so and goes on; nothing that a mailbox or provider does ends the daemon.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from config.mail_settings import Mailbox
from config.settings import Settings
from config.telephony_settings import Telephony
from connectors.base import Source
from connectors.registry import RECEIVERS, SOURCES, mailbox_source, telephony_source
from connectors.web import Web
from daemon import access, attention, erasing, recordings
from daemon import journal as journals
from daemon.intake.desk import Desk, SourceIntake
from daemon.matching import local_rules
from daemon.opening import blobs_of
from daemon.server import Server, bind, build, make_server
from daemon.serving import Serving
from daemon.supervisor import Supervisor
from daemon.vault import TokenVault
from daemon.wiring import intake_settings, receivers, source_rows
from daemon.workers import Workers
from interactions.access import Door
from storage import addresses, feed, inbound, leases, search, sources
from storage.database import Connection, Database
from storage.embedded import EmbeddedServer
from storage.errors import FolderInUse, StorageDown, StorageError
from storage.leases import Lease
from storage.migrate import migrate
from storage.state_folder import read_lock, running_dsn

LOG = structlog.get_logger()
WAIT_FOR_DATABASE_SECONDS = 1.0
NUMBER_EACH_SECONDS = 0.25
INDEX_EACH_SECONDS = 1.0
REMIND_EACH_SECONDS = 2.0
CLEAN_AGAIN_SECONDS = 3600.0
RECORDINGS_EACH_SECONDS = 2.0
JOURNAL_EACH_SECONDS = 3600.0
JOURNAL_AT_ONCE = 1000
REPEATS_DAYS = 90  # so long a provider's repeat is known again, whatever is kept of its words
INDEX_AT_ONCE = 200
POOL_SIZE = 12
STOP_SERVER_SECONDS = 5.0


class App:
    """One daemon. `start`, then wait for `ended` or a signal, then `stop`."""

    def __init__(self, settings: Settings, lease_seconds: float = leases.LEASE_SECONDS) -> None:
        self.settings = settings
        self._lease_seconds = lease_seconds
        self.ended = asyncio.Event()
        self.ready = asyncio.Event()
        self.failure: Exception | None = None
        self.url = ""
        self.serving: Serving
        self._opened: contextlib.AsyncExitStack  # what `start` opened, closed the other way round
        self._embedded: EmbeddedServer | None = None
        self._database: Database
        self._vault: TokenVault
        self._workers = Workers()
        self._server: Server
        self._supervisor: Supervisor
        self._built: dict[str, tuple[Mailbox | Telephony, Source]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Returns when we listen and the embedded database answers. Raises PortTaken, StorageError or Refused, and leaves
        nothing behind then."""
        settings = self.settings
        taking = receivers(settings)
        if settings.database.is_embedded and running_dsn(settings.data_dir) is not None:
            # Said before the port is asked for: a second daemon of one configuration would only hear that it is taken.
            holder = read_lock(settings.data_dir)
            raise FolderInUse(str(settings.data_dir), holder.pid, holder.command)
        async with contextlib.AsyncExitStack() as opened:
            listener = opened.enter_context(bind(settings.http.listen))
            host, port = listener.getsockname()[:2]
            self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            dsn = await self._open_server(opened)
            self._database = await Database.open(dsn, pooler=settings.database.pooler, size=POOL_SIZE)
            opened.push_async_callback(self._database.close)
            self._vault = TokenVault(self._database, settings.login.secret_key)
            opened.push_async_callback(self._vault.close)
            self._built = self._build_sources(settings)
            opened.push_async_callback(self._workers.stop)
            await self._workers.start()
            blobs = blobs_of(settings)
            await asyncio.to_thread(erasing.hash_keys, settings)  # before a command beside us makes one
            desk = Desk(self._database, blobs, intake_settings(settings), self._workers.parse)
            journal = journals.Journal(self._database)
            public_url = self._public_url(settings)
            self.serving = Serving(settings, self._database, desk, journal, blobs, taking, public_url)
            self._supervisor = Supervisor(self._database, self._sources(), self._intake_for, self._lease_seconds)
            self._server = make_server(build(self.serving))
            self._opened = opened.pop_all()
        self._begin("server", self._server.serve(sockets=[listener]))
        LOG.info("listening", url=self.url)
        self._begin("prepare", self._prepare())

    async def stop(self) -> None:
        """Drains: takes nothing new, finishes what is under way, and ends what was started."""
        self._server.should_exit = True
        serving = self._tasks.pop("server")
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(STOP_SERVER_SECONDS):
                await serving
        with contextlib.suppress(StorageError):
            await self.serving.readings.write()
        await self._opened.aclose()

    async def reload(self, settings: Settings) -> list[str]:
        """Works by another configuration from now on. Returns what takes a restart. Raises Refused or StorageError, and
        goes on with the old one then."""
        if not self.serving.is_ready:
            raise StorageDown("The database is not ready yet. Try again in a moment.")
        taking = receivers(settings)
        built = self._build_sources(settings)
        departed = await self._database.in_transaction(lambda db: _save_sources(db, settings))
        before, self.settings = self.settings, settings
        self._built = built
        self._vault.use(settings.login.secret_key)
        self.serving.settings, self.serving.receivers, self.serving.departed = settings, taking, departed
        self.serving.public_url = self._public_url(settings)
        self.serving.desk.settings = intake_settings(settings)
        self._supervisor.replace(self._sources())
        with contextlib.suppress(StorageError):  # once more, after the last word of those that were just stopped
            await self._database.in_transaction(lambda db: _say_switched_off(db, settings))
        if "journal" in self._tasks:
            self._tasks["journal"].cancel()
            self._begin("journal", self._work_off())
        changed = {
            "data_dir": before.data_dir != settings.data_dir,
            "database": before.database != settings.database,
            "http.listen": before.http.listen != settings.http.listen,
        }
        return [name for name, differs in changed.items() if differs]

    # ---- building

    async def _open_server(self, opened: contextlib.AsyncExitStack) -> str:
        if not self.settings.database.is_embedded:
            return self.settings.database.dsn.reveal()
        self._embedded = await EmbeddedServer.start(self.settings.data_dir)
        opened.push_async_callback(self._embedded.stop)
        return self._embedded.dsn

    def _public_url(self, settings: Settings) -> str:
        """Where people find us. A port that the system chose is known only once we listen."""
        listen = settings.http.listen
        return self.url if listen.port == 0 and settings.public_url.endswith(":0") else settings.public_url

    def _build_sources(self, settings: Settings) -> dict[str, tuple[Mailbox | Telephony, Source]]:
        """The sources that we connect to; one whose settings are the same stays as it is."""
        found: dict[str, tuple[Mailbox | Telephony, Source]] = {}
        tables: list[Mailbox | Telephony] = [*settings.mailboxes, *settings.telephony]
        for table in tables:
            before = self._built.get(table.name)
            if before is not None and before[0] == table:
                found[table.name] = before
                continue
            source = mailbox_source(table, self._vault) if isinstance(table, Mailbox) else telephony_source(table)
            if source is not None:
                found[table.name] = (table, source)
        return found

    def _sources(self) -> Mapping[str, Source]:
        """Those that are to run: no mailbox while e-mail is switched off."""
        mail = self.settings.features.mail_client
        return {name: source for name, (table, source) in self._built.items() if mail or not isinstance(table, Mailbox)}

    def _intake_for(self, lease: Lease) -> SourceIntake:
        return SourceIntake(self.serving.desk, self._database, lease)

    # ---- running

    async def _prepare(self) -> None:
        """Migrations and our own rows, as soon as the database answers; then all loops."""
        told = False
        while True:
            try:
                await migrate(self._database)
                self.serving.departed = await self._database.in_transaction(lambda db: _save_sources(db, self.settings))
                if self._embedded is not None:
                    await self._database.in_transaction(leases.free_all)
                break
            except StorageDown as error:
                if not told:
                    LOG.warning("waiting for the database", reason=str(error))
                told = True
                await asyncio.sleep(WAIT_FOR_DATABASE_SECONDS)
        self.serving.is_ready = True
        self.ready.set()
        LOG.info("ready", url=self.url, sources=len(source_rows(self.settings)))
        self._begin("sources", self._supervisor.run())
        self._begin("journal", self._work_off())
        worked_off = self.serving.journal.worked_off  # a call that rings is in the feed at once
        self._begin("feed", self._repeat("the feed", feed.number, NUMBER_EACH_SECONDS, worked_off))
        self._begin("search", self._repeat("the search index", _index, INDEX_EACH_SECONDS, yields=self._yields))
        self._begin("erasures", self._clean())
        self._begin("readings", self.serving.readings.run())
        self._begin("old webhooks", self._repeat("the end of the journal", self._end_journal, JOURNAL_EACH_SECONDS))
        self._begin("recordings", self._fetch_recordings())
        self._begin("reminders", self._repeat("reminders", attention.remind, REMIND_EACH_SECONDS))

    def _yields(self) -> bool:
        """The search index is in no hurry while much arrives."""
        return self.serving.desk.is_busy

    async def _work_off(self) -> None:
        await journals.run(self._database, self.serving.desk, self.serving.receivers, self.serving.journal)

    async def _end_journal(self, db: Connection) -> int:
        now, days = datetime.now(UTC), self.settings.retention.journal_days
        kept = now - timedelta(days=max(days, REPEATS_DAYS))
        return await inbound.end(db, now - timedelta(days=days), kept, JOURNAL_AT_ONCE)

    async def _fetch_recordings(self) -> None:
        async with Web() as web:
            while True:
                done = 0
                try:
                    done = await recordings.work(self.serving, web)
                except StorageError as error:
                    LOG.warning("recordings wait for the database", reason=str(error))
                except Exception:
                    LOG.exception("recordings could not be fetched; it is tried again")
                if not done:
                    await asyncio.sleep(RECORDINGS_EACH_SECONDS)

    async def _clean(self) -> None:
        """Finishes erasures: those of a daemon that was stopped in the middle, and new ones."""
        serving = self.serving
        while True:
            serving.erased.clear()
            try:
                for left in await erasing.finish(self._database, self.settings, serving.blobs):
                    LOG.warning("erased data may still lie on the disk", reason=left)
            except StorageError as error:
                LOG.warning("erased data is cleaned from the disk later", reason=str(error))
            except Exception:
                LOG.exception("erased data could not be cleaned from the disk; it is tried again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLEAN_AGAIN_SECONDS):
                    await serving.erased.wait()

    async def _repeat(
        self,
        what: str,
        work: Callable[[Connection], Awaitable[int]],
        pause: float,
        wake: asyncio.Event | None = None,
        yields: Callable[[], bool] = lambda: False,
    ) -> None:
        """Works until cancelled, without a pause while there is something to do or somebody wakes it; while it `yields`, half
        of the time is left to others."""
        is_away = False
        wake = wake or asyncio.Event()
        while True:
            done, began_at = 0, time.monotonic()
            wake.clear()  # before looking: what is written from here on is looked for once more
            try:
                done = await self._database.in_transaction(work)
                is_away = False
            except StorageError as error:
                if not is_away:
                    LOG.warning(f"{what} waits for the database", reason=str(error))
                is_away = True
            except Exception:
                LOG.exception(f"{what} failed; it is tried again")
            if done and yields():
                await asyncio.sleep(min(time.monotonic() - began_at, pause))
            if not done:
                with contextlib.suppress(TimeoutError):  # not by wait_for: Python 3.11's may forget that we are to end
                    async with asyncio.timeout(pause):
                        await wake.wait()

    def _begin(self, name: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._tasks[name] = task
        task.add_done_callback(self._look)

    def _look(self, task: "asyncio.Task[None]") -> None:
        """A task that fails for good ends the daemon, with its reason."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = error if isinstance(error, Exception) else RuntimeError(str(error))
            self.ended.set()


async def _index(db: Connection) -> int:
    return await search.index_some(db, INDEX_AT_ONCE)


async def _say_switched_off(db: Connection, settings: Settings) -> None:
    """While e-mail is switched off no mailbox is read, and each says why."""
    if not settings.features.mail_client:
        for mailbox in settings.mailboxes:
            await sources.report(db, mailbox.name, "paused", "e-mail is switched off (features.mail_client)")


async def _save_sources(db: Connection, settings: Settings) -> Sequence[Door]:
    """The rows of our sources, and our own addresses. Returns the narrowed mailboxes that are no longer ours."""
    await sources.save_all(db, source_rows(settings))
    own = intake_settings(settings).own
    await addresses.mark_own(db, own, datetime.now(UTC).date(), local_rules(settings))
    await _say_switched_off(db, settings)
    for phone in settings.telephony:
        if phone.type in RECEIVERS:
            await sources.report(db, phone.name, "ok", f"webhooks are taken at /hooks/{phone.name}")
        elif phone.type not in SOURCES:
            await sources.report(db, phone.name, "misconfigured", f"the provider {phone.type!r} is not built yet")
    return await access.remember(db, settings)
