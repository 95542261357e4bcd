"""Chains: how they grow, merge and are taken apart, and which open chain a party has."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from interactions.chains import Placement
from interactions.records import Kind, Link
from storage import chains
from storage.database import Connection, Database
from tests.fakes.postgres import until_waiting
from tests.fakes.rows import START, contact, ids, interaction, key, write


async def facts(db: Connection, n: int) -> tuple[object, ...]:
    """Root, first minute, last minute and size of the chain that began with interaction `n`."""
    row = await db.fetchrow("SELECT root_id, first_at, last_at, size FROM chain WHERE id = $1", ids(n)[1])
    assert row is not None
    minutes = [(row[name] - START) // timedelta(minutes=1) for name in ("first_at", "last_at")]
    return (row["root_id"], *minutes, row["size"])


async def test_a_chain_grows_at_both_ends_and_its_earliest_member_is_its_root(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(5))
        await write(db, interaction(9, chain=5), interaction(7, chain=5))
        assert await facts(db, 5) == (ids(5)[0], 5, 9, 3)

        await write(db, interaction(2, chain=5))

        assert await facts(db, 5) == (ids(2)[0], 2, 9, 4)


async def test_merged_chains_become_one_and_every_old_id_leads_there_in_one_step(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2), interaction(3), interaction(4, chain=3))
        await chains.merge(db, {ids(3)[1]: ids(2)[1]})
        await chains.merge(db, {ids(2)[1]: ids(1)[1]})
        await chains.merge(db, {})

        assert await facts(db, 1) == (ids(1)[0], 1, 4, 4)
        assert [await chains.final(db, ids(n)[1]) for n in (1, 2, 3)] == [ids(1)[1]] * 3
        assert await chains.final(db, uuid4()) is None
        members = await db.fetch("SELECT DISTINCT chain_id FROM interaction")
        assert [row["chain_id"] for row in members] == [ids(1)[1]]


async def test_a_merged_chain_leaves_its_subject_to_one_that_has_none(database: Database) -> None:
    subject = uuid4()
    async with database.connection() as db:
        await db.execute("INSERT INTO subject (id, kind, title) VALUES ($1, 'deal', 'Deal')", subject)
        await write(db, interaction(1), interaction(2))
        await db.execute("UPDATE chain SET subject_id = $1 WHERE id = $2", subject, ids(2)[1])

        await chains.merge(db, {ids(2)[1]: ids(1)[1]})

        assert await db.fetchval("SELECT subject_id FROM chain WHERE id = $1", ids(1)[1]) == subject


async def test_who_adds_a_member_waits_for_a_merge_and_follows_it(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2))
        merging = db.transaction()
        await merging.start()
        await chains.merge(db, {ids(2)[1]: ids(1)[1]})

        held = asyncio.create_task(database.in_transaction(lambda db: chains.hold(db, ids(2)[1])))
        await until_waiting(database)
        await merging.commit()

        assert await held == ids(1)[1]
        assert await chains.hold(db, uuid4()) is None


async def test_members_that_leave_go_where_they_belong_and_both_chains_count_anew(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2, chain=1), interaction(3, chain=1), interaction(9))

        left = await chains.move(db, {ids(1)[0]: ids(7)[1], ids(2)[0]: ids(9)[1]})

        assert left == {ids(1)[0]: ids(1)[1], ids(2)[0]: ids(1)[1]}
        assert await facts(db, 1) == (ids(3)[0], 3, 3, 1)
        assert await facts(db, 7) == (ids(1)[0], 1, 1, 1)
        assert await facts(db, 9) == (ids(2)[0], 2, 9, 2)
        assert await chains.move(db, {}) == {}


async def test_a_new_reason_replaces_the_guess_and_leaves_what_a_person_said(database: Database) -> None:
    guess = Link("subject_guess", "x", ("claims", "provisional"))
    async with database.connection() as db:
        await write(db, interaction(1, link=guess), interaction(2, link=Link("manual", origin="manual")))

        await chains.relink(db, {ids(n)[0]: Link("in_reply_to", "id") for n in (1, 2)})
        await chains.relink(db, {})

        rows = await db.fetch("SELECT link_rule, link_evidence, link_flags FROM interaction ORDER BY id")
    assert [tuple(row) for row in rows] == [("in_reply_to", "id", ["claims"]), ("manual", "", [])]


async def test_a_chain_says_whether_it_is_loose_and_what_it_comes_after(database: Database) -> None:
    said = Placement({}, {}, frozenset(), {}, {}, loose={ids(2)[1]: True}, continues={ids(2)[1]: ids(1)[1]})
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2))

        await chains.describe(db, said)

        rows = await db.fetch("SELECT is_loose, continues_id FROM chain ORDER BY first_at")
    assert [tuple(row) for row in rows] == [(False, None), (True, ids(1)[1])]


async def test_a_changed_time_moves_root_and_span_of_the_chain(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(5, chain=1), interaction(9, chain=1))

        await db.execute("UPDATE interaction SET occurred_at = $1 WHERE id = $2", START, ids(9)[0])
        await chains.settle(db, ids(9)[0])

        assert await facts(db, 1) == (ids(9)[0], 0, 5, 3)


IVAN = "ivan@customer.example"
AT = START + timedelta(hours=1)


async def open_chain(db: Connection, person: str = IVAN, minutes: int = 60, hours: float = 72) -> object:
    [address] = await db.fetch("SELECT id, contact_id FROM address WHERE value = $1", key(person).value)
    at = START + timedelta(minutes=minutes)
    return await chains.open_of_party(db, address["id"], address["contact_id"], at, hours)


async def test_the_one_open_chain_of_a_party_is_found_for_as_long_as_it_is_young(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(0, IVAN))

        assert await open_chain(db, hours=2) == ids(0)[1]
        assert await open_chain(db, hours=0.5) is None
        assert await open_chain(db, minutes=3 * 24 * 60) is None
        assert await open_chain(db, minutes=3 * 24 * 60 - 1) == ids(0)[1]


@pytest.mark.parametrize(
    ("fields", "is_open"),
    [({"reviewed": True}, False), ({"reviewed": False}, True), ({"reviewed": True, "on_control": True}, True),
     ({"reviewed": True, "deleted_at": START}, False), ({"reviewed": False, "deleted_at": START}, False)],
)  # fmt: skip
async def test_a_chain_is_open_while_a_member_is_to_be_looked_at(
    database: Database, fields: dict[str, object], is_open: bool
) -> None:
    async with database.connection() as db:
        await write(db, interaction(0, IVAN))
        for name, value in fields.items():
            await db.execute(f"UPDATE interaction SET {name} = $1", value)

        assert (await open_chain(db) is not None) == is_open


async def test_a_chain_is_open_while_its_subject_is(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(0, IVAN, reviewed=True))
        await db.execute("INSERT INTO subject (id, kind, title) VALUES ($1, 'deal', '')", ids(9)[0])
        await db.execute("UPDATE chain SET subject_id = $1", ids(9)[0])
        assert await open_chain(db) == ids(0)[1]

        await db.execute("UPDATE subject SET state = 'won'")

        assert await open_chain(db) is None


async def test_several_open_chains_are_none_and_somebody_elses_does_not_count(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(0, IVAN), interaction(1, "olga@other.example"))
        assert await open_chain(db) == ids(0)[1]

        await write(db, interaction(2, "olga@other.example", IVAN))

        with pytest.raises(chains.Several):
            await open_chain(db)


async def test_the_last_chain_of_a_party_is_that_of_its_newest_interaction_that_is_there(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(0, IVAN), interaction(1, IVAN), interaction(2, IVAN))
        await db.execute("UPDATE interaction SET deleted_at = now() WHERE id = $1", ids(2)[0])
        [address] = await db.fetch("SELECT id FROM address WHERE value = $1", key(IVAN).value)

        found = [await chains.last_of_party(db, address["id"], None, START + timedelta(minutes=n)) for n in (9, 1, 0)]

        assert found == [ids(1)[1], ids(0)[1], None]


async def test_a_contact_is_one_party_by_all_its_addresses_and_by_choice(database: Database) -> None:
    async with database.connection() as db:
        ivan = await contact(db, "Иван", IVAN, "+74956329816")
        await write(db, interaction(0, IVAN, kind=Kind.EMAIL))
        assert await open_chain(db, "84956329816") == ids(0)[1]

        await write(db, interaction(1, "somebody@else.example"))
        await db.execute("UPDATE interaction SET reviewed = true WHERE id = $1", ids(0)[0])
        await db.execute("UPDATE participant SET contact_id = $1 WHERE interaction_id = $2", ivan, ids(1)[0])

        assert await open_chain(db, "84956329816") == ids(1)[1]


async def test_a_call_whose_id_is_of_a_later_moment_than_its_beginning_counts(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(60, IVAN, occurred_at=START))

        assert await open_chain(db, minutes=90) == ids(60)[1]
