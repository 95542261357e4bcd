"""Servers that call a mail by the same name wherever it lies: RFC 8474, and Google with its labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import OK, Answer, ImapScript, mails
from tests.fakes.imap_source import bodies, read, running, source_of


def logged_in(*offered: str) -> dict[str, Answer]:
    said = " ".join(("IMAP4rev1", "IDLE", *offered)).encode()
    return {
        "AUTHENTICATE": b"%%T OK [CAPABILITY %s] welcome\r\n" % said,
        "CAPABILITY": b"* CAPABILITY %s\r\n" % said + OK,
    }


@dataclass
class Server:
    """Folders with mails by UID; each mail has a name, and Google's have labels."""

    folders: dict[str, dict[int, bytes]]
    names: dict[bytes, str]
    offered: str = "OBJECTID"
    listed: bytes = b""
    labels: Mapping[bytes, str] = field(default_factory=dict)
    uidvalidity: int = 1
    opened: str = "INBOX"
    wholes: list[str] = field(default_factory=list)  # folder and UIDs of what was fetched whole

    def book(self) -> dict[str, Answer]:
        names = b"".join(b'* LIST () "/" "%s"\r\n' % name.encode() for name in self.folders)
        return {
            **logged_in(*self.offered.split()),
            "LIST": (self.listed or names) + OK,
            "EXAMINE": self._examine,
            "SEARCH": self._search,
            "FETCH": self._fetch,
        }

    def _here(self) -> dict[int, bytes]:
        return self.folders[self.opened]

    def _examine(self, name: str) -> bytes:
        self.opened = name.strip('"')
        here = self._here()
        last = max(here, default=0)
        return b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] ok\r\n* OK [UIDNEXT %d] ok\r\n" % (
            len(here), self.uidvalidity, last + 1,
        ) + OK  # fmt: skip

    def _search(self, words: str) -> bytes:
        first = int(words.split()[1].split(":", maxsplit=1)[0])
        return b"* SEARCH " + b" ".join(b"%d" % uid for uid in sorted(self._here()) if uid >= first) + b"\r\n" + OK

    def _fetch(self, words: str) -> bytes:
        if "BODY.PEEK[]" in words:
            self.wholes.append(f"{self.opened} {words.split(' ', 1)[0]}")
        said = mails(self._here())(words)
        for uid, raw in self._here().items():
            name = self.names.get(raw, "")
            items = b" EMAILID (%s) THREADID (T1)" % name.encode() if "EMAILID" in words and name else b""
            if "X-GM-MSGID" in words:
                labels = self.labels.get(raw, "").encode()
                items = b" X-GM-MSGID %s X-GM-THRID 77 X-GM-LABELS (%s)" % (name.encode(), labels)
            said = said.replace(b"(UID %d " % uid, b"(UID %d%s " % (uid, items))
        return said


FIRST, SECOND = bodies(1, 2).values()
DRAFT = b"Subject: 3\r\n\r\nnot finished\r\n"


async def test_a_mail_in_two_folders_is_fetched_once_and_its_headers_not_at_all() -> None:
    server = Server({"INBOX": {1: FIRST, 2: SECOND}, "Done": {9: FIRST}}, {FIRST: "M1", SECOND: "M2"})

    intake = await read(server.book())

    assert sorted(server.wholes) == ["INBOX 1:2"]
    assert [(one.mail_id, one.thread_id) for one in intake.mails] == [("oid:M1", "oid:T1"), ("oid:M2", "oid:T1")]
    assert [(one.location.folder, one.location.uid, one.mail_id) for one in intake.again] == [("Done", 9, "oid:M1")]


async def test_a_folder_that_was_numbered_anew_is_matched_by_names_alone() -> None:
    server = Server({"INBOX": {1: FIRST, 2: SECOND}}, {FIRST: "M1", SECOND: "M2"})
    intake = await read(server.book())
    server.wholes.clear()

    server.uidvalidity, server.folders["INBOX"] = 5, {11: SECOND, 12: FIRST, 13: DRAFT}
    server.names[DRAFT] = "M3"
    async with ImapScript(server.book()) as script, running(script, intake):
        await intake.until_mails(3)

    assert server.wholes == ["INBOX 13"]
    assert not any("HEADER" in line for line in script.asked)
    assert [(one.location.uid, one.mail_id) for one in intake.again] == [(11, "oid:M2"), (12, "oid:M1")]


async def test_one_name_for_mails_of_different_sizes_is_no_name() -> None:
    longer = FIRST + b"and more\r\n"
    server = Server({"INBOX": {1: FIRST}, "Done": {1: longer}}, {FIRST: "M1", longer: "M1"})

    intake = await read(server.book())

    assert len(intake.mails) == 2


async def test_a_server_that_offers_names_and_gives_none_is_read_as_any_other() -> None:
    server = Server({"INBOX": {1: FIRST}, "Done": {1: FIRST}}, {})

    intake = await read(server.book())

    assert [one.mail_id for one in intake.mails] == [None]
    assert len(intake.again) == 1


async def test_marks_of_an_old_server_are_asked_for_in_its_old_way() -> None:
    server = Server({"INBOX": {1: FIRST}, "x": {1: SECOND}}, {}, "XLIST")
    listed = b'* XLIST (\\HasNoChildren \\Inbox) "/" INBOX\r\n* XLIST (\\HasNoChildren \\Spam) "/" x\r\n' + OK

    async with ImapScript({**server.book(), "XLIST": listed}) as script:
        intake = MemoryIntake()
        await source_of(script).catch_up(intake)

    assert 'XLIST "" "*"' in script.asked
    assert [one.location.folder for one in intake.mails] == ["INBOX"]


async def test_a_folder_that_is_only_known_by_its_name_is_told_as_such() -> None:
    server = Server({"INBOX": {}, "Verzonden": {}}, {}, "")

    async with ImapScript(server.book()) as script:
        told = await source_of(script).check()

    assert "INBOX, Verzonden (taken for sent by its name)" in told


# Google ---------------------------------------------------------------------------------------------------------------

LISTED = (
    b'* LIST (\\HasNoChildren) "/" INBOX\r\n'
    b'* LIST (\\HasChildren \\Noselect) "/" "[Gmail]"\r\n'
    b'* LIST (\\HasNoChildren \\All) "/" "[Gmail]/All Mail"\r\n'
    b'* LIST (\\HasNoChildren \\Drafts) "/" "[Gmail]/Drafts"\r\n'
    b'* LIST (\\HasNoChildren \\Sent) "/" "[Gmail]/Sent Mail"\r\n'
    b'* LIST (\\HasNoChildren \\Junk) "/" "[Gmail]/Spam"\r\n'
    b'* LIST (\\HasNoChildren \\Trash) "/" "[Gmail]/Trash"\r\n'
    b'* LIST (\\HasNoChildren) "/" Work\r\n'
)


def google() -> Server:
    everything = {1: FIRST, 2: SECOND, 3: DRAFT}
    return Server(
        {"INBOX": {1: FIRST}, "[Gmail]/All Mail": everything, "[Gmail]/Sent Mail": {1: SECOND}, "Work": {1: FIRST}},
        {FIRST: "101", SECOND: "102", DRAFT: "103"},
        "X-GM-EXT-1 SPECIAL-USE",
        LISTED,
        {FIRST: '"\\\\Inbox" Work', SECOND: '"\\\\Sent"', DRAFT: '"\\\\Draft"'},
    )


async def test_of_a_mailbox_at_google_all_mail_is_read_once_and_drafts_are_left_out() -> None:
    server = google()

    async with ImapScript(server.book()) as script:
        intake = MemoryIntake()
        async with running(script, intake):
            await intake.until_ok()
            await script.heard("IDLE")

    assert server.wholes == ["[Gmail]/All Mail 1:2"]
    assert server.opened == "[Gmail]/All Mail"
    assert [(one.location.uid, one.folder_role, one.mail_id, one.thread_id, one.labels) for one in intake.mails] == [
        (1, "all", "gm:101", "gm:77", ("Work", "\\Inbox")),
        (2, "sent", "gm:102", "gm:77", ("\\Sent",)),
    ]
    assert [at.uid for at in intake.left_out] == [3]
    assert {line for line in script.asked if line.startswith("EXAMINE")} == {'EXAMINE "[Gmail]/All Mail"'}


async def test_labels_that_are_asked_for_are_folders_and_their_mails_are_fetched_once() -> None:
    server = google()

    intake = await read(server.book(), folders=("INBOX", "Work", "\\Sent"))

    assert sorted(server.wholes) == ["INBOX 1", "[Gmail]/Sent Mail 1"]
    assert [(one.location.folder, one.mail_id) for one in intake.again] == [("Work", "gm:101")]
