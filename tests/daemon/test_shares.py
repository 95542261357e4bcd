"""Several daemons on one database: each has its share, who joins later too, who dies is replaced, and nobody is cut short."""

import asyncio
from collections.abc import Mapping
from typing import cast

import pytest

from connectors.base import Accepted, Batch, Intake, Unavailable
from daemon.supervisor import Supervisor
from storage import leases
from storage.database import Database
from storage.errors import Stale
from storage.leases import Lease
from tests.fakes.boxes import LEASE_SECONDS, NAMES, Mailbox, kept, row, save_rows, supervisor, until


@pytest.fixture(autouse=True)
async def rows(database: Database) -> None:
    await save_rows(database)


def running_in(boxes: Mapping[str, Mailbox]) -> set[str]:
    return {name for name, box in boxes.items() if box.running.is_set()}


async def until_shared(*daemons: Mapping[str, Mailbox]) -> None:
    """Until every source runs once, and nobody has two more than another."""

    async def is_shared() -> bool:
        shares = [running_in(boxes) for boxes in daemons]
        sizes = sorted(len(share) for share in shares)
        return sum(sizes) == len(set().union(*shares)) == len(daemons[0]) and sizes[-1] - sizes[0] <= 1

    await until(is_shared)


def boxes() -> dict[str, Mailbox]:
    return {name: Mailbox() for name in NAMES}


async def test_a_daemon_that_joins_later_gets_its_share_and_nothing_goes_to_and_fro(database: Database) -> None:
    first, second, third = boxes(), boxes(), boxes()
    async with kept(supervisor(database, first)):
        await until_shared(first)
        async with kept(supervisor(database, second)):
            await until_shared(first, second)
            async with kept(supervisor(database, third)):
                await until_shared(first, second, third)
                await asyncio.sleep(2 * LEASE_SECONDS)
                await until_shared(first, second, third)
            await until_shared(first, second)  # who leaves in order is replaced at once
        await until_shared(first)

    assert sum(len(box.runs) for daemon in (first, second, third) for box in daemon.values()) <= 4 * len(NAMES)


async def test_what_one_that_died_had_is_shared_by_those_who_live(database: Database) -> None:
    first, second = boxes(), boxes()
    async with database.connection() as db:
        await db.execute("INSERT INTO daemon (id, host, pid) VALUES ('dead', 'x', 1)")
        held = await leases.acquire(db, "dead", NAMES, 9, LEASE_SECONDS)

    async with kept(supervisor(database, first)), kept(supervisor(database, second)):
        await until_shared(first, second)

    async with database.connection() as db:
        for lease in held:
            with pytest.raises(Stale):
                await leases.fence(db, lease.source_id, lease.token)


async def test_sources_that_nobody_else_knows_are_taken_back_and_not_offered_again(database: Database) -> None:
    mine = boxes()
    async with kept(supervisor(database, mine)):
        await until_shared(mine)
        async with kept(supervisor(database, {})):
            await until(lambda: given_back(mine))
            await until_shared(mine)
            runs = sum(len(box.runs) for box in mine.values())
            await asyncio.sleep(5 * LEASE_SECONDS)

            assert sum(len(box.runs) for box in mine.values()) == runs


async def given_back(boxes: Mapping[str, Mailbox]) -> bool:
    return any(box.cancelled.is_set() for box in boxes.values())


class Portions:
    """A source that accepts portion after portion, and notes when it is stopped in the middle of one."""

    def __init__(self) -> None:
        self.is_busy = False
        self.was_cut = False
        self.running = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self, intake: Intake) -> None:
        self.running.set()
        try:
            while True:
                self.is_busy = True
                await asyncio.sleep(0.15)
                await intake.accept(Batch([]))
                self.is_busy = False
                await asyncio.sleep(0)
        finally:
            self.was_cut = self.was_cut or self.is_busy
            self.running.clear()
            self.ended.set()

    async def check(self) -> str:
        return ""


class Committing:
    async def accept(self, batch: Batch, after: object = None) -> Accepted:
        return Accepted()


async def test_a_source_that_is_given_away_finishes_its_portion(database: Database) -> None:
    mine = {name: Portions() for name in NAMES}
    one = Supervisor(database, mine, lambda _: cast(Intake, Committing()), 4 * LEASE_SECONDS, lambda *_: 0.01)
    async with kept(one):
        for source in mine.values():
            await source.running.wait()
        async with kept(Supervisor(database, boxes(), lambda lease: cast(Intake, lease), 4 * LEASE_SECONDS)):
            while sum(source.ended.is_set() for source in mine.values()) < 2:
                await asyncio.sleep(0.02)

            assert not any(source.was_cut for source in mine.values())


async def test_an_overtaken_daemon_says_nothing_of_the_source(database: Database) -> None:
    mailbox = Mailbox(Unavailable("no answer"))
    slow = Supervisor(database, {"a": mailbox}, lambda lease: cast(Intake, lease), 60.0, lambda *_: 60.0)
    async with database.connection() as db, kept(slow):
        await until_said(database, "unreachable")
        await db.execute("UPDATE source SET lease_token = lease_token + 1, state = 'ok'")
        await slow._tell(cast(Lease, mailbox.runs[0]), Unavailable("no answer"), 1.0)

    assert (await row(database))["state"] == "ok"


async def until_said(database: Database, state: str) -> None:
    async def is_said() -> bool:
        return bool((await row(database))["state"] == state)

    await until(is_said)
