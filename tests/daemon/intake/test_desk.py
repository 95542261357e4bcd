"""The door: what arrives becomes one record each, in its chain, whatever the order and however often it comes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest

from connectors.base import Batch, Checkpoint
from daemon.intake.context import IntakeSettings, SourceSettings
from daemon.intake.desk import Desk
from interactions.addresses import email_key
from interactions.arrivals import Arrival
from interactions.mime import ParsedMail, parse
from interactions.never_log import NeverLog
from interactions.phones import phone_key
from storage import addresses, leases, sources
from storage.blobs import Blobs
from storage.database import Database
from storage.errors import Stale
from tests.fakes.arrivals import call, mail, raw_mail, sms

OWN = frozenset(key for key in (email_key("sales@example.org"), phone_key("+74951234567", "RU")) if key)


async def parse_here(raw: bytes) -> ParsedMail:
    return parse(raw)


class Door:
    """A desk with two sources, and their leases."""

    def __init__(self, database: Database, desk: Desk, held: dict[str, leases.Lease]) -> None:
        self.database, self.desk, self.leases = database, desk, held

    async def bring(self, *arrivals: Arrival, checkpoint: Checkpoint | None = None) -> int:
        by_source: dict[str, list[Arrival]] = {}
        for one in arrivals:
            by_source.setdefault(one.source, []).append(one)
        new = 0
        for source, some in by_source.items():
            new += (await self.desk.accept(self.leases[source], Batch(some, checkpoint))).new
        return new

    async def rows(self, query: str) -> Sequence[Sequence[object]]:
        async with self.database.connection() as db:
            return [tuple(row) for row in await db.fetch(query)]

    async def chains(self) -> list[set[str]]:
        """The Message-IDs of each chain."""
        found: dict[UUID, set[str]] = {}
        for chain, name in await self.rows("SELECT chain_id, coalesce(external_id, kind) FROM interaction"):
            found.setdefault(chain, set()).add(str(name).removesuffix("@test.example"))  # type: ignore[arg-type]
        return sorted(found.values(), key=sorted)


@pytest.fixture
async def door(database: Database, tmp_path: Path, now: datetime) -> Door:
    settings = IntakeSettings("RU", 72, {"main": SourceSettings("main"), "sales": SourceSettings("sales")}, OWN)
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap"), ("main", "telephony", "generic")])
        await addresses.mark_own(db, OWN, now.date())
        held = {one.name: one for one in await leases.acquire(db, "test", ["sales", "main"], 10, 60)}
    return Door(database, Desk(database, Blobs(tmp_path), settings, parse_here, lambda: now), held)


async def test_a_mail_becomes_one_interaction_with_its_participants(door: Door) -> None:
    assert await door.bring(mail(raw_mail("1"))) == 1

    [(kind, direction, topic, reviewed, excerpt)] = await door.rows(
        "SELECT kind, direction, topic, reviewed, excerpt FROM interaction"
    )
    assert (kind, direction, topic, reviewed, excerpt) == ("email", "incoming", "Заказ", False, "Здравствуйте!")
    assert await door.rows("SELECT role, address FROM participant ORDER BY n") == [
        ("from", "ivan@customer.example"),
        ("to", "sales@example.org"),
    ]


async def test_a_batch_is_committed_after_the_one_before_it_or_not_at_all(door: Door) -> None:
    lease, before = door.leases["sales"], asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(
        door.desk.accept(lease, Batch([mail(raw_mail("2"))], Checkpoint("INBOX", {})), before)
    )
    first = await door.desk.accept(lease, Batch([mail(raw_mail("1"))]))
    assert await door.rows("SELECT external_id FROM interaction") == [("1@test.example",)]
    before.set_result(first)
    assert (await waiting).new == 1
    assert not door.desk.is_busy

    many = [mail(raw_mail(f"many{n}"), uid=n) for n in range(10, 30)]
    before = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(door.desk.accept(lease, Batch(many), before))
    await asyncio.sleep(0)
    assert door.desk.is_busy  # the search index leaves it half of the time
    before.set_result(first)
    assert (await waiting).new == 20
    assert not door.desk.is_busy

    failed = asyncio.get_running_loop().create_future()
    failed.set_exception(OSError("the disk is full"))
    with pytest.raises(OSError, match="full"):
        await door.desk.accept(lease, Batch([mail(raw_mail("3"))], Checkpoint("Sent", {})), failed)

    assert await door.rows("SELECT count(*) FROM interaction") == [(22,)]
    assert await door.rows("SELECT key FROM checkpoint") == [("INBOX",)]


async def test_the_same_mail_in_two_places_is_one_interaction(door: Door) -> None:
    raw = raw_mail("1")

    assert await door.bring(mail(raw, uid=1)) == 1
    assert await door.bring(mail(raw, folder="Archive", uid=7)) == 0
    assert await door.bring(mail(raw, uid=1)) == 0

    assert await door.rows("SELECT folder, uid FROM mail_location ORDER BY folder") == [("Archive", 7), ("INBOX", 1)]
    assert len(await door.rows("SELECT 1 FROM interaction")) == 1


async def test_different_mails_with_one_message_id_stay_two(door: Door) -> None:
    assert await door.bring(mail(raw_mail("1", subject="Счёт")), mail(raw_mail("1", subject="Акт"))) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
async def test_replies_join_their_chain_in_any_order(door: Door, order: tuple[int, ...]) -> None:
    mails = [
        mail(raw_mail("a")),
        mail(raw_mail("b", "sales@example.org", "ivan@customer.example", "Re: Заказ", reply_to="a", references=("a",))),
        mail(raw_mail("c", subject="Re: Re: Заказ", reply_to="b", references=("a", "b"))),
    ]

    for n in order:
        await door.bring(mails[n])

    assert await door.chains() == [{"a", "b", "c"}]
    assert await door.rows("SELECT size FROM chain WHERE merged_into IS NULL") == [(3,)]


async def test_two_answers_to_a_mail_we_do_not_have_wait_together_only_with_one_topic(door: Door) -> None:
    await door.bring(mail(raw_mail("1", subject="Re: Заказ", reply_to="lost")))
    await door.bring(mail(raw_mail("2", subject="Re: Заказ", reply_to="lost")))
    await door.bring(mail(raw_mail("3", subject="Ваш чек 3", reply_to="lost")))
    assert await door.chains() == [{"1", "2"}, {"3"}]

    await door.bring(mail(raw_mail("lost")))

    assert await door.chains() == [{"1", "2", "3", "lost"}]


async def test_what_we_send_is_outgoing_and_reviewed(door: Door) -> None:
    await door.bring(mail(raw_mail("1", "Sales <sales@example.org>", "ivan@customer.example"), folder="Sent"))

    assert await door.rows("SELECT direction, reviewed FROM interaction") == [("outgoing", True)]


async def test_a_mail_beyond_the_bounds_is_kept_raw_and_the_rest_goes_on(door: Door) -> None:
    bomb = b"X: " + b"a" * 300_000 + b"\r\n\r\nhi"

    assert await door.bring(mail(bomb, uid=1), mail(raw_mail("1"), uid=2)) == 1

    [(reason, raw)] = await door.rows("SELECT reason, raw_sha256 FROM quarantine")
    assert "header" in str(reason)
    assert raw
    assert len(await door.rows("SELECT 1 FROM mail_location")) == 2


async def test_a_call_is_the_same_record_in_any_order(door: Door) -> None:
    await door.bring(call("c1", "ended", minute=3, cause="normalClearing"))
    await door.bring(call("c1", "ringing"), call("c1", "answered", minute=1, answered_by="101"))
    await door.bring(call("c1", "ringing"))

    [(block, reviewed, at)] = await door.rows("SELECT block, reviewed, occurred_at FROM interaction")
    assert (block["state"], block["result"], block["talk_seconds"]) == ("ended", "answered", 120)  # type: ignore[index]
    assert reviewed is True
    assert str(at).startswith("2026-11-23 09:00")


async def test_a_missed_call_is_to_be_reviewed_and_an_sms_joins_its_chain(door: Door) -> None:
    await door.bring(call("c1", "ringing"), call("c1", "ended", minute=1))
    await door.bring(sms("s1"))

    assert await door.chains() == [{"c1", "s1"}]
    assert await door.rows("SELECT reviewed, link_rule FROM interaction ORDER BY kind") == [
        (False, "root"),
        (False, "recent_party"),
    ]


async def test_a_stale_lease_can_not_write(door: Door, database: Database) -> None:
    async with database.connection() as db:
        await leases.release(db, list(door.leases.values()))
        await leases.acquire(db, "other", ["sales"], 10, 60)

    with pytest.raises(Stale):
        await door.bring(mail(raw_mail("1")), checkpoint=Checkpoint("INBOX", {"live_uid": 1}))

    assert await door.rows("SELECT 1 FROM interaction UNION ALL SELECT 1 FROM checkpoint") == []


async def test_a_mail_that_is_never_to_be_stored_leaves_only_its_place(door: Door) -> None:
    door.desk.settings = replace(door.desk.settings, never_log=NeverLog(("customer.example",)))
    unwanted = mail(raw_mail("1"))
    wanted = mail(raw_mail("2", "anna@other.example"))

    assert await door.bring(unwanted, wanted) == 1

    assert await door.rows("SELECT external_id FROM interaction") == [("2@test.example",)]
    assert await door.rows("SELECT count(*) FROM blob") == [(1,)]
    assert await door.rows("SELECT interaction_id IS NULL, quarantine_id IS NULL FROM mail_location ORDER BY 1") == [
        (False, True),
        (True, True),
    ]
