"""Makes what was deleted unreadable on the disk: tables are written anew, pack files overwritten, the log turned over.

PostgreSQL leaves deleted rows in their pages until something else is written there, and all that was ever written in its
log (WAL) until a segment is used again. VACUUM FULL writes a table without them; the statistics of the planner, which
hold common values, are made anew; and the log is moved on until every segment that there was has been removed.

It takes time and locks: a table can't be read while it is written, about a minute for each 5 GB.

How it fails. What a role on an external server may not do is left out and named in the answer; the rest is done. A table that
somebody reads for long, such as a backup, is not waited for: StorageError. Broken off, it begins again.

Limits: standbys, archives of the log and backups of an external server are the business of whoever runs it. Freed blocks
of the file system are not overwritten.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import asyncpg

from storage.database import Connection, Database
from storage.errors import StorageError

TABLES = (
    "contact", "address", "address_owner", "employment", "remembered_match", "participant", "interaction", "body",
    "attachment", "search_index", "search_queue", "call_event", "inbound", "quarantine", "feed", "undo", "idempotency",
    "outbox", "recording", "invite", "mail_thread", "blob", "subject", "subject_participant",
)  # fmt: skip
TABLE_SECONDS = 3600.0
FREE_MILLISECONDS = 3000
PIECE_BYTES = 1 << 20

RANGES = """
SELECT pack, start, size FROM erased_range ORDER BY pack, start
"""

OVERWRITTEN = """
DELETE FROM erased_range WHERE pack = $1 AND start = $2
"""

# Of a table that is empty now ANALYZE leaves what it knew.
NO_STATISTICS = """
DELETE FROM pg_catalog.pg_statistic s USING pg_catalog.pg_class c
WHERE c.oid = s.starelid AND c.relnamespace = 'public'::regnamespace AND c.reltuples <= 0
"""

TAKE_TURN = """
SELECT pg_try_advisory_lock(hashtext('ringmail: cleaning'))
"""

END_TURN = """
SELECT pg_advisory_unlock(hashtext('ringmail: cleaning'))
"""

SEGMENTS = """
SELECT count(*) FROM pg_ls_waldir()
"""

RELOAD = """
SELECT pg_reload_conf()
"""

TURN = """
SELECT pg_switch_wal() FROM pg_logical_emit_message(false, 'ringmail', '')
"""


async def clean(
    database: Database,
    progress: Callable[[str], None] | None = None,
    free_milliseconds: int = FREE_MILLISECONDS,
) -> list[str]:
    """Rewrites tables, statistics and log; returns what could not be done, a sentence each. `progress` hears of each step.
    Where another daemon is at it already, nothing is done here."""
    tell = progress or (lambda _: None)
    left: list[str] = []
    async with database.connection() as db:
        if not await db.fetchval(TAKE_TURN):
            raise StorageError("The data is erased; another daemon is cleaning it from the disk just now.")
        try:
            await _clean(db, tell, left, free_milliseconds)
        finally:
            await db.fetchval(END_TURN)
    return left


async def _clean(db: Connection, tell: Callable[[str], None], left: list[str], free_milliseconds: int) -> None:
    for table in TABLES:
        tell(table)
        await _need_free(db, table, free_milliseconds)
        await db.execute(f"VACUUM (FULL, ANALYZE) {table}", timeout=TABLE_SECONDS)  # our own names
    for step, work in (("statistics", _renew_statistics), ("log", _turn_log)):
        tell(step)
        try:
            await work(db)
        except asyncpg.InsufficientPrivilegeError as error:
            left.append(f"{step}: {error}; whoever administers the server can do it")


async def _need_free(db: Connection, table: str, milliseconds: int) -> None:
    """Whoever waits for a table to himself makes all others wait behind him: so nobody waits here for a long backup."""
    try:
        async with db.transaction():
            await db.execute(f"SET LOCAL lock_timeout = {milliseconds}")
            await db.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    except asyncpg.LockNotAvailableError:
        raise StorageError(
            f"The data is erased; it is cleaned from the disk once nobody reads the table {table} for long, as a backup does."
        ) from None


async def _renew_statistics(db: Connection) -> None:
    await db.execute(NO_STATISTICS)
    await db.execute("VACUUM (FULL) pg_catalog.pg_statistic", timeout=TABLE_SECONDS)


async def _turn_log(db: Connection) -> None:
    """Moves the log on until every segment with an old content was used or removed. Used ones are not kept for later."""
    await db.execute("ALTER SYSTEM SET wal_recycle = off")
    try:
        await db.execute(RELOAD)
        await db.execute("CHECKPOINT", timeout=TABLE_SECONDS)
        for _ in range(await db.fetchval(SEGMENTS) + 1):
            await db.execute(TURN)
        for _ in range(2):
            await db.execute("CHECKPOINT", timeout=TABLE_SECONDS)
    finally:
        await db.execute("ALTER SYSTEM RESET wal_recycle")
        await db.execute(RELOAD)


async def overwrite(database: Database, packs: Path | None) -> list[str]:
    """Overwrites the ranges of packs that are noted; what lies elsewhere is named, and waits."""
    left = []
    async with database.connection() as db:
        for row in await db.fetch(RANGES):
            path = packs / row["pack"] if packs is not None else None
            if path is None or not await asyncio.to_thread(path.exists):
                left.append(f"the pack {row['pack']} lies in the data folder of another daemon")
                continue
            await asyncio.to_thread(_zero, path, row["start"], row["size"])
            await db.execute(OVERWRITTEN, row["pack"], row["start"])
    return left


def _zero(path: Path, start: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        while size > 0:
            size -= file.write(bytes(min(size, PIECE_BYTES)))
        file.flush()
        os.fsync(file.fileno())
