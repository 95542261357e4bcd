"""Origins: whoever claims first gives the id, the other waits for him and takes it."""

import asyncio
from uuid import uuid4

import pytest

from storage import origins
from storage.database import Connection, Database
from tests.fakes.postgres import until_waiting


async def test_a_new_key_gets_the_wanted_id_and_keeps_it(database: Database) -> None:
    first, second = uuid4(), uuid4()
    async with database.connection() as db:
        assert await origins.claim(db, "mail", {b"a": first}) == {b"a": first}

        assert await origins.claim(db, "mail", {b"a": second, b"b": second}) == {b"a": first, b"b": second}
        assert await origins.claim(db, "call:main", {b"a": second}) == {b"a": second}
        assert await origins.claim(db, "mail", {}) == {}


@pytest.mark.parametrize("commits", [True, False])
async def test_the_second_waits_for_the_first_and_finds_what_it_left(database: Database, commits: bool) -> None:
    first, second = uuid4(), uuid4()

    async def claim(db: Connection) -> object:
        return (await origins.claim(db, "mail", {b"a": second}))[b"a"]

    async with database.connection() as db:
        opened = db.transaction()
        await opened.start()
        await origins.claim(db, "mail", {b"a": first})

        other = asyncio.create_task(database.in_transaction(claim))
        await until_waiting(database)
        assert not other.done()
        await (opened.commit() if commits else opened.rollback())

        assert await other == (first if commits else second)


async def test_two_batches_with_the_same_keys_in_other_orders_both_end_with_one_answer(database: Database) -> None:
    keys = [bytes([n]) for n in range(100)]

    async def claim(db: Connection, order: list[bytes]) -> object:
        return await origins.claim(db, "mail", {key: uuid4() for key in order})

    one, other = await asyncio.gather(
        database.in_transaction(lambda db: claim(db, keys)), database.in_transaction(lambda db: claim(db, keys[::-1]))
    )

    assert one == other


async def test_redirected_keys_lead_to_the_other_and_are_all_found(database: Database) -> None:
    one, other, apart = (uuid4() for _ in range(3))
    async with database.connection() as db:
        await origins.claim(db, "call:main", {b"a": one, b"b": other, b"c": other, b"d": apart})
        await origins.claim(db, "call:spare", {b"b": other})

        await origins.redirect(db, "call:main", {other: one})

        assert await origins.keys_of(db, "call:main", [one, other]) == {one: [b"a", b"b", b"c"], other: []}
        assert await origins.claim(db, "call:main", {b"b": uuid4()}) == {b"b": one}
        assert await origins.keys_of(db, "call:spare", [other]) == {other: [b"b"]}
