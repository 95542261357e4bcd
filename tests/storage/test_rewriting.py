"""Ranges of packs are overwritten, once; what somebody may not do is named. The whole of it: tests/daemon/test_erasing.py."""

from pathlib import Path

import pytest

from storage import rewriting
from storage.database import Database
from storage.errors import StorageError


async def test_a_range_of_a_pack_is_overwritten_and_the_rest_of_it_stays(database: Database, tmp_path: Path) -> None:
    pack = tmp_path / "aa.pack"
    pack.write_bytes(b"keep" + b"secret" + b"keep")
    async with database.connection() as db:
        await db.execute("INSERT INTO erased_range VALUES ('aa.pack', 4, 6)")

    left = await rewriting.overwrite(database, tmp_path)

    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM erased_range") == 0
    assert pack.read_bytes() == b"keep" + bytes(6) + b"keep"
    assert left == []


async def test_a_pack_of_another_daemon_is_named_and_waits(database: Database) -> None:
    async with database.connection() as db:
        await db.execute("INSERT INTO erased_range VALUES ('aa.pack', 4, 6)")

    left = await rewriting.overwrite(database, None)

    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM erased_range") == 1
    assert "another daemon" in left[0]


async def test_a_table_that_a_backup_reads_is_not_waited_for(database: Database, tmp_path: Path) -> None:
    async with database.connection() as backup, backup.transaction():
        await backup.execute("LOCK TABLE address IN ACCESS SHARE MODE")

        with pytest.raises(StorageError, match="address"):
            await rewriting.clean(database, free_milliseconds=50)

    assert await rewriting.clean(database) == []


async def test_a_pack_that_is_not_here_waits_for_whoever_has_it(database: Database, tmp_path: Path) -> None:
    async with database.connection() as db:
        await db.execute("INSERT INTO erased_range VALUES ('aa.pack', 4, 6)")

    left = await rewriting.overwrite(database, tmp_path)

    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM erased_range") == 1
    assert "another daemon" in left[0]


async def test_of_two_who_clean_one_waits_for_another_time(database: Database) -> None:
    async with database.connection() as other:
        await other.fetchval(rewriting.TAKE_TURN)
        with pytest.raises(StorageError, match="another daemon is cleaning"):
            await rewriting.clean(database)
        await other.fetchval(rewriting.END_TURN)

    assert await rewriting.clean(database) == []
