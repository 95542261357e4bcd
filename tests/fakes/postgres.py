"""One private PostgreSQL for a test process, with a migrated template that each test's database is cloned from.

The cluster lives in a thread with an event loop of its own, because every test brings a new loop. Durability is
switched off: nothing here outlives the run.

    TEST_POSTGRES_BIN=/usr/lib/postgresql/15/bin    the programs of another version, to see that it will do
"""

import asyncio
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from storage.database import Database
from storage.embedded import EmbeddedServer
from storage.migrate import migrate

T = TypeVar("T")
TEMPLATE = "ringmail_template"
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


class Cluster:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rm-pg-"))
        self.folder.chmod(0o711)  # run by root, the server's account has to pass through
        self._server: EmbeddedServer | None = None
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        try:
            self.call(self._start())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._server is not None:
            self.call(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs on the cluster's own loop, from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def clone(self, template: str = TEMPLATE) -> str:
        """A fresh database with all tables and no rows. Its DSN."""
        name = f"test_{next(self._numbers)}"
        self.call(self._run(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return self.dsn(name)

    def drop(self, dsn: str) -> None:
        name = dsn.partition("///")[2].partition("?")[0]
        self.call(self._run(f"DROP DATABASE {name} WITH (FORCE)"))

    def dsn(self, name: str) -> str:
        assert self._server is not None
        return self._server.dsn_of(name)

    async def _start(self) -> None:
        programs = os.environ.get("TEST_POSTGRES_BIN")
        bin_dir = Path(programs) if programs else None
        self._server = await EmbeddedServer.start(self.folder, bin_dir=bin_dir, settings=CARELESS)
        await self._run(f"CREATE DATABASE {TEMPLATE}")
        database = await Database.open(self.dsn(TEMPLATE))
        try:
            await migrate(database)
        finally:
            await database.close()

    async def _run(self, statement: str) -> None:
        db = await asyncpg.connect(self.dsn("postgres"))
        try:
            await db.execute(statement)
        finally:
            await db.close()


async def until_waiting(database: Database) -> None:
    """Returns when some session of this database waits for a lock."""
    async with asyncio.timeout(20), database.connection() as db:
        while not await db.fetchval(_WAITING):
            await asyncio.sleep(0.005)


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
