"""Contacts that may be one: of one INN, or of one address and called alike; who only shares an address is none."""

from storage import contacts, duplicates
from storage.database import Database
from tests.fakes.rows import TODAY, contact


async def test_one_inn_and_one_address_with_names_alike_are_suggested(database: Database) -> None:
    async with database.connection() as db:
        ivan, petrov = await contact(db, "Иван Петров", "i@x.example"), await contact(db, "Петров Иван", "i@x.example")
        for name in ("Муж", "Жена"):
            await contact(db, name, "family@x.example")
        await contact(db, "Ромашка", "r@x.example", kind="partner")
        await contact(db, "Ромашка", "r@x.example")
        firms = [await contact(db, name, kind="partner") for name in ("A", "B", "C", "D")]
        for one, inn, kpp in zip(firms, ("77", "77", "77", "78"), (None, None, "1", None), strict=True):
            await db.execute("UPDATE contact SET inn = $2, kpp = $3 WHERE id = $1", one, inn, kpp)

        found = await duplicates.find(db, 10)

        assert [(one.reason, one.value, set(one.contact_ids)) for one in found] == [
            ("inn", "77", {firms[0], firms[1]}), ("address", "i@x.example", {ivan, petrov}),
        ]  # fmt: skip
        assert len(await duplicates.find(db, 1)) == 1

        await contacts.delete(db, ivan, TODAY)
        assert [one.reason for one in await duplicates.find(db, 10)] == ["inn"]
