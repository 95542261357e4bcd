"""The way to PostgreSQL: a pool of connections, transactions that may be run again, and one kind of error for "away".

Every storage function takes a `Connection` first and never opens a transaction itself: whoever calls owns it, so that
state, result and feed rows commit together.

    await database.in_transaction(work)     work(db) inside BEGIN … COMMIT; all of it again after a deadlock
    async with database.connection() as db  reads, and statements that commit one by one

How it fails. A connection that cannot be had or breaks becomes StorageDown, whatever asyncpg raised: it has a family of
errors for this, one of which (InternalClientError) belongs to none of its usual classes. A connection that failed so is
thrown away, never returned to the pool. Serialisation failures and deadlocks (SQLSTATE 40001, 40P01) are run again here
and nothing else is, because only of those is it certain that nothing was committed. After StorageDown the last COMMIT
may have arrived or not: what is tried again must be idempotent. Other errors of PostgreSQL pass as they are: they are
mistakes of ours, or a constraint that the caller wants to see.

Connections go back to the pool as they are, apart from a transaction that was left open, which asyncpg rolls back: nothing
here sets anything for a session, so there is nothing to reset, and each use is spared a question to the server.

Behind a pooler in transaction mode (pgbouncer) prepared statements cannot be kept: `pooler=True` switches the statement
cache off. LISTEN is silently dead there and is not used.

No error text holds a password: the database is called by its hosts and name only, and a DSN that cannot be parsed is
not quoted.
"""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qs

import asyncpg
from asyncpg.pool import Pool, PoolConnectionProxy

from storage.errors import StorageDown, StorageError

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
T = TypeVar("T")

CONNECT_SECONDS = 3.0  # per host of the DSN
COMMAND_SECONDS = 30.0
ACQUIRE_SECONDS = 30.0  # waiting for one of the pool's connections to become free
CLOSE_SECONDS = 5.0
RETRY_PAUSE_SECONDS = 0.02  # doubled each time, and jittered so that two in a deadlock do not meet again
STATEMENT_CACHE_SIZE = 200
_PING = "SELECT 1"

_TRY_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many clients
    asyncpg.PostgresSystemError,  # the server's own I/O failed
    asyncpg.ReadOnlySQLTransactionError,  # the primary became a standby under us
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
)
# While connecting more counts as "away": a person may mend it on the server without restarting us.
_UNREACHABLE = (
    *_LOST,
    OSError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
)


class Database:
    """One database and the pool of connections to it. Made by `open`, which does not connect yet."""

    def __init__(self, pool: Pool, place: str) -> None:
        self._pool = pool
        self.place = place  # for people: hosts and name, never the password

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        pooler: bool = False,
        size: int = 10,
        command_seconds: float = COMMAND_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> "Database":
        """The database may be away: the first use says so, and `ping` is for asking."""
        pool = await asyncpg.create_pool(
            dsn,
            # Kept at 0: asyncpg would log a traceback every second while it restores idle connections to a dead server.
            min_size=0,
            max_size=size,
            init=_prepare_connection,
            reset=_as_it_is,
            timeout=connect_seconds,
            command_timeout=command_seconds,
            statement_cache_size=0 if pooler else STATEMENT_CACHE_SIZE,
            # A pooler refuses start-up parameters it does not know; application_name it does.
            server_settings={"application_name": "ringmail"},
        )
        return cls(pool, describe_place(dsn))

    async def in_transaction(self, work: Callable[[Connection], Awaitable[T]], *, tries: int = 5) -> T:
        """Runs `work` in a transaction and commits. After a deadlock or serialisation failure the whole of `work` runs
        again, so it must start from what it reads and keep nothing from the run before."""
        pause = RETRY_PAUSE_SECONDS
        for left in reversed(range(tries)):
            try:
                async with self.connection() as db, db.transaction():
                    return await work(db)
            except _TRY_AGAIN:
                if not left:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # no secret: jitter
            pause *= 2
        raise ValueError("tries must be at least 1")

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection without a transaction: each statement commits by itself."""
        db = await self._acquire()
        try:
            yield db
        except _LOST as error:
            _discard(db)
            raise StorageDown(self._lost(error)) from error
        except asyncpg.InterfaceError as error:
            if not _is_closed(db):
                raise  # a mistake of ours, such as two statements at once on one connection
            raise StorageDown(self._lost(error)) from error
        finally:
            await self._release(db)

    async def ping(self) -> None:
        """Raises StorageDown if the database does not answer."""
        async with self.connection() as db:
            await db.fetchval(_PING)

    async def close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._pool.close()
        except (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError):
            self._pool.terminate()

    async def _acquire(self) -> PoolConnectionProxy:
        try:
            return await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except asyncpg.ClientConfigurationError:
            raise StorageError(_UNREADABLE_DSN) from None
        except _UNREACHABLE as error:
            raise StorageDown(f"The database {self.place} cannot be reached: {_words(error)}.") from None
        except ValueError:  # for example of a port that is no number; its text may quote a piece of the password
            raise StorageError(_UNREADABLE_DSN) from None

    async def _release(self, db: PoolConnectionProxy) -> None:
        try:
            await self._pool.release(db)
        except (*_LOST, OSError, asyncpg.InterfaceError):
            # Only the clean-up failed: the pool has dropped the connection, and what was committed stays so.
            return

    def _lost(self, error: Exception) -> str:
        return f"The connection to the database {self.place} failed: {_words(error)}."


_UNREADABLE_DSN = (
    "The address of the database cannot be read. Expected postgresql://user:password@host:5432/name; "
    "signs such as @ / : # in the password are written as %40 %2F %3A %23."
)


def is_passing(error: BaseException) -> bool:
    """Whether the same work may succeed when it is tried again: the database is away, or two were in each other's way.
    Anything else is the work's own fault and will come back."""
    return isinstance(error, (*_TRY_AGAIN, *_LOST, StorageDown))


def describe_place(dsn: str) -> str:
    """Hosts and name of a DSN. Whatever might be a piece of a password is cut off, even in a DSN that is not valid."""
    rest = dsn.partition("://")[2].rpartition("@")[2]
    address, _, query = rest.partition("?")
    hosts, _, name = address.partition("/")
    if not hosts or ("@" not in dsn and ":" in hosts and not hosts.rpartition(":")[2].isdigit()):
        hosts = ",".join(parse_qs(query).get("host", [])) or "of this machine"
    return f"{name} at {hosts}" if name else f"at {hosts}"


def _is_closed(db: PoolConnectionProxy) -> bool:
    try:
        return db.is_closed()
    except asyncpg.InterfaceError:
        return True  # the pool has noticed the end first, and took the connection out of our hands


def _discard(db: PoolConnectionProxy) -> None:
    if not _is_closed(db):
        db.terminate()


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


async def _as_it_is(_: PoolConnectionProxy) -> None:
    """In place of asyncpg's RESET ALL, UNLISTEN *, CLOSE ALL and pg_advisory_unlock_all()."""


async def _prepare_connection(db: asyncpg.Connection) -> None:
    await db.set_type_codec("jsonb", schema="pg_catalog", encoder=_to_json, decoder=json.loads)


def storable(text: str) -> str:
    """A text without what no text of PostgreSQL can hold: NUL, and halves of surrogate pairs. Readers leave them out
    already; this is the last line, so that no arrival can hold up those behind it."""
    return _UNSTORABLE.sub("", text)


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _to_json(value: Any) -> str:
    # Cyrillic stays readable in psql, and a NaN, which jsonb would refuse, is refused here with its own words.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if "\\u0000" in text or _UNSTORABLE.search(text):
        return json.dumps(_storable_json(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text


def _storable_json(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): _storable_json(inner) for key, inner in value.items()}
    return [_storable_json(inner) for inner in value] if isinstance(value, list | tuple) else value
