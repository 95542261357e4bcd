"""Contacts change while mails and calls arrive: no link is lost, and no deadlock reaches anybody."""

import asyncio
import random
from dataclasses import replace
from uuid import UUID

from interactions.contacts import Contact, Coordinate, Employment
from storage import contacts
from storage.database import Connection, Database
from tests.fakes.links import differences, everything, match_afresh
from tests.fakes.rows import TODAY, contact, interaction, key, write

ADDRESSES = tuple(f"a{n}@x.example" for n in range(6))
ROUNDS = 12
WRITERS = 3
CHANGERS = 3


async def arrive(database: Database, writer: int) -> None:
    dice = random.Random(writer)
    for n in range(ROUNDS):
        some = dice.sample(ADDRESSES, 3)
        one = interaction(100 * writer + n, *some)
        await database.in_transaction(lambda db, one=one: write(db, one))  # type: ignore[misc]


async def change(database: Database, people: list[UUID], partners: list[UUID], changer: int) -> None:
    dice = random.Random(100 + changer)
    for _ in range(ROUNDS):
        whom = dice.choice([*people, *partners])
        has = tuple(Coordinate(key(one), one) for one in dice.sample(ADDRESSES, 2))
        jobs = (Employment(dice.choice(partners)),) if whom in people else ()

        async def work(
            db: Connection, whom: UUID = whom, has: tuple[Coordinate, ...] = has, jobs: tuple[Employment, ...] = jobs
        ) -> None:
            [old] = (await contacts.find_all(db, [whom], hold=True)).values()
            new: Contact = replace(old, coordinates=has, employments=jobs)
            if new != old:
                await contacts.change_all(db, [(old, new)], TODAY)

        await database.in_transaction(work, tries=20)


async def test_no_link_is_lost_between_arrivals_and_changes(database: Database) -> None:
    async with database.connection() as db:
        people = [await contact(db, f"P{n}") for n in range(3)]
        partners = [await contact(db, f"F{n}", kind="partner") for n in range(2)]

    await asyncio.gather(
        *(arrive(database, n) for n in range(WRITERS)),
        *(change(database, people, partners, n) for n in range(CHANGERS)),
    )

    async with database.connection() as db:
        left = await everything(db)
        assert len(left["participant"]) == WRITERS * ROUNDS * 3
        await match_afresh(db)
        assert differences(left, await everything(db)) == []
