"""Recordings are asked for once, taken by one at a time, tried again later, and closed."""

from storage import recordings
from storage.database import Database
from tests.fakes.rows import ids, interaction, write


async def test_a_recording_is_asked_for_once_and_taken_by_one(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(0, "a@x.example"))
        for _ in range(2):
            await recordings.want(db, ids(0)[0], ["https://x.example/1.mp3"], "main")

        [first] = await recordings.take(db, 10, 60)
        assert await recordings.take(db, 10, 60) == []
        await recordings.put_off(db, first, "busy", 0)
        [second] = await recordings.take(db, 10, 0)
        await recordings.close(db, second)
        assert await recordings.take(db, 10, 0) == []

    assert (first.link, first.source, first.attempts, second.attempts) == ("https://x.example/1.mp3", "main", 1, 2)
