"""Servers that number strangely, lie, or answer what nobody asked: nothing is missed, nothing is doubled, nobody hangs."""

from collections.abc import Callable

import pytest

from connectors.base import Unavailable
from connectors.mail.arguments import UID_MAX
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import OK, Answer, Box, ImapScript, folder, found, mails
from tests.fakes.imap_source import bodies, read, running

FAR = (1, 100_000_000, 2_000_000_000, UID_MAX)


def examined(*codes: bytes, exists: int = 3) -> bytes:
    return b"* %d EXISTS\r\n" % exists + b"".join(b"* OK [%s] ok\r\n" % code for code in codes) + OK


def turned_round(answer: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """The same responses, the last one first."""

    def answered(words: str) -> bytes:
        said = answer(words).removesuffix(OK)
        pieces = [b"* " + piece for piece in said.split(b"* ")[1:]]
        return b"".join(reversed(pieces)) + OK

    return answered


@pytest.mark.parametrize(
    ("uids", "book"),
    [
        ((2, 5, 9), {"SEARCH": b"* SEARCH 9 2 5 9\r\n" + OK}),
        ((2, 5, 9), {"SEARCH": b"* SEARCH 9\r\n* SEARCH 5 2\r\n" + OK}),
        ((2, 5, 9), {"FETCH": turned_round(mails(bodies(2, 5, 9)))}),
        (FAR, {}),
        (FAR, {"EXAMINE": examined(b"UIDVALIDITY 1", b"UIDNEXT 4294967295", exists=4)}),
        ((2, 5, 9), {"EXAMINE": examined(b"UIDVALIDITY 1")}),
        ((2, 5, 9), {"EXAMINE": examined(b"UIDVALIDITY 1", b"UIDNEXT 0")}),
        ((2, 5, 9), {"EXAMINE": examined(b"UIDVALIDITY 1", b"UIDNEXT 4294967296000")}),
        ((2, 5, 9), {"EXAMINE": examined(b"UIDVALIDITY 1", b"UIDNEXT 3")}),
        ((2, 5, 9), {"EXAMINE": [examined(b"UIDVALIDITY 1", b"UIDNEXT 10", b"HIGHESTMODSEQ %d" % n) for n in (9, 5, 1)]}),
        ((2, 5, 9), {"EXAMINE": examined(b"UIDVALIDITY 1", b"UIDNEXT 10", exists=0)[:-len(OK)] + b"* 3 EXISTS\r\n" + OK}),
    ],
)  # fmt: skip
async def test_every_mail_comes_once_however_it_is_numbered(uids: tuple[int, ...], book: dict[str, Answer]) -> None:
    box = Box(bodies(*uids))

    intake = await read(box.book(**book))
    await read(box.book(**book), intake)

    assert sorted(intake.uids()) == list(uids)
    assert intake.states[-1] == "ok"


async def test_new_mail_is_found_where_uidnext_never_moves() -> None:
    box, intake = Box(bodies(2)), MemoryIntake()
    book = box.book(EXAMINE=lambda _: examined(b"UIDVALIDITY 1", b"UIDNEXT 3", exists=len(box.mails)))
    async with ImapScript(book) as server, running(server, intake, poll_seconds=0.05):
        await intake.until_ok()
        box.mails.update(bodies(7))
        await intake.until_mails(2)

    assert intake.uids() == [2, 7]


@pytest.mark.parametrize("codes", [(b"UIDVALIDITY 0", b"UIDNEXT 10"), (b"UIDNEXT 10",), (b"UIDVALIDITY 99999999999",)])
async def test_without_uidvalidity_mails_are_read_anew_and_recognised(codes: tuple[bytes, ...]) -> None:
    book = Box(bodies(2, 5, 9)).book(EXAMINE=examined(*codes))

    intake = await read(book)
    await read(book, intake)

    assert sorted(intake.uids()) == [2, 5, 9]
    assert len(intake.again) == 3
    assert intake.checkpoints == {}
    assert intake.states[-1] == "ok"


@pytest.mark.parametrize("item", [b"RFC822.SIZE", b"INTERNALDATE", b"FLAGS"])
async def test_a_fetch_without_an_item_that_was_asked_for_brings_the_mail(item: bytes) -> None:
    def fetch(words: str) -> bytes:
        return mails(bodies(2, 5))(words).replace(item, b"X-" + item)

    intake = await read(Box(bodies(2, 5)).book(FETCH=fetch))

    assert {one.location.uid: one.raw for one in intake.mails} == bodies(2, 5)
    assert intake.states[-1] == "ok"


async def test_a_fetch_without_the_mail_leaves_it_to_quarantine() -> None:
    def fetch(words: str) -> bytes:
        return mails(bodies(2, 5))(words.replace("BODY.PEEK", "OTHER"))

    intake = await read(Box(bodies(2, 5)).book(FETCH=fetch))

    assert {one.location.uid: one.raw for one in intake.mails} == {2: b"", 5: b""}


async def test_a_fetch_of_other_mails_is_not_taken_for_ours() -> None:
    def fetch(words: str) -> bytes:
        return mails({**bodies(2), 7: b"Subject: not asked for\r\n\r\n"})(
            "1:*".replace("*", "9") + " " + words.split(" ", 1)[1]
        )

    intake = await read(Box(bodies(2)).book(FETCH=fetch))

    assert intake.uids() == [2]


@pytest.mark.parametrize("off_by", [-3, 3, 10**6, 10**12])
async def test_a_literal_of_another_size_ends_the_connection_and_forges_nothing(off_by: int) -> None:
    def fetch(words: str) -> bytes:
        said = mails(bodies(2))(words)
        size = len(bodies(2)[2])
        return said.replace(b"{%d}" % size, b"{%d}" % max(size + off_by, 0))

    intake = MemoryIntake()
    with pytest.raises(Unavailable):
        await read(Box(bodies(2)).book(FETCH=fetch), intake, quiet_seconds=0.2)

    assert intake.mails == []
    assert "ok" not in intake.states


async def test_a_search_that_names_no_mails_of_ours_is_no_loop() -> None:
    def search(words: str) -> bytes:
        return b"* SEARCH 0 -1 x 99999999999 4294967296\r\n" + found(2)(words)

    intake = await read({**Box(bodies(2)).book(SEARCH=search), "EXAMINE": folder(2)})

    assert intake.uids() == [2]
    assert intake.states[-1] == "ok"
