"""What can be taken back: a token finds its image once, and not for ever."""

import asyncio

import pytest

from storage import undo
from storage.database import Database
from storage.errors import Conflict, NotFound
from storage.undo import Taken


async def test_a_token_brings_back_what_was_kept_and_works_once(database: Database) -> None:
    token = await database.in_transaction(lambda db: undo.add(db, "things", {"names": ["Иван"]}, None))

    assert await database.in_transaction(lambda db: undo.take(db, token, None)) == Taken("things", {"names": ["Иван"]})

    with pytest.raises(Conflict, match="already"):
        await database.in_transaction(lambda db: undo.take(db, token, None))


@pytest.mark.parametrize("token", ["", "x", "\udc80", "a" * 1000])
async def test_what_was_never_a_token_is_not_found(database: Database, token: str) -> None:
    with pytest.raises(NotFound):
        await database.in_transaction(lambda db: undo.take(db, token, None))


async def test_of_two_who_send_one_token_at_once_only_one_gets_it(database: Database) -> None:
    token = await database.in_transaction(lambda db: undo.add(db, "things", {}, None))

    found = await asyncio.gather(
        *(database.in_transaction(lambda db: undo.take(db, token, None)) for _ in range(2)), return_exceptions=True
    )

    assert sorted(type(one).__name__ for one in found) == ["Conflict", "Taken"]


async def test_a_token_grows_old_and_is_cleared_away(database: Database) -> None:
    token = await database.in_transaction(lambda db: undo.add(db, "things", {}, None))
    async with database.connection() as db:
        await db.execute("UPDATE undo SET expires_at = now() - interval '1 second'")

    with pytest.raises(Conflict, match="30 days"):
        await database.in_transaction(lambda db: undo.take(db, token, None))

    await database.in_transaction(lambda db: undo.add(db, "things", {}, None))
    with pytest.raises(NotFound):
        await database.in_transaction(lambda db: undo.take(db, token, None))
