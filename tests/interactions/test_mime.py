"""Bytes to a mail: as it should be, as it really comes, and as somebody who means harm would send it."""

import base64
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from interactions.mime import (
    cut,
    parse,
)

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


def lines(*texts: str) -> bytes:
    """A mail of these lines; what is beyond Latin-1 is UTF-8."""
    return "\r\n".join(texts).encode()


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


def plain_mail() -> bytes:
    return lines(
        "From: =?utf-8?b?0JjQstCw0L0=?= <Ivan@Customer.example>",
        'To: "Sales, Ltd" <sales@example.org>, other@example.org',
        "Cc: boss@example.org",
        "Reply-To: ivan.home@customer.example",
        "Subject: =?utf-8?q?=D0=97=D0=B0=D0=BA=D0=B0=D0=B7?= 33",
        "Date: Mon, 23 Nov 2026 12:00:00 +0300",
        "Message-ID: <3@customer.example>",
        "In-Reply-To: <2@example.org>",
        "References: <1@customer.example> <2@example.org>",
        "List-Id: Orders <orders.customer.example>",
        "Importance: high",
        "",
        "Здравствуйте!",
    )


def test_every_field_of_a_plain_mail_is_read() -> None:
    mail = parse(plain_mail())

    assert [(one.display_name, one.address) for one in mail.from_] == [("Иван", "Ivan@Customer.example")]
    assert [one.address for one in mail.to] == ["sales@example.org", "other@example.org"]
    assert mail.to[0].display_name == "Sales, Ltd"
    assert [one.address for one in mail.cc] == ["boss@example.org"]
    assert [one.address for one in mail.reply_to] == ["ivan.home@customer.example"]
    assert mail.subject == "Заказ 33"
    assert mail.date == AT
    assert mail.message_id == "3@customer.example"
    assert mail.in_reply_to == ("2@example.org",)
    assert mail.references == ("1@customer.example", "2@example.org")
    assert mail.list_id == "Orders <orders.customer.example>"
    assert mail.importance == "high"
    assert mail.marks == ("bulk",)
    assert mail.body_text == "Здравствуйте!"
    assert mail.html is None
    assert mail.attachments == ()


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        ("Привет".encode("cp1251"), "Content-Type: text/plain; charset=windows-1251", "Привет"),
        ("Привет".encode("koi8-r"), 'Content-Type: text/plain; charset="KOI8-R"', "Привет"),
        ("Привет".encode(), "Content-Type: text/plain; charset=us-ascii", "Привет"),
        ("Привет".encode("cp1251"), "Content-Type: text/plain; charset=utf-8", "Привет"),
        ("Привет".encode("cp1251"), "X: y", "Привет"),
        ("Привет".encode(), "Content-Type: text/plain; charset=no-such-charset", "Привет"),
        ("Привет".encode(), "Content-Type: text/plain; charset=", "Привет"),
        ("Привет".encode(), "Content-Type: text", "Привет"),
        ("Привет".encode(), "Content-Type:", "Привет"),
        ("テスト".encode("iso-2022-jp"), "Content-Type: text/plain; charset=iso-2022-jp", "テスト"),
        (base64.encodebytes("Привет".encode()), "Content-Transfer-Encoding: base64", "Привет"),
        (base64.b64encode("Привет".encode()) + b"=!!", "Content-Transfer-Encoding: base64", "Привет"),
        (b"=D0=9F=\r\n=D1=80=ZZ=", "Content-Transfer-Encoding: quoted-printable", "Пр=ZZ"),
        (b"begin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n", "Content-Transfer-Encoding: X-UUencode", "Cat"),
        (b"abc", "Content-Transfer-Encoding: no-such-encoding", "abc"),
        (b"a\x00b\x1bc\x7f", "X: y", "abc"),
        (b"+2AA-", "Content-Type: text/plain; charset=utf-7", ""),
        (b"<p>one<br>two</p><p>three &amp; four</p>", "Content-Type: text/html", "one\ntwo\n\nthree & four"),
        (b"", "X: y", ""),
    ],
)
def test_a_body_is_text_whatever_it_says_of_itself(content: bytes, headers: str, expected: str) -> None:
    mail = parse(headers.encode() + b"\r\n\r\n" + content)

    assert mail.body_text == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Subject: Счёт", "Счёт"),
        ("Subject:no space", "no space"),
        ("Subject : space before the colon", "space before the colon"),
        ("SUBJECT: one\r\n two\r\n\tthree", "one two three"),
        ("Subject: one\r\nSubject: two", "one"),
        ("Subject:   many     spaces  ", "many spaces"),
        ("Subject: a\x00b =?utf-8?q?=00=01c?=", "ab c"),
        ("Subject: =?utf-7?q?+2AA-?=x", "x"),
        ("Subject: =?utf-8?B?0A==?=\r\n =?utf-8?B?nw==?=", "П"),
        ("Subject: =?utf-8?q?never ends", "=?utf-8?q?never ends"),
        ("Subject: " + "a" * 10_000, "a" * 4000),
        ("Subject:", ""),
        ("Not a header line\r\nSubject: after it", "after it"),
        ("From sender@x.example Mon Nov 23 09:00:00 2026\r\nSubject: of an mbox", "of an mbox"),
        ("X: y", ""),
    ],
)
def test_a_subject_is_read_however_it_is_written(header: str, expected: str) -> None:
    assert parse(header.encode() + b"\r\n\r\ntext").subject == expected


def test_raw_bytes_in_headers_get_the_charset_that_fits() -> None:
    mail = parse(b"Subject: " + "Счёт".encode("cp1251") + b"\r\nFrom: " + "Иван".encode() + b" <a@b.example>\r\n\r\n.")

    assert mail.subject == "Счёт"
    assert mail.from_[0].display_name == "Иван"


def test_raw_bytes_and_encoded_words_may_stand_in_one_header() -> None:
    mail = parse("Subject: я你 =?utf-8?q?=D0=9F?=\r\n\r\n.".encode())

    assert mail.subject == "я你 П"


@pytest.mark.parametrize("break_", [b"\r\n", b"\n", b"\r"])
def test_any_kind_of_line_end_is_one(break_: bytes) -> None:
    mail = parse(break_.join([b"Subject: one", b"From: a@b.example", b"", b"text"]))

    assert (mail.subject, mail.from_[0].address, mail.body_text) == ("one", "a@b.example", "text")


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"", ""),
        (b"\r\n", ""),
        (b"\r\nFrom: a@b.example\r\n\r\ntext", "From: a@b.example\n\ntext"),
        (b"just words\r\nand more", "just words\nand more"),
        (b"\x00" * 100, ""),
        (b"\xff" * 3, "яяя"),
    ],
)
def test_a_mail_without_headers_is_its_text(raw: bytes, body: str) -> None:
    mail = parse(raw)

    assert mail.body_text == body
    assert mail.from_ == ()
    assert mail.message_id == ""
    assert "ambiguous" in mail.marks


@pytest.mark.parametrize(
    ("headers", "ambiguous"),
    [
        ("From: a@b.example", False),
        ("From: A <a@b.example>", False),
        ("From: a@b.example, c@d.example", True),
        ("From: a@b.example\r\nFrom: c@d.example", True),
        ("From: a@b.example\r\nFrom: a@b.example", True),
        ("From: alice@example.org)bob@evil.example", True),
        ("From: =?utf-8?q?=3Cboss=40corp.example=3E?= <a@b.example>", False),
        ("From: \x00", True),
        ("From: a@b.example\r\nContent-Type: text/plain\r\nContent-Type: text/html", True),
        ("From: a@b.example\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: base64", True),
        ("X: y", True),
    ],
)
def test_what_can_be_read_in_two_ways_is_ambiguous(headers: str, ambiguous: bool) -> None:
    mail = parse(headers.encode() + b"\r\n\r\ntext")

    assert ("ambiguous" in mail.marks) is ambiguous


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Message-ID: <1@b.example>", "1@b.example"),
        ("Message-Id: 1@b.example", "1@b.example"),
        ("Message-ID: <1@\r\n b.example>", "1@b.example"),
        ("Message-ID: <1\x00@b.example>", "1@b.example"),
        ("Message-ID: <1@b.example>\r\nMessage-ID: <2@b.example>", "1@b.example"),
        ("Message-ID: <>", ""),
        ("Message-ID: <no-at>", ""),
        ("Message-ID: <a@[1.2.3>", "a@[1.2.3"),
        ("X: y", ""),
    ],
)
def test_an_id_is_read_or_missing(header: str, expected: str) -> None:
    assert parse(header.encode() + b"\r\n\r\ntext").message_id == expected


def test_an_address_of_the_mail_is_no_reference() -> None:
    mail = parse(
        lines(
            "From: ivan@customer.example",
            "To: sales@example.org",
            "In-Reply-To: <sales@example.org>",
            "References: <ivan@customer.example> <1@x.example>",
            "",
            "",
        )
    )

    assert mail.in_reply_to == ()
    assert mail.references == ("1@x.example",)


def test_of_very_many_references_the_first_and_the_last_are_kept() -> None:
    mail = parse(b"References: " + b" ".join(b"<%d@x>" % n for n in range(5000)) + b"\r\n\r\n")

    assert mail.references == tuple(f"{n}@x" for n in (*range(50), *range(4950, 5000)))


@pytest.mark.parametrize(
    ("disposition", "kind", "expected"),
    [
        ('attachment; filename="a.pdf"', "application/pdf", "a.pdf"),
        ("attachment", 'application/pdf; name="a.pdf"', "a.pdf"),
        ('attachment; filename="=?utf-8?B?0KHRh9GR0YI=?=.pdf"', "application/pdf", "Счёт.pdf"),
        ("attachment; filename*=utf-8''%D0%A1%D1%87%D1%91%D1%82.pdf", "application/pdf", "Счёт.pdf"),
        ("attachment; filename*0*=utf-8''%D0; filename*1*=%A1.pdf", "application/pdf", "С.pdf"),
        ('attachment; filename="Счёт.pdf"', "application/pdf", "Счёт.pdf"),
        ("attachment; filename=Счёт на оплату.pdf", "application/pdf", "Счёт на оплату.pdf"),
        ('attachment; filename="../../x\x00.exe"', "application/pdf", "_.._x_.exe"),
        ("attachment", "application/pdf", "part-1.pdf"),
        ("attachment", "application/\x00x", "part-1.octet-stream"),
    ],
)
def test_an_attachment_has_a_name(disposition: str, kind: str, expected: str) -> None:
    mail = parse(
        lines(
            "Content-Type: multipart/mixed; boundary=b",
            "",
            "--b",
            "",
            "see the file",
            "--b",
            f"Content-Type: {kind}",
            f"Content-Disposition: {disposition}",
            "",
            "%PDF",
            "--b--",
        )
    )

    assert [one.name for one in mail.attachments] == [expected]
    assert mail.body_text == "see the file"
    assert storable(mail)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/pdf", "application/pdf"),
        ("Application/PDF; name=x", "application/pdf"),
        ("image/svg+xml", "image/svg+xml"),
        ("application/\xff\xfe", "application/octet-stream"),
        ("application/" + "a" * 1000, "application/octet-stream"),
        ("application/x<script>", "application/octet-stream"),
        ("a/b/c", "application/octet-stream"),
    ],
)
def test_the_type_of_an_attachment_is_a_type(kind: str, expected: str) -> None:
    for extra in ("", "X: é\r\n"):
        mail = parse(
            f"{extra}Content-Type: {kind}\r\nContent-Disposition: attachment; filename=a\r\n\r\nx".encode("latin-1")
        )

        assert [one.content_type for one in mail.attachments] == [expected]


def test_attachments_know_their_place_and_can_be_cut_out() -> None:
    message = EmailMessage()
    message["From"] = "a@b.example"
    message.set_content("text")
    message.add_alternative("<p>text</p><img src='cid:1'>", subtype="html")
    message.add_attachment(b"%PDF one", maintype="application", subtype="pdf", filename="one.pdf")
    message.add_attachment(b"GIF", maintype="image", subtype="gif", filename="two.gif", disposition="inline")
    raw = message.as_bytes()

    mail = parse(raw)

    assert mail.body_text == "text"
    assert mail.html is not None
    assert "cid:1" in mail.html
    assert [(one.n, one.name, one.size, one.inline) for one in mail.attachments] == [
        (0, "one.pdf", 8, False),
        (1, "two.gif", 3, True),
    ]
    assert [one.part for one in mail.attachments] == ["2", "3"]
    assert [cut(raw, one.part or "") for one in mail.attachments] == [b"%PDF one", b"GIF"]
    with pytest.raises(KeyError):
        cut(raw, "9.9")


def test_a_text_file_is_an_attachment_and_not_the_body() -> None:
    mail = parse(
        lines(
            "Content-Type: multipart/mixed; boundary=b",
            "",
            "--b",
            "",
            "body",
            "--b",
            "Content-Type: text/plain; name=log.txt",
            "",
            "log",
            "--b",
            "Content-Type: text/plain",
            "Content-Disposition: ATTACHMENT",
            "",
            "also",
            "--b--",
        )
    )

    assert mail.body_text == "body"
    assert [one.name for one in mail.attachments] == ["log.txt", "part-2.plain"]


def test_the_headers_of_an_attached_mail_say_nothing_about_the_outer_one() -> None:
    mail = parse(
        lines(
            "From: outer@b.example",
            "Content-Type: multipart/mixed; boundary=b",
            "",
            "--b",
            "",
            "see below",
            "--b",
            "Content-Type: message/rfc822",
            "",
            "From: boss@corp.example",
            "Subject: inner",
            "Message-ID: <i@x>",
            "",
            "inner text",
            "--b--",
        )
    )

    assert [one.address for one in mail.from_] == ["outer@b.example"]
    assert (mail.subject, mail.message_id, mail.body_text) == ("", "", "see below")
    assert len(mail.attachments) == 1


@pytest.mark.parametrize(
    "raw",
    [
        lines("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "hi"),
        lines("Content-Type: multipart/mixed", "", "hi"),
        lines("Content-Type: multipart/mixed; boundary=other", "", "hi"),
        lines("Content-Type: multipart/mixed; boundary=", "", "hi"),
        lines('Content-Type: multipart/mixed; boundary="b', "", "--b", "", "hi", "--b--"),
        lines("Content-Type: multipart/mixed; boundary=b", "Content-Type: text/plain", "", "--b", "", "hi", "--b--"),
    ],
)
def test_nothing_of_a_broken_structure_is_hidden(raw: bytes) -> None:
    mail = parse(raw)

    shown = mail.body_text.encode() + b"".join(cut(raw, one.part or "") for one in mail.attachments)
    assert b"hi" in shown
