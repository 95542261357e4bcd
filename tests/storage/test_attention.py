"""Marks of control and reminders: only what is due, only once, only within the chains where something came in."""

from datetime import UTC, datetime, timedelta

from interactions.records import Kind
from storage import attention
from storage.database import Database
from tests.fakes.arrivals import START
from tests.fakes.rows import ids, interaction, write

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


async def test_marks_wake_in_the_order_of_their_times_and_no_more_than_asked_for(database: Database) -> None:
    async with database.connection() as db:
        await write(db, *(interaction(n, reviewed=True) for n in range(1, 5)))
        for n, wake_at in [(1, NOW - HOUR), (2, NOW - 2 * HOUR), (3, NOW + HOUR), (4, None)]:
            assert await attention.set_control(db, ids(n)[0], True, wake_at, False)

        assert await attention.wake_due(db, 1) == [ids(2)[0]]
        assert await attention.wake_due(db, 9) == [ids(1)[0]]
        assert await attention.wake_due(db, 9) == []
        assert await db.fetchval("SELECT count(*) FROM interaction WHERE on_control AND reviewed") == 2


async def test_waiting_ends_in_the_chain_that_was_answered_and_in_no_other(database: Database) -> None:
    async with database.connection() as db:
        await write(
            db,
            interaction(1),
            interaction(2, chain=1, review_after=NOW + HOUR),
            interaction(3, chain=1),
            interaction(4, review_after=NOW + HOUR),
        )
        await attention.set_control(db, ids(1)[0], True, None, True)
        await attention.set_control(db, ids(3)[0], True, NOW + HOUR, False)
        await attention.set_control(db, ids(4)[0], True, None, True)

        assert set(await attention.wake_chains(db, [ids(1)[1]], [])) == {ids(1)[0], ids(2)[0]}
        assert await attention.wake_chains(db, [ids(1)[1]], []) == []
        left = await db.fetch("SELECT id FROM interaction WHERE on_control ORDER BY id")
        assert [row["id"] for row in left] == [ids(3)[0], ids(4)[0]]


async def test_plans_are_due_by_their_time_whatever_their_order(database: Database) -> None:
    async with database.connection() as db:
        due = [START - HOUR, START, START + HOUR]
        for n, at in enumerate(due, 1):
            text = at.isoformat().replace("+00:00", "Z")
            await write(db, interaction(n, kind=Kind.PLANNED, block={"due_at": text, "state": "open"}))
        await write(db, interaction(4, kind=Kind.PLANNED, block={"state": "open"}))

        assert await attention.remind_due(db, START, 9) == [ids(1)[0], ids(2)[0]]
        assert await attention.remind_due(db, START, 9) == []
