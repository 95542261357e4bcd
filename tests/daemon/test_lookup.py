"""Who is this: the contact, or who it might be, what was before and what is still open."""

from datetime import datetime

import pytest

from daemon.contacts import Fields, Spelling, add, delete
from daemon.intake.context import IntakeSettings
from daemon.intake.manual import Draft, admit
from daemon.lookup import INTERACTIONS_SHOWN, Answer, who_is
from interactions.addresses import email_key
from interactions.contactfiles import Written
from interactions.contacts import Contact, ContactKind
from interactions.phones import phone_key
from interactions.records import Direction, Kind, Role
from storage.database import Connection, Database

RU = Spelling("RU")


async def ask(database: Database, address: str) -> Answer:
    key = email_key(address) if "@" in address else phone_key(address, "RU")
    assert key is not None
    async with database.connection() as db:
        return await who_is(db, key)


async def called(database: Database, address: str, now: datetime, *, reviewed: bool = False) -> None:
    draft = Draft(
        Kind.PHONE_CALL, Direction.INCOMING, "Консультация", reviewed=reviewed,
        participants=((Role.SUBSCRIBER, "", address, None),),
    )  # fmt: skip
    await database.in_transaction(lambda db: admit(db, draft, IntakeSettings(), now))


@pytest.mark.parametrize("spelling", ["(495) 6329816", "84956329816", "+7 495 632-98-16", "495/632-98-16"])
async def test_a_number_in_any_spelling_leads_to_its_contact(database: Database, now: datetime, spelling: str) -> None:
    fields = Fields(kind=ContactKind.PARTNER, name="Магазин", phones=[Written("8 (495) 632-98-16")])
    shop = await database.in_transaction(lambda db: add(db, fields, RU, now))
    await called(database, "84956329816", now)

    found = await ask(database, spelling)

    assert found.contact == shop
    assert [(one.topic, one.contact.name if one.contact else None) for one in found.interactions] == [
        ("Консультация", "Магазин")
    ]
    assert [(one.topic, one.size) for one in found.chains] == [("Консультация", 1)]


async def test_an_address_of_several_brings_those_who_are_left(database: Database, now: datetime) -> None:
    async def work(db: Connection) -> list[Contact]:
        names = ("Иван", "Мария", "Ушедший")
        return [await add(db, Fields(name=name, emails=[Written("a@x.example")]), RU, now) for name in names]

    *_, left = await database.in_transaction(work)
    await database.in_transaction(lambda db: delete(db, left.id, now))

    found = await ask(database, "A@X.example")

    assert found.contact is None
    assert sorted(one.name for one in found.candidates) == ["Иван", "Мария"]


async def test_a_party_shows_its_last_interactions_and_the_open_ones(database: Database, now: datetime) -> None:
    for n in range(INTERACTIONS_SHOWN + 1):
        await called(database, "89161234567", now, reviewed=n > 0)

    found = await ask(database, "89161234567")

    assert (found.contact, list(found.candidates)) == (None, [])
    assert (len(found.interactions), len(found.chains)) == (INTERACTIONS_SHOWN, 1)


async def test_nobody_ever_seen_is_an_empty_answer(database: Database) -> None:
    found = await ask(database, "89161234567")

    assert (found.found, found.contact, list(found.interactions), list(found.chains)) == (None, None, [], [])
