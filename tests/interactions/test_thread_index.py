"""Outlook's Thread-Index: bytes 6 to 22 name the conversation, whatever is before and after."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.thread_index import conversation_in, conversation_of

NAME = bytes(range(100, 116))


def index(answers: int = 0, head: bytes = b"\x01\xd5\x00\x01\x02\x03") -> str:
    return b64encode(head + NAME + bytes(5 * answers)).decode()


@pytest.mark.parametrize(
    "value",
    [index(), index(1), index(40), index(head=b"\xc8\x00\x00\x01\x02\x03"), f" {index(40)[:60]}\r\n {index(40)[60:]}", index(1).rstrip("=")],
)  # fmt: skip
def test_a_first_mail_and_its_answers_have_one_name(value: str) -> None:
    assert conversation_in(value) == NAME


@pytest.mark.parametrize(
    "value",
    ["", "x", "AQ==", index()[:-6], index() + "!", "é" * 40, b64encode(bytes(23)).decode(), b64encode(bytes(22)).decode(),
     b64encode(b"\xff" * 22).decode()],
)  # fmt: skip
def test_what_is_no_index_has_no_name(value: str) -> None:
    assert conversation_in(value) is None


def test_it_is_read_from_the_header_and_not_from_the_text() -> None:
    header = f"From: a@x\r\nthread-index : {index(1)}\r\nTo: b@x\r\n\r\ntext".encode()
    folded = f"Thread-Index: {index(9)[:40]}\n\t{index(9)[40:]}\nTo: b@x\n\ntext".encode()

    assert conversation_of(header) == conversation_of(folded) == NAME
    assert conversation_of(f"From: a@x\n\nThread-Index: {index()}\n".encode()) is None
    assert conversation_of(b"X-Thread-Index: " + index().encode()) is None


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise(raw: bytes) -> None:
    conversation_of(b"Thread-Index: " + raw)
    conversation_of(raw)
