"""The private PostgreSQL server in `data_dir`: made, started, watched and stopped by the daemon; no port, no password.

    lock the folder ─ stop an orphan ─ initdb into a draft, rename ─ start ─ wait until it answers ─ watch ⟲ restart
                                                                                                  └ stop

`storage.state_folder` says what lies where, `storage.binaries` where the programs come from and how children start.

Who may connect: the socket lies in a folder closed to others, and `peer` authentication lets in the account of the
server, ours and root, all as the role `ringmail`. There is no TCP port at all.

Words: the builtin C.UTF-8 locale with lc_ctype C.UTF-8. Plain C breaks everything Cyrillic, and the builtin locale
alone leaves trigrams of Cyrillic empty. PostgreSQL before 17 has no builtin locale and gets libc's C.UTF-8. Order is by
code point.

How it fails. Killed, it is started again, with growing pauses; meanwhile whoever uses the database gets StorageDown.
If we are killed, Linux has the server shut down in order. If an orphan is left all the same, the next start stops it,
after it has made sure from its command line that it is of this folder. The server is asked to stop with SIGINT, and
after 5 s with SIGQUIT, which the write-ahead log makes safe. It is never killed with SIGKILL: its children would live
on. fsync stays on: what was committed survives a power cut.

Limits: postgres.log is emptied only when the server starts, and only when it is over 10 MB.
The programs of the last major version are not kept beside the data: before a wheel of a newer major is installed, the
database is to be dumped, and restored into a new data folder.
"""

import asyncio
import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import asyncpg

from storage.binaries import (
    MAJOR_WITH_BUILTIN_LOCALE,
    Binaries,
    bring_within_reach,
    ended,
    find_binaries,
    spawn,
)
from storage.errors import StorageError
from storage.state_folder import FolderLock, StateFolder, is_root, make_data_dir, not_writable, settle

INITDB_SECONDS = 120.0
READY_SECONDS = 600.0  # a server that was killed may have a lot to recover
READY_POLL_SECONDS = 0.03
STOP_SECONDS = 5.0  # then SIGQUIT; a daemon has 10 s in all
RESTART_PAUSE_SECONDS = 0.2
RESTART_PAUSE_SECONDS_MAX = 10.0
SETTLED_SECONDS = 30.0  # a server that lived this long starts again without a longer pause
BUSY_MEMORY_TRIES = 20
LOG_BYTES_MAX = 10_000_000
LOG_TAIL_BYTES = 4000
BUFFER_BYTES_MIN = 16 << 20
BUFFER_BYTES_MAX = 256 << 20
ROLE = "ringmail"
_HAS_DATABASE = "SELECT 1 FROM pg_database WHERE datname = $1"
_CREATE_DATABASE = f"CREATE DATABASE {ROLE}"

_log = logging.getLogger(__name__)


class EmbeddedServer:
    """A running server. Made by `start`, and always to be ended with `stop`."""

    def __init__(self, folder: StateFolder, binaries: Binaries, lock: FolderLock, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.binaries = binaries
        self._lock = lock
        self._settings = settings
        self._socket_folder = folder.make_socket_folder()
        self._child: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, data_dir: Path, *, bin_dir: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> "EmbeddedServer":
        """Returns when the database `ringmail` answers. Raises FolderInUse, or StorageError with what to do.

        To be awaited on a loop whose thread lives as long as the server shall.
        """
        data_dir = make_data_dir(data_dir)
        lock = FolderLock(data_dir)
        server: EmbeddedServer | None = None
        try:
            folder = settle(data_dir)
            binaries = bring_within_reach(find_binaries(bin_dir, folder.majors()), folder.account, folder.home)
            server = cls(folder, binaries, lock, settings or {})
            await server._begin()
        except BaseException as error:
            if server is not None:
                await server.stop()
            lock.release()
            if isinstance(error, TimeoutError):
                raise StorageError(
                    f"The embedded PostgreSQL in {data_dir} does not answer; see its log there."
                ) from error
            if isinstance(error, asyncpg.PostgresError):
                raise StorageError(f"The embedded PostgreSQL in {data_dir} refuses us: {error}.") from error
            if isinstance(error, OSError):
                raise not_writable(data_dir, error) from error
            raise
        lock.write(server.dsn)
        return server

    @property
    def dsn(self) -> str:
        return self.dsn_of(ROLE)

    def dsn_of(self, database: str) -> str:
        return f"postgresql:///{database}?host={quote(str(self._socket_folder))}&user={ROLE}"

    @property
    def pid(self) -> int | None:
        """Of the postmaster, unless it is just being restarted."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    async def stop(self) -> None:
        """Ends the server in order and frees the folder. May be called again."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        if self._child is not None:
            for how in (signal.SIGINT, signal.SIGQUIT):
                if self._child.poll() is not None:
                    break
                self._child.send_signal(how)
                with suppress(TimeoutError):
                    async with asyncio.timeout(STOP_SECONDS):
                        await ended(self._child)
            self._child.poll()
        if self._socket_folder.parent != self.folder.home:
            with suppress(OSError):
                self._socket_folder.rmdir()
        self._lock.release()

    async def _begin(self) -> None:
        cluster = self.folder.cluster(self.binaries.major)
        await stop_orphan(cluster)
        self.folder.remove_drafts()
        if not cluster.exists():
            await self._make_cluster(cluster)
        if cluster.stat().st_uid != self.folder.account.uid:
            raise StorageError(
                f"The database in {cluster} does not belong to {self.folder.account.name}. "
                "Start as the user who made it, or as root."
            )
        self._write_access_files()
        for attempt in range(BUSY_MEMORY_TRIES):
            log_start = self._spawn()
            if await self._answers():
                break
            told = self._read_log(log_start)
            # After a kill of everything at once the old server's memory is held for about a second more.
            if "shared memory block" not in told or attempt == BUSY_MEMORY_TRIES - 1:
                raise StorageError(_explain("did not start", told, self.folder))
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
        await self._make_database()
        self._watch = asyncio.create_task(self._keep_alive(), name="embedded PostgreSQL")

    async def _make_cluster(self, cluster: Path) -> None:
        draft = self.folder.new_draft(self.binaries.major)
        with tempfile.TemporaryFile() as output:
            command = [self.binaries.program("initdb"), "-D", str(draft), *_initdb_options(self.binaries.major)]
            child = spawn(self.folder.account, command, output)
            try:
                async with asyncio.timeout(INITDB_SECONDS):
                    code = await ended(child)
            except (TimeoutError, asyncio.CancelledError):
                child.terminate()
                child.wait()
                raise
            output.seek(0)
            told = output.read().decode("utf-8", "replace")
        if code != 0:
            self.folder.remove_drafts()
            raise StorageError(_explain("could not be set up", told, self.folder))
        draft.rename(cluster)
        descriptor = os.open(self.folder.home, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # the rename itself must survive a power cut
        finally:
            os.close(descriptor)

    def _write_access_files(self) -> None:
        names = sorted({self.folder.account.name, *(["root"] if is_root() else [])})
        self.folder.write_file("pg_hba.conf", f"local all all peer map={ROLE}\n")
        self.folder.write_file("pg_ident.conf", "".join(f'{ROLE} "{name}" {ROLE}\n' for name in names))

    def _spawn(self) -> int:
        """Returns how long the log was before, so that what this start says can be told apart."""
        options = {
            "hba_file": str(self.folder.home / "pg_hba.conf"),
            "ident_file": str(self.folder.home / "pg_ident.conf"),
            "unix_socket_directories": f'"{self._socket_folder}"',
            **server_settings(),
            **self._settings,
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        with os.fdopen(os.open(self.folder.log, flags, 0o600), "ab") as log:
            if log.tell() > LOG_BYTES_MAX:
                log.truncate(0)
            start = log.seek(0, os.SEEK_END)
            command = [
                self.binaries.program("postgres"),
                "-D",
                str(self.folder.cluster(self.binaries.major)),
                *arguments,
            ]
            self._child = spawn(self.folder.account, command, log)
        return start

    async def _answers(self) -> bool:
        """False if the server ended instead."""
        assert self._child is not None
        async with asyncio.timeout(READY_SECONDS):
            while self._child.poll() is None:
                try:
                    db = await asyncpg.connect(self.dsn_of("postgres"), timeout=3)
                except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
                    await asyncio.sleep(READY_POLL_SECONDS)
                else:
                    await db.close()
                    return True
        return False

    async def _make_database(self) -> None:
        db = await asyncpg.connect(self.dsn_of("postgres"), timeout=3)
        try:
            if not await db.fetchval(_HAS_DATABASE, ROLE):
                await db.execute(_CREATE_DATABASE)
        finally:
            await db.close()

    async def _keep_alive(self) -> None:
        pause = RESTART_PAUSE_SECONDS
        clock = asyncio.get_running_loop().time
        started_at = clock()
        while True:
            assert self._child is not None
            code = await ended(self._child)
            if clock() - started_at > SETTLED_SECONDS:
                pause = RESTART_PAUSE_SECONDS
            _log.error("embedded PostgreSQL ended (%s); it is started again in %.1f s", code, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, RESTART_PAUSE_SECONDS_MAX)
            started_at = clock()
            try:
                self._spawn()
            except OSError as error:  # the disk may be full, or we are out of processes: the next round tries again
                _log.error("embedded PostgreSQL cannot be started: %s", error)

    def _read_log(self, start: int) -> str:
        with self.folder.log.open("rb") as log:
            log.seek(max(start, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return log.read().decode("utf-8", "replace")


async def stop_orphan(cluster: Path) -> None:
    """The lock of the folder is ours, so a server that still runs on it has lost its daemon."""
    pid = _postmaster_of(cluster)
    for how in (signal.SIGINT, signal.SIGQUIT):
        if pid is None:
            return
        _log.warning("a PostgreSQL server without a daemon (process %d) is stopped", pid)
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise StorageError(
                f"Process {pid} is a PostgreSQL server that still runs on {cluster}: stop it first."
            ) from error
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while _postmaster_of(cluster) == pid:  # noqa: ASYNC110  # not our child: nobody tells us
                    await asyncio.sleep(READY_POLL_SECONDS)
        pid = _postmaster_of(cluster)
    if pid is not None:
        raise StorageError(
            f"The PostgreSQL server of {cluster}, process {pid}, does not stop. Stop it and start again."
        )


def _postmaster_of(cluster: Path) -> int | None:
    """The process that postmaster.pid names, if it lives and its command line names this folder."""
    try:
        pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self/cmdline").exists():
            words = command.read_bytes().split(b"\0")
        else:
            ask = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
            told = subprocess.run(ask, capture_output=True, check=False)  # noqa: S603  # a number, no shell
            words = told.stdout.split()
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(cluster) in words else None


def _initdb_options(major: int) -> list[str]:
    options = ["-U", ROLE, "-A", "peer", "-E", "UTF8"]
    if major >= MAJOR_WITH_BUILTIN_LOCALE:
        return [
            *options,
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--lc-collate=C",
            "--lc-ctype=C.UTF-8",
        ]
    return [*options, "--locale-provider=libc", "--locale=C.UTF-8"]


def server_settings() -> dict[str, str]:
    """For one daemon and its mailboxes on a machine that also does other things."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    buffers = max(BUFFER_BYTES_MIN, min(memory // 16, BUFFER_BYTES_MAX))
    return {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "60",
        "shared_buffers": f"{buffers >> 20}MB",
        "max_wal_size": "1GB",
        "jit": "off",  # compiling costs more than our short queries
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] ",
        "log_min_duration_statement": "5s",
        # Values of parameters are other people's letters: they stay out of the log.
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
    }


def _explain(what: str, told: str, folder: StateFolder) -> str:
    if "No space left on device" in told:
        return f"The disk that holds {folder.home} is full: the embedded PostgreSQL {what}. Make room and start again."
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    wrong = [line for line in lines if "FATAL" in line or "error:" in line.lower() or "PANIC" in line]
    reason = (wrong or lines or ["it said nothing"])[-1]
    return f"The embedded PostgreSQL {what}, running as {folder.account.name}: {reason} (more in {folder.log})."
