"""The feed: numbered after the commit, without gaps, and never a row behind a reader's back."""

import asyncio
from uuid import uuid4

from storage import feed
from storage.database import Database
from storage.feed import Change


async def numbered(database: Database, after: int = 0) -> list[tuple[int, str]]:
    async with database.connection() as db:
        return [(one.seq, one.change.type) for one in await feed.list_after(db, after, 1000)]


async def test_changes_are_numbered_in_the_order_of_writing(database: Database) -> None:
    ref = uuid4()
    async with database.connection() as db:
        await feed.add(db, [Change("interaction.created", ref, {"тема": "Счёт"}), Change("call.ringing", ref)])
        await feed.add(db, [Change("chain.merged", None)])
        await feed.add(db, [])

        assert await feed.list_after(db, 0, 10) == []
        assert await database.in_transaction(feed.number) == 3
        assert await database.in_transaction(feed.number) == 0
        [first, second] = await feed.list_after(db, 0, 2)

    assert first.change == Change("interaction.created", ref, {"тема": "Счёт"})
    assert [first.seq, second.seq] == [1, 2]
    assert await numbered(database, 2) == [(3, "chain.merged")]


async def test_a_change_committed_late_comes_after_those_that_were_read(database: Database) -> None:
    async with database.connection() as slow, database.connection() as quick:
        opened = slow.transaction()
        await opened.start()
        await feed.add(slow, [Change("slow", None)])
        await feed.add(quick, [Change("quick", None)])

        await database.in_transaction(feed.number)
        assert await numbered(database) == [(1, "quick")]
        await opened.commit()
        await database.in_transaction(feed.number)

    assert await numbered(database, 1) == [(2, "slow")]


async def test_of_two_sequencers_one_numbers_and_the_other_leaves_it(database: Database) -> None:
    async with database.connection() as db, database.connection() as first:
        await feed.add(db, [Change("a", None)])
        turn = first.transaction()
        await turn.start()
        assert await feed.number(first) == 1

        async with asyncio.timeout(10):
            assert await database.in_transaction(feed.number) == 0
        await turn.commit()

    assert await numbered(database) == [(1, "a")]


async def test_many_writers_and_sequencers_give_each_change_one_number(database: Database) -> None:
    async def write(n: int) -> None:
        async with database.connection() as db:
            await feed.add(db, [Change(f"{n}.{k}", None) for k in range(20)])
        await database.in_transaction(feed.number)

    await asyncio.gather(*(write(n) for n in range(8)))
    while await database.in_transaction(feed.number):
        pass

    found = await numbered(database)
    assert [seq for seq, _ in found] == list(range(1, 161))
    assert len({name for _, name in found}) == 160
