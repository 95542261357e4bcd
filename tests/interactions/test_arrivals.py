"""What arrives: mails are told from each other by their headers."""

import pytest

from interactions.arrivals import head_digest

HEAD = b"Subject: one\r\nMessage-ID: <a@b>"


@pytest.mark.parametrize(
    "raw",
    [
        HEAD,
        HEAD + b"\r\n\r\n",
        HEAD + b"\r\n\r\ntext\n\nmore",
        HEAD.replace(b"\r\n", b"\n") + b"\n\ntext\r\n\r\nmore",
    ],
)
def test_a_digest_is_of_the_headers_alone(raw: bytes) -> None:
    assert head_digest(raw) == head_digest(HEAD)


def test_other_headers_have_another_digest() -> None:
    assert head_digest(b"Subject: two\r\n\r\ntext") != head_digest(b"Subject: one\r\n\r\ntext")
    assert head_digest(b"") == head_digest(b"\r\n\r\n")
