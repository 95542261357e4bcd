"""Mails that want into somebody's chain: they are told apart, whatever the order in which they come."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from connectors.base import Batch
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from interactions.addresses import email_key
from interactions.mime import ParsedMail, parse
from storage import addresses, leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import START, mail, raw_mail
from tests.fakes.postgres import Cluster

OWN = frozenset(key for key in [email_key("sales@example.org")] if key)
IVAN, OLGA, MALLORY = "ivan@customer.example", "olga@customer.example", "mallory@evil.example"


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


ORDER = raw_mail("1", IVAN)
ANSWER = raw_mail("2", "sales@example.org", IVAN, "Re: Заказ", reply_to="1", at=at(1))
COLLEAGUE = raw_mail("3", OLGA, subject="Re: Заказ", reply_to="2", references=("1", "2"), at=at(2))
FORGED = raw_mail("4", MALLORY, subject="Re: Заказ", reply_to="2", references=("1", "2"), at=at(3))
NEW_TOPIC = raw_mail("5", IVAN, subject="Рекламация", reply_to="2", at=at(4))


async def flags(
    database: Database, folder: Path, now: datetime, batches: Sequence[Sequence[bytes]]
) -> dict[str, object]:
    """The flags of each mail by its id, after these batches."""

    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    desk = Desk(database, Blobs(folder), IntakeSettings(own=OWN), parse_here, lambda: now)
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        await addresses.mark_own(db, OWN, now.date())
        (lease,) = await leases.acquire(db, "test", ["sales"], 1, 60)
    for batch in batches:
        await desk.accept(lease, Batch([mail(raw) for raw in batch]))
    async with database.connection() as db:
        rows = await db.fetch("SELECT external_id, link_flags FROM interaction")
    return {row[0].partition("@")[0]: row[1] for row in rows}


@pytest.mark.parametrize(
    ("forged", "expected"),
    [
        (FORGED, ["stranger"]),
        (FORGED.replace(b"In-Reply-To: <2@test.example>\n", b""), ["stranger"]),  # by References alone
        (FORGED.replace(b"From: mallory@", b"From: ivan@customer.example, mallory@"), ["stranger"]),  # two senders
        (FORGED.replace(b"From: mallory@", b'From: "ivan@customer.example" <mallory@').replace(b"evil.example\n", b"evil.example>\n", 1), ["stranger"]),
        (FORGED.replace(b"\nTo:", b"\nReply-To: ivan@customer.example\nTo:", 1), ["stranger"]),
        (FORGED.replace(b"From: mallory@evil.example", b"From: ivan@customer.example)mallory@evil.example"), ["stranger"]),
        (FORGED.replace(b"From: mallory@evil.example", b"From: ivan@customer.example.evil.example"), ["stranger"]),
        (COLLEAGUE.replace(b"<3@", b"<4@"), []),
        (NEW_TOPIC.replace(b"<5@", b"<4@"), ["topic_changed"]),
    ],
)  # fmt: skip
async def test_no_forged_answer_joins_a_chain_silently(
    database: Database, tmp_path: Path, now: datetime, forged: bytes, expected: list[str]
) -> None:
    found = await flags(database, tmp_path, now, [[ORDER], [ANSWER], [forged]])

    assert found == {"1": [], "2": [], "4": expected}


async def test_notices_that_name_one_constant_id_are_not_glued_together(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    shop = [
        raw_mail(f"o{n}", "shop@shop.example", subject="Новый заказ", references=("all",), at=at(n)) for n in range(4)
    ]
    answers = [raw_mail(f"a{n}", IVAN, subject="Re: Счёт", references=("lost",), at=at(n)) for n in range(2)]

    await flags(database, tmp_path, now, [shop[:2], [*shop[2:], *answers]])

    async with database.connection() as db:
        rows = await db.fetch(
            "SELECT left(external_id, 1) AS kind, count(DISTINCT chain_id) FROM interaction GROUP BY 1 ORDER BY 1"
        )
    assert [tuple(row) for row in rows] == [("a", 1), ("o", 4)]


BOUNCE = (
    b"Return-Path: <>\nFrom: MAILER-DAEMON@mx.customer.example\nTo: sales@example.org\nSubject: Undelivered\n"
    b"Date: Mon, 23 Nov 2026 09:05:00 +0000\nMessage-ID: <6@test.example>\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nUnknown user\n--b\n"
    b"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; ivan@customer.example\nAction: failed\n--b\n"
    b"Content-Type: text/rfc822-headers\n\nMessage-ID: <2@test.example>\n--b--\n"
)


@pytest.mark.parametrize("order", list(permutations([ORDER, ANSWER, BOUNCE])))
async def test_a_bounce_comes_into_the_chain_of_the_mail_that_did_not_arrive(
    database: Database, tmp_path: Path, now: datetime, order: tuple[bytes, ...]
) -> None:
    await flags(database, tmp_path, now, [[raw] for raw in order])

    async with database.connection() as db:
        [(chains, bounce)] = await db.fetch(
            "SELECT count(DISTINCT chain_id), max(block::text) FILTER (WHERE external_id LIKE '6@%') FROM interaction"
        )
        reviewed = await db.fetchval("SELECT reviewed FROM interaction WHERE external_id LIKE '6@%'")
    assert chains == 1
    assert "ivan@customer.example" in bounce
    assert reviewed


async def test_flags_do_not_depend_on_who_came_first(cluster: Cluster, tmp_path: Path, now: datetime) -> None:
    expected = {"1": [], "2": [], "3": [], "4": ["stranger"], "5": ["topic_changed"]}
    orders = [*permutations([ORDER, ANSWER, COLLEAGUE, FORGED, NEW_TOPIC])][::17]
    for n, order in enumerate(orders):
        dsn = cluster.clone()
        opened = await Database.open(dsn)
        try:
            found = await flags(opened, tmp_path / str(n), now, [[raw] for raw in order])
        finally:
            await opened.close()
            cluster.drop(dsn)

        assert found == expected
