"""What contacts were before a change: brought back as it was, unless somebody changed it again."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from storage import addresses, contacts, decisions, snapshots
from storage.database import Connection, Database
from storage.errors import Conflict
from tests.fakes.rows import TODAY, contact, ids, interaction, key, write

TABLES = {
    "contact": "SELECT to_jsonb(t) - 'version' - 'updated_at' AS row FROM contact t ORDER BY id",
    "address_owner": "SELECT to_jsonb(t) AS row FROM address_owner t ORDER BY contact_id, address_id",
    "employment": "SELECT to_jsonb(t) AS row FROM employment t ORDER BY person_id, partner_id, since",
    "remembered_match": "SELECT to_jsonb(t) AS row FROM remembered_match t ORDER BY id",
    "address": "SELECT to_jsonb(t) AS row FROM address t ORDER BY kind, value",
    "participant": "SELECT to_jsonb(t) AS row FROM participant t ORDER BY interaction_id, n",
}


async def everything(db: Connection) -> dict[str, list[object]]:
    """All that makes a link, and the links that follow."""
    return {name: [row["row"] for row in await db.fetch(statement)] for name, statement in TABLES.items()}


async def changed(db: Connection, contact_ids: list[UUID], change: Callable[[], Awaitable[None]]) -> snapshots.Image:
    before = await snapshots.take(db, contact_ids)
    await change()
    return await snapshots.seal(db, before)


async def test_a_deleted_partner_comes_back_with_its_persons_and_all_links(database: Database) -> None:
    async def work(db: Connection) -> None:
        await write(db, interaction(1, "a@x.example"), interaction(2, "b@x.example"))
        shop = await contact(db, "Магазин", "b@x.example", kind="partner")
        ivan = await contact(db, "Иван", "a@x.example")
        await db.execute("INSERT INTO employment (person_id, partner_id) VALUES ($1, $2)", ivan, shop)
        await decisions.decide(db, ids(2)[0], 0, ivan)
        known = await addresses.claim(db, [key("a@x.example"), key("b@x.example")])
        await decisions.remember(db, known[key("a@x.example")].id, None, ivan, None)
        await addresses.resolve(db, [one.id for one in known.values()], TODAY)
        before = await everything(db)

        image = await changed(db, [shop, ivan], lambda: contacts.delete(db, shop, TODAY))
        assert await everything(db) != before
        await snapshots.restore(db, image, TODAY)

        assert await everything(db) == before

    await database.in_transaction(work)


async def test_what_was_changed_again_is_not_taken_back(database: Database) -> None:
    async def work(db: Connection) -> None:
        ivan = await contact(db, "Иван", "a@x.example")
        image = await changed(db, [ivan], lambda: contacts.delete(db, ivan, TODAY))

        await db.execute("UPDATE contact SET version = version + 1")
        with pytest.raises(Conflict, match="changed again"):
            await snapshots.restore(db, image, TODAY)

    await database.in_transaction(work)


async def test_a_later_decision_about_an_address_is_not_taken_along(database: Database) -> None:
    async def work(db: Connection) -> None:
        await write(db, interaction(1, "a@x.example"))
        ivan, maria = await contact(db, "Иван"), await contact(db, "Мария")
        address = (await addresses.claim(db, [key("a@x.example")]))[key("a@x.example")].id
        before = await snapshots.take(db, (), [address])
        await decisions.remember(db, address, None, ivan, None)
        image = await snapshots.seal(db, before)

        await decisions.remember(db, address, None, maria, None)
        with pytest.raises(Conflict, match="remembered"):
            await snapshots.restore(db, image, TODAY)

    await database.in_transaction(work)
