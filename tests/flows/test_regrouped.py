"""What people put together or took apart stays so, whatever mails come later, and in whatever order."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from uuid import UUID, uuid4

from connectors.base import Batch
from daemon import regroup, undo
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from interactions.mime import ParsedMail, parse
from storage import leases, sources
from storage.blobs import Blobs
from storage.database import Database
from storage.leases import Lease
from tests.fakes.arrivals import START, mail, raw_mail
from tests.fakes.postgres import Cluster


def letter(number: str, *references: str, minute: int = 0, subject: str = "Re: Заказ кухни на дачу") -> bytes:
    """A mail of Ivan's, in answer to the last of these."""
    parent = references[-1] if references else None
    at = START + timedelta(minutes=minute)
    return raw_mail(number, subject=subject, reply_to=parent, references=references, at=at)


class Rig:
    """A desk for mails, and what came of them."""

    def __init__(self, database: Database, desk: Desk, lease: Lease) -> None:
        self.database, self.desk, self.lease = database, desk, lease

    @classmethod
    async def start(cls, database: Database, folder: Path, now: datetime) -> "Rig":
        async def parse_here(raw: bytes) -> ParsedMail:
            return parse(raw)

        async with database.connection() as db:
            await sources.save_all(db, [("sales", "mailbox", "imap")])
            (lease,) = await leases.acquire(db, "test", ["sales"], 1, 60)
        return cls(database, Desk(database, Blobs(folder), IntakeSettings(), parse_here, lambda: now), lease)

    async def bring(self, *raws: bytes) -> None:
        for raw in raws:
            await self.desk.accept(self.lease, Batch([mail(raw)]))

    async def chains(self) -> dict[str, UUID]:
        async with self.database.connection() as db:
            rows = await db.fetch("SELECT external_id, chain_id FROM interaction")
        return {row["external_id"].partition("@")[0]: row["chain_id"] for row in rows}

    async def groups(self) -> list[str]:
        found: dict[UUID, list[str]] = {}
        for name, chain_id in sorted((await self.chains()).items()):
            found.setdefault(chain_id, []).append(name)
        return sorted(" ".join(names) for names in found.values())

    async def split(self, name: str) -> str:
        async def work(db: object) -> str:
            row = await db.fetchrow("SELECT id, chain_id FROM interaction WHERE external_id LIKE $1", f"{name}@%")  # type: ignore[attr-defined]
            return (await regroup.split(db, row["chain_id"], row["id"], None))[1]  # type: ignore[arg-type]

        return await self.database.in_transaction(work)

    async def merge(self, one: str, other: str) -> str:
        there = await self.chains()
        return (await self.database.in_transaction(lambda db: regroup.merge(db, there[one], there[other], None)))[1]

    async def take_back(self, token: str) -> None:
        await self.database.in_transaction(lambda db: undo.take_back(db, token, None))


OLD = [letter("1", subject="Заказ кухни на дачу"), letter("2", "1", minute=1), letter("3", "1", "2", minute=2)]
LATER = [
    letter("4", "1", "2", "3", minute=4),  # refers to both sides
    letter("5", "1", minute=5),
    letter("6", "1", "4", minute=6),
]  # fmt: skip


async def in_each_order(cluster: Cluster, folder: Path, now: datetime, expected: Sequence[str]) -> None:
    for n, order in enumerate(permutations(LATER)):
        dsn = cluster.clone()
        database = await Database.open(dsn)
        try:
            rig = await Rig.start(database, folder / str(n), now)
            await rig.bring(*OLD)
            await rig.split("3")
            await rig.bring(*order)

            assert await rig.groups() == expected
        finally:
            await database.close()
            cluster.drop(dsn)


async def test_a_split_is_not_undone_by_mails_that_refer_to_both_sides(
    cluster: Cluster, tmp_path: Path, now: datetime
) -> None:
    await in_each_order(cluster, tmp_path, now, ["1 2 5", "3 4 6"])


async def test_a_merge_is_not_undone_when_a_guess_in_it_is(database: Database, tmp_path: Path, now: datetime) -> None:
    rig = await Rig.start(database, tmp_path, now)
    await rig.bring(*OLD, letter("7", minute=7), letter("8", minute=8, subject="Другое дело"))
    assert await rig.groups() == ["1 2 3 7", "8"]
    await rig.merge("8", "1")
    assert await rig.groups() == ["1 2 3 7 8"]

    await rig.bring(letter("9", minute=9, subject="Совсем другое"), letter("10", "9", "8", minute=10))

    assert await rig.groups() == ["1 10 2 3 7 8 9"]


async def test_a_split_that_is_taken_back_leaves_no_trace(database: Database, tmp_path: Path, now: datetime) -> None:
    rig = await Rig.start(database, tmp_path, now)
    await rig.bring(*OLD)
    token = await rig.split("3")
    await rig.bring(LATER[0])
    assert await rig.groups() == ["1 2", "3 4"]

    await rig.take_back(token)
    await rig.bring(*LATER[1:])

    assert await rig.groups() == ["1 2 3 4 5 6"]


async def test_a_split_that_is_taken_back_leaves_the_chain_its_own_subject(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    rig = await Rig.start(database, tmp_path, now)
    await rig.bring(*OLD)
    token = await rig.split("3")
    there, deal = await rig.chains(), uuid4()
    async with database.connection() as db:
        await db.execute("INSERT INTO subject (id, kind, title) VALUES ($1, 'deal', '')", deal)
        await db.execute("UPDATE chain SET subject_id = $1 WHERE id = $2", deal, there["3"])

    await rig.take_back(token)

    async with database.connection() as db:
        assert await db.fetchval("SELECT subject_id FROM chain WHERE id = $1", there["1"]) is None


async def test_chains_that_were_merged_and_parted_again_may_be_joined_by_a_mail(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    rig = await Rig.start(database, tmp_path, now)
    await rig.bring(*OLD, letter("8", minute=8, subject="Другое дело"))
    await rig.take_back(await rig.merge("8", "1"))
    assert await rig.groups() == ["1 2 3", "8"]

    await rig.bring(letter("9", "8", "3", minute=9))

    assert await rig.groups() == ["1 2 3 8 9"]


async def test_what_was_taken_apart_may_be_put_together_by_hand(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    rig = await Rig.start(database, tmp_path, now)
    await rig.bring(*OLD)
    await rig.split("3")
    await rig.merge("3", "1")

    await rig.bring(*LATER)

    assert await rig.groups() == ["1 2 3 4 5 6"]
