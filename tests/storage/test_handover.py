"""What is open moves to the heir and back; closed records, and what the heir gave away, stay."""

from interactions.records import Kind
from storage import handover
from storage.database import Database
from tests.fakes.rows import contact, ids, interaction, user, write


async def test_only_what_is_open_moves_and_only_what_is_still_there_moves_back(database: Database) -> None:
    async with database.connection() as db:
        anna, boris, clara = await user(db, "anna"), await user(db, "boris"), await user(db, "clara")
        shop = await contact(db, "Магазин", kind="partner")
        await db.execute("UPDATE contact SET responsible_id = $1 WHERE id = $2", anna, shop)
        await write(
            db,
            interaction(1, responsible_id=anna),
            interaction(2, responsible_id=anna, reviewed=True),
            interaction(3, responsible_id=anna, reviewed=True, kind=Kind.PLANNED, block={"state": "open"}),
            interaction(4, responsible_id=clara),
        )

        moved = await handover.move(db, anna, boris)

        assert moved["contacts"] == [shop]
        assert sorted(moved["interactions"]) == [ids(1)[0], ids(3)[0]]
        await db.execute("UPDATE interaction SET responsible_id = $1 WHERE id = $2", clara, ids(1)[0])
        back = await handover.move_back(db, anna, boris, moved)
        assert back == {"contacts": [shop], "interactions": [ids(3)[0]], "subjects": []}
