"""A mail above the limit on a real server: its beginning first, and the whole of it when somebody asks."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest

from connectors.mail.source import ImapSource, MailboxSettings
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk, SourceIntake
from interactions.mime import ParsedMail, TooComplex, parse
from storage import completions, edits, leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.daemon import rows
from tests.fakes.dovecot import PASSWORD, Dovecot, running_dovecot

pytestmark = pytest.mark.peer("dovecot")

STATE = "SELECT block->'marks' ?| ARRAY['oversized', 'truncated'], has_attachments, version FROM interaction"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


def large(text: str = "Здравствуйте! Чертежи во вложении.") -> bytes:
    """A mail of three megabytes; its text comes first."""
    message = EmailMessage()
    message["From"], message["To"] = "ivan@customer.example", "sales@example.org"
    message["Subject"], message["Message-ID"] = "Чертежи", "<large@test.example>"
    message["Date"] = "Mon, 23 Nov 2026 12:00:00 +0300"
    message.set_content(text)
    for name in ("first.bin", "second.bin"):
        message.add_attachment(bytes(range(256)) * 4096, "application", "octet-stream", filename=name)
    return message.as_bytes()


class Desks:
    """A mailbox with a limit of 100 kB for each mail, and what becomes of its mails."""

    def __init__(self, dovecot: Dovecot, database: Database, folder: Path, now: datetime, lease: leases.Lease) -> None:
        self.user, self.database, self.lease = dovecot.new_user(), database, lease
        self.blobs = Blobs(folder)
        self.refuses_above = 10**9
        self.intake = SourceIntake(
            Desk(database, self.blobs, IntakeSettings(), self.parse, lambda: now), database, lease
        )
        self.settings = MailboxSettings(
            "sales", self.user, "localhost", dovecot.imaps, self.user, PASSWORD,
            ssl_context=dovecot.trusting(), message_bytes_max=400_000,
        )  # fmt: skip

    async def parse(self, raw: bytes) -> ParsedMail:
        if len(raw) > self.refuses_above:
            raise TooComplex("reading it needed more than 1 GB of memory")
        return parse(raw)

    async def sync(self) -> UUID:
        await ImapSource(self.settings).catch_up(self.intake)
        async with self.database.connection() as db:
            found: UUID = await db.fetchval("SELECT id FROM interaction")
        return found

    async def ask(self, which: UUID) -> completions.Asked | None:
        """Asks for the whole of a mail, runs its source, and tells how it stands once it is settled."""
        async with self.database.connection() as db:
            assert await completions.ask(db, which, None)
        task = asyncio.create_task(ImapSource(self.settings).run(self.intake))
        try:
            async with asyncio.timeout(20):
                while (asked := await self._asked(which)) is not None and asked.failed_at is None:
                    await asyncio.sleep(0.02)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return asked

    async def _asked(self, which: UUID) -> completions.Asked | None:
        async with self.database.connection() as db:
            return await completions.find(db, which)

    async def raw(self, which: UUID) -> bytes:
        async with self.database.connection() as db:
            digest = await edits.raw_of(db, which)
            assert digest is not None
            return await self.blobs.read(db, digest)


@pytest.fixture
async def desks(dovecot: Dovecot, database: Database, tmp_path: Path, now: datetime) -> Desks:
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        [lease] = await leases.acquire(db, "test", ["sales"], 10, 60)
    return Desks(dovecot, database, tmp_path, now, lease)


async def test_a_large_mail_comes_in_part_and_later_whole_and_stays_itself(
    desks: Desks, dovecot: Dovecot, dsn: str
) -> None:
    dovecot.deliver(desks.user, large())
    which = await desks.sync()
    [(is_part, _, version)] = await rows(dsn, STATE)
    assert is_part
    assert len(await desks.raw(which)) < 400_001
    chain = await rows(dsn, "SELECT chain_id FROM interaction")

    assert await desks.ask(which) is None

    assert await rows(dsn, STATE) == [(False, True, version + 1)]
    assert parse(await desks.raw(which)).attachments[1].size == 256 * 4096
    assert await rows(dsn, "SELECT count(*) FROM blob") == [(1,)]  # of the beginning nothing is left that no mail names
    assert await rows(dsn, "SELECT n, name, size FROM attachment ORDER BY n") == [
        (0, "first.bin", 256 * 4096),
        (1, "second.bin", 256 * 4096),
    ]
    assert await rows(dsn, "SELECT id, excerpt FROM interaction") == [(which, "Здравствуйте! Чертежи во вложении.")]
    assert await rows(dsn, "SELECT chain_id FROM interaction") == chain
    assert await rows(dsn, "SELECT type FROM feed ORDER BY position") == [
        ("interaction.created",),
        ("interaction.updated",),
    ]
    assert dovecot.flags(desks.user) == [""]


async def test_a_mail_that_is_no_longer_there_or_can_not_be_read_is_given_up(
    desks: Desks, dovecot: Dovecot, dsn: str
) -> None:
    dovecot.deliver(desks.user, large())
    which = await desks.sync()
    before = await rows(dsn, STATE)

    desks.refuses_above = 1_000_000
    unread = await desks.ask(which)
    desks.settings = replace(desks.settings, message_bytes_max=200_000)
    too_large = await desks.ask(which)
    with dovecot.client(desks.user) as program:
        program.select("INBOX")
        program.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        program.expunge()
    gone = await desks.ask(which)

    reasons = [one.reason if one else "" for one in (unread, too_large, gone)]
    assert "more than 1 GB" in reasons[0]
    assert "at most 2000000 are fetched" in reasons[1]
    assert reasons[2] == "it is no longer on the server"
    assert await rows(dsn, STATE) == before


async def test_a_mail_that_was_deleted_here_is_not_completed(desks: Desks, dovecot: Dovecot, dsn: str) -> None:
    dovecot.deliver(desks.user, large())
    which = await desks.sync()
    async with desks.database.connection() as db:
        await edits.bury(db, which, None)

    assert await desks.ask(which) is None

    assert await rows(dsn, "SELECT block->'marks' ? 'oversized' FROM interaction") == [(True,)]
