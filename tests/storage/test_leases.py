"""Leases: one owner at a time, expiry by the database's clock, and a fence against those who were overtaken."""

import asyncio

import pytest

from storage import leases
from storage.database import Connection, Database
from storage.errors import Stale
from storage.leases import Lease, Shares

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


async def test_shares_are_told_of_those_who_live_and_what_nobody_holds(database: Database) -> None:
    async with database.connection() as db:
        for name in ("a", "b", "dead"):
            await leases.beat(db, name, "host", 1)
        await db.execute("UPDATE daemon SET seen_at = now() - interval '1 minute' WHERE id = 'dead'")
        await leases.acquire(db, "a", NAMES[:5], 9, 20)
        await leases.acquire(db, "dead", NAMES[5:6], 9, 20)
        await db.execute("UPDATE source SET paused_at = now() WHERE name = ANY($1)", [NAMES[0], NAMES[9]])

        assert await leases.shares(db, NAMES, 20) == Shares({"a": 4, "b": 0}, NAMES[6:9])
        assert (await leases.shares(db, NAMES[6:7], 20)).free == NAMES[6:7]


@pytest.mark.parametrize(
    ("held", "free", "staying", "leaving", "given"),
    [
        ({"a": 4}, 0, 4, 0, 0),
        ({"a": 1, "b": 0}, 0, 1, 0, 0),
        ({"a": 2, "b": 0}, 0, 2, 0, 1),
        ({"a": 2, "b": 1}, 0, 2, 0, 0),
        ({"a": 4, "b": 0}, 0, 4, 0, 2),
        ({"a": 4, "b": 0}, 1, 3, 0, 1),
        ({"a": 4, "b": 0}, 0, 2, 2, 0),
        ({"a": 10, "b": 0}, 0, 10, 0, 3),
        ({"a": 100, "b": 0}, 0, 100, 0, 6),
        ({"a": 2, "b": 2, "c": 0}, 0, 2, 0, 1),
        ({"a": 0, "b": 9}, 0, 0, 0, 0),
        ({"a": 3, "b": 0}, 9, 3, 0, 0),
    ],
)
def test_who_has_too_much_gives_a_few_and_waits_until_they_are_taken(
    held: dict[str, int], free: int, staying: int, leaving: int, given: int
) -> None:
    assert Shares(held, NAMES[:free]).surplus("a", staying, leaving) == given


@pytest.mark.parametrize(("daemons", "sources", "held", "room"), [(1, 7, 0, 7), (2, 7, 0, 4), (2, 7, 4, 0), (3, 7, 4, -1), (0, 7, 0, 7)])  # fmt: skip
def test_nobody_takes_more_than_his_part(daemons: int, sources: int, held: int, room: int) -> None:
    assert Shares({str(n): 0 for n in range(daemons)}).room(sources, held) == room


@pytest.mark.parametrize("sizes", [(20, 0), (20, 0, 0), (7, 0, 0), (12, 12, 0), (1000, 0, 0, 0), (3, 0)])
def test_shares_become_even_and_then_nothing_moves(sizes: tuple[int, ...]) -> None:
    held, free = {str(n): size for n, size in enumerate(sizes)}, 0
    total, moved = sum(sizes), []
    for _ in range(80):
        moves = 0
        for name, mine in list(held.items()):  # each in its turn, as daemons do
            shares = Shares(dict(held), [""] * free)
            taken = max(min(shares.room(total, mine), free), 0)
            given = 0 if taken else shares.surplus(name, mine)
            held[name] = mine + taken - given
            free += given - taken
            moves += given
        moved.append(moves)

    assert free == 0
    assert max(held.values()) - min(held.values()) <= 1
    assert moved[-20:] == [0] * 20
    assert sum(moved) <= total
