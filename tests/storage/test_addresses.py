"""Addresses: made when first seen, linked by their owners, all history with one update, and no link lost between."""

import asyncio
from datetime import timedelta
from uuid import UUID

from interactions.contacts import ContactKind
from storage import addresses
from storage.database import Connection, Database
from tests.fakes.postgres import until_waiting
from tests.fakes.rows import START, TODAY, contact, ids, interaction, key, own, user, write

IVAN, PHONE, SALES = "ivan@customer.example", "+74956329816", "sales@example.org"


async def link(db: Connection, text: str) -> tuple[object, ...]:
    """Contact, rule and candidates of an address."""
    row = await db.fetchrow("SELECT contact_id, rule, candidates FROM address WHERE value = $1", key(text).value)
    assert row is not None
    return tuple(row)


async def partners(db: Connection) -> list[object]:
    return [
        row["partner_id"] for row in await db.fetch("SELECT partner_id FROM participant ORDER BY interaction_id, n")
    ]


async def test_every_key_has_its_address_from_then_on(database: Database) -> None:
    keys = [key(IVAN), key(PHONE)]
    async with database.connection() as db:
        first = await addresses.claim(db, keys)
        again = await addresses.claim(db, [*keys, key(IVAN)])
        assert await addresses.claim(db, []) == {}

    assert first == again
    assert first.keys() == set(keys)
    assert {one.contact_id for one in first.values()} == {None}


async def test_many_at_once_see_the_same_new_addresses(database: Database) -> None:
    keys = [key(f"a{n}@customer.example") for n in range(50)]

    async def claim(order: list[object]) -> object:
        return await database.in_transaction(lambda db: addresses.claim(db, order))  # type: ignore[arg-type]

    found = await asyncio.gather(claim(keys), claim(keys[::-1]), claim(keys[20:] + keys[:20]))  # type: ignore[arg-type]

    assert found[0] == found[1] == found[2]


async def test_a_known_address_tells_its_contact_kind_responsible_and_employers(database: Database) -> None:
    async with database.connection() as db:
        anna, ivan = await user(db, "anna"), await contact(db, "Иван", IVAN, kind="contact_person")
        partner = await contact(db, "ООО Ромашка", kind="partner")
        await db.execute("UPDATE contact SET responsible_id = $1 WHERE id = $2", anna, ivan)
        await db.execute("INSERT INTO employment VALUES ($1, $2, NULL, $3)", ivan, partner, TODAY)

        [found] = (await addresses.claim(db, [key(IVAN)])).values()

    assert (found.contact_id, found.contact_kind, found.responsible_id) == (ivan, ContactKind.CONTACT_PERSON, anna)
    assert found.partner_at(START - timedelta(days=1)) == partner
    assert found.partner_at(START) is None


async def test_giving_an_address_to_a_contact_links_all_its_history(database: Database) -> None:
    async with database.connection() as db:
        await write(db, *(interaction(n, IVAN, SALES) for n in range(3)))
        partner = await contact(db, "ООО Ромашка", IVAN, kind="partner")

        assert await link(db, IVAN) == (partner, "email_exact", [])
        assert await partners(db) == [partner, None] * 3


async def test_taking_it_away_unlinks_all_its_history(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, IVAN))
        await contact(db, "ООО Ромашка", IVAN, kind="partner")
        await db.execute("UPDATE address_owner SET until = $1", TODAY)

        await addresses.resolve(db, [await address_id(db, IVAN)], TODAY)

        assert await link(db, IVAN) == (None, "none", [])
        assert await partners(db) == [None]


async def address_id(db: Connection, text: str) -> UUID:
    found: UUID = await db.fetchval("SELECT id FROM address WHERE value = $1", key(text).value)
    return found


async def test_two_owners_are_candidates_and_one_who_is_deleted_counts_no_more(database: Database) -> None:
    async with database.connection() as db:
        one, other = await contact(db, "Иван", PHONE), await contact(db, "Пётр", PHONE)
        assert await link(db, PHONE) == (None, "none", sorted([one, other]))

        await db.execute("UPDATE contact SET deleted_at = now() WHERE id = $1", other)
        await addresses.resolve(db, [await address_id(db, PHONE)], TODAY)

        assert await link(db, PHONE) == (one, "phone_exact", [])


async def test_what_a_person_chose_for_one_participant_stays(database: Database) -> None:
    async with database.connection() as db:
        chosen = await contact(db, "Пётр")
        await write(db, interaction(1, IVAN), interaction(2, IVAN))
        await db.execute("UPDATE participant SET contact_id = $1 WHERE interaction_id = $2", chosen, ids(1)[0])

        partner = await contact(db, "ООО Ромашка", IVAN, kind="partner")

        assert await partners(db) == [None, partner]


async def test_a_later_employer_moves_no_history_and_unchanged_rows_are_not_written(database: Database) -> None:
    async with database.connection() as db:
        ivan = await contact(db, "Иван", IVAN, kind="contact_person")
        old, new = [await contact(db, name, kind="partner") for name in ("Старое", "Новое")]
        await db.execute("INSERT INTO employment VALUES ($1, $2, NULL, NULL)", ivan, old)
        await write(db, interaction(1, IVAN))
        written = await db.fetchval("SELECT xmin FROM participant")

        await db.execute("INSERT INTO employment VALUES ($1, $2, $3)", ivan, new, TODAY + timedelta(days=1))
        await addresses.resolve(db, [await address_id(db, IVAN)], TODAY)

        assert await partners(db) == [old]
        assert await db.fetchval("SELECT xmin FROM participant") == written


async def test_an_arrival_waits_for_a_new_owner_and_sees_him(database: Database) -> None:
    async def arrive(db: Connection) -> object:
        return (await addresses.claim(db, [key(IVAN)]))[key(IVAN)].contact_id

    async with database.connection() as db:
        await addresses.claim(db, [key(IVAN)])
        changing = db.transaction()
        await changing.start()
        ivan = await contact(db, "Иван", IVAN)

        arrival = asyncio.create_task(database.in_transaction(arrive))
        await until_waiting(database)
        await changing.commit()

        assert await arrival == ivan


async def test_a_new_owner_waits_for_an_arrival_and_links_it_too(database: Database) -> None:
    async def give(db: Connection) -> UUID:
        return await contact(db, "ООО Ромашка", IVAN, kind="partner")

    async with database.connection() as db:
        await addresses.claim(db, [key(IVAN)])
        arriving = db.transaction()
        await arriving.start()
        await write(db, interaction(1, IVAN))

        giving = asyncio.create_task(database.in_transaction(give))
        await until_waiting(database)
        await arriving.commit()

        partner = await giving
        assert await partners(db) == [partner]


async def test_our_own_addresses_are_those_of_the_configuration_and_no_others(database: Database) -> None:
    async with database.connection() as db:
        ivan = await contact(db, "Иван", IVAN, SALES)
        await addresses.mark_own(db, [key(SALES), key(PHONE)], TODAY)
        assert await link(db, SALES) == (None, "own", [])
        assert await link(db, IVAN) == (ivan, "email_exact", [])
        known = await addresses.claim(db, [key(SALES), key(IVAN), key(PHONE)])
        assert {one.key.value for one in known.values() if one.is_ours} == {SALES, PHONE}

        await addresses.mark_own(db, [key(PHONE)], TODAY)
        await addresses.mark_own(db, [key(PHONE)], TODAY)

        assert await link(db, SALES) == (ivan, "email_exact", [])
        await addresses.mark_own(db, [], TODAY)
        assert not (await addresses.claim(db, [key(PHONE)]))[key(PHONE)].own


async def test_the_address_of_a_user_is_our_side(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "anna")
        await own(db, anna, IVAN)

        [found] = (await addresses.claim(db, [key(IVAN)])).values()
        assert await link(db, IVAN) == (anna, "own", [])

    assert found.is_ours


async def test_who_waited_for_an_address_hears_all_about_its_new_owner(database: Database) -> None:
    address = key("shop@x.example")
    async with database.connection() as changer, database.connection() as arrival:
        await addresses.claim(changer, [address])
        async with changer.transaction():
            shop = await contact(changer, "Магазин", "shop@x.example", kind="partner")
            waiting = asyncio.ensure_future(addresses.claim(arrival, [address]))
            await until_waiting(database)
        found = (await waiting)[address]

    assert (found.contact_id, found.contact_kind) == (shop, ContactKind.PARTNER)
