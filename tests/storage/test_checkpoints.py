"""Checkpoints: what was saved last, for each source and key by itself, and gone with its transaction."""

import pytest

from storage import checkpoints, sources
from storage.database import Connection, Database


@pytest.fixture
async def source_id(database: Database) -> int:
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        return int(await db.fetchval("SELECT id FROM source"))


async def test_the_last_state_of_each_key_is_found(database: Database, source_id: int) -> None:
    async with database.connection() as db:
        await checkpoints.save(db, source_id, "INBOX", {"live_uid": 1})
        await checkpoints.save(db, source_id, "Отправленные", {"live_uid": 7})
        await checkpoints.save(db, source_id, "INBOX", {"live_uid": 2, "modseq": None})

        assert await checkpoints.find(db, source_id, "INBOX") == {"live_uid": 2, "modseq": None}
        assert await checkpoints.find(db, source_id, "Отправленные") == {"live_uid": 7}
        assert await checkpoints.find(db, source_id, "Spam") is None


async def test_a_checkpoint_goes_with_the_transaction_that_failed(database: Database, source_id: int) -> None:
    async def work(db: Connection) -> None:
        await checkpoints.save(db, source_id, "INBOX", {"live_uid": 1})
        raise LookupError

    with pytest.raises(LookupError):
        await database.in_transaction(work)

    async with database.connection() as db:
        assert await checkpoints.find(db, source_id, "INBOX") is None


async def test_folders_that_are_no_more_are_forgotten(database: Database, source_id: int) -> None:
    async with database.connection() as db:
        for key in ("INBOX", "Gone", "/bytes_a_day/"):
            await checkpoints.save(db, source_id, key, {"uidvalidity": 7})

        assert await checkpoints.drop_others(db, source_id, ["INBOX", "New"]) == [("Gone", {"uidvalidity": 7})]
        assert await checkpoints.drop_others(db, source_id, ["INBOX", "New"]) == []

        assert await checkpoints.find(db, source_id, "INBOX") is not None
        assert await checkpoints.find(db, source_id, "/bytes_a_day/") is not None
        assert await checkpoints.find(db, source_id, "Gone") is None
