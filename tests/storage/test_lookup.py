"""Who is this: an address leads to its contact, the last interactions and the open chains."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from interactions.addresses import email_key
from interactions.contacts import Contact, ContactKind, Coordinate, Employment
from interactions.phones import phone_key
from interactions.records import Interaction, Key, Kind, Participant, Role, uuid7
from storage import addresses, chains, contacts, lookup, records
from storage.database import Connection, Database
from tests.fakes import rows


def key_of(number: str) -> Key:
    key = phone_key(number, "RU")
    assert key is not None
    return key


NUMBER = key_of("(495) 632-98-16")
OTHER = key_of("+7 916 123-45-67")


async def spoken(
    database: Database, key: Key, at: datetime, *, reviewed: bool = True, chosen: UUID | None = None
) -> Interaction:
    interaction_id = uuid7(at, uuid4().bytes)
    new = Interaction(
        interaction_id, Kind.PHONE_CALL, None, at, uuid4(), topic="Заказ", reviewed=reviewed,
        participants=(Participant(Role.SUBSCRIBER, "", key.value, key, chosen),),
    )  # fmt: skip

    async def work(db: Connection) -> None:
        known = await addresses.claim(db, {key})
        await chains.extend(db, [new])
        await records.add_all(db, [new], known)

    await database.in_transaction(work)
    return new


async def added(database: Database, now: datetime, name: str, *keys: Key, works_for: UUID | None = None) -> UUID:
    kind = ContactKind.CONTACT_PERSON if works_for else ContactKind.PARTNER
    jobs = (Employment(works_for),) if works_for else ()
    new = Contact(uuid4(), kind, name, tuple(Coordinate(key, key.value) for key in keys), jobs)
    return await database.in_transaction(lambda db: contacts.add(db, new, now.date()))


async def recent(database: Database, key: Key, limit: int = 5) -> Sequence[UUID]:
    async with database.connection() as db:
        found = await lookup.address(db, key)
        assert found is not None
        return await lookup.recent(db, found.address_id, found.contact_id, limit)


async def test_an_address_never_seen_is_not_made_by_asking(database: Database) -> None:
    async with database.connection() as db:
        assert await lookup.address(db, NUMBER) is None
        assert await db.fetchval("SELECT count(*) FROM address") == 0


async def test_a_party_shows_what_was_with_its_address(database: Database, now: datetime) -> None:
    old = await spoken(database, NUMBER, now - timedelta(days=1))
    new = await spoken(database, NUMBER, now)
    await spoken(database, OTHER, now)

    assert await recent(database, NUMBER) == [new.id, old.id]
    assert await recent(database, NUMBER, limit=1) == [new.id]


async def test_a_contact_shows_what_was_with_all_its_addresses(database: Database, now: datetime) -> None:
    await added(database, now, "Магазин", NUMBER, OTHER)
    first = await spoken(database, OTHER, now - timedelta(days=1))
    second = await spoken(database, NUMBER, now)

    assert await recent(database, NUMBER) == [second.id, first.id]


async def test_a_partner_shows_its_persons_too_and_a_choice_is_followed(database: Database, now: datetime) -> None:
    shop = await added(database, now, "Магазин")
    ivan = await added(database, now, "Иван", NUMBER, works_for=shop)
    maria = await added(database, now, "Мария", works_for=shop)
    called = await spoken(database, NUMBER, now - timedelta(hours=1))
    chosen = await spoken(database, NUMBER, now, chosen=maria)

    async with database.connection() as db:
        assert await lookup.timeline(db, shop, None, 10) == [chosen.id, called.id]
        assert await lookup.timeline(db, ivan, None, 10) == [called.id]
        assert await lookup.timeline(db, maria, None, 10) == [chosen.id]
        assert await lookup.recent(db, None, shop, 10) == [chosen.id, called.id]
        assert await lookup.recent(db, None, ivan, 10) == [called.id]


async def test_a_timeline_goes_on_where_its_page_ended(database: Database, now: datetime) -> None:
    shop = await added(database, now, "Магазин", NUMBER)
    all_of_it = [await spoken(database, NUMBER, now - timedelta(days=n // 2)) for n in range(5)]
    order = [one.id for one in sorted(all_of_it, key=lambda one: (one.occurred_at, one.id), reverse=True)]
    at = {one.id: one.occurred_at for one in all_of_it}

    seen: list[UUID] = []
    async with database.connection() as db:
        while some := await lookup.timeline(db, shop, (at[seen[-1]], seen[-1]) if seen else None, 2):
            seen += some

    assert seen == order


async def test_open_chains_are_those_that_wait_for_somebody(database: Database, now: datetime) -> None:
    waiting = await spoken(database, NUMBER, now, reviewed=False)
    done = await spoken(database, NUMBER, now)

    async with database.connection() as db:
        [chain] = await lookup.open_chains(db, [waiting.id, done.id], 10)
    assert (chain.id, chain.root_id, chain.topic, chain.size) == (waiting.chain_id, waiting.id, "Заказ", 1)


async def test_of_addresses_those_of_contacts_are_told(database: Database, now: datetime) -> None:
    known, party = email_key("Ivan@customer.example"), email_key("x@other.example")
    assert known is not None
    assert party is not None
    await added(database, now, "Иван", known)
    async with database.connection() as db:
        await addresses.claim(db, {party})

        assert await lookup.of_contacts(db, ["ivan@customer.example", "x@other.example", "y@z.example"]) == {
            "ivan@customer.example"
        }
        assert await lookup.of_contacts(db, []) == set()


async def test_our_own_people_are_contacts_and_no_customers(database: Database) -> None:
    async with database.connection() as db:
        await rows.contact(db, "Иван", "ivan@customer.example")
        await rows.contact(db, "Анна", "anna@example.org", kind="user")
        some = ["ivan@customer.example", "anna@example.org", "nobody@x.example"]

        assert await lookup.of_contacts(db, some) == {"ivan@customer.example", "anna@example.org"}
        assert await lookup.of_customers(db, some) == {"ivan@customer.example"}
