"""Readings are written down beside the requests: in order, never lost at a normal stop, never without a bound."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from daemon.audit import WAITING_MAX, Readings
from storage import audit
from storage.audit import Actor, Filter, acting
from storage.database import Database
from storage.errors import StorageDown
from tests.fakes.daemon import running_app, write_config

ANNA = Actor("user", "Анна", UUID(int=1), "10.0.0.1")


async def written(database: Database) -> list[UUID | None]:
    async with database.connection() as db:
        return [one.ref for _, one in reversed(await audit.page(db, Filter(limit=5000)))]


async def test_what_was_read_is_written_by_the_loop_and_the_rest_at_the_end(database: Database) -> None:
    readings, ids = Readings(database), [uuid4() for _ in range(3)]
    with acting(ANNA):
        await readings.note("interaction.read", *ids[:2])
        await readings.note("interaction.file_read", ids[2], n=1)
    assert await written(database) == []

    await readings.write()
    await readings.write()

    assert sorted(map(str, await written(database))) == sorted(map(str, ids))


async def test_the_loop_writes_by_itself(database: Database) -> None:
    readings, one = Readings(database), uuid4()
    loop = asyncio.create_task(readings.run())
    with acting(ANNA):
        await readings.note("interaction.read", one)
    async with asyncio.timeout(20):
        while await written(database) != [one]:
            await asyncio.sleep(0.05)
    loop.cancel()


async def test_while_the_database_is_away_nothing_is_lost_and_nothing_is_read_without_a_bound() -> None:
    away = await Database.open("postgresql://nobody@127.0.0.1:1/none", size=1, connect_seconds=1)
    readings = Readings(away)
    with acting(ANNA):
        await readings.note("interaction.read", *[uuid4()] * WAITING_MAX)
        with pytest.raises(StorageDown):
            await readings.note("interaction.read", uuid4())
    await away.close()


async def test_a_normal_stop_writes_the_rest(dsn: str, tmp_path: Path) -> None:
    one = uuid4()
    async with running_app(write_config(tmp_path, dsn=dsn)) as app:
        with acting(ANNA):
            await app.serving.readings.note("interaction.read", one)

    database = await Database.open(dsn)
    assert await written(database) == [one]
    await database.close()


async def test_nobody_reads_nothing(database: Database) -> None:
    readings = Readings(database)

    await readings.note("interaction.read", uuid4())
    await readings.write()

    assert await written(database) == []
