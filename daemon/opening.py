"""The way to the database for everything that is not the daemon itself: our commands.

A running daemon's embedded server is used beside it; where none runs, a server is started for the time of the command
and stopped again. So `ringmail token create` works before the daemon has ever run, and while it runs.

    async with opened(settings) as storage:
        async with storage.database.connection() as db: …

Whoever logs in to a mailbox with tokens takes them from `vault_of`, as the daemon does: a refresh token may be good once,
and one that was fetched past the database would be lost to it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from daemon.vault import TokenVault
from storage.blobs import Blobs
from storage.database import Database
from storage.embedded import EmbeddedServer
from storage.errors import FolderInUse
from storage.migrate import migrate
from storage.state_folder import running_dsn

COMMAND_POOL_SIZE = 4
START_SECONDS = 4.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Storage:
    """The database, and where files lie. `is_running`: a daemon works beside us."""

    database: Database
    blobs: Blobs
    is_running: bool


def blobs_of(settings: Settings) -> Blobs:
    """Beside the embedded server files lie in packs; several daemons on one database share them through it."""
    return Blobs(Path(settings.data_dir) / "packs" if settings.database.is_embedded else None)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Storage]:
    """The database, migrated. Raises StorageError."""
    async with reached(settings) as storage:
        await migrate(storage.database)
        yield storage


@asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[Storage]:
    """The database as it is. Raises StorageError."""
    server: EmbeddedServer | None = None
    dsn = settings.database.dsn.reveal()
    is_running = False
    if settings.database.is_embedded:
        server, dsn = await _running_or_started(settings.data_dir)
        is_running = server is None
    try:
        database = await Database.open(dsn, pooler=settings.database.pooler, size=COMMAND_POOL_SIZE)
        try:
            yield Storage(database, blobs_of(settings), is_running)
        finally:
            await database.close()
    finally:
        if server is not None:
            await server.stop()


@asynccontextmanager
async def vault_of(settings: Settings, storage: Storage) -> AsyncIterator[TokenVault]:
    """The vault of tokens in this database, which has to be migrated."""
    vault = TokenVault(storage.database, settings.login.secret_key)
    try:
        yield vault
    finally:
        await vault.close()


async def _running_or_started(data_dir: Path) -> tuple[EmbeddedServer | None, str]:
    """The server of a daemon, or one of our own. A daemon that is just starting is waited for a little."""
    clock = asyncio.get_running_loop().time
    until = clock() + START_SECONDS
    while True:
        running = running_dsn(data_dir)
        if running is not None:
            return None, running
        try:
            server = await EmbeddedServer.start(data_dir)
        except FolderInUse:
            if clock() > until:
                raise
            await asyncio.sleep(POLL_SECONDS)
        else:
            return server, server.dsn
