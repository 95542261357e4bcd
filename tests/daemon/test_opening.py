"""The way to the database for commands: beside a daemon or without one, and closed again in any case."""

from pathlib import Path

import pytest

from config.load import loads
from config.settings import Settings
from daemon.opening import blobs_of, opened, reached
from storage.errors import StorageError
from tests.fakes.daemon import home


def settings(folder: Path, dsn: str) -> Settings:
    return loads(f'data_dir = "data"\ndatabase = {{ dsn = "{dsn}" }}', folder, {}).settings


async def test_an_external_database_is_opened_and_closed(dsn: str, tmp_path: Path) -> None:
    async with opened(settings(tmp_path, dsn)) as storage:
        async with storage.database.connection() as db:
            assert await db.fetchval("SELECT count(*) FROM interaction") == 0
        assert not storage.is_running

    with pytest.raises(StorageError):
        await storage.database.ping()
    assert not (tmp_path / "data").exists()


async def test_a_database_that_is_away_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be reached"):
        async with opened(settings(tmp_path, "postgresql://x@127.0.0.1:9/x")):
            pass


async def test_an_embedded_server_runs_for_the_time_of_a_command_and_is_shared_meanwhile() -> None:
    with home() as folder:
        wanted = settings(folder, "embedded")

        async with opened(wanted) as first, reached(wanted) as second:
            assert (first.is_running, second.is_running) == (False, True)
            async with second.database.connection() as db:
                await db.execute("INSERT INTO source (name, kind, type) VALUES ('sales', 'mailbox', 'imap')")

        async with reached(wanted) as third, third.database.connection() as db:
            assert not third.is_running
            assert await db.fetchval("SELECT name FROM source") == "sales"


def test_files_lie_beside_an_embedded_server_and_in_an_external_one(tmp_path: Path) -> None:
    assert blobs_of(settings(tmp_path, "embedded")) is not None
    assert not (tmp_path / "data").exists()
