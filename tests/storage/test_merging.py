"""Whatever names one contact names another: what was chosen moves, and subjects go back where nobody changed them."""

from uuid import uuid4

from storage import decisions, merging
from storage.database import Database
from tests.fakes.rows import contact, ids, interaction, write


async def test_what_was_chosen_moves_and_subjects_go_back_unless_changed(database: Database) -> None:
    async with database.connection() as db:
        source, target, third = [await contact(db, name) for name in ("A", "B", "C")]
        await write(db, interaction(1, "a@x.example"))
        await decisions.decide(db, ids(1)[0], 0, source)
        subjects = [uuid4(), uuid4()]
        for one in subjects:
            await db.execute(
                "INSERT INTO subject (id, kind, title, client_id) VALUES ($1, 'deal', 'x', $2)", one, source
            )
        assert await merging.chosen(db, source) == [(ids(1)[0], 0)]

        moved = await merging.move(db, source, target)
        assert (await merging.chosen(db, source), await merging.chosen(db, target)) == ([], [(ids(1)[0], 0)])
        await db.execute("UPDATE subject SET client_id = $1 WHERE id = $2", third, subjects[1])
        await merging.put_back(db, source, target, moved)

        found = {row["id"]: row["client_id"] for row in await db.fetch("SELECT id, client_id FROM subject")}
        assert found == {subjects[0]: source, subjects[1]: third}


async def test_a_redirect_keeps_or_gives_its_reference(database: Database) -> None:
    async with database.connection() as db:
        first, second, target = [await contact(db, name, f"{name}@x.example") for name in ("a", "b", "c")]
        await db.execute("UPDATE contact SET external_ref = name")

        await merging.strip(db, first, second, gives_ref=False)
        await merging.strip(db, second, target, gives_ref=True)

        rows = await db.fetch("SELECT external_ref, merged_into FROM contact ORDER BY name")
        assert [tuple(row) for row in rows] == [("a", target), (None, target), ("c", None)]
        assert set(await merging.redirects(db, target)) == {first, second}
        assert await db.fetchval("SELECT count(*) FROM address_owner") == 1
