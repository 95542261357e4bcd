"""One change to many interactions: written where something differs, brought back where it still stands."""

from datetime import timedelta
from typing import Any

from interactions.records import Importance
from storage import bulk
from storage.database import Connection, Database
from storage.lists import Filter
from tests.fakes.arrivals import START
from tests.fakes.rows import ids, interaction, user, write

ALL = [ids(n)[0] for n in range(1, 5)]


async def rows(db: Connection) -> list[tuple[Any, ...]]:
    found = await db.fetch(
        "SELECT importance, reviewed, reviewed_at, reviewed_by, review_after, tags, responsible_id FROM interaction ORDER BY id"
    )
    return [tuple(row) for row in found]


async def test_only_what_differs_is_written_and_comes_back_as_it_was(database: Database) -> None:
    async with database.connection() as db:
        anna, boris = await user(db, "anna"), await user(db, "boris")
        await write(
            db,
            interaction(1, reviewed=True, reviewed_at=START, reviewed_by=boris),
            interaction(2, review_after=START + timedelta(days=9)),
            interaction(3, tags=("vip",), responsible_id=boris),
            interaction(4),
        )
        await db.execute("UPDATE interaction SET deleted_at = now() WHERE id = $1", ALL[3])
        before = await rows(db)

        changed, images = await bulk.change(db, ALL, {"reviewed": True, "tags": ["x", "y"]}, anna)
        assert changed == ALL[:3]
        assert [(row[1], row[3], row[4], row[5]) for row in await rows(db)][:3] == [
            (True, boris, None, ["x", "y"]),
            (True, anna, None, ["x", "y"]),
            (True, anna, None, ["x", "y"]),
        ]

        assert sorted(await bulk.restore(db, images, {"reviewed": True, "tags": ["x", "y"]})) == ALL[:3]
        assert await rows(db) == before


async def test_nothing_is_written_where_nothing_differs(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, importance=Importance.HIGH))

        assert await bulk.change(db, ALL, {"importance": "high"}, None) == ([], [])
        assert await db.fetchval("SELECT version FROM interaction") == 1


async def test_what_a_filter_shows_is_selected(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2, reviewed=True), interaction(3))

        assert await bulk.select(db, Filter(status="to_review", limit=10)) == [ALL[2], ALL[0]]
