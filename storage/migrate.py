"""Brings the tables to this program's version: the numbered files of `storage/migrations`, forward only.

A file is called NNNN_name.sql. Each is applied in one transaction together with its row in `schema_migration`; one
whose first line is `-- no-transaction` (CREATE INDEX CONCURRENTLY) is applied statement by statement, each ending with
`;` at the end of a line, and must be such that it can be run again from the start. A change that older daemons cannot
live with is spread over two releases: expand, deploy, contract.

Several daemons may start at once. The turn is a row of `schema_turn` that is *committed*, with an expiry by the
database's clock; the others poll it outside a transaction. A lock held in an open transaction would do as well, until
the one who holds it builds an index concurrently: that waits for all open transactions, and both wait for ever. The
holder renews the row meanwhile. Should it be overtaken all the same, the row of `schema_migration` is written first in
each transaction, and its primary key lets only one of them commit.

How it fails: a file that was changed after it was applied, a file that is unknown or missing, and a database newer than
the program each stop the start with a sentence. A failing file rolls back whole; those before it stay applied.
"""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from uuid import uuid4

import asyncpg

from storage.database import Connection, Database
from storage.errors import DatabaseNewer, StorageDown, StorageError

TURN_SECONDS = 30.0  # after this a holder that was killed is overtaken
TURN_POLL_SECONDS = 0.1
TURN_WAIT_SECONDS = 3600.0  # somebody else is at work: an index on a large table takes its time
FILE_SECONDS = 3600.0
CREATE_TRIES = 10

_NO_TRANSACTION = "-- no-transaction"
_FILE_NAME = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` does not depend on the ends of lines, which git may change."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()

    @property
    def is_transactional(self) -> bool:
        return not self.sql.startswith(_NO_TRANSACTION)


def read_migrations() -> list[Migration]:
    """The program's own files, in order."""
    found = []
    for entry in files("storage").joinpath("migrations").iterdir():
        match = _FILE_NAME.fullmatch(entry.name)
        if match:
            found.append(Migration(int(match[1]), entry.name.removesuffix(".sql"), entry.read_text("utf-8")))
    return sorted(found, key=lambda migration: migration.version)


async def migrate(database: Database, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Applies what is missing and names it. Any number of daemons may call this at the same time."""
    known = read_migrations() if migrations is None else migrations
    async with database.connection() as db:
        if not await _missing(db, known):
            return []
        await _create_own_tables(db)
    owner = uuid4().hex
    await _take_turn(database, owner)
    renewal = asyncio.create_task(_keep_turn(database, owner))
    try:
        async with database.connection() as db:
            return [migration.name for migration in await _missing(db, known) if await _apply(db, migration)]
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal
        with suppress(StorageDown):
            async with database.connection() as db:
                await db.execute(_RELEASE_TURN, owner)


async def pending(database: Database, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Names of the migrations that `migrate` would apply; changes nothing."""
    async with database.connection() as db:
        return [
            migration.name for migration in await _missing(db, read_migrations() if migrations is None else migrations)
        ]


_APPLIED = "SELECT version, name, checksum FROM schema_migration ORDER BY version"


async def _missing(db: Connection, known: Sequence[Migration]) -> list[Migration]:
    try:
        rows = await db.fetch(_APPLIED)
    except asyncpg.UndefinedTableError:
        rows = []
    by_version = {migration.version: migration for migration in known}
    newest = max(known, key=lambda migration: migration.version)
    for row in rows:
        ours = by_version.pop(row["version"], None)
        if ours is None and row["version"] > newest.version:
            raise DatabaseNewer(rows[-1]["name"], newest.name)
        if ours is None or ours.checksum != row["checksum"]:
            raise StorageError(
                f"Migration {row['name']} was applied to this database with other contents than this program has. "
                "Start the program that applied it; migrations are never edited, only added."
            )
    return list(by_version.values())


_CREATE_TABLES = """
CREATE TABLE IF NOT EXISTS schema_migration (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS schema_turn (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    owner text,
    until timestamptz NOT NULL DEFAULT now()
);
INSERT INTO schema_turn DEFAULT VALUES ON CONFLICT DO NOTHING;
"""


async def _create_own_tables(db: Connection) -> None:
    # IF NOT EXISTS looks before it writes the catalogue: of several at once all but one collide there.
    for _ in range(CREATE_TRIES):
        try:
            await db.execute(_CREATE_TABLES)
        except (asyncpg.UniqueViolationError, asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError):
            await asyncio.sleep(TURN_POLL_SECONDS)
        else:
            return
    raise StorageError("The tables that keep track of migrations cannot be created: others keep creating them too.")


_TAKE_TURN = """
UPDATE schema_turn SET owner = $1, until = now() + make_interval(secs => $2)
WHERE owner IS NULL OR owner = $1 OR until < now()
RETURNING 1
"""
_RELEASE_TURN = "UPDATE schema_turn SET owner = NULL WHERE owner = $1"


async def _take_turn(database: Database, owner: str) -> None:
    try:
        async with asyncio.timeout(TURN_WAIT_SECONDS):
            while True:
                async with database.connection() as db:
                    if await db.fetchval(_TAKE_TURN, owner, TURN_SECONDS):
                        return
                await asyncio.sleep(TURN_POLL_SECONDS)
    except TimeoutError:
        raise StorageError(
            f"Another program has been migrating the database {database.place} for {TURN_WAIT_SECONDS:.0f} seconds. "
            "See what it waits for, then start again."
        ) from None


async def _keep_turn(database: Database, owner: str) -> None:
    while True:
        await asyncio.sleep(TURN_SECONDS / 3)
        with suppress(StorageDown):
            async with database.connection() as db:
                await db.fetchval(_TAKE_TURN, owner, TURN_SECONDS)


_ADD_APPLIED = """
INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1
"""


async def _apply(db: Connection, migration: Migration) -> bool:
    """False if another program, which overtook us, has applied it meanwhile."""
    row = (migration.version, migration.name, migration.checksum)
    try:
        if migration.is_transactional:
            async with db.transaction():
                if not await db.fetchval(_ADD_APPLIED, *row, timeout=FILE_SECONDS):
                    return False
                await db.execute(migration.sql, timeout=FILE_SECONDS)
            return True
        for statement in re.split(r"(?<=;)[ \t]*\n", migration.sql):
            if re.sub(r"--.*", "", statement).strip():
                await db.execute(statement, timeout=FILE_SECONDS)
        return bool(await db.fetchval(_ADD_APPLIED, *row))
    except (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError):
        raise
    except asyncpg.PostgresError as error:
        raise StorageError(f"Migration {migration.name} failed and was rolled back: {error}.") from error
