"""Mails that somebody wants whole: asked for, tried a few times, done or given up with a reason."""

from uuid import UUID, uuid4

import pytest

from interactions.arrivals import Location
from interactions.records import Attachment
from storage import completions, locations, sources
from storage.completions import TRIES_MAX, Whole
from storage.database import Connection, Database
from storage.locations import Placed

MAIL, OTHER, BURIED = (UUID(int=n) for n in (1, 2, 3))
INBOX, DONE = Location("INBOX", 1, 7), Location("Done", 2, 9)


@pytest.fixture
async def db_(database: Database) -> None:
    """Three mails, the first two of them not whole."""
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap"), ("shop", "mailbox", "imap")])
        chain = uuid4()
        await db.execute(
            "INSERT INTO chain (id, root_id, first_at, last_at, size) VALUES ($1, $1, now(), now(), 3)", chain
        )
        for one in (MAIL, OTHER, BURIED):
            await db.execute(
                "INSERT INTO interaction (id, kind, occurred_at, chain_id, source, block, deleted_at) "
                "VALUES ($1, 'email', now(), $2, 'sales', $3, CASE WHEN $4 THEN now() END)",
                one, chain, {"marks": ["bulk", "oversized", "truncated"]}, one == BURIED,
            )  # fmt: skip
            await db.execute("INSERT INTO body (interaction_id, raw_sha256) VALUES ($1, $2)", one, b"part")
        await locations.add_all(db, await number(db, "sales"), [Placed(INBOX, MAIL), Placed(DONE, MAIL)])
        await locations.add_all(db, await number(db, "shop"), [Placed(Location("INBOX", 1, 1), MAIL)])


async def number(db: Connection, name: str) -> int:
    found = await sources.find_id(db, name)
    assert found is not None
    return found


@pytest.mark.usefixtures("db_")
async def test_a_mail_is_asked_of_the_mailbox_that_it_came_from(database: Database) -> None:
    async with database.connection() as db:
        sales, shop = await number(db, "sales"), await number(db, "shop")

        assert await completions.ask(db, MAIL, None)
        assert not await completions.ask(db, OTHER, None)  # lies nowhere any more

        assert await completions.begin(db, shop) == []
        assert await completions.begin(db, sales) == [(MAIL, [DONE, INBOX])]
        await locations.mark_gone(db, sales, "INBOX", 1, [7])
        assert await completions.begin(db, sales) == [(MAIL, [DONE])]


@pytest.mark.usefixtures("db_")
async def test_tries_have_an_end_and_who_asks_again_gets_new_ones(database: Database) -> None:
    async with database.connection() as db:
        sales = await number(db, "sales")
        await completions.ask(db, MAIL, None)
        for _ in range(TRIES_MAX):
            assert len(await completions.begin(db, sales)) == 1
        await completions.ask(db, MAIL, None)  # while it is tried: nothing new

        assert await completions.begin(db, sales) == []
        asked = await completions.find(db, MAIL)
        assert asked is not None
        assert (asked.failed_at is not None, "in each of 3 tries" in asked.reason) == (True, True)

        await completions.ask(db, MAIL, None)
        assert len(await completions.begin(db, sales)) == 1
        asked = await completions.find(db, MAIL)
        assert asked is not None
        assert (asked.failed_at, asked.reason) == (None, "")


@pytest.mark.usefixtures("db_")
async def test_a_reason_is_kept_and_what_nobody_wants_is_forgotten(database: Database) -> None:
    async with database.connection() as db:
        await completions.ask(db, MAIL, None)

        await completions.fail(db, MAIL, "too large\x00")
        asked = await completions.find(db, MAIL)
        await completions.drop(db, MAIL)

        assert asked is not None
        assert asked.reason == "too large"
        assert await completions.find(db, MAIL) is None


@pytest.mark.usefixtures("db_")
async def test_the_whole_takes_the_place_of_the_part_and_files_keep_their_numbers(database: Database) -> None:
    file = Attachment(0, "a.pdf", "application/pdf", 10, False, "2")
    async with database.connection() as db:
        await db.execute(
            "INSERT INTO attachment (interaction_id, n, name, content_type, size, part, sha256) VALUES "
            "($1, 0, 'cut.pdf', 'application/pdf', 3, '2', NULL), ($1, 1, 'ours.txt', 'text/plain', 5, NULL, $2)",
            MAIL, b"x",
        )  # fmt: skip
        await completions.ask(db, MAIL, None)
        assert await completions.kept_of(db, MAIL) == (b"part", ["bulk", "oversized", "truncated"])
        assert await completions.kept_of(db, BURIED) is None

        files = [file, Attachment(1, "b.pdf", "application/pdf", 20, False, "3")]
        await completions.put(db, MAIL, Whole(b"whole", "text", "reply", "text", True, ["bulk"], files))

        assert await completions.kept_of(db, MAIL) is None
        assert await completions.find(db, MAIL) is None
        rows = await db.fetch("SELECT n, name, size FROM attachment WHERE interaction_id = $1 ORDER BY n", MAIL)
        assert [tuple(row) for row in rows] == [(0, "a.pdf", 10), (1, "ours.txt", 5), (2, "b.pdf", 20)]
        [row] = await db.fetch(
            "SELECT b.body_text, b.reply_text, b.raw_sha256, i.excerpt, i.block, i.has_attachments, i.version "
            "FROM interaction i JOIN body b ON b.interaction_id = i.id WHERE i.id = $1", MAIL,
        )  # fmt: skip
        assert tuple(row) == ("text", "reply", b"whole", "text", {"marks": ["bulk"], "has_html": True}, True, 2)
