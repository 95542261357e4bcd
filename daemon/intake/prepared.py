"""What is worked out of mails before the transaction, so that it holds rows and the loop no longer than it must.

The facts for threading, and the new words of answers whose older mail is at hand. The transaction takes these and works
out only what may be otherwise by then: an older mail that has come in between, other people of ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from daemon.intake.answers import beside_their_parents
from daemon.intake.context import IntakeSettings, our_side
from daemon.intake.slices import Slices
from interactions.admission import ReadMail, threadable
from interactions.threads import House, Threadable
from storage.database import Database

PREPARED_MIN = 5


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known of mails already. `facts` hold for `house` only; `compared` are the mails whose answers are done."""

    house: House = field(default_factory=House)
    facts: Mapping[UUID, Threadable] = field(default_factory=dict)
    compared: frozenset[UUID] = frozenset()

    def facts_for(self, house: House) -> Mapping[UUID, Threadable]:
        return self.facts if house == self.house else {}


async def prepare(
    database: Database, mails: Sequence[ReadMail], settings: IntakeSettings, source: str, now: datetime
) -> tuple[list[ReadMail], Prepared]:
    """The mails with fewer words that are not theirs, and what was found out. A few have nothing to gain from it."""
    if len(mails) < PREPARED_MIN:
        return list(mails), Prepared()
    async with database.connection() as db:
        house = settings.house(await our_side(db, settings, source, now))
    facts: dict[UUID, Threadable] = {}
    slices = Slices()
    for read in mails:
        facts[read.interaction_id] = threadable(read, house)
        await slices.pause()
    threads = [facts[read.interaction_id] for read in mails]
    async with database.connection() as db:
        done, compared = await beside_their_parents(db, mails, threads)
    return done, Prepared(house, facts, compared)
