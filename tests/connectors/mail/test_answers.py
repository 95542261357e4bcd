"""What answers say, and that a server may leave out or garble every field of them."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mail.answers import (
    Fetched,
    FolderState,
    FolderStatus,
    Listed,
    internal_date,
    merged,
    read_list,
    read_mail,
    read_state,
    read_status,
    read_vanished,
)
from connectors.mail.responses import Garbled, Response

PEER = "imap.example.org:993"
GONE = (
    b"From: System Administrator <root@localhost>\r\nSubject: message unavailable\r\n\r\n"
    b"This message is no longer available on the server.\r\n"
)


def response(*pieces: bytes) -> Response:
    return Response(pieces)


@pytest.mark.parametrize(
    ("pieces", "listed"),
    [
        ((b'* LIST (\\HasNoChildren \\Sent) "/" &BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-',),
         Listed(b"&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Отправленные", "/", frozenset({"\\hasnochildren", "\\sent"}))),
        ((b'* LIST () NIL "Sent Items"',), Listed(b"Sent Items", "Sent Items", "", frozenset())),
        ((b'* LIST () "." ', b'a "b"', b""), Listed(b'a "b"', 'a "b"', ".", frozenset())),
        ((b'* LIST () "." a ("CHILDINFO" ("SUBSCRIBED"))',), Listed(b"a", "a", ".", frozenset())),
        ((b"* LIST",), None),
        ((b'* LIST () "/" NIL',), None),
        ((b'* LIST () "/" ""',), None),
        ((b'* LIST x "/" INBOX',), None),
        ((b'* LIST () "/" ', b"a\r\nb", b""), None),
    ],
)  # fmt: skip
def test_folders(pieces: tuple[bytes, ...], listed: Listed | None) -> None:
    assert read_list(response(*pieces), PEER) == listed


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((b"* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292 UIDVALIDITY 7)",), FolderStatus(b"blurdybloop", 7, 44292, 231)),
        ((b"* STATUS ", b"a b", b" (messages 0)"), FolderStatus(b"a b", 0, None, 0)),
        ((b'* STATUS "a b" (UIDNEXT x UIDVALIDITY 99999999999)',), FolderStatus(b"a b", 0, None, None)),
        ((b"* STATUS a ()",), FolderStatus(b"a", 0, None, None)),
        ((b"* STATUS a",), None),
        ((b"* STATUS (a) (MESSAGES 1)",), None),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_opened(pieces: tuple[bytes, ...], status: FolderStatus | None) -> None:
    assert read_status(response(*pieces), PEER) == status


def test_a_folder_as_it_is_opened() -> None:
    said = [
        b"* FLAGS (\\Answered \\Seen)",
        b"* 172 EXISTS",
        b"* 1 RECENT",
        b"* OK [UIDVALIDITY 3857529045] UIDs valid",
        b"* ok [uidnext 4392] predicted",
        b"* OK [HIGHESTMODSEQ 715194045007] highest",
    ]

    assert read_state([response(line) for line in said]) == FolderState(3857529045, 4392, 172, 715194045007)


@pytest.mark.parametrize(
    "said",
    [b"* OK [UIDVALIDITY 0]", b"* OK [UIDVALIDITY 4294967296]", b"* OK [UIDNEXT x]", b"* OK", b"* x EXISTS", b"*"],
)
def test_a_state_that_is_missing_or_nonsense_is_unknown(said: bytes) -> None:
    assert read_state([response(said)]) == FolderState(0, None, 0, None)


@pytest.mark.parametrize(
    ("pieces", "mail"),
    [
        ((b'* 12 FETCH (UID 17 RFC822.SIZE 4 INTERNALDATE "17-Jul-1996 02:44:25 -0700" FLAGS (\\Seen) BODY[] ', b"body",
          b")"),
         Fetched(17, 4, datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC), frozenset({"\\seen"}), b"body", seen=True)),
        ((b"* 1 FETCH (BODY[]<0> ", b"bo", b" UID 1)"), Fetched(1, body=b"bo")),
        ((b'* 1 FETCH (UID 1 BODY[] "short")',), Fetched(1, body=b"short")),
        ((b"* 1 FETCH (UID 1 BODY[] NIL)",), Fetched(1, body=b"")),
        ((b'* 1 FETCH (UID 1 BODY[] "")',), Fetched(1, body=b"")),
        ((b"* 1 FETCH (UID 1)",), Fetched(1)),
        ((b"* 1 FETCH (UID 1 FLAGS NIL RFC822.SIZE x INTERNALDATE NIL)",), Fetched(1)),
        ((b"* 1 FETCH (UID 1 FLAGS seen)",), Fetched(1, seen=False)),
        ((b"* 1 FETCH (UID 1 FLAGS ())",), Fetched(1, seen=False)),
        ((b"* 1 FETCH (UID 1 EMAILID (M6d99-_3) THREADID (T64b))",), Fetched(1, mail_id="oid:M6d99-_3", thread_id="oid:T64b")),
        ((b"* 1 FETCH (UID 1 EMAILID (M6d) THREADID NIL)",), Fetched(1, mail_id="oid:M6d")),
        ((b"* 1 FETCH (UID 1 EMAILID (a+b) THREADID ())",), Fetched(1)),
        ((b"* 1 FETCH (X-GM-MSGID 1278455344230334865 X-GM-THRID 1266894439832287888 UID 1)",),
         Fetched(1, mail_id="gm:1278455344230334865", thread_id="gm:1266894439832287888")),
        ((b"* 1 FETCH (UID 1 X-GM-MSGID 0 X-GM-THRID x)",), Fetched(1)),
        ((b"* 1 FETCH (UID 1 X-GM-MSGID 5 EMAILID (M5))",), Fetched(1, mail_id="oid:M5")),
        ((b'* 1 FETCH (UID 1 X-GM-LABELS ("\\\\Inbox" Work "&BBAEPQ-" NIL))',),
         Fetched(1, labels=frozenset({"\\Inbox", "Work", "Ан"}))),
        ((b"* 1 FETCH (UID 1 X-GM-LABELS ())",), Fetched(1, labels=frozenset())),
        ((b"* 1 FETCH (UID 1 RFC822.SIZE 136 BODY[] ", GONE, b")"), None),
        ((b"* 1 FETCH (UID 1 BODY[HEADER] ", GONE.partition(b"This")[0], b")"), None),
        ((b"* 1 FETCH (UID 1 BODY[] ", b"Received: x\r\n" + GONE, b")"), Fetched(1, body=b"Received: x\r\n" + GONE)),
        ((b"* 1 FETCH (FLAGS (\\Seen))",), None),
        ((b"* 1 FETCH (UID 0)",), None),
        ((b"* 1 FETCH",), None),
        ((b"* 1 FETCH x",), None),
    ],
)  # fmt: skip
def test_mails(pieces: tuple[bytes, ...], mail: Fetched | None) -> None:
    assert read_mail(response(*pieces), PEER) == mail


def test_items_of_one_mail_may_come_in_several_responses() -> None:
    first = Fetched(1, 4, body=b"body", mail_id="oid:M1")
    second = Fetched(1, 9, None, frozenset({"\\seen"}), b"other", None, "oid:M2", "oid:T1", frozenset({"Work"}), True)

    assert merged(None, first) == first
    assert merged(first, second) == Fetched(
        1, 4, None, frozenset({"\\seen"}), b"body", None, "oid:M1", "oid:T1", frozenset({"Work"}), True
    )


@pytest.mark.parametrize(
    ("said", "ranges"),
    [
        (b"* VANISHED (EARLIER) 41,43:116,118", [(41, 41), (43, 116), (118, 118)]),
        (b"* VANISHED 405,7:3", [(3, 7), (405, 405)]),
        (b"* VANISHED (EARLIER) 1:4294967295", [(1, 4294967295)]),
        (b"* VANISHED (EARLIER) 0,5:x,1:2:3,,9", [(9, 9)]),
        (b"* VANISHED", []),
        (b"* VANISHED (EARLIER)", []),
    ],
)
def test_what_has_vanished(said: bytes, ranges: list[tuple[int, int]]) -> None:
    assert read_vanished(response(said)) == ranges


@pytest.mark.parametrize(
    ("text", "when"),
    [
        (" 1-Jan-2026 00:00:00 +0300", datetime(2025, 12, 31, 21, tzinfo=UTC)),
        ("01-jan-2026 00:00:00 +0000", datetime(2026, 1, 1, tzinfo=UTC)),
        ("31-Feb-2026 00:00:00 +0000", None),
        ("01-Foo-2026 00:00:00 +0000", None),
        ("01-Jan-0001 00:00:00 +2359", None),
        ("01-Jan-2026 99:00:00 +0000", None),
        ("01-Jan-2026 00:00:00", None),
        ("", None),
    ],
)
def test_internal_dates(text: str, when: datetime | None) -> None:
    assert internal_date(text) == when


@given(st.text(alphabet='()[]"\\ 019UIDBODY.FETCHLISTNILFLAGS', max_size=80), st.binary(max_size=20))
def test_any_answer_is_read_or_garbled(text: str, literal: bytes) -> None:
    for pieces in ((b"* " + text.encode(),), (b"* " + text.encode(), literal, b")"), (text.encode(),)):
        one = response(*pieces)
        for read in (lambda one: read_list(one, PEER), lambda one: read_mail(one, PEER)):
            with contextlib.suppress(Garbled):
                read(one)
        read_state([one])
        read_vanished(one)
