"""What becomes of mails that we know: read in another program, gone. Followed as far as the server tells."""

import re
from collections.abc import Mapping

import pytest

from connectors.mail.account import Account
from connectors.mail.changes import NEWEST_UIDS
from connectors.mail.session import opened
from tests.fakes.dovecot import PASSWORD, Dovecot
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import OK, Answer, Box, ImapScript
from tests.fakes.imap_source import bodies, read, running

QRESYNC = b"* CAPABILITY IMAP4rev1 IDLE ENABLE CONDSTORE QRESYNC\r\n" + OK
BARE = b"%T OK welcome\r\n"  # so that we ask what it can do


class FlagBox(Box):
    """An INBOX with flags. `modseq` 0: the server counts no changes. `changed` says when each mail last changed, `gone`
    which UIDs have vanished, and when."""

    def __init__(self, mails: Mapping[int, bytes], modseq: int = 0, qresync: bool = False) -> None:
        super().__init__(mails)
        self.modseq = modseq
        self.seen: set[int] = set()
        self.changed = dict.fromkeys(mails, modseq)
        self.gone: dict[int, int] = {}
        self.qresync = qresync
        self.refuses = False

    def read(self, *uids: int, seen: bool = True) -> None:
        """Somebody reads these mails, or takes it back."""
        self.modseq += 1 if self.modseq else 0
        self.seen = self.seen | set(uids) if seen else self.seen - set(uids)
        self.changed.update(dict.fromkeys(uids, self.modseq))

    def delete(self, *uids: int) -> None:
        self.modseq += 1
        for uid in uids:
            del self.mails[uid]
            self.gone[uid] = self.modseq

    def book(self, **more: Answer) -> dict[str, Answer]:  # type: ignore[override]
        plain = dict(super().book())
        examine, fetch = plain["EXAMINE"], plain["FETCH"]
        assert callable(examine)
        assert callable(fetch)

        def examined(words: str) -> bytes:
            highest = b"* OK [HIGHESTMODSEQ %d] ok\r\n" % self.modseq if self.modseq else b"* OK [NOMODSEQ] no\r\n"
            return highest + examine(words)

        def fetched(words: str) -> bytes:
            wanted = [int(one) for one in re.findall(r"\d+", words.split(" ", 1)[0])]
            since = re.search(r"CHANGEDSINCE (\d+)", words)
            if since is not None and self.refuses:
                return b"%T BAD what\r\n"
            if "FLAGS)" not in words and since is None:
                return fetch(words)
            least = int(since[1]) if since else -1
            said = b""
            if "VANISHED" in words and (gone := [uid for uid, when in self.gone.items() if when > least]):
                said = b"* VANISHED (EARLIER) %s\r\n" % b",".join(b"%d" % uid for uid in gone)
            for uid in sorted(self.mails):
                if self.changed.get(uid, 0) > least and min(wanted) <= uid <= max(wanted):
                    flags = b"\\Seen" if uid in self.seen else b""
                    said += b"* %d FETCH (UID %d MODSEQ (%d) FLAGS (%s))\r\n" % (uid, uid, self.changed[uid], flags)
            return said + OK

        login: dict[str, Answer] = {"CAPABILITY": QRESYNC, "AUTHENTICATE": BARE, "LOGIN": OK, "ENABLE": OK}
        return {**plain, "EXAMINE": examined, "FETCH": fetched, **(login if self.qresync else {}), **more}


def asked_of_flags(server: ImapScript) -> list[str]:
    return [line for line in server.asked if line.startswith("FETCH") and ("FLAGS)" in line or "CHANGED" in line)]


async def test_a_mail_that_was_read_elsewhere_is_told_and_what_stayed_is_not_asked_for() -> None:
    box = FlagBox(bodies(1, 2, 3), modseq=10)
    intake = await read(box.book(), handled_elsewhere=True)
    assert [one.handled_elsewhere for one in intake.mails] == [True] * 3
    assert intake.checkpoints["INBOX"]["modseq"] == 10

    await read(box.book(), intake, handled_elsewhere=True)
    assert intake.read_elsewhere == []
    box.read(2)
    await read(box.book(), intake, handled_elsewhere=True)

    assert intake.read_elsewhere == [("INBOX", 1, {2: True})]
    assert intake.checkpoints["INBOX"]["modseq"] == 11


async def test_a_new_mail_with_a_low_modseq_is_read_all_the_same() -> None:
    box = FlagBox(bodies(1, 2), modseq=10)
    intake = await read(box.book(), handled_elsewhere=True)

    box.mails.update(bodies(3))
    box.changed[3] = 4
    await read(box.book(), intake, handled_elsewhere=True)

    assert 3 in intake.uids()


async def test_a_highest_modseq_that_went_down_is_believed_and_all_flags_are_looked_at() -> None:
    box = FlagBox(bodies(*range(1, 9)), modseq=10)
    intake = await read(box.book(), handled_elsewhere=True)

    box.modseq, box.changed, box.seen = 3, dict.fromkeys(box.mails, 2), {1}
    await read(box.book(), intake, handled_elsewhere=True)

    told = {uid: seen for _, _, page in intake.read_elsewhere for uid, seen in page.items()}
    assert told == {1: True, **dict.fromkeys(range(2, 9), False)}
    assert intake.checkpoints["INBOX"]["modseq"] == 3


async def test_following_that_is_switched_on_later_looks_at_all_flags_once() -> None:
    box = FlagBox(bodies(1, 2), modseq=10)
    box.seen = {1}
    intake = await read(box.book())

    for _ in range(2):
        await read(box.book(), intake, handled_elsewhere=True)

    assert intake.read_elsewhere == [("INBOX", 1, {1: True, 2: False})]
    assert intake.checkpoints["INBOX"]["flags"] is True


async def test_without_modseq_the_newest_are_looked_at_in_each_turn_and_all_by_the_audit() -> None:
    last = NEWEST_UIDS + 5
    box = FlagBox(bodies(1, 4, last))
    async with ImapScript(box.book()) as server:
        intake = MemoryIntake()
        async with running(server, intake, handled_elsewhere=True, poll_seconds=0.05):
            await intake.until_ok()
            audited = len(asked_of_flags(server))
            box.read(last)
            while ("INBOX", 1, {last: True}) not in intake.read_elsewhere:
                await server.heard("FETCH", len(server.asked))

    asked = asked_of_flags(server)
    assert f"FETCH 5:{last} (UID FLAGS)" in asked
    assert f"FETCH 1,4,{last} (UID FLAGS)" in asked[:audited]
    assert f"FETCH 1,4,{last} (UID FLAGS)" not in asked[audited:]


async def test_a_server_that_refuses_to_tell_of_changes_is_asked_for_the_flags() -> None:
    box = FlagBox(bodies(1, 2), modseq=10)
    intake = await read(box.book(), handled_elsewhere=True)

    box.refuses = True
    box.read(2)
    await read(box.book(), intake, handled_elsewhere=True)

    looked = ("INBOX", 1, {1: False, 2: True})
    assert intake.read_elsewhere == [looked, looked]  # the newest in the turn, all in the audit
    assert intake.checkpoints["INBOX"]["modseq"] == 0
    assert intake.reports[-1].state == "ok"


async def test_where_mail_is_handled_here_no_flags_are_asked_for() -> None:
    for handled, follows in ((False, True), (True, False)):
        box, intake = FlagBox(bodies(1, 2), modseq=10), MemoryIntake()
        intake.follows_review = follows
        for _ in range(2):
            async with ImapScript(box.book()) as server, running(server, intake, handled_elsewhere=handled):
                await intake.until_ok()
            box.read(1)
            intake.reports.clear()

            assert asked_of_flags(server) == []
            assert intake.read_elsewhere == []


async def test_while_we_idle_what_is_read_is_told_at_once() -> None:
    box, intake = FlagBox(bodies(1, 2), modseq=10), MemoryIntake()
    async with ImapScript(box.book()) as server, running(server, intake, handled_elsewhere=True, poll_seconds=3600):
        await intake.until_ok()
        await server.heard("IDLE")
        box.read(1)
        server.push(b"* 1 FETCH (FLAGS (\\Seen) UID 1 MODSEQ (11))\r\n")
        await server.heard("FETCH 1:2 (UID FLAGS) (CHANGEDSINCE 10)")
        await server.heard("IDLE", 2)

    assert intake.read_elsewhere == [("INBOX", 1, {1: True})]


# Vanished -------------------------------------------------------------------------------------------------------------


async def test_a_server_tells_what_has_vanished_and_no_list_is_compared() -> None:
    box, intake = FlagBox(bodies(1, 2, 3), modseq=10, qresync=True), MemoryIntake()
    async with ImapScript(box.book()) as server, running(server, intake, poll_seconds=0.05):
        await intake.until_ok()
        searched = sum(line.startswith("SEARCH") for line in server.asked)
        box.delete(2)
        while not intake.gone:
            await server.heard("EXAMINE", server.asked.count("EXAMINE INBOX") + 1)
        await server.heard("EXAMINE", server.asked.count("EXAMINE INBOX") + 3)

    assert server.asked.index("ENABLE QRESYNC") < server.asked.index("EXAMINE INBOX")
    assert intake.gone == [("INBOX", 1, [(2, 2)])]
    assert "FETCH 1:3 (UID) (CHANGEDSINCE 10 VANISHED)" in server.asked
    assert sum(line.startswith("SEARCH") for line in server.asked) == searched
    assert intake.checkpoints["INBOX"]["modseq"] == 11


async def test_a_server_that_will_not_enable_it_is_compared_as_any_other() -> None:
    box = FlagBox(bodies(1, 2, 3), modseq=10, qresync=True)
    intake = await read(box.book(ENABLE=b"%T NO not now\r\n"))

    box.delete(2)
    await read(box.book(ENABLE=b"%T NO not now\r\n"), intake)

    assert intake.gone == []
    assert intake.audits[-1] == ("INBOX", [2], 0)


async def test_in_a_large_folder_what_has_changed_is_counted_before_it_is_fetched() -> None:
    box = FlagBox(bodies(1, 2, 3), modseq=10)
    intake = await read(box.book(), handled_elsewhere=True)
    intake.reports.clear()

    box.read(3)
    examine = box.book()["EXAMINE"]
    assert callable(examine)
    many = examine("").replace(b"* 3 EXISTS", b"* 60000 EXISTS")
    search = box.book()["SEARCH"]
    assert callable(search)
    changed = b"* SEARCH " + b" ".join(b"%d" % uid for uid in range(1, 50_002)) + b" (MODSEQ 11)\r\n" + OK
    book = box.book(EXAMINE=many, SEARCH=lambda words: changed if "MODSEQ" in words else search(words))
    async with ImapScript(book) as server, running(server, intake, handled_elsewhere=True):
        await intake.until_ok()

    assert "SEARCH UID 1:3 MODSEQ 11" in server.asked
    assert "FETCH 1:2000 (UID FLAGS)" in server.asked
    assert not any("CHANGEDSINCE" in line for line in server.asked)
    assert ("INBOX", 1, {1: False, 2: False, 3: True}) in intake.read_elsewhere


async def test_a_folder_whose_uids_are_never_saved_is_not_followed() -> None:
    box = FlagBox(bodies(1, 2), modseq=10)
    box.uidvalidity = 0

    intake = await read(box.book(), handled_elsewhere=True)

    assert intake.read_elsewhere == []
    assert len(intake.mails) == 2


# A real server --------------------------------------------------------------------------------------------------------


@pytest.mark.peer("dovecot")
async def test_a_real_server_tells_what_has_changed_and_what_has_vanished(dovecot: Dovecot) -> None:
    user = dovecot.new_user()
    for raw in bodies(1, 2, 3, 4).values():
        dovecot.deliver(user, raw)
    account = Account("localhost", dovecot.imaps, "implicit", user, PASSWORD, dovecot.trusting())
    async with opened(account) as session:
        before = (await session.examine(b"INBOX")).highestmodseq or 0
        with dovecot.client(user) as program:
            program.select("INBOX")
            program.uid("STORE", "2", "+FLAGS", r"(\Seen \Flagged)")
            program.uid("STORE", "3", "+FLAGS", r"(\Deleted)")
            program.expunge()
        state = await session.examine(b"INBOX")

        assert session.tells_vanished
        assert before < (state.highestmodseq or 0)
        assert list(await session.changed_uids(4, before)) == [2]
        changed, gone = await session.changes(4, before, flags=True)
        assert [(one.uid, one.seen) for one in changed] == [(2, True)]
        assert gone == [(3, 3)]
        assert [one.seen for one in (await session.changes(4, before, flags=False))[0]] == [None]
        assert {one.uid: one.seen for one in await session.flags([1, 2, 3, 4])} == {1: False, 2: True, 4: False}
        assert await session.changes(4, state.highestmodseq or 0, flags=True) == ([], [])
    assert sorted(dovecot.flags(user)) == ["", "", "FS"]
