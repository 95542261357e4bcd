"""Facts changed by hand stay within their type; plans are marked as carried out."""

from uuid import uuid4

from interactions.records import Kind
from storage import blocks
from storage.database import Database
from tests.fakes.rows import ids, interaction, user, write


async def test_facts_are_merged_into_records_of_their_type_that_were_entered_by_hand(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, kind=Kind.MEETING, block={"status": "planned", "location": "A"}),
                    interaction(2, kind=Kind.MEETING, source="sales"))  # fmt: skip

        assert await blocks.merge(db, ids(1)[0], Kind.MEETING, {"status": "held"})
        assert not await blocks.merge(db, ids(1)[0], Kind.PLANNED, {"state": "done"})
        assert not await blocks.merge(db, ids(2)[0], Kind.MEETING, {"status": "held"})

        assert await db.fetchval("SELECT block FROM interaction WHERE id = $1", ids(1)[0]) == {"status": "held", "location": "A"}  # fmt: skip


async def test_a_plan_is_done_with_its_first_interaction_and_counts_further_ones(database: Database) -> None:
    async with database.connection() as db:
        anna, made = await user(db, "anna"), [uuid4(), uuid4()]
        await write(db, interaction(1, kind=Kind.PLANNED, block={"state": "open"}), interaction(2, kind=Kind.SMS))

        assert await blocks.carry_out(db, ids(1)[0], made[0], anna)
        assert await blocks.carry_out(db, ids(1)[0], made[1], None)
        assert not await blocks.carry_out(db, ids(2)[0], made[0], None)
        row = await db.fetchrow("SELECT block, reviewed, reviewed_by FROM interaction WHERE id = $1", ids(1)[0])
        assert row is not None
        assert (row["block"]["state"], row["block"]["carried_out_as"]) == ("done", [str(one) for one in made])
        assert (row["reviewed"], row["reviewed_by"]) == (True, anna)

        await db.execute('UPDATE interaction SET block = \'{"state": "cancelled"}\' WHERE id = $1', ids(1)[0])
        assert not await blocks.carry_out(db, ids(1)[0], made[0], anna)
