"""What is attached to a mail: other mails, and names in the headers of parts, whichever parser reads them."""

from email.message import EmailMessage

import pytest

from interactions.mime import cut, parse


def lines(*texts: str) -> bytes:
    return "\r\n".join(texts).encode()


def test_a_mail_attached_to_a_mail_is_one_file() -> None:
    inner = EmailMessage()
    inner["Subject"] = "Счёт/17"
    inner.set_content("words")
    inner.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    outer = EmailMessage()
    outer["From"] = "a@b.example"
    outer.set_content("see below")
    outer.add_attachment(inner)
    raw = outer.as_bytes()

    for whole in (raw, raw.replace(b"From: a@b.example", "From: а <a@b.example>".encode())):  # native, and careful
        mail = parse(whole)
        assert [(one.name, one.content_type, one.part) for one in mail.attachments] == [
            ("Счёт_17.eml", "message/rfc822", "2")
        ]
        assert parse(cut(whole, "2")).attachments[0].name == "a.pdf"
        assert cut(whole, "2.1.2") == b"%PDF"  # as it was listed before it was one file


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"=?windows-1251?b?xO7q8+zl7fI=?=", "Документ"),
        ("Документ".encode(), "Документ"),
        ("Документ".encode("cp1251"), "Документ"),
        (b"=?iso-8859-1?q?B=E4r?=", "Bär"),
        (b"=?utf-8?b?0JTQvtC=?= =?utf-8?b?utC+?=", "Доко"),
    ],
)
def test_a_name_in_the_header_of_a_part_is_read_whoever_reads_it(name: bytes, expected: str) -> None:
    raw = lines(
        "From: a@b.example", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "hi", "--b", "X-Y: z", ""
    )
    raw += (
        b'Content-Disposition: attachment; filename="%s.pdf"\r\nContent-Type: application/pdf\r\n\r\nx\r\n--b--\r\n'
        % name
    )

    assert [one.name for one in parse(raw).attachments] == [f"{expected}.pdf"]


def test_html_of_more_than_a_megabyte_is_whole_where_all_of_it_is_read() -> None:
    head = b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n"

    assert "truncated" not in parse(head + b"<p>a</p>" * 150_000).marks
    assert "truncated" in parse(head + b"<p>a</p>" * 300_000).marks


@pytest.mark.parametrize(
    ("content_type", "body", "is_sealed"),
    [
        ("application/pkcs7-mime; smime-type=enveloped-data", b"x", True),
        ("application/pkcs7-mime", b"x", True),
        ("application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", b"x", False),
        ('multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b', b"--b\r\n\r\nx\r\n--b--\r\n", True),
        ("text/plain", b"-----BEGIN PGP MESSAGE-----\r\n\r\nabc", True),
        ("text/plain", b"See:\r\n-----BEGIN PGP MESSAGE-----\r\n", False),
    ],
)
def test_what_only_its_addressee_can_read_is_marked(content_type: str, body: bytes, is_sealed: bool) -> None:
    mail = parse(f"From: a@b.example\r\nContent-Type: {content_type}\r\n\r\n".encode() + body)

    assert ("encrypted" in mail.marks) is is_sealed
