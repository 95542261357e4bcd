"""One key is one change: a repeat hears the first answer, also when both come at once."""

import asyncio

import pytest

from interactions.records import Json
from storage import idempotency
from storage.database import Connection, Database

HASH = b"h" * 32
ANSWER: Json = {"id": "1", "topic": "Консультация", "participants": [{"role": "subscriber"}]}


async def test_a_new_key_is_ours(database: Database) -> None:
    async with database.connection() as db:
        assert await idempotency.claim(db, "token:1", "key", HASH) is None


async def test_a_repeat_finds_the_request_and_its_answer(database: Database) -> None:
    async with database.connection() as db:
        await idempotency.claim(db, "token:1", "key", HASH)
        await idempotency.keep(db, "token:1", "key", 201, ANSWER)

        assert await idempotency.claim(db, "token:1", "key", b"other") == (HASH, 201, ANSWER)


async def test_keys_of_others_are_other_keys(database: Database) -> None:
    async with database.connection() as db:
        await idempotency.claim(db, "token:1", "key", HASH)

        assert await idempotency.claim(db, "token:2", "key", HASH) is None
        assert await idempotency.claim(db, "token:1", "Key", HASH) is None


async def test_a_key_is_free_again_when_its_change_was_not_made(database: Database) -> None:
    async def fails(db: Connection) -> None:
        await idempotency.claim(db, "token:1", "key", HASH)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.in_transaction(fails)

    async with database.connection() as db:
        assert await idempotency.claim(db, "token:1", "key", HASH) is None


async def test_of_two_at_once_the_second_waits_for_the_answer_of_the_first(database: Database) -> None:
    claimed = asyncio.Event()

    async def first(db: Connection) -> None:
        assert await idempotency.claim(db, "token:1", "key", HASH) is None
        claimed.set()
        await db.execute("SELECT pg_sleep(0.05)")
        await idempotency.keep(db, "token:1", "key", 201, ANSWER)

    async def second(db: Connection) -> object:
        await claimed.wait()
        return await idempotency.claim(db, "token:1", "key", HASH)

    _, found = await asyncio.gather(database.in_transaction(first), database.in_transaction(second))

    assert found == (HASH, 201, ANSWER)
