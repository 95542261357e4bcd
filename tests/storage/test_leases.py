"""Leases: one owner at a time, expiry by the database's clock, and a fence against those who were overtaken."""

import asyncio

import pytest

from storage import leases
from storage.database import Connection, Database
from storage.errors import Stale
from storage.leases import Lease

NAMES = [f"mailbox {n}" for n in range(10)]


@pytest.fixture(autouse=True)
async def sources(database: Database) -> None:
    async with database.connection() as db:
        await db.execute(
            "INSERT INTO source (name, kind, type) SELECT unnest($1::text[]), 'mailbox', 'imap'",
            NAMES,
        )


async def expire(db: Connection) -> None:
    await db.execute("UPDATE source SET lease_until = now() - interval '1 s'")


async def test_daemons_that_grab_at_once_share_without_overlap(database: Database) -> None:
    async def grab(owner: str) -> list[Lease]:
        return await database.in_transaction(lambda db: leases.acquire(db, owner, NAMES, 5, 20))

    shares = await asyncio.gather(*(grab(owner) for owner in "abcd"))

    taken = [lease.name for share in shares for lease in share]
    assert len(taken) == len(set(taken))
    assert max(map(len, shares)) <= 5


async def test_a_held_source_is_not_taken_before_it_expires(database: Database) -> None:
    async with database.connection() as db:
        [first] = await leases.acquire(db, "a", NAMES[:1], 9, 20)
        assert await leases.acquire(db, "b", NAMES[:1], 9, 20) == []

        await expire(db)
        [second] = await leases.acquire(db, "b", NAMES[:1], 9, 20)

    assert second.token == first.token + 1


async def test_only_named_sources_that_are_neither_removed_nor_paused_are_taken(database: Database) -> None:
    async with database.connection() as db:
        await db.execute("UPDATE source SET removed_at = now() WHERE name = $1", NAMES[0])
        await db.execute("UPDATE source SET paused_at = now() WHERE name = $1", NAMES[1])

        taken = await leases.acquire(db, "a", [*NAMES[:3], "unknown"], 9, 20)

    assert [lease.name for lease in taken] == [NAMES[2]]


async def test_an_overtaken_owner_is_told_at_renewal_and_refused_at_the_fence(database: Database) -> None:
    async with database.connection() as db:
        old = await leases.acquire(db, "a", NAMES[:2], 9, 20)
        await expire(db)
        [taken] = await leases.acquire(db, "b", [old[0].name], 9, 20)

        assert await leases.renew(db, "a", old, 20) == [old[1]]
        with pytest.raises(Stale):
            await leases.fence(db, old[0].source_id, old[0].token)
        await leases.fence(db, taken.source_id, taken.token)


async def test_a_fence_holds_off_the_takeover_until_its_transaction_ends(database: Database) -> None:
    async with database.connection() as db:
        [lease] = await leases.acquire(db, "a", NAMES[:1], 9, 20)
        await expire(db)

    async def write(db: Connection) -> list[Lease]:
        await leases.fence(db, lease.source_id, lease.token)
        async with database.connection() as other:
            return await leases.acquire(other, "b", NAMES[:1], 9, 20)

    assert await database.in_transaction(write) == []


async def test_a_renewal_does_not_wait_for_a_write_and_extends_the_others(database: Database) -> None:
    async with database.connection() as db:
        held = await leases.acquire(db, "a", NAMES[:2], 9, 20)
        await expire(db)

    async def write(db: Connection) -> list[Lease]:
        await leases.fence(db, held[1].source_id, held[1].token)
        async with asyncio.timeout(10), database.connection() as other:
            return await leases.renew(other, "a", held, 20)

    assert await database.in_transaction(write) == held
    async with database.connection() as db:
        extended = await db.fetch("SELECT id FROM source WHERE lease_until > now()")
    assert [row["id"] for row in extended] == [held[0].source_id]


async def test_a_released_source_is_free_at_once_and_its_old_token_is_stale(database: Database) -> None:
    async with database.connection() as db:
        held = await leases.acquire(db, "a", NAMES[:1], 9, 20)
        await leases.release(db, held)

        with pytest.raises(Stale):
            await leases.fence(db, held[0].source_id, held[0].token)
        assert len(await leases.acquire(db, "b", NAMES[:1], 9, 20)) == 1


async def test_releasing_a_lost_lease_leaves_it_to_its_new_owner(database: Database) -> None:
    async with database.connection() as db:
        lost = await leases.acquire(db, "a", NAMES[:1], 9, 20)
        await expire(db)
        [new] = await leases.acquire(db, "b", NAMES[:1], 9, 20)

        await leases.release(db, lost)

        await leases.fence(db, new.source_id, new.token)


async def test_all_leases_can_be_freed_at_once_and_no_token_of_before_holds(database: Database) -> None:
    async with database.connection() as db:
        held = await leases.acquire(db, "killed", NAMES, 9, 20)
        await leases.beat(db, "killed", "host", 1)

        await leases.free_all(db)

        assert await leases.alive(db, 20) == 0
        taken = await leases.acquire(db, "new", NAMES, 10, 20)
        assert len(taken) == 10
        with pytest.raises(Stale):
            await leases.fence(db, held[0].source_id, held[0].token)


async def test_daemons_that_beat_are_alive_until_they_leave_or_fall_silent(database: Database) -> None:
    async with database.connection() as db:
        for name in ("a", "b", "b", "c"):
            await leases.beat(db, name, "host", 1)
        await leases.leave(db, "a")
        await db.execute("UPDATE daemon SET seen_at = now() - interval '1 minute' WHERE id = 'b'")

        assert await leases.alive(db, 20) == 1
