"""The whole intake on a real database: one by one, shuffled, in batches, by 24 writers of three daemons: the same chains."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from connectors.base import Batch
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from interactions.addresses import email_key
from interactions.arrivals import MailArrived
from interactions.mime import ParsedMail, parse
from storage import leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import START, mail, raw_mail
from tests.fakes.letters import SALES, correspondence
from tests.fakes.postgres import Cluster

WRITERS, DAEMONS = 24, 3
NOW = START + timedelta(days=200)
OWN = frozenset(key for key in [email_key(SALES)] if key)
GROUPS = "SELECT array_agg(id ORDER BY id) FROM interaction GROUP BY chain_id"


async def parse_here(raw: bytes) -> ParsedMail:
    return parse(raw)


async def chains_after(
    cluster: Cluster, folder: Path, batches: Sequence[Sequence[MailArrived]], writers: int = 1
) -> frozenset[frozenset[UUID]]:
    """The chains that a database holds after these batches, brought by so many writers at once."""
    dsn = cluster.clone()
    databases = [await Database.open(dsn) for _ in range(min(DAEMONS, writers))]
    waiting = list(reversed(batches))
    try:
        async with databases[0].connection() as db:
            await sources.save_all(db, [("sales", "mailbox", "imap")])
            (lease,) = await leases.acquire(db, "test", ["sales"], 1, 600)
        desks = [Desk(one, Blobs(folder), IntakeSettings(own=OWN), parse_here, lambda: NOW) for one in databases]

        async def write(n: int) -> None:
            while waiting:
                await desks[n % len(desks)].accept(lease, Batch(waiting.pop()))

        await asyncio.gather(*(write(n) for n in range(writers)))
        async with databases[0].connection() as db:
            return frozenset(frozenset(row[0]) for row in await db.fetch(GROUPS))
    finally:
        for one in databases:
            await one.close()
        cluster.drop(dsn)


def in_batches(mails: Sequence[MailArrived], size: int) -> list[Sequence[MailArrived]]:
    return [mails[n : n + size] for n in range(0, len(mails), size)]


async def test_orders_and_batches_do_not_matter(cluster: Cluster, tmp_path: Path) -> None:
    mails = correspondence(120, seed=1)
    expected = await chains_after(cluster, tmp_path / "one", in_batches(mails, 20))
    shuffled = random.Random(2).sample(mails, len(mails))

    assert 5 < len(expected) < 110
    assert await chains_after(cluster, tmp_path / "two", in_batches(shuffled, 7)) == expected
    assert await chains_after(cluster, tmp_path / "three", in_batches(mails[::-1], 1)) == expected


@pytest.mark.parametrize("seed", range(2))
async def test_24_writers_at_once_make_the_chains_that_one_makes(cluster: Cluster, tmp_path: Path, seed: int) -> None:
    mails = correspondence(120, seed)
    expected = await chains_after(cluster, tmp_path / "one", in_batches(mails, 40))
    copies = [replace(one, location=replace(one.location, folder="Sent")) for one in mails[::2]]
    everything = random.Random(seed).sample([*mails, *copies], len(mails) + len(copies))

    assert await chains_after(cluster, tmp_path / "many", in_batches(everything, 3), WRITERS) == expected


async def test_very_deep_references_and_mails_that_name_themselves_are_placed(cluster: Cluster, tmp_path: Path) -> None:
    deep = tuple(str(n) for n in range(10_000))
    mails = [
        mail(raw_mail("0")),
        mail(raw_mail("9999", at=START + timedelta(hours=1))),
        mail(raw_mail("deep", subject="Re: Заказ", references=deep, at=START + timedelta(hours=2))),
        mail(raw_mail("self", subject="Re: Другое", reply_to="self", references=("self",))),
        mail(raw_mail("ring1", reply_to="ring2", references=("ring1", "ring2"))),
        mail(raw_mail("ring2", reply_to="ring1", references=("ring2", "ring1"), at=START + timedelta(hours=1))),
    ]

    found = [
        await chains_after(cluster, tmp_path / str(n), in_batches(order, 1))
        for n, order in enumerate([mails, mails[::-1]])
    ]

    assert found[0] == found[1]
    assert sorted(len(one) for one in found[0]) == [1, 1, 2, 2]
