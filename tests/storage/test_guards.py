"""The members of a chain as guards see them, and the flags on their links."""

from uuid import UUID

from interactions.guards import Member, Person
from interactions.records import Kind, Link
from storage import guards
from storage.database import Connection, Database
from tests.fakes.rows import contact, ids, interaction, write


async def test_the_members_of_a_chain_come_in_time_order_with_their_people(database: Database) -> None:
    async def work(db: Connection) -> tuple[UUID, list[list[Member]]]:
        ivan = await contact(db, "Ivan", "ivan@customer.example")
        await write(db, interaction(3, "ivan@customer.example", "sales@example.org", chain=1))
        await write(db, interaction(1, "sales@example.org", "olga@customer.example"))
        await write(
            db, interaction(2, "ivan@customer.example", chain=1, kind=Kind.SMS, link=Link("manual", "", (), "manual"))
        )
        return ivan, await guards.members(db, [ids(1)[1]])

    ivan, [members] = await database.in_transaction(work)

    assert [one.id for one in members] == [ids(n)[0] for n in (1, 2, 3)]
    assert [(one.is_mail, one.is_incoming, one.is_manual) for one in members] == [
        (True, True, False),
        (False, True, True),
        (True, True, False),
    ]
    assert members[2].sender == Person("ivan@customer.example", False, ivan)
    assert [person.address for person in members[0].people] == ["sales@example.org", "olga@customer.example"]
    assert [one.topic for one in members] == ["Topic 1", "Topic 2", "Topic 3"]


async def test_users_and_own_addresses_are_ours(database: Database) -> None:
    async def work(db: Connection) -> list[list[Member]]:
        await contact(db, "Boris", "boris@example.org", kind="user")
        await write(
            db, interaction(1, "boris@example.org", "sales@example.org"), interaction(2, "sales@example.org", chain=1)
        )
        await db.execute("UPDATE address SET own = true WHERE value = 'sales@example.org'")
        return await guards.members(db, [ids(1)[1]])

    [members] = await database.in_transaction(work)

    assert all(person.is_ours for member in members for person in member.people)


async def test_a_chain_of_one_needs_no_guard(database: Database) -> None:
    async def work(db: Connection) -> list[list[Member]]:
        await write(db, interaction(1, "ivan@customer.example"))
        return await guards.members(db, [ids(1)[1]])

    assert await database.in_transaction(work) == []


async def test_flags_are_written_to_the_link(database: Database) -> None:
    async def work(db: Connection) -> list[tuple[str, ...]]:
        await write(
            db,
            interaction(1, "a@x.example"),
            interaction(2, "a@x.example", chain=1, link=Link("root", "", ("claims",))),
        )
        await guards.set_flags(db, {ids(1)[0]: ("stranger", "topic_changed"), ids(2)[0]: ()})
        await guards.set_flags(db, {})
        [members] = await guards.members(db, [ids(1)[1]])
        return [one.flags for one in members]

    assert await database.in_transaction(work) == [("stranger", "topic_changed"), ()]
