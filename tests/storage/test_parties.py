"""Addresses that are nobody yet: with their counts, without those that are ours, somebody's, ignored or silent."""

from storage import addresses, decisions, parties
from storage.database import Connection, Database
from storage.parties import Filter
from tests.fakes.rows import TODAY, contact, ids, interaction, key, write


async def shown(db: Connection, wanted: Filter) -> list[tuple[str, int]]:
    return sorted((one.key.value, one.count) for one in await parties.page(db, wanted))


async def test_a_party_speaks_is_not_ours_and_is_nobody(database: Database) -> None:
    async with database.connection() as db:
        await addresses.mark_own(db, [key("sales@example.org")], TODAY)
        await addresses.claim(db, [key("silent@x.example")])
        await contact(db, "Иван", "ivan@x.example")
        for name in ("Мария", "Марина"):
            await contact(db, name, "m@x.example")
        for n, sender in enumerate(("a@x.example", "ivan@x.example", "m@x.example", "a@x.example", "b@x.example")):
            await write(db, interaction(n, sender, "sales@example.org"))
        await decisions.decide(db, ids(4)[0], 0, None)

        assert await shown(db, Filter()) == [("a@x.example", 2), ("m@x.example", 1)]
        assert await shown(db, Filter(ambiguous=True)) == [("m@x.example", 1)]
        assert await shown(db, Filter(kind="phone")) == []


async def test_an_ignored_party_is_in_a_list_of_its_own(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@x.example"), interaction(2, "a@x.example"))
        [party] = await parties.page(db, Filter())

        await parties.ignore(db, party.id, True)

        assert await parties.page(db, Filter()) == []
        [ignored] = await parties.page(db, Filter(ignored=True))
        assert (ignored.id, ignored.count, ignored.ignored) == (party.id, 2, True)
        assert await parties.find(db, party.id, hold=True) == ignored
        assert await parties.timeline(db, party.id, None, 10) == [ids(2)[0], ids(1)[0]]
