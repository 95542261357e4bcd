"""Which mails are read on the loop: those that surely take little of its time."""

import pytest

from daemon.workers import is_quick, may_be_brief
from tests.fakes.arrivals import START

HEADER = b"From: a@x.example\r\nDate: %s\r\nMessage-ID: <1@x.example>\r\n" % f"{START:%d %b %Y %H:%M} +0000".encode()
HTML = b"Content-Type: text/html; charset=utf-8\r\n\r\n"
PARAGRAPH = "<p>Здравствуйте, <b>Иван</b>!</p>\r\n".encode()


def test_a_hundred_thousand_parts_are_not_brief() -> None:
    mixed = HEADER + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"

    assert may_be_brief(mixed + b"--b\r\n\r\nhi\r\n" * 10)
    assert not may_be_brief(mixed + b"--b\r\n\r\n\r\n" * 100_000)


@pytest.mark.parametrize(
    ("raw", "quick"),
    [
        (HEADER + b"\r\nHello", True),
        (HEADER + b"Content-Type: text/plain\r\n\r\n" + b"Hello\r\n" * 30_000, True),
        (HEADER + HTML + PARAGRAPH * 500, True),
        (HEADER + HTML + PARAGRAPH * 2000, False),
        (HEADER + HTML.replace(b"html", b"HTML") + PARAGRAPH * 2000, False),
        (HEADER + HTML + b"<b>" * 3500, False),
        (HEADER + HTML + b"=3Cb>" * 3500, False),
        (HEADER + b"Content-Transfer-Encoding: base64\r\n" + HTML + b"PGI+" * 8000, False),
        (HEADER + b"\r\n" + b"Hello\r\n" * 40_000, False),
        (HEADER + b"References: " + b"<a@b>\r\n " * 3000 + b"\r\n\r\nHello", False),
        (HEADER + b"\r\n" + b"--q\r\n" * 300, False),
    ],
)
def test_quick_is_what_has_little_of_everything(raw: bytes, quick: bool) -> None:
    assert is_quick(raw) == quick
