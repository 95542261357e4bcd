"""Single headers: ids, dates, marks, importance, names of files; as they should be and as they are."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.mime_headers import (
    ID_CHARS_MAX,
    NAME_CHARS_MAX,
    attachment_name,
    importance_of,
    marks_of,
    message_ids,
    read_date,
)


def storable(text: str) -> bool:
    """What PostgreSQL takes as text."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("<1@shop.example>", ["1@shop.example"]),
        ("<1@shop.example> <2@shop.example>", ["1@shop.example", "2@shop.example"]),
        ("<1@shop.example><2@shop.example>", ["1@shop.example", "2@shop.example"]),
        ("<1@shop.example>, <1@shop.example>", ["1@shop.example"]),
        ("<A@Shop.example>", ["A@Shop.example"]),
        ("<1@\r\n shop.example>", ["1@shop.example"]),
        ("<1@ shop.example>", ["1@shop.example"]),
        ('Message from Ivan of "Mon, 1 Jan" <1@shop.example>', ["1@shop.example"]),
        ("1@shop.example", ["1@shop.example"]),
        ("1@shop.example (comment) 2@shop.example", ["1@shop.example", "2@shop.example"]),
        ("<yes>", []),
        ("<>", []),
        ("<@>", []),
        ("@", []),
        ("a@b", ["a@b"]),
        ("@b, a@", []),
        ("Mon, 23 Nov 2026", []),
        ("<1\x00@shop.example\udc80>", ["1@shop.example"]),
        ("<" + "a" * ID_CHARS_MAX + "@shop.example>", []),
        ("a" * ID_CHARS_MAX + "@shop.example", []),
    ],
)
def test_only_sane_ids_are_taken(value: str, expected: list[str]) -> None:
    assert message_ids(value) == expected


@pytest.mark.parametrize("piece", ["a", "<", ">", "<a", "a@", "@", "<a@b> ", "<a b@c>", "(", "\x00"])
def test_a_million_characters_of_ids_end(piece: str) -> None:
    for one in message_ids(piece * (1_000_000 // len(piece))):
        assert len(one) < ID_CHARS_MAX


@given(st.text() | st.text(alphabet="<>@ab. ,\r\n\t\x00\udc80"))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_text_gives_ids_that_can_be_stored(value: str) -> None:
    for one in message_ids(value):
        assert "@" in one
        assert storable(one)
        assert not any(c.isspace() for c in one)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 23 Nov 2026 12:00:00 +0300", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 12:00:00 +0300 (MSK)", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ("23 Nov 2026 12:00 GMT", datetime(2026, 11, 23, 12, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 12:00:00 -0000", datetime(2026, 11, 23, 12, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 12:00:00", datetime(2026, 11, 23, 12, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 12:00:00 MSK", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ("Mon, 23 Nov 2026 12:00:00 EST", datetime(2026, 11, 23, 17, tzinfo=UTC)),
        ("Пн, 23 Nov 2026 12:00:00 +0300", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ("Mon, 23 Nov 26 12:00:00 +0300", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ("2026-11-12T10:00:00+03:00", datetime(2026, 11, 12, 7, tzinfo=UTC)),
        ("2026-11-12 10:00", datetime(2026, 11, 12, 10, tzinfo=UTC)),
        ("20261112", datetime(2026, 11, 12, tzinfo=UTC)),
        ("11.12.2026", datetime(2026, 12, 11, tzinfo=UTC)),
        ("11/12/2026 10:00 XYZ", datetime(2026, 12, 11, 10, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
        ("12:00", None),
        ("Nov 2026", None),
        ("Mon, 32 Nov 2026 12:00:00 +0300", None),
        ("Mon, 23 Nov 2026 25:00:00 +0300", None),
        ("Mon, 23 Nov 2026 12:00:00 +9999", None),
        ("0", None),
        ("9" * 10_000, None),
        ("\x00", None),
        ("\udc80", None),
    ],
)
def test_a_date_is_a_moment_or_nothing(value: str, expected: datetime | None) -> None:
    assert read_date(value) == expected


@given(st.text(max_size=60) | st.text(alphabet="0123456789 :+-/.TZMonNovWedUTC()", max_size=40))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_text_gives_a_date_in_utc_or_none(value: str) -> None:
    found = read_date(value)

    assert found is None or found.utcoffset() == UTC.utcoffset(None)


@pytest.mark.parametrize(
    ("headers", "content_type", "expected"),
    [
        ({}, "text/plain", ()),
        ({"auto-submitted": [" No "]}, "text/plain", ()),
        ({"auto-submitted": ["auto-replied"]}, "text/plain", ("auto_reply",)),
        ({"auto-submitted": [" Auto-Generated (warning) "]}, "text/plain", ("auto_reply",)),
        ({"precedence": ["AUTO_REPLY "]}, "text/plain", ("auto_reply",)),
        ({"x-autoreply": ["yes"]}, "text/plain", ("auto_reply",)),
        ({"return-path": ["<>"]}, "text/plain", ("bounce",)),
        ({"return-path": ["<a@b.example>"]}, "text/plain", ()),
        ({"return-path": ["<>"], "auto-submitted": ["auto-replied"]}, "multipart/report", ("bounce",)),
        ({}, "multipart/report", ("bounce",)),
        ({"precedence": [" Bulk "]}, "text/plain", ("bulk",)),
        ({"list-unsubscribe": ["<https://x.example>"]}, "text/plain", ("bulk",)),
        ({"list-id": ["<a.b>"], "auto-submitted": ["auto-replied"]}, "text/plain", ("auto_reply", "bulk")),
        ({}, "multipart/encrypted", ("encrypted",)),
        ({}, "application/pkcs7-mime", ("encrypted",)),
    ],
)
def test_a_mail_is_marked_for_what_it_is(
    headers: dict[str, list[str]], content_type: str, expected: tuple[str, ...]
) -> None:
    assert marks_of(headers, content_type) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "normal"),
        ({"importance": ["High"]}, "high"),
        ({"importance": ["normal"]}, "normal"),
        ({"importance": [" low "]}, "low"),
        ({"x-priority": ["1 (Highest)"]}, "high"),
        ({"x-priority": ["3"]}, "normal"),
        ({"x-priority": ["5"]}, "low"),
        ({"importance": ["normal"], "x-priority": ["1"]}, "normal"),
        ({"importance": ["nonsense"]}, "normal"),
    ],
)
def test_importance_is_low_normal_or_high(headers: dict[str, list[str]], expected: str) -> None:
    assert importance_of(headers) == expected


@pytest.mark.parametrize(
    ("filename", "content_type", "expected"),
    [
        ("Счёт №33.pdf", "application/pdf", "Счёт №33.pdf"),
        ("../../etc/passwd", "text/plain", "_.._etc_passwd"),
        ("C:\\Windows\\a.exe", "application/x", "C__Windows_a.exe"),
        ("a\x00b\r\nc\x1b.txt", "text/plain", "a_b__c_.txt"),
        ("invoice\u202efdp.exe", "application/x", "invoice_fdp.exe"),
        ("a\udc80.txt", "text/plain", "a_.txt"),
        ('<img src=x onerror="1">.png', "image/png", "_img src=x onerror=_1__.png"),
        ("...", "image/png", "part-3.png"),
        ("", "application/pdf", "part-3.pdf"),
        ("", "text", "part-3.text"),
        ("", "", "part-3.bin"),
        ("a" * 1000 + ".pdf", "application/pdf", "a" * (NAME_CHARS_MAX - 4) + ".pdf"),
    ],
)
def test_a_file_name_is_a_name_only(filename: str, content_type: str, expected: str) -> None:
    assert attachment_name(filename, content_type, 2) == expected
