"""A mailbox that people handle in another program: what they read there is reviewed here, and nothing else changes.

On a real Dovecot, which tells of changes (CONDSTORE) and of what has vanished (QRESYNC).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.mail.source import ImapSource, MailboxSettings
from daemon.intake.context import IntakeSettings, SourceSettings
from daemon.intake.desk import Desk, SourceIntake
from interactions.mime import ParsedMail, parse
from storage import leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import raw_mail
from tests.fakes.dovecot import PASSWORD, Dovecot, running_dovecot

pytestmark = pytest.mark.peer("dovecot")

REVIEWED = "SELECT external_id, reviewed FROM interaction ORDER BY external_id"
CUSTOMER = "Иван Петров <ivan@customer.example>"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


class Elsewhere:
    """A mailbox, its reader here, and another program that reads it too."""

    def __init__(self, dovecot: Dovecot, desk: Desk, database: Database, lease: leases.Lease) -> None:
        self.dovecot, self.desk, self.database = dovecot, desk, database
        self.user = dovecot.new_user()
        self.intake = SourceIntake(desk, database, lease)
        self.settings = MailboxSettings(
            "sales", self.user, "localhost", dovecot.imaps, self.user, PASSWORD,
            ssl_context=dovecot.trusting(), handled_elsewhere=True, poll_seconds=0.2,
        )  # fmt: skip

    def deliver(self, *names: str) -> None:
        for name in names:
            self.dovecot.deliver(self.user, raw_mail(name, CUSTOMER, subject=name))

    def flag(self, uids: str, change: str, folder: str = "INBOX") -> None:
        with self.dovecot.client(self.user) as program:
            program.select(folder)
            program.uid("STORE", uids, f"{change}FLAGS", r"(\Seen)")

    async def sync(self) -> None:
        await ImapSource(self.settings).catch_up(self.intake)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(ImapSource(self.settings).run(self.intake))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.connection() as db:
            return [tuple(row) for row in await db.fetch(query)]

    async def until(self, query: str, expected: list[tuple[Any, ...]]) -> None:
        async with asyncio.timeout(20):
            while await self.rows(query) != expected:
                await asyncio.sleep(0.05)


@pytest.fixture
async def elsewhere(dovecot: Dovecot, database: Database, tmp_path: Path, now: datetime) -> Elsewhere:
    settings = IntakeSettings("RU", 72, {"sales": SourceSettings("sales")})

    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        [lease] = await leases.acquire(db, "test", ["sales"], 10, 60)
    return Elsewhere(dovecot, Desk(database, Blobs(tmp_path), settings, parse_here, lambda: now), database, lease)


async def test_all_is_born_reviewed_and_what_is_marked_there_is_marked_here(elsewhere: Elsewhere) -> None:
    elsewhere.deliver("a", "b")
    await elsewhere.sync()
    assert [reviewed for _, reviewed in await elsewhere.rows(REVIEWED)] == [True, True]
    told = await elsewhere.rows("SELECT count(*) FROM feed")
    await elsewhere.sync()
    assert await elsewhere.rows("SELECT count(*) FROM feed") == told

    elsewhere.flag("1:2", "+")
    elsewhere.flag("1", "-")
    await elsewhere.sync()
    elsewhere.flag("2", "-")
    await elsewhere.sync()
    elsewhere.flag("2", "+")
    await elsewhere.sync()

    assert await elsewhere.rows("SELECT uid, seen FROM mail_location ORDER BY uid") == [(1, False), (2, True)]
    assert [reviewed for _, reviewed in await elsewhere.rows(REVIEWED)] == [True, True]
    assert await elsewhere.rows("SELECT count(*) FROM feed WHERE type = 'interaction.updated'") == [(2,)]
    assert elsewhere.dovecot.flags(elsewhere.user) == ["", "S"]


async def test_what_is_marked_unread_there_is_to_be_reviewed_here_at_once(elsewhere: Elsewhere) -> None:
    elsewhere.deliver("a")
    elsewhere.dovecot.append(elsewhere.user, raw_mail("b", CUSTOMER, subject="b"), "Done")
    async with elsewhere.running():
        await elsewhere.until("SELECT state FROM source", [("ok",)])
        elsewhere.flag("1", "+")
        await elsewhere.until("SELECT bool_and(seen) FROM mail_location", [(True,)])

        elsewhere.flag("1", "-")
        elsewhere.flag("1", "-", "Done")

        await elsewhere.until("SELECT reviewed FROM interaction", [(False,), (False,)])
        elsewhere.flag("1", "+")
        await elsewhere.until("SELECT count(*) FROM interaction WHERE reviewed", [(1,)])


async def test_with_the_flags_of_review_switched_off_nothing_changes_and_later_all_is_caught_up(
    elsewhere: Elsewhere,
) -> None:
    elsewhere.deliver("a")
    elsewhere.flag("1", "+")
    await elsewhere.sync()
    before = elsewhere.desk.settings
    elsewhere.desk.settings = replace(before, review_flags=False)

    elsewhere.flag("1", "-")
    await elsewhere.sync()
    assert await elsewhere.rows("SELECT reviewed, version FROM interaction") == [(True, 1)]

    elsewhere.desk.settings = before
    await elsewhere.sync()
    assert await elsewhere.rows("SELECT reviewed, version FROM interaction") == [(False, 2)]


async def test_a_mailbox_that_was_numbered_anew_keeps_what_was_known_and_hears_what_has_changed(
    elsewhere: Elsewhere,
) -> None:
    elsewhere.deliver("a", "b")
    elsewhere.flag("1:2", "+")
    await elsewhere.sync()

    elsewhere.dovecot.renumber(elsewhere.user, 777)
    elsewhere.flag("1:*", "+")
    elsewhere.flag("4", "-")
    await elsewhere.sync()

    assert await elsewhere.rows("SELECT count(*), count(*) FILTER (WHERE reviewed) FROM interaction") == [(2, 1)]
    assert await elsewhere.rows("SELECT count(*) FROM feed WHERE type = 'interaction.updated'") == [(1,)]


async def test_what_was_deleted_there_is_gone_from_its_place_before_any_audit(elsewhere: Elsewhere) -> None:
    elsewhere.deliver("a", "b", "c")
    async with elsewhere.running():
        await elsewhere.until("SELECT state FROM source", [("ok",)])
        [(audited,)] = await elsewhere.rows("SELECT audited_at FROM source")

        with elsewhere.dovecot.client(elsewhere.user) as program:
            program.select("INBOX")
            program.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
            program.expunge()

        await elsewhere.until("SELECT uid FROM mail_location WHERE gone_at IS NOT NULL", [(2,)])
        assert await elsewhere.rows("SELECT audited_at FROM source") == [(audited,)]
    assert await elsewhere.rows("SELECT count(*) FROM interaction WHERE deleted_at IS NULL") == [(3,)]


async def test_an_answer_that_is_read_elsewhere_ends_the_wait_for_it(elsewhere: Elsewhere) -> None:
    elsewhere.deliver("a")
    await elsewhere.sync()
    async with elsewhere.database.connection() as db:
        await db.execute("UPDATE interaction SET on_control = true, until_reply = true")

    elsewhere.dovecot.deliver(elsewhere.user, raw_mail("b", CUSTOMER, subject="Re: a", reply_to="a", references=("a",)))
    await elsewhere.sync()

    assert await elsewhere.rows("SELECT external_id, reviewed, on_control FROM interaction ORDER BY 1") == [
        ("a@test.example", True, False),
        ("b@test.example", True, False),
    ]
