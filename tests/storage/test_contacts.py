"""Contacts in the database: what is written is read again, and every address leads to whom it should."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest

from interactions.addresses import email_key
from interactions.contacts import Contact, ContactKind, Coordinate, Employment
from interactions.phones import phone_key
from interactions.records import Interaction, Key, Kind, Participant, Role, uuid7
from storage import addresses, chains, contacts, people, records
from storage.contacts import Filter
from storage.database import Connection, Database
from storage.errors import Conflict

TODAY = date(2026, 11, 23)


def coordinate(text: str) -> Coordinate:
    key = email_key(text) if "@" in text else phone_key(text, "RU")
    assert key is not None
    return Coordinate(key, text)


def contact(name: str, *addresses: str, kind: ContactKind = ContactKind.INDIVIDUAL, **more: object) -> Contact:
    own = tuple(coordinate(one) for one in addresses)
    return replace(Contact(uuid4(), kind, name, own), **more)  # type: ignore[arg-type]


def partner(name: str, *addresses: str, **more: object) -> Contact:
    return contact(name, *addresses, kind=ContactKind.PARTNER, **more)


async def add(database: Database, *new: Contact) -> None:
    await database.in_transaction(lambda db: contacts.add_all(db, new, TODAY))


async def change(database: Database, contact_id: UUID, **fields: object) -> Contact:
    async def work(db: Connection) -> Contact:
        [old] = (await contacts.find_all(db, [contact_id], hold=True)).values()
        await contacts.change_all(db, [(old, replace(old, **fields))], TODAY)  # type: ignore[arg-type]
        found = await contacts.find(db, contact_id)
        assert found is not None
        return found

    return await database.in_transaction(work)


async def links(database: Database) -> dict[str, tuple[str | None, str, set[str]]]:
    """Of every address: the name it leads to, the rule, the names of the candidates."""
    async with database.connection() as db:
        rows = await db.fetch(
            "SELECT a.value, c.name, a.rule, ARRAY(SELECT name FROM contact WHERE id = ANY(a.candidates)) AS others "
            "FROM address a LEFT JOIN contact c ON c.id = a.contact_id"
        )
    return {row["value"]: (row["name"], row["rule"], set(row["others"])) for row in rows}


async def spoken(database: Database, address: str, at: datetime) -> UUID:
    """An interaction with an address, as it is before anybody has the address."""
    key = coordinate(address).key
    interaction_id = uuid7(at, uuid4().bytes)
    new = Interaction(
        interaction_id,
        Kind.PHONE_CALL,
        None,
        at,
        uuid4(),
        participants=(Participant(Role.SUBSCRIBER, "", address, key),),
    )

    async def work(db: Connection) -> None:
        known = await addresses.claim(db, {key})
        await chains.extend(db, [new])
        await records.add_all(db, [new], known)

    await database.in_transaction(work)
    return interaction_id


async def partners_then(database: Database) -> Sequence[str | None]:
    async with database.connection() as db:
        rows = await db.fetch(
            "SELECT c.name FROM participant p JOIN interaction i ON i.id = p.interaction_id "
            "LEFT JOIN contact c ON c.id = p.partner_id ORDER BY i.occurred_at"
        )
    return [row["name"] for row in rows]


async def changes(database: Database) -> list[tuple[str, UUID]]:
    async with database.connection() as db:
        return [(row["type"], row["ref"]) for row in await db.fetch("SELECT type, ref FROM feed ORDER BY position")]


async def test_a_contact_is_read_as_it_was_written(database: Database) -> None:
    user = contact("Анна", "anna@example.org", kind=ContactKind.USER)
    group = partner("Группа")
    shop = partner(
        'Магазин "Бытовая техника (Москва)"', "info@shop.example", "+7 495 632-98-16", parent_id=group.id,
        responsible_id=user.id, external_ref="П-1", domains=("shop.example",), inn="7701234567", kpp="770101001",
        tags=("vip", "опт"), comment="Звонить до 18",
    )  # fmt: skip
    person = contact("Иван", "ivan@shop.example", kind=ContactKind.CONTACT_PERSON,
                     employments=(Employment(shop.id, None, date(2020, 1, 1)), Employment(group.id, date(2020, 1, 1))))  # fmt: skip

    await add(database, user, group, shop, person)

    async with database.connection() as db:
        found = await contacts.find_all(db, [shop.id, person.id])
        assert await contacts.find_by_ref(db, "П-1") == shop.id
    stored = {one.id: replace(one, created_at=None, updated_at=None) for one in found.values()}
    assert stored == {shop.id: shop, person.id: person}
    assert await changes(database) == [("contact.created", one.id) for one in (user, group, shop, person)]


async def test_giving_an_address_links_all_that_was_before(database: Database, now: datetime) -> None:
    await spoken(database, "84956329816", now)
    shop = partner("Магазин", "(495) 632-98-16")

    await add(database, shop)

    assert await links(database) == {"+74956329816": ("Магазин", "phone_exact", set())}
    assert await partners_then(database) == ["Магазин"]


async def test_taking_an_address_away_unlinks_it(database: Database, now: datetime) -> None:
    await spoken(database, "84956329816", now)
    shop = partner("Магазин", "(495) 632-98-16", "info@shop.example")
    await add(database, shop)

    found = await change(database, shop.id, coordinates=(coordinate("info@shop.example"), coordinate("8 916 1234567")))

    assert [one.raw for one in found.coordinates] == ["info@shop.example", "8 916 1234567"]
    assert found.version == 2
    assert await links(database) == {
        "+74956329816": (None, "none", set()),
        "+79161234567": ("Магазин", "phone_exact", set()),
        "info@shop.example": ("Магазин", "email_exact", set()),
    }
    assert await partners_then(database) == [None]
    assert (await changes(database))[-1] == ("contact.updated", shop.id)


async def test_an_address_of_two_is_left_unlinked_with_its_candidates(database: Database) -> None:
    await add(database, contact("Иван", "a@x.example"), contact("Мария", "a@x.example"))

    assert await links(database) == {"a@x.example": (None, "none", {"Иван", "Мария"})}


async def test_colleagues_who_share_an_address_lead_to_their_partner(database: Database) -> None:
    shop = partner("Магазин")
    first = contact("Иван", "a@x.example", employments=(Employment(shop.id),))
    second = contact("Мария", "a@x.example")
    await add(database, shop, first, second)

    await change(database, second.id, employments=(Employment(shop.id),))

    assert await links(database) == {"a@x.example": ("Магазин", "partner_of_all", {"Иван", "Мария"})}


async def test_the_address_of_a_user_is_our_own(database: Database) -> None:
    user = contact("Анна", "anna@example.org", kind=ContactKind.USER)

    async def work(db: Connection) -> None:
        await contacts.add(db, user, TODAY)
        await people.add_login(db, user.id, "anna@example.org", None, "member")

    await database.in_transaction(work)

    assert await links(database) == {"anna@example.org": ("Анна", "own", set())}


async def test_a_change_of_employer_moves_no_history(database: Database, now: datetime) -> None:
    old, new = partner("Старый"), partner("Новый")
    person = contact("Иван", "84956329816", employments=(Employment(old.id),))
    await add(database, old, new, person)
    await spoken(database, "84956329816", datetime(2026, 5, 1, tzinfo=UTC))

    await change(
        database,
        person.id,
        employments=(Employment(old.id, None, date(2026, 6, 1)), Employment(new.id, date(2026, 6, 1))),
    )
    await spoken(database, "84956329816", now)

    assert await partners_then(database) == ["Старый", "Новый"]


async def test_a_deleted_contact_leaves_its_addresses_to_others(database: Database) -> None:
    first, second = contact("Иван", "a@x.example"), contact("Мария", "a@x.example")
    await add(database, first, second)

    await database.in_transaction(lambda db: contacts.delete(db, first.id, TODAY))

    assert await links(database) == {"a@x.example": ("Мария", "email_exact", set())}
    assert (await changes(database))[-1] == ("contact.deleted", first.id)
    async with database.connection() as db:
        assert [one.name for one in await contacts.page(db, Filter(), TODAY)] == ["Мария"]
        gone = await contacts.find(db, first.id)
    assert gone is not None
    assert gone.is_gone


async def test_nobody_serves_a_deleted_partner_any_more(database: Database) -> None:
    shop = partner("Магазин")
    persons = [contact(name, "a@x.example", employments=(Employment(shop.id),)) for name in ("Иван", "Мария")]
    await add(database, shop, *persons)

    await database.in_transaction(lambda db: contacts.delete(db, shop.id, TODAY))

    assert await links(database) == {"a@x.example": (None, "none", {"Иван", "Мария"})}
    async with database.connection() as db:
        found = await contacts.find(db, persons[0].id)
    assert found is not None
    assert (found.employments, found.version) == ((Employment(shop.id, None, TODAY),), 2)


async def test_a_reference_belongs_to_one_contact(database: Database) -> None:
    await add(database, contact("Иван", external_ref="1"))

    with pytest.raises(Conflict, match="external_ref"):
        await add(database, contact("Мария", external_ref="1"))


async def test_pages_go_by_name_and_miss_nobody(database: Database) -> None:
    names = ["Ёлкин", "Елкин", "ежов", "Яков", "Abc", "яков"]
    await add(database, *(contact(name) for name in names))

    seen: list[Contact] = []
    async with database.connection() as db:
        while True:
            after = (contacts.name_key(seen[-1].name), seen[-1].id) if seen else None
            some = await contacts.page(db, Filter(after=after, limit=2), TODAY)
            if not some:
                break
            seen += some

    assert [contacts.name_key(one.name) for one in seen] == ["abc", "ежов", "елкин", "елкин", "яков", "яков"]
    assert len({one.id for one in seen}) == len(names)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(kinds=("partner",)), ["100% Скидка", 'Магазин "Техника"']),
        (Filter(words=("ТЕХНИКА",)), ['Магазин "Техника"']),
        (Filter(words=("ник", "магаз")), ['Магазин "Техника"']),
        (Filter(words=("%",)), ["100% Скидка"]),
        (Filter(key=Key(coordinate("ivan@x.example").key.kind, "ivan@x.example")), ["Иван"]),
        (Filter(external_ref="П-1"), ['Магазин "Техника"']),
    ],
)
async def test_a_list_shows_what_its_filter_says(database: Database, wanted: Filter, expected: list[str]) -> None:
    shop = partner('Магазин "Техника"', external_ref="П-1")
    await add(database, shop, partner("100% Скидка"), contact("Иван", "ivan@x.example"))

    async with database.connection() as db:
        assert [one.name for one in await contacts.page(db, wanted, TODAY)] == expected


async def test_the_persons_of_a_partner_are_those_of_today(database: Database) -> None:
    shop = partner("Магазин")
    left = contact("Бывший", employments=(Employment(shop.id, None, date(2026, 1, 1)),))
    there = contact("Нынешний", employments=(Employment(shop.id, date(2026, 1, 1)),))
    await add(database, shop, left, there)

    async with database.connection() as db:
        assert [one.name for one in await contacts.page(db, Filter(partner_id=shop.id), TODAY)] == ["Нынешний"]


async def test_two_who_give_one_address_at_once_both_have_it(database: Database) -> None:
    names = [f"Иван {n}" for n in range(8)]

    await asyncio.gather(*(add(database, contact(name, "a@x.example", "b@x.example")) for name in names))

    assert await links(database) == {
        "a@x.example": (None, "none", set(names)),
        "b@x.example": (None, "none", set(names)),
    }
