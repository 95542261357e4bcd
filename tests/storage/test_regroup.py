"""Chains put together and taken apart by hand: members, roots, spans and sizes are those of who is there."""

from typing import Any
from uuid import UUID, uuid4

from storage import chains, regroup
from storage.database import Connection, Database
from tests.fakes.rows import ids, interaction, write


async def chain(db: Connection, chain_id: UUID) -> tuple[Any, ...]:
    row = await db.fetchrow("SELECT root_id, size, merged_into, first_at, last_at FROM chain WHERE id = $1", chain_id)
    assert row is not None
    return tuple(row)


async def test_a_member_moves_to_a_chain_of_its_own_and_both_are_counted_anew(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2, chain=1), interaction(3, chain=1))
        old, new = ids(1)[1], uuid4()

        await regroup.open_for(db, new, ids(1)[0])
        await regroup.move(db, [ids(1)[0]], old, new)
        await regroup.mark_manual(db, [ids(1)[0]])

        assert (await chain(db, new))[:3] == (ids(1)[0], 1, None)
        assert (await chain(db, old))[:3] == (ids(2)[0], 2, None)
        assert await regroup.members(db, old) == [ids(2)[0], ids(3)[0]]
        assert await db.fetchval("SELECT link_origin FROM interaction WHERE id = $1", ids(1)[0]) == "manual"


async def test_a_redirect_is_taken_away_only_where_it_still_leads_there(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2), interaction(3))
        one, two, three = (ids(n)[1] for n in (1, 2, 3))
        before = await chain(db, one)
        await chains.merge(db, {one: two})

        assert not await regroup.reopen(db, one, three)
        assert await regroup.reopen(db, one, two)
        await regroup.move(db, [ids(1)[0]], two, one)

        assert await chain(db, one) == before
        assert (await chain(db, two))[:2] == (ids(2)[0], 1)


async def test_both_chains_are_held_at_their_ends(database: Database) -> None:
    async with database.connection() as db, db.transaction():
        await write(db, interaction(1), interaction(2))
        one, two, nobody = ids(1)[1], ids(2)[1], uuid4()
        await chains.merge(db, {one: two})

        assert await regroup.hold_both(db, one, nobody) == {one: two, nobody: None}
        assert await regroup.subjects_of(db, [two]) == {two: None}
        await regroup.set_subject(db, two, None)


async def test_redirects_of_a_chain_lead_back_to_it(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2), interaction(3))
        one, two, three = (ids(n)[1] for n in (1, 2, 3))
        await chains.merge(db, {one: two})
        assert await regroup.redirects(db, two) == [one]
        await chains.merge(db, {two: three})

        await regroup.lead_back(db, [one], two, three)

        assert (await chain(db, one))[2] == two
