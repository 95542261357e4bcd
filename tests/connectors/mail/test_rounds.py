"""Going round folders: what is refused is named, news are read as they come, and every end is clean."""

import asyncio

import pytest

from connectors.base import Accepted, Refused, Unavailable
from connectors.mail.survey import FolderSurvey
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import CLOSE, OK, Answer, Book, Box, ImapScript, folder
from tests.fakes.imap_source import bodies, read, running, source_of

# Folders --------------------------------------------------------------------------------------------------------------

TWO = b'* LIST () "/" INBOX\r\n* LIST () "/" Locked\r\n' + OK


def locked(words: str) -> bytes:
    return b"%T NO [NOPERM] no entry\r\n" if words == "Locked" else folder(1, 2)


async def test_a_folder_that_is_refused_is_named_and_the_others_are_read() -> None:
    intake = await read(Box(bodies(1, 2)).book(LIST=TWO, EXAMINE=locked))

    assert intake.uids() == [1, 2]
    last = intake.reports[-1]
    assert last.state == "ok"
    assert last.detail.startswith("1 of 2 folders not read: ")
    assert "could not open the folder 'Locked': [NOPERM] no entry" in last.detail


async def test_no_folder_to_read_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(Refused, match=r"no folder of anna@example.org .* the server has: INBOX, Locked"):
        await read({"LIST": TWO}, folders=("Archive",))


async def test_a_server_that_lists_nothing_is_asked_again_later() -> None:
    with pytest.raises(Unavailable, match="lists no folders at all"):
        await read({"LIST": OK})


async def test_a_survey_reads_nothing() -> None:
    intake = await read(Box(bodies(1, 2)).book())
    book = Box(bodies(1, 2, 3)).book(LIST=TWO, EXAMINE=lambda w: locked(w) if w == "Locked" else folder(1, 2, 3))

    async with ImapScript(book) as server:
        assert await source_of(server).survey() == [FolderSurvey("INBOX", "inbox", 3, 3)]
        assert await source_of(server).survey(intake) == [FolderSurvey("INBOX", "inbox", 3, 3, 2)]

    assert not any("BODY.PEEK[]" in line for line in server.asked)


async def test_a_check_says_what_it_found() -> None:
    async with ImapScript({"LIST": TWO}) as server:
        found_there = await source_of(server).check()

    assert found_there == (
        f"logged in to 127.0.0.1:{server.port} as anna@example.org (no TLS; IDLE); 2 folders to read: INBOX, Locked"
    )


# While it runs --------------------------------------------------------------------------------------------------------


async def test_mail_is_read_as_idle_tells_of_it() -> None:
    box, intake = Box(bodies(1)), MemoryIntake()
    async with ImapScript(box.book()) as server, running(server, intake):
        await server.heard("IDLE")
        box.mails.update(bodies(2))
        server.push(b"* 2 EXISTS\r\n")
        await intake.until_mails(2)
        await server.heard("IDLE", 2)

    assert [batch.backfill for batch in intake.batches if batch.arrivals] == [True, False]


async def test_mail_that_idle_does_not_tell_of_is_found_all_the_same() -> None:
    box, intake = Box(bodies(1)), MemoryIntake()
    async with ImapScript(box.book()) as server, running(server, intake, poll_seconds=0.05):
        await server.heard("IDLE")
        box.mails.update(bodies(2))
        await intake.until_mails(2)


@pytest.mark.parametrize(
    ("book", "push"),
    [
        ({}, False),
        ({"IDLE": b"%T NO not here\r\n"}, True),
        ({"AUTHENTICATE": b"%T OK [CAPABILITY IMAP4rev1] no IDLE\r\n"}, True),
        ({"IDLE": b"+ idling\r\n%T OK enough\r\n"}, True),
    ],
)
async def test_without_idle_the_folder_is_polled(book: Book, push: bool) -> None:
    box, intake = Box(bodies(1)), MemoryIntake()
    async with ImapScript(box.book(**book)) as server, running(server, intake, push=push, poll_seconds=0.05):
        await intake.until_ok()
        box.mails.update(bodies(2))
        await intake.until_mails(2)


# News of other folders ------------------------------------------------------------------------------------------------

SENT = b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\n' + OK


def with_sent(inbox: Box, sent: Box, **more: Answer) -> Book:
    """A server with two folders; one connection sees what it has opened last."""
    opened = [inbox]

    def book_of(words: str) -> Book:
        return (sent if words.startswith("Sent") else inbox).book()

    def examine(words: str) -> bytes:
        opened[0] = sent if words == "Sent" else inbox
        return said(book_of(words)["EXAMINE"], words)

    def of_open(name: str) -> Answer:
        return lambda words: said(opened[0].book()[name], words)

    def status(words: str) -> bytes:
        box = sent if words.startswith("Sent") else inbox
        return status_of(words.split(maxsplit=1)[0], box) + OK

    book: Book = {
        "LIST": SENT,
        "EXAMINE": examine,
        "SEARCH": of_open("SEARCH"),
        "FETCH": of_open("FETCH"),
        "STATUS": status,
    }
    return {**book, **more}


def said(answer: object, words: str) -> bytes:
    return answer(words)  # type: ignore[operator, no-any-return]


def status_of(name: str, box: Box) -> bytes:
    numbers = (name.encode(), len(box.mails), max(box.mails, default=0) + 1, box.uidvalidity)
    return b"* STATUS %s (MESSAGES %d UIDNEXT %d UIDVALIDITY %d)\r\n" % numbers


async def test_a_sweep_reads_what_has_changed_and_opens_nothing_else() -> None:
    inbox, sent, intake = Box(bodies(1)), Box(bodies(11)), MemoryIntake()
    book = with_sent(inbox, sent)
    async with ImapScript(book) as server, running(server, intake, connections=1, sweep_seconds=0.01):
        await server.heard("STATUS Sent", 2)
        opened = server.asked.count("EXAMINE Sent")
        await server.heard("STATUS Sent", 3)
        assert server.asked.count("EXAMINE Sent") == opened
        sent.mails.update(bodies(12))
        await intake.until_mails(3)

    assert intake.uids("Sent") == [11, 12]


async def test_the_folders_there_are_are_told_when_they_change() -> None:
    inbox, sent, intake = Box(bodies(1)), Box(bodies(11)), MemoryIntake()
    listed = [SENT] * 4 + [b'* LIST () "/" INBOX\r\n' + OK]
    book = with_sent(inbox, sent, LIST=lambda _: listed.pop(0) if len(listed) > 1 else listed[0])
    async with ImapScript(book) as server, running(server, intake, connections=1, sweep_seconds=0.01):
        await server.heard("LIST", 6)

    assert intake.kept_folders == [["INBOX", "Sent"], ["INBOX"]]


async def test_a_sweep_is_one_command_where_the_server_can() -> None:
    inbox, sent, intake = Box(bodies(1)), Box(bodies(11)), MemoryIntake()
    able = b"%T OK [CAPABILITY IMAP4rev1 IDLE LIST-EXTENDED LIST-STATUS SPECIAL-USE] welcome\r\n"

    def listed(words: str) -> bytes:
        told = status_of("INBOX", inbox) + status_of("Sent", sent) if "STATUS" in words else b""
        return told + SENT

    book = with_sent(inbox, sent, AUTHENTICATE=able, LIST=listed)
    async with ImapScript(book) as server, running(server, intake, connections=1, sweep_seconds=0.01):
        await server.heard('LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY))', 2)
        sent.mails.update(bodies(12))
        await intake.until_mails(3)

    assert not any(line.startswith("STATUS") for line in server.asked)


async def test_a_server_that_stops_telling_is_asked() -> None:
    inbox, sent, intake = Box(bodies(1)), Box(bodies(11)), MemoryIntake()
    able = b"%T OK [CAPABILITY IMAP4rev1 IDLE NOTIFY] welcome\r\n"
    book = with_sent(inbox, sent, AUTHENTICATE=able, NOTIFY=OK)
    async with ImapScript(book) as server, running(server, intake, connections=1, sweep_seconds=0.01):
        await server.heard("IDLE")
        swept = server.asked.count("LIST")
        sent.mails.update(bodies(12))
        server.push(status_of("Sent", sent))
        await intake.until_mails(3)
        assert server.asked.count("LIST") == swept
        sent.mails.update(bodies(13))
        server.push(b"* OK [NOTIFICATIONOVERFLOW] enough\r\n")
        await intake.until_mails(4)
        sent.mails.update(bodies(14))
        await intake.until_mails(5)

    assert intake.uids("Sent") == [11, 12, 13, 14]


async def test_two_connections_where_there_are_other_folders() -> None:
    intake = MemoryIntake()
    async with ImapScript(Box(bodies(1, 2)).book(LIST=TWO)) as server, running(server, intake, poll_seconds=0.05):
        await server.heard("IDLE", 2)
        await server.heard("NOOP", 2)
        await intake.until_ok()

        assert server.connections == 2


async def test_a_server_that_grants_one_connection_is_read_with_one() -> None:
    greetings = [b"* OK ready\r\n", b"* BYE too many connections\r\n" + CLOSE]
    box, intake = Box(bodies(1, 2)), MemoryIntake()
    book = box.book(LIST=TWO, GREETING=greetings)
    async with ImapScript(book) as server, running(server, intake, poll_seconds=0.05):
        await server.heard("IDLE", 2)
        await intake.until_ok()

        assert {mail.location.folder for mail in intake.mails} == {"INBOX"}
        assert {mail.location.folder for mail in intake.again} == {"Locked"}  # the same mails


@pytest.mark.parametrize("one", [1, 3])
async def test_a_session_that_the_server_ends_ends_the_run(one: int) -> None:
    intake = MemoryIntake()
    async with ImapScript(Box(bodies(1)).book(LIST=TWO)) as server, running(server, intake, connections=one) as task:
        await server.heard("IDLE")
        server.push(b"* BYE going down for a while\r\n")

        with pytest.raises(Unavailable, match="ended the session: going down for a while"):
            await task
        await server.alone()


async def test_the_network_going_away_ends_the_run() -> None:
    async with ImapScript(Box(bodies(1)).book(LIST=TWO)) as server, running(server, MemoryIntake()) as task:
        await server.heard("IDLE")
        server.hang_up()

        with pytest.raises(Unavailable, match="was lost"):
            await task


@pytest.mark.parametrize("moment", ["EXAMINE", "SEARCH", "FETCH", "IDLE", "AUTHENTICATE"])
async def test_cancelling_closes_the_connections_at_once(moment: str) -> None:
    book = Box(bodies(1)).book(LIST=TWO) if moment == "IDLE" else Box(bodies(1)).book(**{moment: b""})
    async with ImapScript(book) as server, running(server, MemoryIntake()) as task:
        await server.heard(moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await server.alone()


async def test_an_intake_that_fails_ends_the_run_and_moves_nothing() -> None:
    class Failing(MemoryIntake):
        async def accept(self, batch: object, after: object = None) -> Accepted:
            raise RuntimeError("the database is away")

    intake = Failing()
    async with ImapScript(Box(bodies(1)).book()) as server, running(server, intake) as task:
        with pytest.raises(RuntimeError, match="away"):
            await task
        await server.alone()

    assert intake.checkpoints == {}
