"""Mail that is never stored: by any address that its headers name, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactions.never_log import NeverLog

NEVER = NeverLog(("lawyer@example.com", "Bank.example", "@clinic.example", "банк.рф"))


@pytest.mark.parametrize(
    "head",
    [
        "From: lawyer@example.com",
        "From: The Law <LAWYER@EXAMPLE.COM>",
        "To: a@b.example,\r\n\tlawyer@example.com",
        "to : a@b.example,\n <anna@bank.example>",
        "CC: x@mail.bank.example",
        "Bcc: x@bank.example.",
        "Reply-To: desk@clinic.example",
        "Resent-To: desk@clinic.example",
        "Return-Path: <bounce@bank.example>",
        "From: Иван <a@банк.рф>",
        "From: a@xn--80ab2al.xn--p1ai",
        "From: one@other.example (lawyer@example.com)",
        'From: "x@bank.example" <y@other.example>',
        "Subject: hello\r\nFrom: x@bank.example\r\n\r\ntext",
    ],
)
def test_who_is_named_is_left_out(head: str) -> None:
    assert NEVER.names(head.encode())


@pytest.mark.parametrize(
    "head",
    [
        "From: other-lawyer@example.com",
        "From: lawyer@example.com.evil.example",
        "From: x@mybank.example",
        "From: x@bank.example.org",
        "From: first.bank.example@mail.example",
        "From: x@bank.examples",
        "Subject: lawyer@example.com",
        "X-From: lawyer@example.com",
        "From: a@b.example\r\n\r\nFrom: lawyer@example.com",
        "From: a@b.example\n\nTo: x@bank.example",
        "",
    ],
)
def test_others_are_not(head: str) -> None:
    assert not NEVER.names(head.encode())


def test_nothing_to_leave_out_leaves_nothing_out() -> None:
    assert NeverLog().is_empty
    assert not NeverLog(("", " ", "@")).names(b"From: lawyer@example.com")
    assert not NEVER.is_empty


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert NEVER.names(b"To: x@bank.example\r\n" + raw)
