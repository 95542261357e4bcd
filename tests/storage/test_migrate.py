"""Migrations: applied once whoever races, refused when the database and the program do not fit."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from storage.database import Database
from storage.errors import DatabaseNewer, StorageError
from storage.migrate import Migration, migrate, pending, read_migrations
from tests.fakes.postgres import Cluster

FILES = [
    Migration(1, "0001_first", "CREATE TABLE first (id integer PRIMARY KEY);"),
    Migration(2, "0002_second", "INSERT INTO first VALUES (1);"),
    Migration(
        3, "0003_index", "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS x\n    ON first (id);\n-- end\n"
    ),
    Migration(4, "0004_third", "INSERT INTO first VALUES (2);"),
]


@pytest.fixture
def empty_dsn(cluster: Cluster) -> Iterator[str]:
    address = cluster.clone("template0")
    yield address
    cluster.drop(address)


@pytest.fixture
async def empty(empty_dsn: str) -> AsyncIterator[Database]:
    opened = await Database.open(empty_dsn)
    yield opened
    await opened.close()


async def test_own_files_are_numbered_without_gaps() -> None:
    assert [migration.version for migration in read_migrations()] == list(range(1, len(read_migrations()) + 1))


async def test_a_fresh_database_gets_every_file_and_then_nothing(empty: Database) -> None:
    assert await pending(empty) == [migration.name for migration in read_migrations()]

    assert await migrate(empty) == [migration.name for migration in read_migrations()]

    assert await migrate(empty) == []
    assert await pending(empty) == []


async def test_of_five_that_race_exactly_one_applies_each_file(empty_dsn: str) -> None:
    racers = [await Database.open(empty_dsn) for _ in range(5)]

    applied = await asyncio.gather(*(migrate(racer, FILES) for racer in racers))

    assert sorted(name for names in applied for name in names) == [migration.name for migration in FILES]
    async with racers[0].connection() as db:
        assert await db.fetchval("SELECT count(*) FROM first") == 2
    for racer in racers:
        await racer.close()


async def test_a_turn_left_by_a_killed_runner_is_taken_over_when_it_expires(empty: Database) -> None:
    await migrate(empty, FILES[:1])
    async with empty.connection() as db:
        await db.execute("UPDATE schema_turn SET owner = 'killed', until = now() + interval '0.3 s'")

    assert await migrate(empty, FILES) == ["0002_second", "0003_index", "0004_third"]


async def test_a_database_newer_than_the_program_is_refused_by_name(empty: Database) -> None:
    await migrate(empty, FILES)

    with pytest.raises(DatabaseNewer, match=r"0004_third.*0002_second"):
        await migrate(empty, FILES[:2])


async def test_a_file_edited_after_it_was_applied_is_refused(empty: Database) -> None:
    await migrate(empty, FILES)
    edited = [Migration(1, "0001_first", "CREATE TABLE other ();"), *FILES[1:]]

    with pytest.raises(StorageError, match="0001_first"):
        await pending(empty, edited)


async def test_the_ends_of_lines_do_not_change_a_checksum() -> None:
    assert Migration(1, "a", "x\r\ny\r\n").checksum == Migration(1, "a", "x\ny\n").checksum


async def test_a_failing_file_rolls_back_whole_and_keeps_those_before_it(empty: Database) -> None:
    broken = [FILES[0], Migration(2, "0002_broken", "INSERT INTO first VALUES (7); SELECT * FROM nowhere;")]

    with pytest.raises(StorageError, match="0002_broken"):
        await migrate(empty, broken)

    async with empty.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM first") == 0
    assert await migrate(empty, FILES[:2]) == ["0002_second"]
