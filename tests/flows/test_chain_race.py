"""Folders and daemons bring the same conversations at once, in any order: the chains are the same as one by one."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Batch
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from interactions.arrivals import Arrival
from interactions.mime import ParsedMail, parse
from storage import leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import START, call, mail, raw_mail, sms

FOLDERS = 6
THREADS = 8
MAILS_OF_A_THREAD = 7

# What must hold of chains whatever happened; each finds the rows for which it does not.
BROKEN = {
    "a member in a redirect": "SELECT i.id FROM interaction i JOIN chain c ON c.id = i.chain_id WHERE c.merged_into IS NOT NULL",
    "a redirect to a redirect": "SELECT a.id FROM chain a JOIN chain b ON b.id = a.merged_into WHERE b.merged_into IS NOT NULL",
    "a size, root or span that is not that of the members": """
        SELECT c.id FROM chain c JOIN (
            SELECT chain_id, count(*) AS n, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
                   (array_agg(id ORDER BY occurred_at, id))[1] AS root_id
            FROM interaction GROUP BY chain_id) m ON m.chain_id = c.id
        WHERE (c.size, c.first_at, c.last_at, c.root_id) IS DISTINCT FROM (m.n::int, m.first_at, m.last_at, m.root_id)""",
    "an id that leads nowhere": """
        SELECT m.ref FROM message_ref m LEFT JOIN interaction i ON i.id = m.interaction_id
        WHERE m.interaction_id IS NOT NULL AND i.id IS NULL""",
}


def conversation(n: int, chance: random.Random) -> list[bytes]:
    """A thread in which each mail answers one of those before it; some name more of their elders."""
    mails = [raw_mail(f"{n}.0", f"p{n}@customer.example", subject=f"Заказ {n}")]
    for k in range(1, MAILS_OF_A_THREAD):
        parent = chance.randrange(k)
        elders = tuple(f"{n}.{one}" for one in range(parent + 1)) if chance.random() < 0.5 else ()
        at = START + timedelta(minutes=k)
        mails.append(
            raw_mail(f"{n}.{k}", f"p{n}@customer.example", subject=f"Re: Заказ {n}", reply_to=f"{n}.{parent}",
                     references=elders, at=at)
        )  # fmt: skip
    return mails


def batches(seed: int) -> list[list[Arrival]]:
    """For each folder its own order of all mails, in small batches; calls and SMS of the same people between them."""
    chance = random.Random(seed)
    raws = [raw for n in range(THREADS) for raw in conversation(n, chance)]
    found: list[list[Arrival]] = []
    for folder in range(FOLDERS):
        some = chance.sample(raws, len(raws) * 2 // 3) if folder else list(raws)
        chance.shuffle(some)
        found += [[mail(raw, folder=f"F{folder}") for raw in some[n : n + 5]] for n in range(0, len(some), 5)]
    for n in range(THREADS):
        number = f"8495632{n:04}"
        events = [call(f"c{n}", "ringing", number), call(f"c{n}", "ended", number, minute=1 + n, cause="busy")]
        found += [[one] for one in events] + [[sms(f"s{n}", number)]]
    chance.shuffle(found)
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_chains_do_not_depend_on_who_came_first(
    database: Database, tmp_path: Path, now: datetime, seed: int
) -> None:
    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    desk = Desk(database, Blobs(tmp_path), IntakeSettings(), parse_here, lambda: now)
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap"), ("main", "telephony", "generic")])
        held = {one.name: one for one in await leases.acquire(db, "test", ["sales", "main"], 2, 60)}
    waiting = batches(seed)

    async def worker() -> None:
        while waiting:
            batch = waiting.pop()
            await desk.accept(held[batch[0].source], Batch(batch))

    await asyncio.gather(*(worker() for _ in range(FOLDERS)))

    rows = await all_rows(database, "SELECT chain_id, external_id FROM interaction WHERE kind = 'email'")
    threads: dict[Any, set[str]] = {}
    for chain_id, message_id in rows:
        threads.setdefault(chain_id, set()).add(message_id.partition(".")[0])
    assert len(rows) == THREADS * MAILS_OF_A_THREAD
    assert sorted(threads.values(), key=sorted) == [{str(n)} for n in range(THREADS)]
    assert [name for name, query in BROKEN.items() if await all_rows(database, query)] == []
    assert len(await all_rows(database, "SELECT 1 FROM interaction WHERE kind <> 'email'")) == THREADS * 2


async def all_rows(database: Database, query: str) -> Sequence[Any]:
    async with database.connection() as db:
        return [tuple(row) for row in await db.fetch(query)]
