"""The way to the database: transactions that run again, what "away" looks like, and secrets that stay secret."""

import asyncio

import asyncpg
import pytest

from storage.database import Connection, Database, describe_place
from storage.errors import StorageDown, StorageError
from tests.fakes.postgres import Cluster


async def test_json_comes_back_as_it_went_in(database: Database) -> None:
    value = {"тема": ["Счёт №33", 1, None, True, 1.5]}

    async with database.connection() as db:
        assert await db.fetchval("SELECT $1::jsonb", value) == value


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def work(db: Connection) -> None:
        await db.execute("INSERT INTO subscriber (name) VALUES ('a')")
        raise LookupError

    with pytest.raises(LookupError):
        await database.in_transaction(work)

    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM subscriber") == 0


async def test_both_sides_of_a_deadlock_end_committed(database: Database) -> None:
    async with database.connection() as db:
        await db.execute("INSERT INTO subscriber (name) VALUES ('a'), ('b')")
    both_hold_one = asyncio.Barrier(2)
    runs = 0

    async def work(db: Connection, first: str, second: str) -> None:
        nonlocal runs
        runs += 1
        await db.execute("UPDATE subscriber SET acknowledged_seq = acknowledged_seq + 1 WHERE name = $1", first)
        if runs <= 2:
            await both_hold_one.wait()
        await db.execute("UPDATE subscriber SET acknowledged_seq = acknowledged_seq + 1 WHERE name = $1", second)

    await asyncio.gather(
        database.in_transaction(lambda db: work(db, "a", "b")), database.in_transaction(lambda db: work(db, "b", "a"))
    )

    async with database.connection() as db:
        assert await db.fetchval("SELECT sum(acknowledged_seq) FROM subscriber") == 4
    assert runs == 3


async def test_a_connection_goes_back_to_the_pool_as_it_is_but_for_an_open_transaction(dsn: str) -> None:
    one = await Database.open(dsn, size=1)
    async with one.connection() as db:
        pid = await db.fetchval("SELECT pg_backend_pid()")
    other = await asyncpg.connect(dsn)
    asked = await other.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", pid)

    async def begin(db: Connection) -> None:
        await db.execute("INSERT INTO subscriber (name) VALUES ('a')")
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await one.in_transaction(begin)
    async with one.connection() as db:
        found = await db.fetchrow(
            "SELECT pg_backend_pid(), (SELECT count(*) FROM subscriber), txid_current_if_assigned()"
        )
    await other.close()
    await one.close()

    assert asked == "SELECT pg_backend_pid()"
    assert tuple(found or ()) == (pid, 0, None)


async def test_other_errors_are_not_tried_again(database: Database) -> None:
    runs = 0

    async def work(db: Connection) -> None:
        nonlocal runs
        runs += 1
        await db.execute("INSERT INTO subscriber (name) VALUES ('a'), ('a')")

    with pytest.raises(asyncpg.UniqueViolationError):
        await database.in_transaction(work)
    assert runs == 1


async def test_a_connection_lost_in_the_middle_is_storage_down_and_the_next_one_works(database: Database) -> None:
    async def work(db: Connection) -> None:
        await db.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StorageDown):
        await database.in_transaction(work)

    await database.ping()


async def test_a_statement_that_takes_too_long_is_storage_down(dsn: str) -> None:
    database = await Database.open(dsn, command_seconds=0.1)

    with pytest.raises(StorageDown, match="no answer in time"):
        async with database.connection() as db:
            await db.execute("SELECT pg_sleep(20)")
    await database.close()


async def test_behind_a_pooler_the_same_statements_work(dsn: str) -> None:
    database = await Database.open(dsn, pooler=True)

    async with database.connection() as db:
        assert await db.fetchval("SELECT $1::jsonb", {"a": 1}) == {"a": 1}
    await database.close()


async def test_a_wrong_database_name_is_storage_down_with_its_name(cluster: Cluster) -> None:
    database = await Database.open(cluster.dsn("nowhere"))

    with pytest.raises(StorageDown, match="nowhere"):
        await database.ping()
    await database.close()


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:hunter2@127.0.0.1:1/mail",
        "postgresql://me:hun/ter2@127.0.0.1/mail",
        "postgresql://me:hunter2/x@127.0.0.1:1/mail",
        "postgresql://me@127.0.0.1:1/mail?password=hunter2",
        "postgresql://me:hunter2@no-such-host.invalid/mail",
        "mysql://me:hunter2@127.0.0.1:1/mail",
        "postgresql://me:hunter2",
    ],
)
async def test_no_error_tells_the_password(dsn: str) -> None:
    database = await Database.open(dsn, connect_seconds=1)

    with pytest.raises(StorageError) as caught:
        await database.ping()

    told = f"{caught.value!r} {caught.value.__cause__!r} {database.place}"
    assert "hunter2" not in told
    assert "ter2" not in told
    await database.close()


@pytest.mark.parametrize(
    ("dsn", "place"),
    [
        ("postgresql://u:p@h1,h2:5433/mail?target_session_attrs=read-write", "mail at h1,h2:5433"),
        ("postgresql:///ringmail?host=/run/x&user=ringmail", "ringmail at /run/x"),
        ("postgresql://localhost/mail", "mail at localhost"),
    ],
)
def test_a_database_is_called_by_its_hosts_and_name(dsn: str, place: str) -> None:
    assert describe_place(dsn) == place
