"""A mailbox on a real Dovecot becomes interactions: what was said from any program, in one chain, in any order."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.mail.source import ImapSource, MailboxSettings
from daemon.intake.context import IntakeSettings, SourceSettings
from daemon.intake.desk import Desk, SourceIntake
from interactions.addresses import email_key
from interactions.mime import ParsedMail, parse
from storage import addresses, edits, leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import START, raw_mail
from tests.fakes.dovecot import PASSWORD, Dovecot, running_dovecot

pytestmark = pytest.mark.peer("dovecot")

CUSTOMER = "Иван Петров <ivan@customer.example>"
QUESTION = raw_mail("question", CUSTOMER, subject="Заказ № 7", text="Когда отгрузка?", at=START)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


class Office:
    """One mailbox, its source and the door behind it."""

    def __init__(self, dovecot: Dovecot, database: Database, desk: Desk, lease: leases.Lease, user: str) -> None:
        self.dovecot, self.database, self.user = dovecot, database, user
        self.intake = SourceIntake(desk, database, lease)

    async def sync(self, headers_only: bool = False) -> None:
        """As after a start of the daemon: nothing is remembered but what is in the database."""
        settings = MailboxSettings(
            "sales",
            self.user,
            "localhost",
            self.dovecot.imaps,
            self.user,
            PASSWORD,
            ssl_context=self.dovecot.trusting(),
            headers_only=headers_only,
        )
        await ImapSource(settings).catch_up(self.intake)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.connection() as db:
            return [tuple(row) for row in await db.fetch(query)]

    def reply(self) -> bytes:
        """Our answer, as another mail program files it."""
        return raw_mail(
            "reply",
            self.user,
            CUSTOMER,
            "Re: Заказ № 7",
            "Завтра.",
            "question",
            ("question",),
            START + timedelta(hours=1),
        )

    def answer(self) -> bytes:
        return raw_mail(
            "answer", CUSTOMER, self.user, "Re: Re: Заказ № 7", "Спасибо!", "reply", ("question", "reply"),
            START + timedelta(hours=2),
        )  # fmt: skip


@pytest.fixture
async def office(dovecot: Dovecot, database: Database, tmp_path: Path, now: datetime) -> Office:
    user = dovecot.new_user()
    key = email_key(user)
    assert key is not None
    settings = IntakeSettings("RU", 72, {"sales": SourceSettings("sales")}, frozenset({key}))

    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        await addresses.mark_own(db, settings.own, now.date())
        [lease] = await leases.acquire(db, "test", ["sales"], 10, 60)
    desk = Desk(database, Blobs(tmp_path), settings, parse_here, lambda: now)
    return Office(dovecot, database, desk, lease, user)


async def test_a_conversation_that_arrives_out_of_order_is_one_chain(office: Office) -> None:
    office.dovecot.deliver(office.user, office.answer())
    await office.sync()
    office.dovecot.append(office.user, office.reply(), "Sent")
    office.dovecot.append(office.user, QUESTION, "Архив", flags="()")
    await office.sync()

    assert await office.rows(
        "SELECT external_id, direction, topic, reviewed FROM interaction ORDER BY occurred_at"
    ) == [
        ("question@test.example", "incoming", "Заказ № 7", False),
        ("reply@test.example", "outgoing", "Re: Заказ № 7", True),
        ("answer@test.example", "incoming", "Re: Re: Заказ № 7", False),
    ]
    assert await office.rows("SELECT count(DISTINCT chain_id) FROM interaction") == [(1,)]
    assert await office.rows("SELECT size FROM chain WHERE merged_into IS NULL") == [(3,)]


async def test_syncing_again_changes_nothing(office: Office) -> None:
    for raw in (QUESTION, office.answer()):
        office.dovecot.deliver(office.user, raw)
    office.dovecot.append(office.user, office.reply(), "Sent")
    await office.sync()
    assert await office.rows("SELECT state, done, total FROM source") == [("ok", 3, 3)]
    feed = await office.rows("SELECT * FROM feed ORDER BY 1")

    await office.sync()

    assert await office.rows("SELECT * FROM feed ORDER BY 1") == feed
    assert await office.rows("SELECT count(*) FROM mail_location") == [(3,)]


async def test_a_mailbox_that_was_numbered_anew_brings_no_mail_twice(office: Office) -> None:
    for raw in (QUESTION, office.answer()):
        office.dovecot.deliver(office.user, raw)
    await office.sync()
    office.dovecot.renumber(office.user, uidvalidity=777)

    await office.sync()

    assert await office.rows("SELECT count(*) FROM interaction") == [(2,)]
    assert await office.rows("SELECT DISTINCT uidvalidity FROM mail_location WHERE uidvalidity = 777") == [(777,)]


async def test_a_mailbox_that_was_numbered_anew_is_told_of_once_and_of_its_mails_nothing(office: Office) -> None:
    for raw in (QUESTION, office.answer()):
        office.dovecot.deliver(office.user, raw)
    await office.sync()
    office.dovecot.renumber(office.user, uidvalidity=777)

    for _ in range(2):
        await office.sync()

    assert await office.rows("SELECT type, data->'renumbered'->>'now' FROM feed ORDER BY position") == [
        ("interaction.created", None),
        ("interaction.created", None),
        ("source.state_changed", "777"),
    ]


async def test_a_mail_that_was_moved_stays_one_interaction(office: Office) -> None:
    office.dovecot.append(office.user, QUESTION, "INBOX", flags="()")
    await office.sync()
    with office.dovecot.client(office.user) as program:
        program.select("INBOX")
        program.create("Done")
        program.uid("MOVE", "1", "Done")

    await office.sync()

    assert await office.rows("SELECT count(*) FROM interaction") == [(1,)]
    assert await office.rows("SELECT folder, gone_at IS NULL FROM mail_location ORDER BY folder") == [
        ("Done", True),
        ("INBOX", False),
    ]
    assert await office.rows("SELECT audited_at IS NULL, audit_repairs FROM source") == [(False, 0)]


async def test_a_folder_that_was_renamed_is_recognised(office: Office) -> None:
    office.dovecot.append(office.user, QUESTION, "Projects", flags="()")
    await office.sync()
    with office.dovecot.client(office.user) as program:
        program.rename("Projects", "Done")

    await office.sync()
    await office.intake.keep_folders(["INBOX", "Done"])

    assert await office.rows("SELECT count(*) FROM interaction") == [(1,)]
    assert await office.rows("SELECT folder FROM mail_location WHERE gone_at IS NULL") == [("Done",)]
    assert ("Projects",) not in await office.rows("SELECT key FROM checkpoint")


async def test_when_all_is_read_no_mail_is_said_to_lie_in_a_folder_that_is_gone(office: Office) -> None:
    office.dovecot.append(office.user, QUESTION, "Projects", flags="()")
    await office.sync()
    with office.dovecot.client(office.user) as program:
        program.delete("Projects")

    await office.sync()

    assert await office.rows("SELECT state FROM source") == [("ok",)]
    assert await office.rows("SELECT count(*) FROM mail_location WHERE gone_at IS NULL") == [(0,)]
    assert await office.rows("SELECT count(*) FROM interaction") == [(1,)]


async def test_a_mail_that_we_lost_comes_back_and_a_mail_deleted_there_stays(office: Office) -> None:
    for raw in (QUESTION, office.answer()):
        office.dovecot.deliver(office.user, raw)
    await office.sync()
    async with office.database.connection() as db:
        await db.execute("DELETE FROM mail_location WHERE uid = 1")
    with office.dovecot.client(office.user) as program:
        program.select("INBOX")
        program.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
        program.expunge()

    await office.sync()

    assert await office.rows("SELECT uid, gone_at IS NULL FROM mail_location ORDER BY uid") == [(1, True), (2, False)]
    assert await office.rows("SELECT count(*) FROM interaction") == [(2,)]
    assert await office.rows("SELECT state, audit_repairs FROM source") == [("ok", 1)]


async def test_of_headers_alone_a_chain_is_made_and_no_text_is_kept(office: Office) -> None:
    for raw in (QUESTION, office.answer()):
        office.dovecot.deliver(office.user, raw)
    office.dovecot.append(office.user, office.reply(), "Sent")

    await office.sync(headers_only=True)

    assert await office.rows("SELECT DISTINCT body_text, reply_text FROM body") == [("", "")]
    assert await office.rows("SELECT DISTINCT excerpt, block->'marks' ? 'truncated' FROM interaction") == [("", True)]
    assert await office.rows("SELECT size FROM chain WHERE merged_into IS NULL") == [(3,)]


async def test_a_mail_that_can_not_be_read_waits_in_quarantine_and_the_rest_goes_on(office: Office) -> None:
    bomb = b"X: " + b"a" * 300_000 + b"\r\n\r\nhi"
    for raw in (bomb, QUESTION):
        office.dovecot.deliver(office.user, raw)

    await office.sync()

    assert await office.rows("SELECT external_id FROM interaction") == [("question@test.example",)]
    assert await office.rows("SELECT count(*) FROM quarantine") == [(1,)]


async def test_mails_without_any_content_wait_in_quarantine_each_on_its_own(office: Office) -> None:
    for raw in (b"", b"", QUESTION):
        office.dovecot.deliver(office.user, raw)

    await office.sync()
    await office.sync()

    assert await office.rows("SELECT external_id FROM interaction") == [("question@test.example",)]
    assert await office.rows("SELECT reason, locator->>'uid' FROM quarantine ORDER BY 2") == [
        ("the server lists this mail and gives no content of it", "1"),
        ("the server lists this mail and gives no content of it", "2"),
    ]


async def test_a_deleted_interaction_is_brought_back_by_nothing_that_the_server_does(office: Office) -> None:
    dovecot, user = office.dovecot, office.user
    dovecot.append(user, QUESTION, "INBOX", flags="()")
    await office.sync()
    [(which,)] = await office.rows("SELECT id FROM interaction")
    async with office.database.connection() as db:
        assert await edits.bury(db, which, None)
    told = "SELECT type, ref FROM feed WHERE type <> 'source.state_changed' ORDER BY position"
    feed = await office.rows(told)

    await office.sync()
    with dovecot.client(user) as program:
        program.select("INBOX")
        program.create("Done")
        program.uid("MOVE", "1", "Done")
    await office.sync()
    with dovecot.client(user) as program:
        program.select("Done")
        program.uid("COPY", "1", "INBOX")
    await office.sync()
    dovecot.renumber(user, 777, "Done")
    await office.sync()
    with dovecot.client(user) as program:
        program.rename("Done", "Old")
    await office.sync()
    dovecot.deliver(user, QUESTION)  # as if it came once more
    await office.sync()
    async with office.database.connection() as db:  # all that we know of where it lies is lost
        await db.execute("DELETE FROM mail_location")
        await db.execute("DELETE FROM checkpoint")
    await office.sync()

    assert await office.rows("SELECT id, deleted_at IS NULL FROM interaction") == [(which, False)]
    assert await office.rows(told) == feed


async def test_a_place_that_vanished_is_kept_for_its_grace_so_that_a_slow_move_is_one(office: Office) -> None:
    office.dovecot.append(office.user, QUESTION, "INBOX", flags="()")
    await office.sync()
    with office.dovecot.client(office.user) as program:
        program.select("INBOX")
        program.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
        program.expunge()
    for _ in range(2):
        await office.sync()
    fetched = await office.rows("SELECT count(*) FROM blob")

    office.dovecot.append(office.user, QUESTION, "Done", flags="()")  # by a program that moves in its own way
    await office.sync()

    assert await office.rows("SELECT count(*) FROM interaction") == [(1,)]
    assert await office.rows("SELECT folder, gone_at IS NULL FROM mail_location ORDER BY folder") == [
        ("Done", True),
        ("INBOX", False),
    ]
    assert await office.rows("SELECT count(*) FROM blob") == fetched
