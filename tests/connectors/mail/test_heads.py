"""What headers decide: whose mail is never fetched, and which mails are known from another place."""

from interactions.never_log import NeverLog
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import NO, OK, Box, ImapScript, mails
from tests.fakes.imap_source import bodies, changed, read, source_of

# The same mail elsewhere ----------------------------------------------------------------------------------------------


async def test_a_folder_that_is_numbered_anew_costs_its_headers() -> None:
    intake = await read(Box(bodies(1, 2)).book())
    anew = Box({11: bodies(1)[1], 12: bodies(2)[2], 13: bodies(3)[3]}, uidvalidity=7)

    async with ImapScript(anew.book()) as server:
        await source_of(server).catch_up(intake)

    assert sorted(one.location.uid for one in intake.again) == [11, 12]
    assert intake.uids() == [1, 2, 13]
    fetched = [line for line in server.asked if "BODY.PEEK[]" in line]
    assert fetched == ["FETCH 13 (UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[])"]


async def test_a_server_that_gives_no_headers_is_read_whole() -> None:
    intake = await read(Box(bodies(1)).book())
    anew = Box({11: bodies(1)[1]}, uidvalidity=7)

    def fetch(words: str) -> bytes:
        return NO if "HEADER" in words else mails(anew.mails)(words)

    await read(anew.book(FETCH=fetch), intake)

    assert intake.again == []
    assert intake.uids() == [1, 11]


# Junk -----------------------------------------------------------------------------------------------------------------


async def test_from_junk_only_mail_of_known_contacts_is_read() -> None:
    contact = b"From: Ivan <IVAN@customer.example>\r\nSubject: 2\r\n\r\nhello\r\n"
    two = contact.replace(b"Ivan", b"a@b.example, Ivan")
    box = Box({1: b"From: spam@junk.example\r\n\r\nbuy\r\n", 2: contact, 3: two, 4: b"X: y\r\n\r\nbuy\r\n"})
    intake = MemoryIntake()
    intake.contacts = {"ivan@customer.example"}
    listed = b'* LIST (\\Junk) "/" Spam\r\n' + OK

    await read(box.book(LIST=listed), intake, junk_of_contacts=True)

    assert [(one.location.uid, one.folder_role) for one in intake.mails] == [(2, "junk")]
    assert sorted(one.uid for one in intake.left_out) == [1, 3, 4]
    assert intake.states[-1] == "ok"


# Headers only ---------------------------------------------------------------------------------------------------------


async def test_of_a_mailbox_of_headers_only_no_text_is_ever_fetched() -> None:
    box = Box(bodies(1, 2))
    intake = MemoryIntake()
    async with ImapScript(box.book()) as server:
        await changed(source_of(server), headers_only=True).catch_up(intake)

    assert {one.location.uid: one.raw for one in intake.mails} == {
        1: b"Subject: 1\r\n\r\n",
        2: b"Subject: 2\r\n\r\n",
    }
    assert {one.size for one in intake.mails} == {len(bodies(1)[1])}
    assert not any("BODY.PEEK[]" in line for line in server.asked)


async def test_headers_that_a_server_refuses_wait_in_quarantine() -> None:
    box = Box(bodies(1))

    def fetch(words: str) -> bytes:
        return NO if "HEADER" in words else mails(box.mails)(words)

    intake = await read(box.book(FETCH=fetch), headers_only=True)

    assert [one.raw for one in intake.mails] == [b""]


# Mail that is never stored --------------------------------------------------------------------------------------------

LAWYER = b"From: lawyer@example.com\r\nSubject: 2\r\n\r\nsecret\r\n"


async def test_a_mail_that_is_never_stored_is_not_fetched_and_not_asked_for_again() -> None:
    box = Box({**bodies(1, 3), 2: LAWYER})
    intake = MemoryIntake()
    intake.never_log = NeverLog(("lawyer@example.com",))

    async with ImapScript(box.book()) as server:
        await source_of(server).catch_up(intake)
        await source_of(server).catch_up(intake)

    assert sorted(intake.uids()) == [1, 3]
    assert [one.uid for one in intake.left_out] == [2]
    assert intake.audits == [("INBOX", [], 0)] * 2
    assert not any("2" in line.split()[1].split(",") for line in server.asked if "BODY.PEEK[]" in line)


async def test_without_headers_the_mail_itself_decides() -> None:
    intake = MemoryIntake()
    intake.never_log = NeverLog(("lawyer@example.com",))

    def fetch(words: str) -> bytes:
        return NO if "HEADER" in words else mails({2: LAWYER})(words)

    await read(Box({2: LAWYER}).book(FETCH=fetch), intake)

    assert intake.uids() == [2]  # handed over: the intake drops it
