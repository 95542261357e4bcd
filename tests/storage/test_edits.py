"""Changes by people: who took part, what a list shows of it, and deleting for good."""

from datetime import date
from uuid import UUID, uuid4

import pytest

from interactions.records import Participant, Role
from storage import addresses, edits
from storage.database import Connection, Database
from tests.fakes.rows import contact, ids, interaction, key, write

SHOP = "+74956329816"
FIRST = ids(1)[0]


async def put(db: Connection, *participants: Participant) -> None:
    known = await addresses.claim(db, {one.key for one in participants if one.key})
    await edits.put_participants(db, FIRST, participants, known)


async def stored(db: Connection) -> list[tuple[object, ...]]:
    rows = await db.fetch("SELECT n, role, display_name, address, contact_id, edited FROM participant ORDER BY n")
    return [tuple(row) for row in rows]


async def employ(db: Connection, person: UUID, partner: UUID, since: date | None, until: date | None = None) -> None:
    await db.execute("INSERT INTO employment (person_id, partner_id, since, until) VALUES ($1, $2, $3, $4)", person, partner, since, until)  # fmt: skip


async def partner_of(db: Connection) -> UUID | None:
    found: UUID | None = await db.fetchval("SELECT partner_id FROM participant WHERE interaction_id = $1", FIRST)
    return found


async def test_participants_are_replaced_as_a_whole(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@example.org", "b@example.org", "c@example.org"))

        await put(db, Participant(Role.SUBSCRIBER, "Shop", "(495) 6329816", key(SHOP)))

        assert await stored(db) == [(0, "subscriber", "Shop", "(495) 6329816", None, True)]
        assert await db.fetchval("SELECT a.value FROM participant p JOIN address a ON a.id = p.address_id") == SHOP


async def test_no_participants_at_all_can_be_put(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, "a@example.org"))

        await put(db)

        assert await stored(db) == []


async def test_what_no_text_of_the_database_holds_is_left_out(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1))

        await put(db, Participant(Role.SUBSCRIBER, "Ma\x00ria\ud800", "a\x00b", None))

        assert await stored(db) == [(0, "subscriber", "Maria", "ab", None, True)]


async def test_the_partner_is_the_one_of_the_time(database: Database) -> None:
    async with database.connection() as db:
        before, then, after = [await contact(db, name, kind="partner") for name in ("Before", "Then", "After")]
        person = await contact(db, "Ivan", SHOP, kind="contact_person")
        await employ(db, person, before, None, date(2026, 11, 1))
        await employ(db, person, then, date(2026, 11, 1), date(2026, 11, 24))
        await employ(db, person, after, date(2026, 11, 24))
        await write(db, interaction(1))

        await put(db, Participant(Role.SUBSCRIBER, "", SHOP, key(SHOP)))
        assert await partner_of(db) == then

        await put(db, Participant(Role.SUBSCRIBER, "", "", None, after))
        assert await partner_of(db) == after  # a partner stands for itself

        await put(db, Participant(Role.SUBSCRIBER, "nobody", "", None))
        assert await partner_of(db) is None


async def test_a_deleted_interaction_is_a_tombstone(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, raw_sha256=b"x" * 32))
        assert await edits.is_buried(db, FIRST) is False
        assert await edits.raw_of(db, FIRST) == b"x" * 32

        assert await edits.bury(db, FIRST, None)

        assert await edits.is_buried(db, FIRST) is True
        assert await edits.raw_of(db, FIRST) is None
        assert not await edits.bury(db, FIRST, None)


async def test_only_the_version_that_was_read_is_deleted(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1))

        assert not await edits.bury(db, FIRST, 2)
        assert await edits.is_buried(db, FIRST) is False
        assert await edits.bury(db, FIRST, 1)


async def test_what_never_was_is_not_deleted(database: Database) -> None:
    async with database.connection() as db:
        assert await edits.is_buried(db, uuid4()) is None
        assert not await edits.bury(db, uuid4(), None)
        assert await edits.raw_of(db, uuid4()) is None


async def test_unknown_contacts_are_named(database: Database) -> None:
    async with database.connection() as db:
        known, unknown = await contact(db, "Shop"), uuid4()

        assert await edits.unknown_contacts(db, [known, unknown]) == {unknown}
        assert await edits.unknown_contacts(db, []) == set()


@pytest.mark.parametrize(
    ("topic", "participant", "says"),
    [
        ("Topic", None, True),
        (" \t\n", None, False),
        ("", ("Ivan", ""), True),
        ("", ("", "101"), True),
        ("", (" ", "\t"), False),
    ],
)
async def test_a_record_says_something_by_its_topic_or_by_a_participant(
    database: Database, topic: str, participant: tuple[str, str] | None, says: bool
) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, topic=topic))
        await put(db, *([Participant(Role.SUBSCRIBER, *participant, None)] if participant else []))

        assert await edits.says_something(db, FIRST) is says


async def test_the_line_of_a_list_follows_the_description_but_not_where_there_is_a_text(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, excerpt="old"), interaction(2, excerpt="of the mail", body_text="of the mail"))

        for n in (1, 2):
            await edits.set_excerpt(db, ids(n)[0], "ne\x00w")

        found = await db.fetch("SELECT excerpt FROM interaction ORDER BY occurred_at")
    assert [row["excerpt"] for row in found] == ["new", "of the mail"]


async def test_a_record_that_was_joined_into_another_says_into_which(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, block={"merged_into": "x"}), interaction(2))
        assert await edits.merged_into(db, ids(1)[0]) is None
        await edits.bury(db, ids(1)[0], None)
        await edits.bury(db, ids(2)[0], None)

        assert await edits.merged_into(db, ids(1)[0]) == "x"
        assert await edits.merged_into(db, ids(2)[0]) is None
