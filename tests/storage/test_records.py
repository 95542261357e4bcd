"""Interactions as they are written: repeatable, with all that belongs to them, and nothing of a person's overwritten."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from interactions.records import Attachment, Direction, Importance, Interaction, Kind, Link, Participant, Role
from storage import addresses, chains, records
from storage.database import Connection, Database
from tests.fakes.rows import START, contact, ids, interaction, key, user, write

IVAN, SALES = "ivan@customer.example", "sales@example.org"


async def people_of(db: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await db.fetch("SELECT role, address, contact_id FROM participant ORDER BY n")]


async def test_everything_of_an_interaction_is_written(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "anna")
        full = interaction(
            1, IVAN, SALES, description="Д", comment="К", importance=Importance.HIGH, excerpt="Э", author_id=anna,
            responsible_id=anna, source="sales", external_id="1@x", external_ref="1C-7", reviewed=True, reviewed_at=START,
            reviewed_by=anna, review_after=START, tags=("a", "б"), extra={"x": [1, None]}, block={"marks": ["bulk"]},
            attachments=(Attachment(0, "счёт.pdf", "application/pdf", 7, True, "1.2"),), body_text="Текст",
            reply_text="Те", raw_sha256=bytes(32), link=Link("in_reply_to", "ab", ("stranger",), "manual"),
        )  # fmt: skip

        await write(db, full)

        row = dict(await db.fetchrow("SELECT * FROM interaction") or {})
        for name in ("id", "kind", "direction", "occurred_at", "chain_id", "topic", "description", "comment", "importance",
                     "excerpt", "author_id", "responsible_id", "source", "external_id", "external_ref", "reviewed",
                     "reviewed_at", "reviewed_by", "review_after", "extra", "block"):  # fmt: skip
            assert row[name] == getattr(full, name), name
        assert (row["tags"], row["has_attachments"], row["version"]) == (["a", "б"], True, 1)
        assert (row["link_rule"], row["link_evidence"], row["link_flags"], row["link_origin"]) == (
            "in_reply_to", "ab", ["stranger"], "manual",
        )  # fmt: skip
        body = await db.fetchrow("SELECT body_text, reply_text, raw_sha256 FROM body")
        assert body is not None
        assert tuple(body) == ("Текст", "Те", bytes(32))
        file = await db.fetchrow("SELECT n, name, content_type, size, inline, part FROM attachment")
        assert file is not None
        assert Attachment(*file) == full.attachments[0]
        assert await people_of(db) == [("from", IVAN, None), ("to", SALES, None)]


async def test_writing_twice_is_writing_once(database: Database) -> None:
    one = interaction(1, IVAN, body_text="a", attachments=(Attachment(0, "a", "b", 1, False, "1"),))
    async with database.connection() as db:
        await write(db, one)
        await records.add_all(db, [replace(one, topic="other")], {})
        await records.add_all(db, [], {})

        assert [tuple(row) for row in await db.fetch("SELECT topic FROM interaction")] == [("Topic 1",)]
        assert await records.which_exist(db, [one.id, uuid4()]) == {one.id}


async def test_an_interaction_needs_its_chain(database: Database) -> None:
    async with database.connection() as db:
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="interaction_chain_id_fkey"):
            await records.add_all(db, [interaction(1)], {})


async def test_what_no_text_can_hold_is_left_out_and_the_rest_kept(database: Database) -> None:
    odd = "a\x00\ud800b"
    async with database.connection() as db:
        await write(
            db,
            interaction(
                1, topic=odd, body_text=odd, reply_text=odd, block={odd: odd},
                participants=(Participant(Role.FROM, odd, odd),),
                attachments=(Attachment(0, odd, odd, 1, False, "1"),),
            ),
        )  # fmt: skip

        row = await db.fetchrow("""
            SELECT topic, body_text, reply_text, block->>'ab', display_name, address, a.name, content_type
            FROM interaction i JOIN body b ON b.interaction_id = i.id JOIN participant p ON p.interaction_id = i.id
            JOIN attachment a ON a.interaction_id = i.id""")
    assert row is not None
    assert set(row) == {"ab"}


async def test_a_partner_is_the_one_at_the_time_whatever_the_servers_time_zone(database: Database) -> None:
    async with database.connection() as db:
        await db.execute("SET timezone = 'Asia/Vladivostok'")
        ivan = await contact(db, "Иван")
        partners = [await contact(db, name, kind="partner") for name in ("ООО Старое", "ООО Новое")]
        day = START.date() + timedelta(days=1)
        for partner, since, until in [(partners[0], None, day), (partners[1], day, None)]:
            await db.execute("INSERT INTO employment VALUES ($1, $2, $3, $4)", ivan, partner, since, until)
        evening = START.replace(hour=23)
        await write(db, interaction(1, IVAN, occurred_at=evening))
        await write(db, interaction(2, IVAN, occurred_at=evening + timedelta(hours=2)))

        for address_id in await own(db, ivan):
            await addresses.resolve(db, [address_id], day)

        found = await db.fetch("SELECT partner_id FROM participant ORDER BY interaction_id")
        assert [row["partner_id"] for row in found] == partners
        await write(
            db, interaction(3, IVAN, occurred_at=evening), interaction(4, IVAN, occurred_at=evening + timedelta(2))
        )
        found = await db.fetch("SELECT partner_id FROM participant ORDER BY interaction_id OFFSET 2")
        assert [row["partner_id"] for row in found] == partners


async def own(db: Connection, contact_id: UUID) -> list[UUID]:
    [address] = (await addresses.claim(db, [key(IVAN)])).values()
    await db.execute(
        "INSERT INTO address_owner (address_id, contact_id, raw) VALUES ($1, $2, '')", address.id, contact_id
    )
    return [address.id]


def a_call(state: str, *employees: Participant, at: datetime = START, number: str = "84956329816") -> Interaction:
    """Interaction 1 as a call."""
    subscriber = Participant(Role.SUBSCRIBER, "", number, key(number) if number else None)
    return interaction(
        1, kind=Kind.PHONE_CALL, occurred_at=at, block={"state": state}, participants=(subscriber, *employees)
    )  # fmt: skip


async def update(db: Connection, call: Interaction) -> None:
    known = await addresses.claim(db, [p.key for p in call.participants if p.key])
    await records.update_call(db, call, known, START)


async def test_who_answered_takes_the_place_of_those_who_were_rung(database: Database) -> None:
    async with database.connection() as db:
        anna, boris = await user(db, "anna"), await user(db, "boris")
        rung = [Participant(Role.EMPLOYEE, "", "101", None, anna), Participant(Role.EMPLOYEE, "", "102", None, boris)]
        await write(db, a_call("ringing", *rung))

        await update(db, a_call("in_progress", rung[1]))

        assert await people_of(db) == [("subscriber", "84956329816", None), ("employee", "102", boris)]


async def test_a_choice_of_a_person_outlives_the_events_of_the_call(database: Database) -> None:
    async with database.connection() as db:
        anna, ivan = await user(db, "anna"), await contact(db, "Иван")
        await write(db, a_call("ringing", Participant(Role.EMPLOYEE, "", "101"), number=""))
        await db.execute("UPDATE participant SET contact_id = $1 WHERE n = 0", ivan)
        await db.execute("UPDATE participant SET contact_id = $1 WHERE n = 1", anna)
        await db.execute("UPDATE interaction SET topic = 'По делу', responsible_id = $1, reviewed = true", anna)

        await update(db, replace(a_call("ended", Participant(Role.EMPLOYEE, "", "101")), responsible_id=ivan))

        assert await people_of(db) == [("subscriber", "84956329816", ivan), ("employee", "101", anna)]
        row = await db.fetchrow("SELECT topic, responsible_id, reviewed, block, version FROM interaction")
        assert row is not None
        assert tuple(row) == ("По делу", anna, True, {"state": "ended"}, 2)


async def test_a_call_that_began_earlier_than_thought_becomes_the_root_and_is_indexed_again(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(0), replace(a_call("ended"), chain_id=ids(0)[1], occurred_at=START + timedelta(1)))
        earlier = START - timedelta(minutes=3)

        await update(db, a_call("ended", at=earlier))

        row = await db.fetchrow("SELECT root_id, first_at, last_at FROM chain")
        assert row is not None
        assert tuple(row) == (ids(1)[0], earlier, START)
        assert [row["interaction_id"] for row in await db.fetch("SELECT * FROM search_queue")] == [ids(1)[0]]


async def test_the_state_of_an_sms_changes_once(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, kind=Kind.SMS, block={"state": "queued", "text": "a"}))

        assert await records.set_sms_state(db, ids(1)[0], "delivered")
        assert not await records.set_sms_state(db, ids(1)[0], "delivered")
        assert not await records.set_sms_state(db, uuid4(), "delivered")
        assert await db.fetchval("SELECT block FROM interaction") == {"state": "delivered", "text": "a"}


async def test_a_person_changes_what_is_named_and_nothing_else(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "anna")
        await write(db, interaction(1, topic="Т", description="Д", review_after=START))

        assert await records.set_fields(db, ids(1)[0], {"topic": "Тема", "importance": "high"}, anna, None)
        assert await records.set_fields(db, ids(1)[0], {"reviewed": True}, anna, 2)

        row = dict(await db.fetchrow("SELECT * FROM interaction") or {})
    assert (row["topic"], row["description"], row["importance"], row["version"]) == ("Тема", "Д", "high", 3)
    assert (row["reviewed"], row["reviewed_by"], row["review_after"]) == (True, anna, None)


async def test_a_change_of_an_older_version_or_of_what_is_gone_is_refused(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1))
        assert not await records.set_fields(db, ids(1)[0], {"topic": "x"}, None, 7)
        assert not await records.set_fields(db, uuid4(), {"topic": "x"}, None, None)

        await db.execute("UPDATE interaction SET deleted_at = now()")

        assert not await records.set_fields(db, ids(1)[0], {"topic": "x"}, None, None)
        assert await records.chain_of(db, ids(1)[0]) is None


async def test_who_reviewed_first_stays_until_the_review_is_taken_back(database: Database) -> None:
    async with database.connection() as db:
        anna, boris = await user(db, "anna"), await user(db, "boris")
        await write(db, interaction(1))
        seen = []
        for who, reviewed in [(anna, True), (boris, True), (boris, False), (boris, True)]:
            await records.set_fields(db, ids(1)[0], {"reviewed": reviewed}, who, None)
            seen.append(await db.fetchval("SELECT reviewed_by FROM interaction"))

    assert seen == [anna, anna, None, boris]


async def test_records_are_found_by_origin_reference_and_chain(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, external_ref="1C-7"), interaction(2))
        await db.execute("INSERT INTO origin VALUES ('mail', 'a', $1), ('call:main', 'a', $2)", ids(1)[0], ids(2)[0])

        assert await records.find_by_origin(db, "mail", [b"a", b"b"]) == {b"a": ids(1)[0]}
        assert await records.find_by_ref(db, "1C-7") == ids(1)[0]
        assert await records.find_by_ref(db, "1C-8") is None
        assert await records.chain_of(db, ids(2)[0]) == ids(2)[1]
        assert await chains.final(db, ids(2)[1]) == ids(2)[1]


async def test_a_direction_that_is_not_known_stays_open(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, kind=Kind.MEETING, direction=None), interaction(2, direction=Direction.INTERNAL))

        found = await db.fetch("SELECT direction FROM interaction ORDER BY id")

    assert [row["direction"] for row in found] == [None, "internal"]


async def test_what_was_deleted_exists_and_does_not_live(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2))
        await db.execute("UPDATE interaction SET deleted_at = now() WHERE id = $1", ids(1)[0])
        some = [ids(n)[0] for n in (1, 2, 3)]

        assert await records.which_exist(db, some) == {ids(1)[0], ids(2)[0]}
        assert await records.which_live(db, some) == {ids(2)[0]}
