"""What a mail costs when there is a long history: the same mails into a database of 10,000 stored mails and into a large one.

Each round brings the same number of new mails, in batches, to one database and at once to the other, by the intake that the
daemon has; the ratio is that of one round. Beside the whole intake of a mail, its look-ups alone are timed: whose ids,
topics and conversations it names, which chains they lead to (`storage.weaving.claim`), and whose its addresses are
(`storage.addresses.claim`), in a transaction that is taken back.

Stored mails have no words, only what look-ups meet: ids, facts of threads, people, chains, origins, places, feed.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.measured import line, on_fast_loop, ratio, spread
from connectors.base import Batch
from daemon.intake import placing
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from interactions.admission import ReadMail, mail_participants, read_mail
from interactions.arrivals import MailArrived
from interactions.mime import ParsedMail, parse
from interactions.threads import House
from storage import addresses, leases, sources, weaving
from storage.blobs import Blobs
from storage.database import Connection, Database
from storage.leases import Lease
from tests.fakes.long_history import NOW, OWN, fill, new_mails
from tests.fakes.postgres import Cluster

SMALL, LARGE = 10_000, 1_000_000
ROUNDS, BATCH, BATCHES = 9, 25, 4
LOOKS = 8
WARM_UP = 2
LEASE_SECONDS = 36_000
SETTINGS = IntakeSettings(own=OWN)


class Side:
    """One database and the intake before it."""

    def __init__(self, database: Database, desk: Desk, lease: Lease, stored: int) -> None:
        self.database, self.desk, self.lease, self.stored = database, desk, lease, stored

    @classmethod
    async def open(cls, dsn: str, folder: Path, stored: int) -> "Side":
        async def parse_here(raw: bytes) -> ParsedMail:
            return parse(raw)

        database = await Database.open(dsn)
        async with database.connection() as db:
            await sources.save_all(db, [("sales", "mailbox", "imap")])
            (lease,) = await leases.acquire(db, "growth", ["sales"], 1, LEASE_SECONDS)
        return cls(database, Desk(database, Blobs(folder), SETTINGS, parse_here, lambda: NOW), lease, stored)

    async def take(self, n: int) -> float:
        """Seconds for each mail of a round."""
        mails = new_mails(self.stored, BATCH * BATCHES, n)
        started = time.perf_counter()
        for first in range(0, len(mails), BATCH):
            accepted = await self.desk.accept(self.lease, Batch(mails[first : first + BATCH]))
            assert accepted.new == BATCH
        return (time.perf_counter() - started) / len(mails)

    async def look(self, n: int) -> float:
        """Seconds for the look-ups of each mail of a round."""
        batches = [read_all(new_mails(self.stored, BATCH, 1_000 + LOOKS * n + k)) for k in range(LOOKS)]
        seconds = 0.0
        async with self.database.connection() as db:
            for reads in batches:
                transaction = db.transaction()
                await transaction.start()
                started = time.perf_counter()
                await look_up(db, reads)
                seconds += time.perf_counter() - started
                await transaction.rollback()
        return seconds / (LOOKS * BATCH)


def read_all(mails: Sequence[MailArrived]) -> list[ReadMail]:
    return [read_mail(one, parse(one.raw), NOW) for one in mails]


async def look_up(db: Connection, reads: Sequence[ReadMail]) -> None:
    """What the intake asks before it decides."""
    house = House(frozenset(key.value for key in OWN))
    ids = {read.identity: read.interaction_id for read in reads}
    threads, echoes = placing.facts_of(reads, reads, ids, house, {})
    await weaving.claim(db, threads, echoes)
    await addresses.claim(db, {p.key for read in reads for p in mail_participants(read.mail) if p.key})


async def measure(dsns: Sequence[str], folder: Path, sizes: Sequence[int], rounds: int) -> dict[str, list[list[float]]]:
    """Seconds a mail of each round: of the small database, of the large one."""
    sides = [await Side.open(dsn, folder / str(n), sizes[n]) for n, dsn in enumerate(dsns)]
    found: dict[str, list[list[float]]] = {"intake": [[], []], "look-ups": [[], []]}
    try:
        for n in range(-WARM_UP, rounds):
            for name, work in (("intake", Side.take), ("look-ups", Side.look)):
                for k, side in enumerate(sides if n % 2 else sides[::-1]):
                    seconds = await work(side, n + WARM_UP + 1)
                    if n >= 0:
                        found[name][k if n % 2 else 1 - k].append(seconds)
        return found
    finally:
        for side in sides:
            await side.database.close()


def run(large: int = LARGE, rounds: int = ROUNDS) -> dict[str, float]:
    """Measures, prints, and returns the ratios."""
    print(f"growth: {large:,} stored mails beside {SMALL:,}; {rounds} rounds of {BATCH * BATCHES} mails", flush=True)
    cluster = Cluster()
    cluster.start()
    try:
        dsns = [cluster.clone(), cluster.clone()]
        started = time.perf_counter()
        for dsn, size in zip(dsns, (SMALL, large), strict=True):
            asyncio.run(fill(dsn, size))
        line("filling both", f"{time.perf_counter() - started:.0f} s")
        with tempfile.TemporaryDirectory(prefix="ringmail-growth-") as folder:
            found = on_fast_loop(lambda: measure(dsns, Path(folder), (SMALL, large), rounds))
    finally:
        cluster.stop()
    ratios = {}
    for name, (small, big) in found.items():
        line(f"{name} at {SMALL:,}, ms a mail", spread([1000 * one for one in small]))
        line(f"{name} at {large:,}, ms a mail", spread([1000 * one for one in big]))
        ratios[name] = ratio(big, small)
        line(f"{name}: large / small", f"{ratios[name]:.2f} (of the medians {median(big) / median(small):.2f})")
    return ratios
