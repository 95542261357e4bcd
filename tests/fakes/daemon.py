"""The whole daemon for tests, as a process of its own or within the test, on a configuration written for it.

    with home() as folder:                      a place that the database can reach, removed at the end
    config = write_config(folder, mailboxes=[(name, user)], dovecot=dovecot, dsn=dsn)
    async with Daemon(config) as daemon:        a process; `start`, `kill` and `stop` as often as the test likes
        await daemon.start()
    async with running_app(config) as app:      in the test's own loop

A daemon that the test leaves behind ends with the test's process. Its log is what it wrote to stderr, all lives in one
file; where it listens is read from there, as the port is the system's choice.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import tomlkit

from config.load import load
from daemon.app import App
from storage.state_folder import running_dsn
from tests.fakes.dovecot import PASSWORD, Dovecot
from tests.fakes.sources import ROOT

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
LINE = "+74951234567"
START_SECONDS = 40.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
# `ringmail run` with shorter leases: nobody wants to set their length, so no option does.
_RUN_WITH_LEASES = """
import asyncio, signal, sys
from pathlib import Path
from config.load import load
from daemon import log
from daemon.app import App
from daemon.commands.run import in_loop

async def serve():
    app = App(load(Path(sys.argv[1]), {}).settings, lease_seconds=float(sys.argv[2]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, app.ended.set)
    await app.start()
    await app.ended.wait()
    await app.stop()
    return 0

log.set_up()
sys.exit(in_loop(serve))
"""


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """A folder for a daemon. Run by root, the account of the database has to pass through, which the folders of pytest
    do not allow."""
    folder = Path(tempfile.mkdtemp(prefix="rm-daemon-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def write_config(
    folder: Path, mailboxes: Sequence[tuple[str, str]] = (), dovecot: Dovecot | None = None, dsn: str = ""
) -> Path:
    """Writes ringmail.toml: mailboxes by name and user on a Dovecot, and the telephony source `main`.
    Without a DSN the
    database is embedded."""
    file: dict[str, Any] = {
        "data_dir": str(folder / "data"),
        "http": {"listen": "127.0.0.1:0"},
        "database": {"dsn": dsn or "embedded"},
        "telephony": [{"name": "main", "type": "generic", "secret": SECRET, "lines": {LINE: ""}}],
    }
    if dovecot is not None:
        authority = folder / "authority.pem"
        dovecot.authority.cert_pem.write_to_path(str(authority))
        file["mailbox"] = [
            {
                "name": name,
                "address": user,
                "imap": f"imaps://localhost:{dovecot.imaps}",
                "password": PASSWORD,
                "tls_ca": str(authority),
                "poll_seconds": 30,
            }
            for name, user in mailboxes
        ]
    path = folder / "ringmail.toml"
    path.write_text(tomlkit.dumps(file))
    path.chmod(0o600)
    return path


class Daemon:
    """A daemon in a process of its own. `url` is where it listens; None while it does not run."""

    def __init__(self, config: Path, *, name: str = "daemon", lease_seconds: float | None = None) -> None:
        self.config = config
        self.url: str | None = None
        self._log = config.parent / f"{name}.log"
        self._lease_seconds = lease_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._read_from = 0

    async def __aenter__(self) -> "Daemon":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._child is not None:
            await self.stop()

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def launch(self) -> None:
        """Starts the process and returns at once."""
        what = ["-m", "daemon", "--config", str(self.config), "run"]
        if self._lease_seconds is not None:
            what = ["-c", _RUN_WITH_LEASES, str(self.config), str(self._lease_seconds)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("RINGMAIL", "PG"))}
        with self._log.open("ab") as log:
            self._read_from = log.tell()
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", sys.executable, *what],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def start(self) -> None:
        """Returns when it is ready: it listens, and the database answers."""
        self.launch()
        await self.until_said("ready")

    async def until_said(self, event: str, seconds: float = START_SECONDS) -> dict[str, Any]:
        """Waits for a line of the log of this life; fails if the daemon ends before."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (found := self.look_for(event)) is not None:
                return found
            if self._child is None or self._child.poll() is not None:
                break
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"the daemon did not say {event!r}:\n{self.log()[-4000:]}")

    def look_for(self, event: str) -> dict[str, Any] | None:
        """The first line of the log of this life that tells of an event. Notes the address when it is told."""
        for line in self.log().splitlines():
            said = _said(line)
            if said.get("event") == "listening":
                self.url = said["url"]
            if said.get("event") == event:
                return said
        return None

    def log(self) -> str:
        """What was said in this life."""
        with self._log.open("rb") as log:
            log.seek(self._read_from)
            return log.read().decode("utf-8", "replace")

    def tell(self, number: signal.Signals) -> None:
        assert self._child is not None
        self._child.send_signal(number)

    def kill(self) -> None:
        """Ends it as the system does when it is short of memory: with no word to say."""
        self.url = None
        self.tell(signal.SIGKILL)
        assert self._child is not None
        self._child.wait(STOP_SECONDS)
        self._child = None

    async def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Asks it to end; its exit code. Fails if it takes longer."""
        self.url = None
        self.tell(signal.SIGTERM)
        return await self.ended(seconds)

    async def ended(self, seconds: float = STOP_SECONDS) -> int:
        """Waits until it has ended; its exit code."""
        child = self._child
        assert child is not None
        until = time.monotonic() + seconds
        while child.poll() is None and time.monotonic() < until:
            await asyncio.sleep(POLL_SECONDS)
        self._child = None
        if child.poll() is None:
            child.kill()
            child.wait()
            raise AssertionError(f"the daemon did not end within {seconds:g} s:\n{self.log()[-4000:]}")
        return child.returncode

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None


def _said(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def dsn_of(config: Path) -> str:
    """The database of the daemon that runs on this configuration."""
    settings = load(config, {}).settings
    if not settings.database.is_embedded:
        return settings.database.dsn.reveal()
    found = running_dsn(settings.data_dir)
    assert found is not None, "no daemon runs there"
    return found


async def rows(dsn: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What the database says, past the daemon."""
    db = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await db.fetch(query, *values)]
    finally:
        await db.close()


async def until_rows(dsn: str, query: str, expected: list[tuple[Any, ...]], seconds: float = 40.0) -> None:
    """Waits until a query says this."""
    found: list[tuple[Any, ...]] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if (found := await rows(dsn, query)) == expected:
                return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{query}: {found} and not {expected}")


@contextlib.asynccontextmanager
async def running_app(config: Path) -> AsyncIterator[App]:
    """The daemon in the test's own loop, ready to work; stopped at the end."""
    app = App(load(config, {}).settings)
    await app.start()
    try:
        async with asyncio.timeout(START_SECONDS):
            while not app.serving.is_ready:
                await asyncio.sleep(POLL_SECONDS)
        yield app
    finally:
        await app.stop()
