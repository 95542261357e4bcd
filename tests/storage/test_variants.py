"""Below an exact match: other spellings link at lower confidence if there is one owner, domains only suggest."""

import pytest

from interactions.variants import Local
from storage import addresses, contacts, lists, variants
from storage.database import Connection, Database
from tests.fakes.rows import TODAY, contact, ids, interaction, key, own, user, write

Told = tuple[str | None, str, str, set[str]]


async def link(db: Connection, text: str) -> Told:
    """Whom an address leads to, by which rule, how sure, and who else is possible."""
    row = await db.fetchrow(
        "SELECT c.name, a.rule, a.confidence, ARRAY(SELECT name FROM contact WHERE id = ANY(a.candidates)) AS others "
        "FROM address a LEFT JOIN contact c ON c.id = a.contact_id WHERE a.value = $1",
        key(text).value,
    )
    return row["name"], row["rule"], row["confidence"], set(row["others"])


async def partner(db: Connection, name: str, *domains: str) -> None:
    found = await contacts.find(db, await contact(db, name, kind="partner"))
    assert found is not None
    await change(db, found.id, domains)


async def change(db: Connection, contact_id: object, domains: tuple[str, ...]) -> None:
    [old] = (await contacts.find_all(db, [contact_id])).values()  # type: ignore[list-item]
    await contacts.change_all(db, [(old, _with(old, domains))], TODAY)


def _with(old: contacts.Contact, domains: tuple[str, ...]) -> contacts.Contact:
    return contacts.Contact(old.id, old.kind, old.name, old.coordinates, domains=domains)


@pytest.mark.parametrize("given_first", [True, False])
async def test_another_spelling_of_a_mailbox_links_at_lower_confidence(database: Database, given_first: bool) -> None:
    async with database.connection() as db:
        ivan = await contact(db, "Иван")
        for step in (True, False):
            if step is given_first:
                await own(db, ivan, "i.petrov@gmail.com", "ivan-petrov@yandex.ru")
            else:
                await write(db, interaction(1, "ipetrov+shop@googlemail.com", "ivan.petrov@ya.ru"))

        for text in ("ipetrov+shop@googlemail.com", "ivan.petrov@ya.ru"):
            assert await link(db, text) == ("Иван", "email_variant", "variant", set())
        [view] = await lists.views(db, [ids(1)[0]])
        assert [one.contact and one.contact.name for one in view.participants] == ["Иван", "Иван"]


async def test_the_address_itself_stands_above_its_other_spellings(database: Database) -> None:
    async with database.connection() as db:
        await contact(db, "Иван", "i.petrov@gmail.com")
        await contact(db, "Мария", "ipetrov@gmail.com")
        await write(db, interaction(1, "ip.etrov@gmail.com"))

        assert await link(db, "ipetrov@gmail.com") == ("Мария", "email_exact", "exact", set())
        assert await link(db, "ip.etrov@gmail.com") == (None, "none", "none", {"Иван", "Мария"})


async def test_another_spelling_of_our_own_is_no_customer(database: Database) -> None:
    async with database.connection() as db:
        await addresses.mark_own(db, [key("shop@gmail.com")], TODAY)
        anna = await user(db, "Anna")
        await own(db, anna, "anna@yandex.ru")
        await write(db, interaction(1, "shop+news@gmail.com", "anna@ya.ru"))

        assert await link(db, "shop+news@gmail.com") == (None, "own", "variant", set())
        assert await link(db, "anna@ya.ru") == ("Anna", "own", "variant", set())


async def test_a_local_number_and_the_whole_one_are_variants_of_each_other(database: Database) -> None:
    async with database.connection() as db:
        await contact(db, "Магазин", "632-98-16")
        await contact(db, "Склад", "+7 495 632-98-17")
        await write(db, interaction(1, "+7 495 632-98-16", "6329817"))
        assert await link(db, "+74956329816") == (None, "none", "none", set())

        await addresses.mark_own(db, [], TODAY, Local("RU", "495"))

        assert await link(db, "+74956329816") == ("Магазин", "phone_variant", "variant", set())
        assert await link(db, "6329817") == ("Склад", "phone_variant", "variant", set())

        await write(db, interaction(2, "6329818"))
        await contact(db, "Новый", "84956329818")
        assert await link(db, "6329818") == ("Новый", "phone_variant", "variant", set())

        await addresses.mark_own(db, [], TODAY, Local("RU", "812"))
        assert await link(db, "+74956329816") == (None, "none", "none", set())


async def test_a_domain_suggests_its_partner_and_links_nothing(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@shop.example", "b@mail.shop.example", "c@myshop.example", "d@gmail.com"))
        await partner(db, "Магазин", "shop.example", "gmail.com")
        await write(db, interaction(2, "e@shop.example"))

        for text in ("a@shop.example", "b@mail.shop.example", "e@shop.example"):
            assert await link(db, text) == (None, "domain", "suggested", {"Магазин"})
        for text in ("c@myshop.example", "d@gmail.com"):
            assert await link(db, text) == (None, "none", "none", set())
        assert await lists.page(db, lists.Filter(ambiguous=True)) == []


async def test_a_suggestion_goes_with_its_domain(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@shop.example"))
        await partner(db, "Магазин", "shop.example")
        await partner(db, "Группа", "shop.example")
        assert await link(db, "a@shop.example") == (None, "domain", "suggested", {"Магазин", "Группа"})

        shop, group = await contacts.find_by_names(db, ["магазин"]), await contacts.find_by_names(db, ["группа"])
        await change(db, shop[0], ("other.example",))
        assert await link(db, "a@shop.example") == (None, "domain", "suggested", {"Группа"})

        await contacts.delete(db, group[0], TODAY)
        assert await link(db, "a@shop.example") == (None, "none", "none", set())


async def test_domains_of_ours_and_of_the_configuration_suggest_nobody(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@our.example", "b@town.example"))
        await partner(db, "Мы", "our.example", "town.example")

        await addresses.mark_own(db, [key("sales@our.example")], TODAY, Local("RU", "", frozenset({"town.example"})))

        assert await link(db, "a@our.example") == (None, "none", "none", set())
        assert await link(db, "b@town.example") == (None, "none", "none", set())
        assert await variants.settings(db) == Local("RU", "", frozenset({"town.example"}))
