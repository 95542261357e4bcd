"""Whose data it is: what only this person has, and what others have a part in."""

from uuid import UUID

from storage import erasure, feed
from storage.audit import Actor, acting
from storage.database import Connection, Database
from tests.fakes.rows import START, contact, ids, interaction, own, user, write


async def held_of(db: Connection, person: UUID) -> erasure.Held:
    async with db.transaction():
        return await erasure.hold(db, person)


async def test_an_address_of_several_and_what_came_from_it_stays(database: Database) -> None:
    async with database.connection() as db:
        olga, petr = await contact(db, "Olga", "olga@x.example", "family@x.example"), await contact(db, "Petr")
        await own(db, petr, "family@x.example")
        await write(db, interaction(0, "olga@x.example"), interaction(1, "family@x.example"))

        held = await held_of(db, olga)

    assert [key.value for key in held.addresses.values()] == ["olga@x.example"]
    assert held.interaction_ids == [ids(0)[0]]


async def test_an_interaction_is_shared_where_somebody_else_from_outside_took_part(database: Database) -> None:
    async with database.connection() as db:
        olga = await contact(db, "Olga", "olga@x.example")
        anna = await user(db, "Anna")
        await own(db, anna, "anna@example.org")
        await write(
            db,
            interaction(0, "olga@x.example", "anna@example.org"),
            interaction(1, "olga@x.example", "petr@other.example"),
        )

        held = await held_of(db, olga)

    assert set(held.shared) == {ids(1)[0]}


async def test_who_was_merged_into_a_person_goes_with_it(database: Database) -> None:
    async with database.connection() as db:
        olga, double = await contact(db, "Olga", "olga@x.example"), await contact(db, "Olga Z")
        await db.execute("UPDATE contact SET merged_into = $1 WHERE id = $2", olga, double)

        held = await held_of(db, olga)
        counts = await erasure.wipe(db, held, False, START)

        names = {row["name"] for row in await db.fetch("SELECT name FROM contact")}
    assert counts["contacts"] == 2
    assert names == {erasure.BLANK_NAME}


async def test_of_an_address_that_somebody_gave_to_a_person_no_feed_and_no_audit_keeps_the_words(
    database: Database,
) -> None:
    async with database.connection() as db:
        olga = await contact(db, "Olga", "olga@x.example")
        held = await held_of(db, olga)
        [address] = held.addresses
        with acting(Actor("program", "test")):
            await feed.add(db, [feed.Change("address.relinked", address, {"kind": "email", "key": "olga@x.example"})])

        await erasure.wipe(db, held, False, START)

        kept = await db.fetch("SELECT data::text FROM feed UNION ALL SELECT detail::text FROM audit")
    assert len(kept) > 1
    assert not any("olga@x.example" in row[0] for row in kept)
