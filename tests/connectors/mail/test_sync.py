"""Reading folders of servers that change, lie and break: nothing is lost, nothing is skipped, the rest goes on."""

import asyncio
from datetime import UTC, date, datetime

import pytest

from connectors.base import Report, Unavailable
from connectors.mail.plan import STRIKES_CUT, STRIKES_NOTHING
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import CLOSE, NO, Answer, Box, ImapScript, folder, found, mails
from tests.fakes.imap_source import bodies, changed, read, running, source_of

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
    told = [one.done for one in intake.reports if one.done]
    assert told[0] == 200  # what is under way is not done
    assert told[-1] == 450
    assert told == sorted(told)
    assert {one.total for one in intake.reports if one.done} == {450}
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

    assert [line for line in server.asked if line.startswith(("SEARCH", "FETCH"))] == [
        "SEARCH UID 1:*",  # to compare, and to see that they are the same
        "FETCH 1:2 (UID RFC822.SIZE INTERNALDATE)",
    ]
    assert len(intake.mails) == 2


async def test_another_uidvalidity_starts_the_folder_anew() -> None:
    intake = await read(Box(bodies(1, 2), uidvalidity=1).book())

    await read(Box(bodies(1, 2), uidvalidity=2).book(), intake)

    assert [(mail.location.uidvalidity, mail.location.uid) for mail in intake.mails] == [(1, 1), (1, 2)]
    assert [(mail.location.uidvalidity, mail.location.uid) for mail in intake.again] == [(2, 1), (2, 2)]
    assert intake.checkpoints["INBOX"]["uidvalidity"] == 2


async def test_another_uidvalidity_is_noticed_while_we_run() -> None:
    box = Box(bodies(1, 2))
    intake = MemoryIntake()
    async with ImapScript(box.book()) as server, running(server, intake, push=False, poll_seconds=0.02):
        await intake.until_ok()
        box.uidvalidity, box.mails = 9, bodies(5, 6, 7)
        await intake.until_mails(5)
        await intake.until_report(Report("catching_up", "", 3, 3))
        await intake.until_ok()

    assert intake.uids()[2:] == [5, 6, 7]


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


async def test_a_mail_that_is_listed_and_gone_is_finished_too() -> None:
    is_told = False

    def noop(_: str) -> bytes:
        nonlocal is_told
        is_told = True
        return b"* 2 EXPUNGE\r\n%T OK done\r\n"

    def fetch(words: str) -> bytes:
        if is_told or "BODY" not in words:
            return mails(bodies(1, 3) if is_told else bodies(1, 2, 3))(words)
        return b"* 2 FETCH (UID 2 RFC822.SIZE 21 BODY[] NIL)\r\n" + mails(bodies(1, 3))(words)

    intake = await read(Box(bodies(1, 2, 3)).book(FETCH=fetch, NOOP=noop))

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
    slow = b"%T NO [THROTTLED] Suggested Backoff Time: 50 milliseconds\r\n"
    async with ImapScript(Box(bodies(1)).book(FETCH=[mails(bodies(1)), slow, mails(bodies(1))])) as server:
        source = source_of(server)
        with pytest.raises(Unavailable, match="slow down") as error:
            await source.catch_up(intake)
        await asyncio.sleep(0.06)
        await source.catch_up(intake)

    assert (error.value.state, error.value.retry_after) == ("throttled", 0.05)
    assert "FETCH 1 (UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[])" in server.asked
    assert intake.mails[0].raw == bodies(1)[1]


async def test_of_a_mail_above_the_limit_the_beginning_comes_with_its_true_size() -> None:
    intake = await read(Box({1: b"x" * 150_000, 2: b"y" * 100_000}).book())

    assert {mail.location.uid: (len(mail.raw), mail.size) for mail in intake.mails} == {
        1: (100_000, 150_000),
        2: (100_000, 100_000),
    }
