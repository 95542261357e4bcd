"""Reading folders of servers that change, lie and break: nothing is lost, nothing is skipped, the rest goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from connectors.base import Refused, Report, Unavailable
from connectors.mail.plan import STRIKES_CUT, STRIKES_NOTHING
from connectors.mail.source import FolderSurvey, ImapSource, MailboxSettings
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import CLOSE, NO, OK, Answer, Book, Box, ImapScript, folder, found, mails


def bodies(*uids: int) -> dict[int, bytes]:
    return {uid: b"Subject: %d\r\n\r\nhello\r\n" % uid for uid in uids}


def source_of(server: ImapScript) -> ImapSource:
    address = "anna@example.org"
    return ImapSource(
        MailboxSettings(
            "sales", address, server.host, server.port, address, "secret", "none", message_bytes_max=100_000
        )
    )


def changed(source: ImapSource, **more: object) -> ImapSource:
    return ImapSource(replace(source.settings, **more))  # type: ignore[arg-type]


async def read(book: Book, intake: MemoryIntake | None = None, **more: object) -> MemoryIntake:
    """Reads a mailbox once to its end."""
    intake = intake or MemoryIntake()
    async with ImapScript(book) as server:
        await changed(source_of(server), **more).catch_up(intake)
    return intake


@asynccontextmanager
async def running(server: ImapScript, intake: MemoryIntake, **more: object) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(changed(source_of(server), **more).run(intake))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# The first read -------------------------------------------------------------------------------------------------------


async def test_history_is_read_newest_first_in_portions_that_are_in_order() -> None:
    intake = await read(Box(bodies(*range(1, 451))).book())

    assert intake.uids() == [*range(251, 451), *range(51, 251), *range(1, 51)]
    assert [len(batch.arrivals) for batch in intake.batches] == [200, 200, 50, 0]
    assert all(batch.backfill for batch in intake.batches)
    assert [checkpoint["backfill_uid"] for batch in intake.batches if (checkpoint := _state(batch))] == [251, 51, 1, 1]
    assert intake.checkpoints["INBOX"]["done"] is True


def _state(batch: object) -> dict[str, int]:
    return batch.checkpoint.state  # type: ignore[attr-defined, no-any-return]


async def test_progress_is_told_and_ok_comes_last() -> None:
    intake = await read(Box(bodies(*range(1, 451))).book())

    assert intake.reports[0] == Report("catching_up", "", 0, 450)
    assert [(one.done, one.total) for one in intake.reports if one.done] == [(200, 450), (400, 450), (450, 450)]
    assert intake.states[-1] == "ok"
    assert "ok" not in intake.states[:-1]


async def test_a_mail_comes_with_all_that_the_server_says_of_it() -> None:
    intake = await read(Box(bodies(7), uidvalidity=5).book())

    [mail] = intake.mails
    assert (mail.source, mail.location.folder, mail.location.uidvalidity, mail.location.uid) == ("sales", "INBOX", 5, 7)
    assert (mail.raw, mail.size, mail.seen, mail.folder_role) == (bodies(7)[7], len(bodies(7)[7]), False, "inbox")
    assert mail.received_at == datetime(2026, 11, 23, 9, tzinfo=UTC)


async def test_an_empty_folder_is_done_at_once() -> None:
    intake = await read(Box({}).book())

    assert intake.states == ["catching_up", "ok"]
    assert intake.checkpoints["INBOX"]["done"] is True


async def test_live_mail_comes_before_the_rest_of_history() -> None:
    box = Box(bodies(*range(1, 451)))

    def fetch(words: str) -> bytes:
        said = mails(box.mails)(words)
        if 451 not in box.mails and "BODY" in words:
            box.mails.update(bodies(451))
            return b"* 451 EXISTS\r\n" + said
        return said

    intake = await read(box.book(FETCH=fetch))

    assert intake.uids() == [*range(251, 451), 451, *range(51, 251), *range(1, 51)]
    assert [batch.backfill for batch in intake.batches] == [True, False, True, True, True]


async def test_the_search_for_history_begins_at_the_first_day() -> None:
    async with ImapScript(Box(bodies(1, 2)).book()) as server:
        await changed(source_of(server), since=date(2026, 1, 1)).catch_up(MemoryIntake())

    assert "SEARCH UID 1:2 SINCE 1-Jan-2026" in server.asked


async def test_what_is_known_is_not_fetched() -> None:
    intake = await read(Box(bodies(1, 2, 3)).book())
    intake.checkpoints.clear()

    async with ImapScript(Box(bodies(1, 2, 3, 4)).book()) as server:
        await source_of(server).catch_up(intake)

    assert intake.uids() == [1, 2, 3, 4]
    assert intake.checkpoints["INBOX"]["live_uid"] == 4


# Going on -------------------------------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_it_was() -> None:
    box = Box(bodies(*range(1, 451)))
    intake = MemoryIntake()
    sent = 0

    def fetch(words: str) -> bytes:
        nonlocal sent
        sent += "BODY" in words
        return CLOSE if sent == 2 else mails(box.mails)(words)

    with pytest.raises(Unavailable):
        await read(box.book(FETCH=fetch), intake)
    assert len(intake.mails) == 200
    box.mails.update(bodies(451))

    await read(box.book(), intake)

    assert intake.uids() == [*range(251, 451), 451, *range(51, 251), *range(1, 51)]


async def test_nothing_is_asked_twice_when_nothing_came() -> None:
    box = Box(bodies(1, 2))
    intake = await read(box.book())

    async with ImapScript(box.book()) as server:
        await source_of(server).catch_up(intake)

    assert not any(line.startswith(("SEARCH", "FETCH")) for line in server.asked)
    assert len(intake.mails) == 2


async def test_another_uidvalidity_starts_the_folder_anew() -> None:
    intake = await read(Box(bodies(1, 2), uidvalidity=1).book())

    await read(Box(bodies(1, 2), uidvalidity=2).book(), intake)

    assert [(mail.location.uidvalidity, mail.location.uid) for mail in intake.mails] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert intake.checkpoints["INBOX"]["uidvalidity"] == 2


async def test_another_uidvalidity_is_noticed_while_we_run() -> None:
    box = Box(bodies(1, 2))
    intake = MemoryIntake()
    async with ImapScript(box.book()) as server, running(server, intake, push=False, poll_seconds=0.02):
        await intake.until_ok()
        box.uidvalidity, box.mails = 9, bodies(5, 6, 7)
        await intake.until_mails(5)
        await intake.until_ok()

    assert intake.uids()[2:] == [5, 6, 7]
    assert (Report("catching_up", "", 3, 3)) in intake.reports


async def test_a_server_without_uidnext_is_searched() -> None:
    box = Box(bodies(1, 2, 5))
    without = {"EXAMINE": lambda _: folder(*box.mails).replace(b"UIDNEXT", b"X")}
    intake = await read(box.book(**without))
    box.mails.update(bodies(9))

    await read(box.book(**without), intake)

    assert intake.uids() == [1, 2, 5, 9]


async def test_without_uidvalidity_nothing_is_remembered() -> None:
    intake = await read(Box(bodies(1, 2)).book(EXAMINE=folder(1, 2, uidvalidity=0)))

    assert intake.uids() == [1, 2]
    assert intake.checkpoints == {}
    assert intake.states[-1] == "ok"


async def test_a_failed_search_is_not_an_empty_folder() -> None:
    intake = MemoryIntake()
    with pytest.raises(Unavailable, match=r"none of the folders could be read.*could not search"):
        await read(Box(bodies(1)).book(SEARCH=NO), intake)

    assert (intake.batches, intake.checkpoints) == ([], {})


# Bad mails ------------------------------------------------------------------------------------------------------------


def without_body(*uids: int) -> Answer:
    """Bodies of these are left out of the answer, as some servers do with mails that they can't read."""

    def fetch(words: str) -> bytes:
        said = b"".join(
            b"* %d FETCH (UID %d RFC822.SIZE 9)\r\n" % (uid, uid)
            for uid in uids
            if _is_in(uid, words.split(maxsplit=1)[0])
        )
        return said + mails({uid: body for uid, body in bodies(1, 2, 3).items() if uid not in uids})(words)

    return fetch


def _is_in(uid: int, uid_set: str) -> bool:
    return found(uid)(f"UID {uid_set}").startswith(b"* SEARCH %d" % uid)


async def test_a_mail_without_a_body_is_handed_over_empty_and_the_rest_goes_on() -> None:
    intake = await read(Box(bodies(1, 2, 3)).book(FETCH=without_body(2)))

    assert sorted((mail.location.uid, mail.raw, mail.size) for mail in intake.mails) == [
        (1, bodies(1)[1], 21),
        (2, b"", 9),
        (3, bodies(3)[3], 21),
    ]
    assert intake.states[-1] == "ok"


async def test_a_mail_that_the_server_refuses_is_found_and_the_rest_goes_on() -> None:
    def fetch(words: str) -> bytes:
        return NO if "BODY" in words and _is_in(2, words.split(maxsplit=1)[0]) else mails(bodies(1, 2, 3))(words)

    intake = await read(Box(bodies(1, 2, 3)).book(FETCH=fetch))

    assert {mail.location.uid: mail.raw for mail in intake.mails} == {**bodies(1, 3), 2: b""}


async def test_a_mail_that_went_away_in_the_meantime_is_finished() -> None:
    def fetch(words: str) -> bytes:
        return mails(bodies(1, 3) if "BODY" in words else bodies(1, 2, 3))(words)

    intake = await read(Box(bodies(1, 2, 3)).book(FETCH=fetch))

    assert sorted(intake.uids()) == [1, 3]
    assert intake.checkpoints["INBOX"]["backfill_uid"] == 1


async def test_a_mail_that_breaks_the_connection_does_not_hold_up_the_others() -> None:
    def fetch(words: str) -> bytes:
        return CLOSE if "BODY" in words and _is_in(2, words.split(maxsplit=1)[0]) else mails(bodies(1, 2, 3))(words)

    intake = MemoryIntake()
    async with ImapScript(Box(bodies(1, 2, 3)).book(FETCH=fetch)) as server:
        source = source_of(server)
        breaks = 0
        while intake.states[-1:] != ["ok"]:
            try:
                await source.catch_up(intake)
            except Unavailable:
                breaks += 1

    assert breaks == STRIKES_NOTHING
    assert {mail.location.uid: mail.raw for mail in intake.mails} == {**bodies(1, 3), 2: b""}
    assert sum("BODY.PEEK[]<0." in line for line in server.asked) == STRIKES_NOTHING - STRIKES_CUT


async def test_being_slowed_down_is_no_fault_of_the_mail() -> None:
    intake = MemoryIntake()
    slow = b"%T NO [THROTTLED] Suggested Backoff Time: 5000 milliseconds\r\n"
    async with ImapScript(Box(bodies(1)).book(FETCH=[mails(bodies(1)), slow, mails(bodies(1))])) as server:
        source = source_of(server)
        with pytest.raises(Unavailable, match="slow down") as error:
            await source.catch_up(intake)
        await source.catch_up(intake)

    assert (error.value.state, error.value.retry_after) == ("throttled", 5.0)
    assert "FETCH 1 (UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[])" in server.asked
    assert intake.mails[0].raw == bodies(1)[1]


async def test_of_a_mail_above_the_limit_the_beginning_comes_with_its_true_size() -> None:
    intake = await read(Box({1: b"x" * 150_000, 2: b"y" * 100_000}).book())

    assert {mail.location.uid: (len(mail.raw), mail.size) for mail in intake.mails} == {
        1: (100_000, 150_000),
        2: (100_000, 100_000),
    }


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

    assert not any(line.startswith("FETCH") for line in server.asked)


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

        assert sorted({mail.location.folder for mail in intake.mails}) == ["INBOX", "Locked"]


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
        async def accept(self, batch: object) -> None:  # type: ignore[override]
            raise RuntimeError("the database is away")

    intake = Failing()
    async with ImapScript(Box(bodies(1)).book()) as server, running(server, intake) as task:
        with pytest.raises(RuntimeError, match="away"):
            await task
        await server.alone()

    assert intake.checkpoints == {}
