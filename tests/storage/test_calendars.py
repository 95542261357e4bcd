"""Whose calendar a secret reads."""

from storage import calendars
from storage.database import Database
from tests.fakes.rows import START, user


async def test_a_secret_reads_the_calendar_of_one_person_until_it_is_replaced(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "Anna")
        await calendars.put(db, anna, b"1" * 32)
        await calendars.put(db, anna, b"2" * 32)

        assert await calendars.owner(db, b"1" * 32) is None
        assert await calendars.owner(db, b"2" * 32) == (anna, "Anna", "member", None)
        assert await calendars.entries(db, anna, START, 10) == []
        await calendars.drop(db, anna)
        assert await calendars.owner(db, b"2" * 32) is None
