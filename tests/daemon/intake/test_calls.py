"""Calls at the door: names that turn out to be one call have one record, and calls among ourselves have none."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from daemon.intake.calls import admit_calls, admit_sms
from daemon.intake.context import IntakeSettings, SourceSettings
from interactions.arrivals import CallChanged, SmsArrived
from interactions.phones import phone_key
from interactions.records import Direction
from storage import addresses, sources
from storage.database import Connection, Database
from tests.fakes.arrivals import call

OWN = frozenset(key for key in [phone_key("+74951234567", "RU")] if key)
FIRST = call("c1", "ringing", users=("101",))
SECOND = call("c2", "ringing", minute=1, number="101", direction=None, users=("102",))
JOIN = call("c1", "answered", minute=2, answered_by="102", aliases=("c2",))
END = call("c2", "ended", minute=3, direction=None, cause="normalClearing")

PLAIN = SourceSettings("main")


class Door:
    """Admits calls of the source `main`, each batch in a transaction of its own."""

    def __init__(self, database: Database, now: datetime, own: SourceSettings = PLAIN) -> None:
        self.database, self._now = database, now
        self._settings = IntakeSettings("RU", 72, {"main": own}, OWN)

    async def bring(self, *events: CallChanged) -> int:
        async def work(db: Connection) -> int:
            return await admit_calls(db, "main", events, self._settings, self._now)

        return await self.database.in_transaction(work)

    async def rows(self, query: str) -> Sequence[Sequence[object]]:
        async with self.database.connection() as db:
            return [tuple(row) for row in await db.fetch(query)]

    async def records(self) -> Sequence[Sequence[object]]:
        return await self.rows(
            "SELECT block->>'state', block->>'answered_by_id', direction, block->>'line' FROM interaction "
            "WHERE deleted_at IS NULL"
        )


@pytest.fixture
async def door(database: Database, now: datetime) -> Door:
    async with database.connection() as db:
        await sources.save_all(db, [("main", "telephony", "generic")])
        await addresses.mark_own(db, OWN, now.date())
    return Door(database, now)


@pytest.mark.parametrize("order", [*permutations(range(4))][::3])
async def test_two_names_that_turn_out_to_be_one_call_are_one_record_in_any_order(
    door: Door, order: tuple[int, ...]
) -> None:
    events = [FIRST, SECOND, JOIN, END]

    for n in order:
        await door.bring(events[n])

    assert await door.records() == [("ended", None, "incoming", "+74951234567")]
    [(address,)] = await door.rows(
        "SELECT address FROM participant p JOIN interaction i ON i.id = p.interaction_id "
        "WHERE deleted_at IS NULL AND role = 'employee'"
    )
    assert address == "102"


async def test_in_one_batch_they_are_one_record_from_the_start(door: Door) -> None:
    assert await door.bring(FIRST, SECOND, JOIN, END) == 1

    assert await door.rows("SELECT count(*) FROM interaction") == [(1,)]


async def test_the_younger_record_is_given_up_with_its_words_and_leads_to_the_older(door: Door) -> None:
    await door.bring(FIRST)
    await door.bring(SECOND)
    [(older,), (younger,)] = await door.rows("SELECT id FROM interaction ORDER BY id")
    async with door.database.connection() as db:
        await db.execute("UPDATE interaction SET topic = 'Про счёт', tags = '{x}' WHERE id = $1", younger)

    await door.bring(JOIN)

    assert await door.rows("SELECT id, topic, tags FROM interaction WHERE deleted_at IS NULL") == [
        (older, "Про счёт", ["x"])
    ]
    [(merged,)] = await door.rows("SELECT block->>'merged_into' FROM interaction WHERE deleted_at IS NOT NULL")
    assert UUID(str(merged)) == older
    assert await door.rows("SELECT ref, data->>'merged_into' FROM feed WHERE type = 'interaction.deleted'") == [
        (younger, str(older))
    ]


async def test_three_calls_join_at_once_through_what_was_joined_before(door: Door) -> None:
    await door.bring(FIRST)
    await door.bring(SECOND)
    await door.bring(call("c3", "ringing", minute=2))
    await door.bring(JOIN)

    await door.bring(replace(END, call_key="c3", aliases=("c2",)))

    assert await door.rows("SELECT count(*) FROM interaction WHERE deleted_at IS NULL") == [(1,)]
    assert len(set(await door.rows("SELECT interaction_id FROM origin"))) == 1


async def test_a_call_among_ourselves_leaves_no_record_unless_it_is_wanted(door: Door, now: datetime) -> None:
    inside = replace(FIRST, direction=Direction.INTERNAL)

    assert await door.bring(inside) == 0
    assert await Door(door.database, now, SourceSettings("main", keep_internal=True)).bring(inside) == 1


async def test_a_call_that_only_its_report_calls_incoming_gets_its_record_then(door: Door) -> None:
    await door.bring(replace(FIRST, direction=Direction.INTERNAL))

    assert await door.bring(call("c1", "ended", minute=3, is_final=True)) == 1
    assert await door.records() == [("ended", None, "incoming", "+74951234567")]


async def test_recordings_are_not_even_named_where_they_are_not_wanted(door: Door, now: datetime) -> None:
    recorded = call("c1", "noted", recordings=("r1",))
    names = "SELECT block->'recordings'->0->>'id' FROM interaction"

    await door.bring(FIRST, recorded)
    assert await door.rows(names) == [("r1",)]

    await Door(door.database, now, SourceSettings("main", keep_recordings=False)).bring(recorded)
    assert await door.rows(names) == [(None,)]


MISSED = [call("m1", "ringing"), call("m1", "ended", minute=1, cause="cancel")]
BACK = [
    call("b1", event, minute=minute, direction=Direction.OUTGOING, from_number="+74951234567", to_number="+74956329816")
    for event, minute in (("ringing", 10), ("answered", 11), ("ended", 12))
]
SETTLED = "SELECT reviewed, block->>'settled_seconds' FROM interaction WHERE external_id = 'm1'"


@pytest.mark.parametrize("events", [[*MISSED, *BACK], [*BACK, *MISSED], [MISSED[1], *BACK, MISSED[0]]])
async def test_a_missed_call_is_settled_by_the_call_back_whichever_is_known_first(
    door: Door, events: list[CallChanged]
) -> None:
    for one in events:
        await door.bring(one)

    assert await door.rows(SETTLED) == [(True, "600")]
    [(back,)] = await door.rows("SELECT id FROM interaction WHERE external_id = 'b1'")
    assert await door.rows("SELECT block->>'settled_by' FROM interaction WHERE external_id = 'm1'") == [(str(back),)]


async def test_a_missed_call_is_not_settled_by_what_was_before_or_by_a_call_to_somebody_else(door: Door) -> None:
    before = [replace(one, at=one.at and one.at - timedelta(hours=1), call_key="b0") for one in BACK]
    other = [replace(one, to_number="+74956329817", call_key="b2") for one in BACK]

    await door.bring(*MISSED, *before, *other)

    assert await door.rows(SETTLED) == [(False, None)]


async def test_a_missed_call_is_settled_by_a_message_of_ours(door: Door, now: datetime) -> None:
    message = SmsArrived(
        "main", "s1", BACK[0].received_at, Direction.OUTGOING, "+74951234567", "+74956329816", "Перезвоним", BACK[0].at
    )
    settings = IntakeSettings("RU", 72, {"main": PLAIN}, OWN)
    await door.bring(*MISSED)

    await door.database.in_transaction(lambda db: admit_sms(db, "main", [message], settings, now))

    assert await door.rows(SETTLED) == [(True, "600")]


async def test_what_a_person_opened_again_stays_open(door: Door) -> None:
    await door.bring(*MISSED, *BACK)
    async with door.database.connection() as db:
        await db.execute("UPDATE interaction SET reviewed = false WHERE external_id = 'm1'")

    await door.bring(replace(BACK[2], dedup_key="again"))

    assert await door.rows(SETTLED) == [(False, "600")]


async def test_nobody_is_told_of_a_call_that_was_deleted_while_it_went_on(door: Door) -> None:
    await door.bring(FIRST)
    await door.rows("UPDATE interaction SET deleted_at = now() RETURNING id")
    before = await door.rows("SELECT version, block FROM interaction")
    told = await door.rows("SELECT type FROM feed ORDER BY position")

    await door.bring(call("c1", "ended", minute=3, cause="normalClearing"))

    assert await door.rows("SELECT version, block FROM interaction") == before
    assert await door.rows("SELECT type FROM feed ORDER BY position") == told


async def test_a_record_that_a_person_deleted_takes_no_live_one_with_it(door: Door) -> None:
    await door.bring(FIRST)
    await door.bring(SECOND)
    [(older,), (younger,)] = await door.rows("SELECT id FROM interaction ORDER BY id")
    async with door.database.connection() as db:
        await db.execute("UPDATE interaction SET deleted_at = now() WHERE id = $1", older)

    await door.bring(JOIN)

    assert await door.rows("SELECT id FROM interaction WHERE deleted_at IS NULL") == [(younger,)]
