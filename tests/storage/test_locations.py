"""Locations: each place on a server once, and which of them are known."""

from uuid import uuid4

import pytest

from interactions.arrivals import Location
from storage import locations, sources
from storage.database import Database
from storage.locations import Placed


@pytest.fixture
async def mailboxes(database: Database) -> list[int]:
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap"), ("shop", "mailbox", "imap")])
        return [row["id"] for row in await db.fetch("SELECT id FROM source ORDER BY id")]


async def test_what_was_placed_is_known_in_its_folder_and_generation_only(
    database: Database, mailboxes: list[int]
) -> None:
    sales, shop = mailboxes
    async with database.connection() as db:
        await locations.add_all(db, sales, [Placed(Location("INBOX", 1, uid), uuid4()) for uid in (1, 3, 2**32 - 1)])

        assert await locations.known(db, sales, "INBOX", 1, [1, 2, 3, 2**32 - 1]) == {1, 3, 2**32 - 1}
        assert await locations.known(db, sales, "INBOX", 2, [1]) == set()
        assert await locations.known(db, sales, "Входящие", 1, [1]) == set()
        assert await locations.known(db, shop, "INBOX", 1, [1]) == set()
        assert await locations.known(db, sales, "INBOX", 1, []) == set()


async def test_a_place_keeps_what_lay_there_first(database: Database, mailboxes: list[int]) -> None:
    place, first = Location("INBOX", 1, 1), uuid4()
    async with database.connection() as db:
        await locations.add_all(db, mailboxes[0], [Placed(place, first), Placed(place, uuid4())])
        await locations.add_all(db, mailboxes[0], [Placed(place, None, uuid4())])
        await locations.add_all(db, mailboxes[0], [])

        rows = await db.fetch("SELECT interaction_id, quarantine_id FROM mail_location")

    assert [tuple(row) for row in rows] == [(first, None)]
