"""Locations: each place on a server once, and which of them are known."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from interactions.arrivals import Likeness, Location
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


# The same mail elsewhere ----------------------------------------------------------------------------------------------

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
HEAD = b"h" * 32


def placed(uid: int, interaction_id: UUID, folder: str = "INBOX", uidvalidity: int = 1, head: bytes = HEAD) -> Placed:
    return Placed(Location(folder, uidvalidity, uid), interaction_id, None, 100, AT, head)


def like(uid: int, head: bytes = b"", size: int = 100, at: datetime = AT) -> Likeness:
    return Likeness(Location("Done", 5, uid), size, at, head)


async def test_a_mail_is_known_elsewhere_by_size_date_and_headers(database: Database, mailboxes: list[int]) -> None:
    sales, shop = mailboxes
    ours = uuid4()
    async with database.connection() as db:
        await locations.add_all(db, sales, [placed(1, ours)])
        asked = [like(1), like(2, size=101), like(3, at=AT.replace(second=1)), like(4, HEAD), like(5, b"x" * 32)]

        assert sorted(one.location.uid for one in await locations.alike(db, sales, asked)) == [1, 4]
        assert await locations.alike(db, shop, asked) == []

        await locations.place_alike(db, sales, [like(4, HEAD), like(5, b"x" * 32)])
        await locations.place_alike(db, sales, [like(4, HEAD)])
        await locations.place_alike(db, sales, [])
        assert await locations.of_interaction(db, ours) == [("sales", "Done", 4), ("sales", "INBOX", 1)]
        assert await locations.placed(db, sales, "Done", 5) == [4]
        assert await locations.arrived(db, sales, "Done", 5, [3, 4]) == {4: AT}


async def test_numbers_that_were_given_anew_are_not_known_but_their_mails_are(
    database: Database, mailboxes: list[int]
) -> None:
    sales = mailboxes[0]
    async with database.connection() as db:
        await locations.add_all(db, sales, [placed(uid, uuid4(), head=bytes([uid]) * 32) for uid in (1, 2, 3)])

        await locations.forget(db, sales, "INBOX", 1, 2)

        assert await locations.known(db, sales, "INBOX", 1, [1, 2, 3]) == {1}
        assert len(await locations.alike(db, sales, [like(9, bytes([2]) * 32)])) == 1
        await locations.forget(db, sales, "INBOX", 1, 1)
        assert await locations.alike(db, sales, [like(9, bytes([2]) * 32)]) == []


async def test_what_is_gone_is_shown_no_more_and_dropped_after_its_grace(
    database: Database, mailboxes: list[int]
) -> None:
    sales = mailboxes[0]
    first, second = uuid4(), uuid4()
    async with database.connection() as db:
        await locations.add_all(db, sales, [placed(1, first), placed(2, second), placed(9, second, uidvalidity=0)])

        await locations.mark_gone(db, sales, "INBOX", 1, [2])
        assert await locations.of_interaction(db, second) == []
        assert len(await locations.alike(db, sales, [like(1, HEAD)])) == 1
        assert await locations.placed(db, sales, "INBOX", 1) == [1, 2]
        assert await locations.placed(db, sales, "INBOX", 1, above=1) == [2]
        assert await locations.placed(db, sales, "INBOX", 1, above=2) == []
        await locations.mark_gone(db, sales, "INBOX", 1, [])
        assert await locations.of_interaction(db, second) == [("sales", "INBOX", 2)]

        await locations.mark_gone(db, sales, "INBOX", 1, [1])
        await db.execute("UPDATE mail_location SET gone_at = gone_at - interval '8 days'")
        await locations.mark_gone(db, sales, "INBOX", 1, [1])
        assert await db.fetch("SELECT uidvalidity, uid FROM mail_location") == [(1, 2)]


async def test_what_has_vanished_is_shown_no_more(database: Database, mailboxes: list[int]) -> None:
    sales = mailboxes[0]
    ids = {uid: uuid4() for uid in (1, 2, 3, 9)}
    async with database.connection() as db:
        await locations.add_all(db, sales, [placed(uid, one) for uid, one in ids.items()])

        await locations.mark_vanished(db, sales, "INBOX", 1, [(2, 3), (7, 4_294_967_295)])
        await locations.mark_vanished(db, sales, "INBOX", 2, [(1, 1)])
        await locations.mark_vanished(db, sales, "INBOX", 1, [])

        assert [uid for uid, one in ids.items() if await locations.of_interaction(db, one)] == [1]


# Names that servers give ------------------------------------------------------------------------------------------------


def named(uid: int, mail_id: str | None, size: int = 100, at: datetime = AT) -> Likeness:
    return Likeness(Location("Done", 5, uid), size, at, b"", mail_id, "gm:7", ("Work", "Клиенты"))


async def test_a_mail_is_known_elsewhere_by_its_name_and_size_whenever_it_arrived(
    database: Database, mailboxes: list[int]
) -> None:
    sales, shop = mailboxes
    ours = uuid4()
    async with database.connection() as db:
        await locations.add_all(db, sales, [replace(placed(1, ours), mail_id="gm:1", thread_id="gm:7", seen=False)])
        asked = [named(1, "gm:1", at=AT.replace(day=1)), named(2, "gm:2"), named(3, "gm:1", 101), named(4, None)]

        same = await locations.same(db, sales, asked)
        assert same == asked[:1]
        assert await locations.same(db, shop, asked) == []

        await locations.place_alike(db, sales, same)
        [row] = await db.fetch(
            "SELECT interaction_id, mail_id, thread_id, labels, seen, head_sha256 FROM mail_location WHERE folder = 'Done'"
        )
        assert tuple(row) == (ours, "gm:1", "gm:7", ["Work", "Клиенты"], False, HEAD)


async def test_a_mail_is_known_by_its_identity_where_headers_are_written_anew(
    database: Database, mailboxes: list[int]
) -> None:
    sales = mailboxes[0]
    ours, identity = uuid4(), b"i" * 32
    async with database.connection() as db:
        await db.execute("INSERT INTO origin (space, key, interaction_id) VALUES ('mail', $1, $2)", identity, ours)
        await locations.add_all(db, sales, [placed(1, ours), placed(2, uuid4(), head=b"g" * 32)])
        asked = [replace(like(4, b"n" * 32), identity=one) for one in (identity, b"j" * 32, b"")]

        assert await locations.alike(db, sales, asked) == asked[:1]
        await locations.place_alike(db, sales, asked[:1])

        assert await locations.of_interaction(db, ours) == [("sales", "Done", 4), ("sales", "INBOX", 1)]


# What the server's flags say --------------------------------------------------------------------------------------------

ADD = """
INSERT INTO interaction (id, kind, occurred_at, chain_id, reviewed, deleted_at) VALUES ($1, 'email', now(), $2, $3, $4)
"""


async def test_a_change_of_seen_decides_what_is_reviewed_and_only_a_change(
    database: Database, mailboxes: list[int]
) -> None:
    sales, shop = mailboxes
    ids = [UUID(int=n) for n in range(1, 7)]
    read, unread, same, buried, fresh_read, fresh = ids
    async with database.connection() as db:
        chain = uuid4()
        await db.execute(
            "INSERT INTO chain (id, root_id, first_at, last_at, size) VALUES ($1, $1, now(), now(), 6)", chain
        )
        for one in ids:
            await db.execute(ADD, one, chain, one in (unread, same), AT if one == buried else None)
        known: dict[UUID, bool | None] = {read: False, unread: True, same: False, buried: False}
        await locations.add_all(db, sales, [replace(placed(one.int, one), seen=known.get(one)) for one in ids])

        told = {1: True, 2: False, 3: False, 4: True, 5: True, 6: False, 99: True}
        assert await locations.follow_seen(db, shop, "INBOX", 1, told) == []
        changed = await locations.follow_seen(db, sales, "INBOX", 1, told)
        again = await locations.follow_seen(db, sales, "INBOX", 1, told)

        rows = await db.fetch("SELECT id, reviewed, reviewed_at IS NOT NULL, version FROM interaction ORDER BY id")

    assert (sorted(changed), again) == ([read, unread, fresh_read], [])
    assert [tuple(row) for row in rows] == [
        (read, True, True, 2),
        (unread, False, False, 2),
        (same, True, False, 1),  # a person's word: the server says what it said before
        (buried, False, False, 1),
        (fresh_read, True, True, 2),
        (fresh, False, False, 1),
    ]


async def test_in_folders_that_are_gone_nothing_lies_of_any_generation(
    database: Database, mailboxes: list[int]
) -> None:
    sales, shop = mailboxes
    mail = uuid4()
    async with database.connection() as db:
        for folder, uidvalidity in [("Done", 5), ("INBOX", 1), ("Projects", 0), ("Projects", 7), ("Work", 9)]:
            await locations.add_all(db, sales, [placed(uid, mail, folder, uidvalidity) for uid in (1, 2)])
        await locations.add_all(db, shop, [placed(1, mail, "Projects", 7)])

        await locations.drop_others(db, sales, ["INBOX", "Work"])

        rows = await db.fetch("SELECT DISTINCT source_id, folder, uidvalidity FROM mail_location ORDER BY 1, 2, 3")
        await locations.drop_others(db, sales, [])
        assert await db.fetchval("SELECT count(*) FROM mail_location WHERE source_id = $1", sales) == 2
    assert [tuple(row) for row in rows] == [
        (sales, "INBOX", 1),
        (sales, "Projects", 0),
        (sales, "Work", 9),
        (shop, "Projects", 7),
    ]
