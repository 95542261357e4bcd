"""Who asks, how far sources are open, and what is seen through them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from interactions.access import EVERYTHING, Access, Door
from storage import access, lists, lookup, parties, sources, staff, subjects
from storage.database import Connection, Database
from storage.lists import Filter
from storage.staff import Department
from storage.subjects import NewSubject
from tests.fakes.rows import START, ids, interaction, user, write

NOW = datetime(2026, 11, 25, tzinfo=UTC)
SHUT = Access(("ceo",), (), (UUID(int=7),))
IVAN = "ivan@customer.example"


@pytest.fixture
async def chain(database: Database) -> Database:
    """One chain: two mails of a private mailbox about an open one; and a private one alone."""
    async with database.connection() as db, db.transaction():
        await sources.save_all(db, [("ceo", "mailbox", "imap"), ("sales", "mailbox", "imap")])
        await write(db, interaction(1, IVAN, source="ceo", topic="secret"))
        await write(db, interaction(2, IVAN, source="sales", chain=1))
        await write(db, interaction(3, IVAN, source="ceo", chain=1), interaction(4, "eve@other.example", source="ceo"))
    return database


async def test_a_person_is_in_the_departments_above_and_in_those_led(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "anna")
        company, sales, led = (Department(uuid4(), name) for name in ("Company", "Sales", "Led"))
        for one in (company, Department(sales.id, "Sales", company.id), Department(led.id, "Led", None, anna)):
            await staff.save_department(db, one)
        await staff.change(db, anna, {"department_id": str(sales.id)}, None)

        asker = await access.asker(db, anna, NOW)
        nobody = await access.asker(db, uuid4(), NOW)

    assert asker is not None
    assert (asker.email, asker.departments) == ("anna@example.org", {"Company", "Sales", "Led"})
    assert (asker.answers_for, nobody) == ({anna}, None)


async def test_a_deputy_answers_for_who_is_away_and_only_then(database: Database) -> None:
    async with database.connection() as db:
        anna, boris = await user(db, "anna"), await user(db, "boris")
        await staff.change(db, anna, {"deputy_id": str(boris)}, None)
        await staff.set_absence(db, anna, NOW, NOW + timedelta(days=365))

        away, back = [await access.asker(db, boris, at) for at in (NOW, NOW - timedelta(days=1))]

    assert away is not None and back is not None  # noqa: PT018
    assert (away.answers_for, back.answers_for) == ({anna, boris}, {boris})


async def test_how_far_a_source_was_open_is_remembered_when_nobody_configures_it_any_more(chain: Database) -> None:
    async with chain.connection() as db:
        await access.remember(db, [Door("ceo", True, ("a@b.example", "dept:x")), Door("sales")])
        assert await access.departed(db, ["ceo", "sales"]) == []
        assert await access.departed(db, ["sales"]) == [Door("ceo", True, ("a@b.example", "dept:x"))]

        await access.remember(db, [Door("ceo")])
        assert await access.departed(db, []) == []


async def test_a_record_is_seen_by_source_by_responsible_and_by_another_place(chain: Database) -> None:
    async def seen(db: Connection, who: Access = SHUT) -> list[int]:
        return [n for n in (1, 2, 3, 4) if ids(n)[0] in await access.seen(db, [ids(n)[0] for n in (1, 2, 3, 4)], who)]

    async with chain.connection() as db:
        assert (await seen(db), await seen(db, EVERYTHING)) == ([2], [1, 2, 3, 4])
        boss = await user(db, "boss")
        await db.execute("UPDATE interaction SET responsible_id = $1 WHERE id = $2", boss, ids(1)[0])
        assert await seen(db, Access(("ceo",), (), (boss,))) == [1, 2]
        place = "INSERT INTO mail_location SELECT id, 'INBOX', 1, 1, $1 FROM source WHERE name = $2"
        await db.execute(place, ids(4)[0], "ceo")
        assert await seen(db) == [2]
        await db.execute(place, ids(4)[0], "sales")
        assert await seen(db) == [2, 4]


async def test_what_may_not_be_read_is_told_apart_from_what_is_not_seen(chain: Database) -> None:
    async with chain.connection() as db:
        found = await access.seen(db, [ids(1)[0], ids(2)[0]], Access((), ("ceo",)))

    assert found == {ids(1)[0]: False, ids(2)[0]: True}


async def test_a_chain_begins_and_counts_as_it_is_seen(chain: Database) -> None:
    async with chain.connection() as db:
        [one] = await lists.page(db, Filter(), SHUT)
        whole = await access.chains(db, [ids(1)[1]], Access(("other",)))
        known = await access.chains(db, [ids(1)[1], ids(4)[1]], SHUT)
        gone = await access.unseen_chains(db, [ids(1)[1], ids(4)[1]], SHUT)

    assert (one.chain_size, one.root_id, one.root_topic) == (1, ids(2)[0], "Topic 2")
    assert (whole[ids(1)[1]].size, whole[ids(1)[1]].topic) == (3, "secret")
    assert (known.keys(), known[ids(1)[1]].last_at) == ({ids(1)[1]}, START + timedelta(minutes=2))
    assert gone == {ids(4)[1]}


async def test_an_address_that_takes_part_in_nothing_that_is_seen_is_not_told_of(chain: Database) -> None:
    async with chain.connection() as db:
        rows = {row["value"]: row["id"] for row in await db.fetch("SELECT id, value FROM address")}

        assert await access.unseen_addresses(db, list(rows.values()), SHUT) == {rows["eve@other.example"]}
        assert await access.unseen_addresses(db, list(rows.values()), EVERYTHING) == set()


async def test_no_list_shows_what_is_not_seen(chain: Database) -> None:
    async with chain.connection() as db:
        rows = await db.fetch("SELECT id, value FROM address")
        address = {row["value"]: row["id"] for row in rows}

        assert (await lists.counts(db, SHUT))["to_review"] == 1
        assert await lookup.recent(db, address[IVAN], None, 10, SHUT) == [ids(2)[0]]
        [chain_of_ivan] = await lookup.open_chains(db, [ids(1)[0]], 10, SHUT)
        assert (chain_of_ivan.size, chain_of_ivan.topic) == (1, "Topic 2")
        assert [(one.key.value, one.count) for one in await parties.page(db, parties.Filter(), SHUT)] == [(IVAN, 1)]
        assert await parties.find(db, address["eve@other.example"], SHUT) is None
        assert await parties.timeline(db, address[IVAN], None, 10, SHUT) == [ids(2)[0]]


async def test_a_subject_of_nothing_that_is_seen_is_not_seen_unless_one_answers_for_it(chain: Database) -> None:
    async with chain.connection() as db:
        boss, mine, other, empty = await user(db, "boss"), uuid4(), uuid4(), uuid4()
        for key, responsible in ((mine, boss), (other, None), (empty, None)):
            await subjects.add(db, NewSubject(key, "deal", "x", responsible_id=responsible), [])
        for subject, n in ((mine, 4), (other, 1)):
            await db.execute("UPDATE chain SET subject_id = $1 WHERE id = $2", subject, ids(n)[1])
        assert {one.id for one in await subjects.page(db, subjects.Filter(), SHUT)} == {other, empty}
        assert await subjects.find(db, mine, SHUT) is None

        assert await subjects.find(db, mine, Access(("ceo",), (), (boss,))) is not None
