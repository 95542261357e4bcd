"""A hundred thousand stored mails: a new one is admitted by a few look-ups, and no table is walked through."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Batch
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from interactions.mime import ParsedMail, parse
from storage import leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.long_history import NOW, OWN, fill, new_mails
from tests.fakes.postgres import Cluster

STORED, BATCH = 100_000, 100
LOOKS_MAX = 40  # of one table, for one mail: each of its ids, people and chains, found, locked and written
WALKS = "SELECT relname, seq_scan, seq_tup_read, coalesce(idx_scan, 0) AS looks, coalesce(idx_tup_fetch, 0) AS found FROM pg_stat_user_tables"
GROWING = (
    "address", "chain", "feed", "interaction", "mail_location", "mail_thread", "message_awaited", "message_ref", "origin",
    "participant",
)  # fmt: skip


async def counted(cluster: Cluster, folder: Path, stored: int) -> dict[str, Any]:
    """What the database did for a hundred new mails, by table."""

    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    dsn = cluster.clone()
    await asyncio.to_thread(cluster.call, fill(dsn, stored))
    database = await Database.open(dsn)
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        (lease,) = await leases.acquire(db, "test", ["sales"], 1, 600)
        await db.execute("SELECT pg_stat_reset()")
    desk = Desk(database, Blobs(folder), IntakeSettings(own=OWN), parse_here, lambda: NOW)
    mails = new_mails(stored, BATCH, 1)
    new = sum([(await desk.accept(lease, Batch(mails[n : n + 20]))).new for n in range(0, BATCH, 20)])
    await database.close()  # a session tells what it did when it ends
    database = await Database.open(dsn)
    async with database.connection() as db:
        rows = {row["relname"]: row for row in await db.fetch(WALKS)}
    await database.close()
    cluster.drop(dsn)
    assert new == BATCH
    return rows


@pytest.mark.timeout(300)
async def test_a_long_history_is_met_by_a_few_look_ups_and_no_walk(cluster: Cluster, tmp_path: Path) -> None:
    found = await counted(cluster, tmp_path, STORED)

    # A table of a few thousand rows may well be read as a whole for a batch; one that grows with the history may not.
    walks = {name: found[name]["seq_tup_read"] // (found[name]["seq_scan"] or 1) for name in GROWING}
    assert {name: rows for name, rows in walks.items() if rows > STORED / 10} == {}
    looks = {name: (found[name]["looks"] / BATCH, found[name]["found"] / BATCH) for name in GROWING}
    assert {name: both for name, both in looks.items() if max(both) > LOOKS_MAX} == {}
