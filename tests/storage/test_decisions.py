"""What people decide about participants: it stands above every rule, and what is remembered reaches what comes later."""

from uuid import UUID

import pytest

from storage import addresses, contacts, decisions, lists
from storage.database import Connection, Database
from tests.fakes.rows import TODAY, contact, ids, interaction, key, write


async def link(db: Connection, n: int, seat: int = 0) -> tuple[str | None, str, str]:
    """Whom a participant of interaction `n` leads to, by which rule, and of which origin."""
    [view] = await lists.views(db, [ids(n)[0]])
    found = view.participants[seat]
    return found.contact.name if found.contact else None, found.rule, found.origin


async def address_of(db: Connection, text: str) -> UUID:
    return (await addresses.claim(db, [key(text)]))[key(text)].id


@pytest.mark.parametrize("owned", [(), ("a@x.example",)])
async def test_a_person_decides_for_one_participant(database: Database, owned: tuple[str, ...]) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@x.example"), interaction(2, "a@x.example"))
        await contact(db, "Иван", *owned)
        maria = await contact(db, "Мария")

        await decisions.decide(db, ids(1)[0], 0, maria)

        assert await link(db, 1) == ("Мария", "manual", "manual")
        assert (await link(db, 2))[0] == ("Иван" if owned else None)


async def test_nobody_we_know_is_a_decision_too(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@x.example"))
        ivan = await contact(db, "Иван", "a@x.example")

        await decisions.decide(db, ids(1)[0], 0, None)
        await addresses.resolve(db, [await address_of(db, "a@x.example")], TODAY)

        assert await link(db, 1) == (None, "manual", "manual")
        assert await lists.page(db, lists.Filter(contact_id=ivan)) == []
        assert await lists.page(db, lists.Filter(unmatched=True)) == []


async def test_what_is_remembered_for_a_chain_reaches_only_that_chain(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@x.example"), interaction(9, "a@x.example"))
        maria = await contact(db, "Мария")
        address = await address_of(db, "a@x.example")

        await decisions.remember(db, address, ids(1)[1], maria, None)
        await write(db, interaction(2, "b@x.example", "a@x.example", chain=1), interaction(10, "a@x.example", chain=9))

        assert await link(db, 2, 1) == ("Мария", "remembered", "automatic")
        assert await link(db, 2, 0) == (None, "none", "automatic")
        assert await link(db, 10) == (None, "none", "automatic")
        assert await decisions.in_chain(db, ids(1)[1], address) == [(ids(1)[0], 0), (ids(2)[0], 1)]


async def test_what_is_remembered_for_an_address_stands_above_its_owners(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@x.example"))
        ivan, maria = await contact(db, "Иван", "a@x.example"), await contact(db, "Мария", "a@x.example")
        address = await address_of(db, "a@x.example")
        assert await link(db, 1) == (None, "none", "automatic")

        await decisions.remember(db, address, None, maria, None)
        await addresses.resolve(db, [address], TODAY)
        await write(db, interaction(2, "a@x.example"))

        assert [await link(db, n) for n in (1, 2)] == [("Мария", "remembered", "automatic")] * 2

        await contacts.delete(db, maria, TODAY)
        assert await link(db, 1) == ("Иван", "email_exact", "automatic")
        assert ivan


async def test_the_partner_of_a_chosen_person_follows_the_dates_of_the_employment(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@x.example"))
        shop = await contact(db, "Магазин", kind="partner")
        maria = await contact(db, "Мария")
        await decisions.decide(db, ids(1)[0], 0, maria)

        await db.execute("INSERT INTO employment (person_id, partner_id) VALUES ($1, $2)", maria, shop)
        await decisions.settle(db, [maria])

        [view] = await lists.views(db, [ids(1)[0]])
        found = view.participants[0].contact
        assert found is not None
        assert found.partner is not None
        assert found.partner.name == "Магазин"
