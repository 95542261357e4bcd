"""Comparing folders with what we have: what is missing is read, what is gone is told, other mails are noticed."""

from dataclasses import replace
from datetime import UTC, datetime

from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import OK, Box, ImapScript, folder, found
from tests.fakes.imap_source import bodies, read, running


async def test_a_mailbox_is_ok_only_once_it_was_compared() -> None:
    intake = await read(Box(bodies(1, 2)).book())

    assert intake.audits == [("INBOX", [], 0)]
    assert [one.is_audited for one in intake.reports if one.state == "ok"] == [True]


async def test_a_mail_that_was_missed_is_read_and_counted() -> None:
    box = Box(bodies(*range(1, 6)))
    intake = await read(box.book())
    intake.mails = [one for one in intake.mails if one.location.uid != 3]

    await read(box.book(), intake)

    assert intake.uids()[-1] == 3
    assert intake.audits[-1] == ("INBOX", [], 1)
    assert intake.checkpoints["INBOX"]["live_uid"] == 5


async def test_a_mail_that_is_gone_is_told() -> None:
    intake = await read(Box(bodies(1, 2, 3)).book())

    await read({**Box(bodies(1, 3)).book(), "EXAMINE": folder(1, 3, next_uid=4)}, intake)

    assert intake.audits[-1] == ("INBOX", [2], 0)
    assert len(intake.mails) == 3


async def test_a_server_that_lists_fewer_mails_than_it_has_makes_none_gone() -> None:
    box = Box(bodies(1, 2, 3))
    intake = await read(box.book())

    await read(box.book(SEARCH=b"* SEARCH 1\r\n" + OK), intake)

    assert intake.audits[-1] == ("INBOX", [], 0)


async def test_what_vanishes_while_we_look_is_noticed_soon() -> None:
    box, intake = Box(bodies(1, 2, 3)), MemoryIntake()
    async with ImapScript(box.book()) as server, running(server, intake, poll_seconds=0.05):
        await intake.until_ok()
        del box.mails[2]
        while intake.audits[-1][1] != [2]:
            await server.heard("EXAMINE", server.asked.count("EXAMINE INBOX") + 1)


async def test_mails_before_the_first_day_are_not_missing() -> None:
    box = Box(bodies(1, 2))
    since = datetime(2026, 11, 1, tzinfo=UTC).date()

    def search(words: str) -> bytes:
        return (b"* SEARCH 2\r\n" if "SINCE" in words else b"* SEARCH 1 2\r\n") + OK

    intake = await read(box.book(SEARCH=search), since=since)

    assert intake.uids() == [2]
    assert intake.audits == [("INBOX", [], 0)]


async def test_an_old_mail_that_came_later_and_was_missed_is_found_whatever_day_it_bears() -> None:
    box = Box(bodies(1, 2))
    since = datetime(2026, 11, 1, tzinfo=UTC).date()

    def search(words: str) -> bytes:
        return b"* SEARCH 2\r\n" + OK if "SINCE" in words else found(*box.mails)(words)

    intake = await read(box.book(SEARCH=search), since=since)
    box.mails.update(bodies(3, 4))
    await read(box.book(SEARCH=search), intake, since=since)
    intake.mails = [one for one in intake.mails if one.location.uid != 3]

    await read(box.book(SEARCH=search), intake, since=since)

    assert intake.uids() == [2, 4, 3]
    assert intake.audits[-1] == ("INBOX", [], 1)


async def test_a_folder_of_many_pages_is_compared_page_by_page() -> None:
    box = Box(bodies(*range(1, 30)))
    intake = await read(box.book())
    lost, gone = {1, 2, 9, 10, 11, 12, 13, 29}, {3, 4, 5, 20}
    intake.mails = [one for one in intake.mails if one.location.uid not in lost]
    for uid in gone:
        del box.mails[uid]

    await read(box.book(), intake)

    assert intake.audits[-1] == ("INBOX", sorted(gone), len(lost))
    assert set(intake.uids()) == set(range(1, 30))


# Other mails under known numbers --------------------------------------------------------------------------------------


async def test_a_server_restored_from_an_old_copy_brings_its_new_mails() -> None:
    intake = await read(Box(bodies(1, 2, 3, 4)).book())
    await read(Box(bodies(1, 2)).book(), intake)

    await read(Box({**bodies(1, 2), 3: b"Subject: another\r\n\r\nhello\r\n"}).book(), intake)

    assert intake.forgotten == [("INBOX", 1, 3)]
    assert intake.mails[-1].raw.startswith(b"Subject: another")
    assert intake.checkpoints["INBOX"]["live_uid"] == 3


async def test_a_wrong_uidnext_alone_makes_nobody_forget() -> None:
    box = Box(bodies(1, 2, 3, 4))
    intake = await read(box.book())

    await read(box.book(EXAMINE=folder(1, 2, 3, 4, next_uid=2)), intake)

    assert intake.forgotten == []
    assert len(intake.mails) == 4


async def test_other_mails_under_the_same_numbers_are_read_from_the_beginning() -> None:
    box = Box(bodies(1, 2))
    intake = await read(box.book())
    intake.mails = [replace(one, received_at=datetime(2020, 1, 1, tzinfo=UTC)) for one in intake.mails]

    await read(box.book(), intake)

    assert intake.forgotten == [("INBOX", 1, 1)]
    assert len(intake.mails) == 4
