"""Mails that somebody made to do harm, and any bytes at all: a mail or TooComplex, never anything else."""

import pickle
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import fast_mail_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions import mime
from interactions.mime import (
    DEPTH_MAX,
    HEADER_BYTES_MAX,
    PARTS_MAX,
    ParsedMail,
    TooComplex,
    cut,
    inspect,
    is_heavy,
    parse,
)
from interactions.mime_careful import Tree, careful_tree

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


def texts(value: object) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from texts(one)
    elif is_dataclass(value):
        for one in fields(value):
            yield from texts(getattr(value, one.name))


def storable(value: object) -> bool:
    """Whether every text in it is one that PostgreSQL takes."""
    return not any(c == "\x00" or "\ud800" <= c <= "\udfff" for text in texts(value) for c in text)


def nested(levels: int) -> bytes:
    out = [b"From: a@b.example"]
    for n in range(levels):
        out += [b"Content-Type: multipart/mixed; boundary=b%d" % n, b"", b"--b%d" % n]
    return b"\r\n".join([*out, b"", b"hi"])


def with_parts(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nhi\r\n" * count


@pytest.mark.parametrize("extra", [b"", b"X: \xe9\r\n"], ids=["native", "careful"])
@pytest.mark.parametrize(
    "raw",
    [
        nested(DEPTH_MAX),
        nested(300),
        nested(3000),
        with_parts(PARTS_MAX),
        with_parts(20_000),
        b"Content-Type: message/rfc822\r\n\r\n" * 2000 + b"\r\nhi",
        b"X: " + b"y" * HEADER_BYTES_MAX + b"\r\n\r\nhi",
        b"X" * (HEADER_BYTES_MAX + 1),
    ],
    ids=["50 levels", "300 levels", "3000 levels", "1000 parts", "20000 parts", "2000 mails", "header", "no header"],
)
def test_what_is_beyond_the_bounds_is_too_complex(raw: bytes, extra: bytes) -> None:
    with pytest.raises(TooComplex) as caught:
        parse(extra + raw)

    assert str(caught.value)


@pytest.mark.parametrize("extra", [b"", b"X: \xe9\r\n"], ids=["native", "careful"])
def test_what_is_just_within_the_bounds_is_read(extra: bytes) -> None:
    assert parse(extra + nested(DEPTH_MAX - 1)).body_text == "hi"
    assert parse(extra + with_parts(PARTS_MAX - 1)).body_text.count("hi") == PARTS_MAX - 1
    assert parse(extra + b"X: " + b"y" * (HEADER_BYTES_MAX - 100) + b"\r\n\r\nhi").body_text == "hi"


@pytest.mark.parametrize(
    "raw",
    [
        b"To: " + b"a@b.example, " * 15_000,
        b"To: " + b"(" * 200_000,
        b'From: "' + b"\\" * 200_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 15_000,
        b"Subject: =?utf-8?b?" + b"Q" * 200_000,
        b"References: " + b"a" * 200_000,
        b"References: " + b"<" * 200_000,
        b"Date: " + b"9" * 200_000,
        b"Content-Type: text/plain; " + b"a=b;" * 50_000,
        b"Content-Type: text/plain; name" + b"*0" * 50_000,
        b"Content-Disposition: attachment; filename=" + b"\xff" * 200_000,
        b"X: a" + b"\r\n " * 60_000,
        b"X: a\r\n" * 40_000,
        b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * 200_000,
        b"Content-Type: text/html\r\n\r\n" + b"<div/>" * 40_000,
        b"Content-Type: text/html\r\n\r\n<a " + b"x=1 " * 60_000,
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 1_000_000,
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"\xff" * 1_000_000,
        with_parts(0) + b"--b\r\nX: " + b"=?utf-8?q?a?= " * 80_000,
        with_parts(0) + b"\r\n--c" * 300_000,
        nested(45) + b"\r\n--zz" * 20_000,
    ],
    ids=lambda raw: raw[:24].decode("latin-1") + f" … {len(raw)}",
)
def test_a_hostile_mail_is_read_within_the_time_limit_and_within_bounds(raw: bytes) -> None:
    for extra in (b"", b"X: \xe9\r\n"):
        mail = parse(extra + raw)

        assert storable(mail)
        assert len(mail.subject) <= mime.SUBJECT_CHARS_MAX
        assert len(mail.references) <= mime.REFERENCES_MAX
        assert len(mail.to) <= 2000


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_bytes_are_a_mail(raw: bytes) -> None:
    mail = parse(raw)

    assert isinstance(mail, ParsedMail)
    assert storable(mail)


_NAMES = ["From", "To", "Subject", "Date", "Message-ID", "References", "Content-Type", "Content-Disposition",
          "Content-Transfer-Encoding", "Return-Path", "X", ""]  # fmt: skip
_VALUES = ["multipart/mixed; boundary=b", "multipart/digest; boundary=b", "message/rfc822", "text/html; charset=utf-7",
           "text/plain; charset=unicode_escape", "base64", "quoted-printable", "x-uuencode", "attachment; filename*0*=a",
           "=?utf-8?b?0J8=?=", "=?utf-16?q?=D8?=", "<a@b>", "<>", "a@", '"', "(", "\\ud800", "é", "\x00", "+2AA-", ""]  # fmt: skip
_PIECES = ["\r\n", "\n", "\r", "--b", "--b--", "--", ": ", " ", "\t", "<div>", "begin 644 x", "hi"]


@given(
    st.lists(
        st.sampled_from([*_NAMES, *_VALUES, *_PIECES, "\r\n\r\n", "\r\n--b\r\n"]) | st.text(max_size=5), max_size=40
    )
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_pieces_of_mails_are_a_mail(pieces: list[str]) -> None:
    raw = "".join(pieces).encode("utf-8", "surrogatepass")

    mail = parse(raw)

    assert storable(mail)
    for one in mail.attachments:
        assert len(cut(raw, one.part or "")) == one.size


@given(
    st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_VALUES) | st.text(max_size=20)), max_size=8),
    st.lists(st.sampled_from(["--b", "--b--", "", "hi", *_VALUES, "Content-Type: message/rfc822"]), max_size=12),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_headers_and_lines_are_a_mail(headers: list[tuple[str, str]], body: list[str]) -> None:
    text = "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n" + "\r\n".join(body)

    assert storable(parse(text.encode("utf-8", "surrogatepass")))


def message_of(text: str, html: str | None, files: list[tuple[str, bytes]]) -> EmailMessage:
    message = EmailMessage()
    message["From"] = '"Иван Петров" <ivan@customer.example>'
    message["To"] = "sales@example.org"
    message["Subject"] = "Заказ на поставку бытовой техники и запасных частей № 33"
    message["Date"] = format_datetime(AT)
    message["Message-ID"] = "<1@customer.example>"
    message.set_content(text, cte="base64")
    if html is not None:
        message.add_alternative(html, subtype="html", cte="quoted-printable")
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


_TEXT = st.text(alphabet="Привет, мир! abc\n.=<>&", max_size=200)


@given(
    _TEXT,
    st.none() | _TEXT,
    st.lists(
        st.tuples(st.sampled_from(["a.bin", "Счёт №33.pdf", "очень " * 20 + ".txt"]), st.binary(max_size=80)),
        max_size=3,
    ),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_both_parsers_agree_on_well_formed_mails(text: str, html: str | None, files: list[tuple[str, bytes]]) -> None:
    raw = message_of(text, html, files).as_bytes()

    native = mime._native(fast_mail_parser.parse_email_tree(raw), raw)
    careful = careful_tree(raw, PARTS_MAX, DEPTH_MAX)

    assert native is not None
    native.headers = careful.headers
    assert mime._mail(native) == mime._mail(careful)
    assert described(native) == described(careful)
    assert mime._mail(careful).subject == "Заказ на поставку бытовой техники и запасных частей № 33"
    assert mime._mail(careful).from_[0].display_name == "Иван Петров"


def described(tree: Tree) -> list[object]:
    content = tree.content.replace(b"\r\n", b"\n").strip()
    return [tree.content_type, tree.filename, tree.disposition, content, [described(one) for one in tree.children]]


@pytest.mark.parametrize(
    ("raw", "header", "parts", "heavy"),
    [
        (b"A: b\r\n\r\nhi", 4, 0, False),
        (b"A: b\n\nhi", 4, 0, False),
        (b"A: b", 4, 0, False),
        (b"\r\nhi", 0, 0, False),
        (b"", 0, 0, False),
        (with_parts(150), 41, 150, False),
        (with_parts(250), 41, 250, True),
        (nested(10), 61, 10, False),
        (nested(30), 61, 30, True),
        (nested(30).replace(b"boundary=", b"boundary ="), 62, 30, True),
        (nested(30).replace(b"boundary=", b"BOUNDARY="), 61, 30, True),
        (b"Content-Type: message/rfc822\r\n\r\n" * 30, 28, 0, True),
        (b"A: " + b"b" * 70_000 + b"\n\n", 70_003, 0, True),
        (b"A: b\n\n" + b"x" * 300_000, 4, 0, True),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_look_tells_what_a_mail_would_cost(raw: bytes, header: int, parts: int, heavy: bool) -> None:
    shape = inspect(raw)

    assert shape.header_bytes == header
    assert shape.parts == parts
    assert is_heavy(shape) is heavy


@pytest.mark.parametrize("raw", [nested(5), with_parts(3), b"\xff"])
def test_a_parsed_mail_goes_to_another_process_and_back(raw: bytes) -> None:
    mail = parse(raw)

    assert pickle.loads(pickle.dumps(mail)) == mail


@pytest.mark.parametrize("charset", ["utf-8", "cp1251"])
def test_a_name_in_raw_bytes_is_read_in_its_charset(charset: str) -> None:
    raw = (
        with_parts(1)
        + 'Content-Disposition: attachment; filename="Счёт на оплату.pdf"'.encode(charset)
        + b"\r\n\r\n%PDF"
    )
    raw = raw.replace(b"hi\r\n", b"hi\r\n--b\r\n")

    assert [one.name for one in parse(raw).attachments] == ["Счёт на оплату.pdf"]
