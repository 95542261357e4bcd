"""What may be done with contacts: fields become a contact or say every mistake, and a change loses nobody's history."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

import pytest

from daemon.contacts import Fields, Gone, Invalid, Outdated, Spelling, add, apply, change, delete, find
from interactions.contactfiles import Written
from interactions.contacts import Contact, ContactKind, Employment
from storage import people
from storage.database import Connection, Database
from storage.errors import Conflict, NotFound

T = TypeVar("T")
RU = Spelling("RU")


class Acts:
    """The acts, each in a transaction of its own."""

    def __init__(self, database: Database, now: datetime) -> None:
        self._database, self.now = database, now

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await self._database.in_transaction(work)

    async def add(self, **fields: object) -> Contact:
        return await self.run(lambda db: add(db, Fields(**fields), RU, self.now))  # type: ignore[typeddict-item]

    async def change(self, contact_id: UUID, version: int | None = None, **fields: object) -> Contact:
        given = Fields(**fields)  # type: ignore[typeddict-item]
        return await self.run(lambda db: change(db, contact_id, given, RU, self.now, version))

    async def delete(self, contact_id: UUID, version: int | None = None) -> None:
        await self.run(lambda db: delete(db, contact_id, self.now, version))

    async def feed(self) -> list[str]:
        async with self._database.connection() as db:
            return [row["type"] for row in await db.fetch("SELECT type FROM feed ORDER BY position")]


@pytest.fixture
def acts(database: Database, now: datetime) -> Acts:
    return Acts(database, now)


async def test_a_partner_is_added_with_its_addresses_in_any_spelling(acts: Acts) -> None:
    new = await acts.add(
        kind=ContactKind.PARTNER,
        name='  Магазин "Бытовая техника (Москва)" ',
        phones=[Written("(495) 6329816"), Written("8-495-632-98-16", "ещё раз"), Written("101", "внутренний")],
        emails=[Written("Info@Shop.EXAMPLE", "общий")],
        domains=["@SHOP.example"],
        tags=["vip", "vip"],
        external_ref="",
    )

    assert new.name == 'Магазин "Бытовая техника (Москва)"'
    assert [(one.key.value, one.raw, one.label) for one in new.phones] == [
        ("+74956329816", "(495) 6329816", ""),
        ("101", "101", "внутренний"),
    ]
    assert [(one.key.value, one.raw, one.label) for one in new.emails] == [
        ("info@shop.example", "Info@Shop.EXAMPLE", "общий")
    ]
    assert (new.domains, new.tags, new.external_ref, new.version) == (("shop.example",), ("vip",), None, 1)


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"name": " \x00 "}, ["name"]),
        ({"name": "Иван", "emails": [Written("a@x.example"), Written("a@")]}, ["emails.1"]),
        ({"name": "Иван", "phones": [Written("нет"), Written("1" * 16), Written("anonymous")]},
         ["phones.0", "phones.1", "phones.2"]),
        ({"name": "Иван", "phones": [Written("101", "x" * 101)]}, ["phones.0.label"]),
        ({"name": "Иван", "domains": ["x.example"], "parent_id": uuid4()}, ["domains", "parent_id"]),
        ({"name": "Иван", "tags": ["x" * 101], "inn": "1" * 21}, ["tags.0", "inn"]),
        ({"name": "А", "kind": ContactKind.PARTNER, "domains": ["a b", "localhost"]}, ["domains.0", "domains.1"]),
        ({"name": "А", "kind": ContactKind.PARTNER, "partner_id": uuid4()}, ["partners"]),
        ({"name": "Иван", "partners": [Employment(UUID(int=1), date(2026, 2, 1), date(2026, 1, 1))]}, ["partners.0.until"]),
        ({"name": "Иван", "partners": [Employment(UUID(int=1)), Employment(UUID(int=1))]}, ["partners.1"]),
        ({"name": "Иван", "partners": [Employment(UUID(int=1))], "partner_id": UUID(int=2)}, ["partner_id"]),
        ({"name": "Иван", "partner_id": uuid4(), "responsible_id": uuid4()}, ["partners.0.id", "responsible_id"]),
    ],
)  # fmt: skip
async def test_every_mistake_is_named(acts: Acts, fields: dict[str, object], paths: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        await acts.add(**fields)

    assert [path for path, _ in caught.value.errors] == paths
    assert await acts.feed() == []


async def test_a_person_of_a_partner_is_a_contact_person_unless_said_otherwise(acts: Acts) -> None:
    shop = await acts.add(kind=ContactKind.PARTNER, name="Магазин")

    person = await acts.add(name="Иван", partner_id=shop.id)
    alone = await acts.add(name="Мария")

    assert (person.kind, person.employments) == (ContactKind.CONTACT_PERSON, (Employment(shop.id),))
    assert alone.kind is ContactKind.INDIVIDUAL


async def test_a_responsible_is_a_user_and_a_parent_a_partner(acts: Acts) -> None:
    person = await acts.add(name="Иван")

    with pytest.raises(Invalid) as caught:
        await acts.add(kind=ContactKind.PARTNER, name="Магазин", responsible_id=person.id, parent_id=person.id)

    assert [path for path, _ in caught.value.errors] == ["parent_id", "responsible_id"]


async def test_partners_do_not_belong_to_each_other_in_a_circle(acts: Acts) -> None:
    group = await acts.add(kind=ContactKind.PARTNER, name="Группа")
    shop = await acts.add(kind=ContactKind.PARTNER, name="Магазин", parent_id=group.id)

    with pytest.raises(Invalid, match="belongs to this contact"):
        await acts.change(group.id, parent_id=shop.id)
    with pytest.raises(Invalid, match="this contact itself"):
        await acts.change(group.id, parent_id=group.id)


async def test_a_reference_is_taken_once(acts: Acts) -> None:
    first = await acts.add(name="Иван", external_ref="1")

    with pytest.raises(Conflict, match=str(first.id)):
        await acts.add(name="Мария", external_ref="1")


async def test_a_change_touches_what_is_given_and_nothing_else(acts: Acts) -> None:
    old = await acts.add(name="Иван", phones=[Written("(495) 632-98-16", "раб.")], comment="a", tags=["vip"])

    new = await acts.change(old.id, comment=None, emails=[Written("i@x.example")])

    assert new == replace(
        old, comment=None, coordinates=(*new.emails, *old.phones), version=2, updated_at=new.updated_at
    )  # fmt: skip
    assert await acts.feed() == ["contact.created", "contact.updated"]


async def test_a_change_that_changes_nothing_is_not_told(acts: Acts) -> None:
    old = await acts.add(name="Иван", phones=[Written("(495) 632-98-16")])

    assert await acts.change(old.id, name="Иван", phones=[Written("(495) 632-98-16")]) == old

    assert await acts.feed() == ["contact.created"]


async def test_a_change_of_another_version_is_refused(acts: Acts) -> None:
    old = await acts.add(name="Иван")
    await acts.change(old.id, version=1, name="Пётр")

    with pytest.raises(Outdated):
        await acts.change(old.id, version=1, name="Фёдор")
    with pytest.raises(Outdated):
        await acts.delete(old.id, version=1)


async def test_a_new_partner_takes_over_from_the_old_one_today(acts: Acts) -> None:
    shops = [await acts.add(kind=ContactKind.PARTNER, name=name) for name in ("А", "Б", "В")]
    first, second, third = (shop.id for shop in shops)
    person = await acts.add(name="Иван", partner_id=first)
    today = acts.now.date()

    assert (await acts.change(person.id, partner_id=first)).version == 1
    moved = await acts.change(person.id, partner_id=second)
    corrected = await acts.change(person.id, partner_id=third)
    acts.now += timedelta(days=30)
    left = await acts.change(person.id, partner_id=None)

    assert moved.employments == (Employment(first, None, today), Employment(second, today))
    assert corrected.employments == (Employment(first, None, today), Employment(third, today))
    assert left.employments == (Employment(first, None, today), Employment(third, today, acts.now.date()))


async def test_a_partner_with_persons_and_a_user_with_a_login_keep_their_kind(acts: Acts) -> None:
    shop = await acts.add(kind=ContactKind.PARTNER, name="Магазин")
    await acts.add(name="Иван", partner_id=shop.id)
    user = await acts.add(kind=ContactKind.USER, name="Анна", emails=[Written("anna@example.org")])
    await acts.run(lambda db: people.add_login(db, user.id, "anna@example.org", None, "member"))

    for one in (shop, user):
        with pytest.raises(Invalid, match="kind: is needed"):
            await acts.change(one.id, kind=ContactKind.INDIVIDUAL)
    with pytest.raises(Conflict, match="sign in"):
        await acts.delete(user.id)


async def test_what_is_deleted_is_gone(acts: Acts, database: Database) -> None:
    person = await acts.add(name="Иван", external_ref="1")
    await acts.delete(person.id)

    async with database.connection() as db:
        with pytest.raises(Gone):
            await find(db, person.id)
        with pytest.raises(NotFound):
            await find(db, uuid4())
    with pytest.raises(Gone):
        await acts.change(person.id, name="Пётр")
    assert await acts.feed() == ["contact.created", "contact.deleted"]


def test_a_local_number_takes_the_area_code_of_the_configuration(now: datetime) -> None:
    base = Contact(uuid4(), ContactKind.INDIVIDUAL, "Иван")
    numbers = [Written("632-98-16"), Written("101"), Written("+7 812 1234567"), Written("8 916 123-45-67")]

    found = apply(base, Fields(phones=numbers), Spelling("RU", "495"), now)
    again = apply(found, Fields(phones=[*numbers, Written("1234567")]), RU, now)

    assert [one.key.value for one in found.phones] == ["+74956329816", "101", "+78121234567", "+79161234567"]
    assert [one.key.value for one in again.phones] == [*(one.key.value for one in found.phones), "1234567"]
