"""The rows about a person, and nobody else's."""

from storage import dossiers
from storage.database import Database
from tests.fakes.rows import contact, ids, interaction, write


async def test_rows_are_those_of_the_person(database: Database) -> None:
    async with database.connection() as db:
        olga, petr = await contact(db, "Olga", "olga@x.example"), await contact(db, "Petr", "petr@x.example")
        await write(db, interaction(0, "olga@x.example"))
        await db.execute("INSERT INTO feed (type, ref) VALUES ('x', $1), ('y', $2)", ids(0)[0], petr)

        found = {table: await dossiers.rows(db, table, [olga], [ids(0)[0]]) for table in dossiers.TABLES}

    assert [row["name"] for row in found["contacts"]] == ["Olga"]
    assert [row["address"] for row in found["addresses"]] == ["olga@x.example"]
    assert [row["type"] for row in found["feed"]] == ["x"]
    assert found["call_events"] == []
