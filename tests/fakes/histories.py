"""Random histories of contacts and their links: what happens, and what must hold after every step."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from daemon import contacts as acts
from daemon import matching, merging, undo
from daemon.contacts import Fields, Invalid, Spelling
from daemon.matching import Remember
from interactions.contactfiles import Written
from interactions.contacts import ContactKind, Employment
from storage.database import Connection, Database
from storage.errors import Conflict, NotFound
from tests.fakes.links import differences, everything, match_afresh
from tests.fakes.rows import START, ids, interaction, write

NOW: datetime = START
RU = Spelling("RU")
ADDRESSES = ("a@x.example", "b@x.example", "c@y.example", "+74956329816", "+79161234567")
DAYS = (None, date(2020, 1, 1), date(2026, 11, 23), date(2027, 1, 1))
STEPS = 40


@dataclass
class History:
    """A random history: what happens, and who there is."""

    db: Connection
    dice: random.Random
    people: list[UUID] = field(default_factory=list)
    partners: list[UUID] = field(default_factory=list)
    written: int = 0

    def fields(self) -> Fields:
        some = self.dice.sample(ADDRESSES, self.dice.randint(0, 3))
        return Fields(
            emails=[Written(one) for one in some if "@" in one], phones=[Written(one) for one in some if "@" not in one]
        )

    async def arrive(self) -> None:
        some = self.dice.sample(ADDRESSES, 2)
        chain = self.dice.randrange(self.written) if self.written and self.dice.random() < 0.5 else None
        await write(self.db, interaction(self.written, *some, chain=chain))
        self.written += 1

    async def add(self) -> None:
        is_partner = self.dice.random() < 0.4
        kind = ContactKind.PARTNER if is_partner else ContactKind.INDIVIDUAL
        new = await acts.add(self.db, self.fields() | Fields(kind=kind, name="x"), RU, NOW)
        (self.partners if is_partner else self.people).append(new.id)

    async def change(self) -> str | None:
        return (await matching.change(self.db, self.anybody(), self.fields(), RU, None, NOW))[1]

    async def move(self) -> str | None:
        job = Employment(
            self.dice.choice(self.partners), *self.dice.choice([(None, DAYS[2]), (DAYS[1], None), DAYS[:2]])
        )
        fields = Fields(partners=[job][: self.dice.randint(0, 1)])
        return (await matching.change(self.db, self.dice.choice(self.people), fields, RU, None, NOW))[1]

    async def delete(self) -> str:
        return await matching.delete(self.db, self.anybody(), None, NOW)

    async def merge(self) -> str:
        return await merging.merge(self.db, self.anybody(), self.anybody(), None, NOW)

    async def decide(self) -> str:
        whom = self.dice.choice([None, *self.people, *self.partners])
        where, n = ids(self.dice.randrange(self.written))[0], self.dice.randrange(2)
        return await matching.decide(self.db, where, n, whom, self.dice.choice(list(Remember)), None, NOW)

    async def attach(self) -> str:
        return await matching.attach(self.db, await self.party(), self.anybody(), None, NOW)

    async def promote(self) -> str:
        return (await matching.promote(self.db, await self.party(), Fields(name="new"), RU, None, NOW))[1]

    def anybody(self) -> UUID:
        return self.dice.choice([*self.people, *self.partners])

    async def party(self) -> UUID:
        rows = await self.db.fetch("SELECT id FROM address ORDER BY value")
        found: UUID = self.dice.choice(rows)["id"]
        return found

    async def step(self) -> str | None:
        names = ("arrive", "add", "change", "move", "delete", "merge", "decide", "attach", "promote")
        act: Callable[[], Awaitable[str | None]] = getattr(self, self.dice.choice(names))
        try:
            async with self.db.transaction():
                return await act()
        except (Invalid, Conflict, NotFound):
            return None


async def play(database: Database, seed: int, steps: int = STEPS) -> int:
    """Plays a history. After every step the links are those of a fresh matching, and what is taken back is as it was;
    returns how often something was."""
    async with database.connection() as db:
        history = History(db, random.Random(seed))
        for act in (history.add, history.add, history.add, history.add, history.arrive, history.arrive):
            await act()
        history.partners.append((await acts.add(db, Fields(kind=ContactKind.PARTNER, name="y"), RU, NOW)).id)
        history.people.append((await acts.add(db, Fields(name="z"), RU, NOW)).id)
        undone = 0
        for _ in range(steps):
            before = await everything(db)

            token = await history.step()

            after = await everything(db)
            await match_afresh(db)
            assert differences(after, await everything(db)) == [], (seed, "fresh")
            if token is not None and history.dice.random() < 0.6:
                async with db.transaction():
                    await undo.take_back(db, token, None)
                assert differences(before, await everything(db)) == [], (seed, "undo")
                undone += 1
    return undone
