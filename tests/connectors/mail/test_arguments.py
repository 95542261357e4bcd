"""What we send: nothing can smuggle in a command, names survive the journey, sets fit a line."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Refused
from connectors.mail.arguments import (
    Literal,
    chunks,
    decode_name,
    encode_name,
    search_date,
    string,
    uid_sets,
)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("INBOX", b"INBOX"),
        ("anna@example.org", b"anna@example.org"),
        ("", b'""'),
        ("NIL", b'"NIL"'),
        ("Sent Items", b'"Sent Items"'),
        ('a"b\\c', b'"a\\"b\\\\c"'),
        ("(x) {5}", b'"(x) {5}"'),
        ("Пароль", "Пароль".encode()),
        (b"\xff\x80", b"\xff\x80"),
    ],
)
def test_strings_take_the_plainest_form(value: str | bytes, sent: bytes) -> None:
    assert string(value, "name") == sent


def test_what_is_not_ascii_or_too_long_is_a_literal() -> None:
    assert isinstance(string("Пароль", "password"), Literal)
    assert isinstance(string("x y" * 500, "password"), Literal)
    assert not isinstance(string("x y", "password"), Literal)


@pytest.mark.parametrize("value", ["a\r\nA2 DELETE INBOX", "a\nb", "a\rb", "a\0b", b"a\0"])
def test_line_ends_and_nul_are_refused_without_showing_the_value(value: str | bytes) -> None:
    with pytest.raises(Refused, match="the password has a line end") as error:
        string(value, "password")

    assert "DELETE" not in str(error.value)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(Refused, match="the password is not valid text"):
        string("\udcff", "password")


@given(st.text(max_size=50))
def test_a_string_never_has_a_bare_line_end(value: str) -> None:
    try:
        sent = chunks("A1", "LOGIN", [string(value, "user name")])
    except Refused:
        return
    assert all(chunk.endswith(b"\r\n") for chunk in sent)
    assert all(chunk.count(b"\r\n") == 1 for chunk in sent)


def test_a_command_waits_before_each_literal() -> None:
    assert chunks("A1", "LOGIN", [Literal(b"\xd0\x90"), b"x", Literal(b"yz")]) == [
        b"A1 LOGIN {2}\r\n",
        b"\xd0\x90 x {2}\r\n",
        b"yz\r\n",
    ]


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", b"INBOX"),
        ("Tom & Jerry", b"Tom &- Jerry"),
        ("Отправленные", b"&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 §5.1.3
        ("😀", b"&2D3eAA-"),
    ],
)
def test_folder_names_travel_in_modified_utf7(name: str, wire: bytes) -> None:
    assert encode_name(name) == wire
    assert decode_name(wire) == name


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (b"&", "&"),
        (b"&abc", "&abc"),
        (b"&!!!-", "&!!!-"),
        (b"&2D0-", "&2D0-"),  # half a surrogate pair
        (b"&AAA-", "&AAA-"),  # a NUL is no part of a name
        (b"&AAo-x", "&AAo-x"),  # nor is a line end
        ("Спам".encode(), "Спам"),  # UTF8=ACCEPT, or a server that does not care
        (b"\xff", "�"),
    ],
)
def test_a_name_that_is_not_valid_stays_as_it_came(wire: bytes, name: str) -> None:
    assert decode_name(wire) == name


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=40))
def test_every_name_survives_the_journey(name: str) -> None:
    wire = encode_name(name)
    assert all(0x20 <= byte <= 0x7E for byte in wire)
    assert decode_name(wire) == name


@given(st.binary(max_size=60))
def test_any_bytes_have_a_name_that_can_be_stored(raw: bytes) -> None:
    name = decode_name(raw.replace(b"\0", b""))
    name.encode()
    assert "\0" not in name


@pytest.mark.parametrize(
    ("uids", "bytes_max", "sets"),
    [
        ([], 100, []),
        ([5], 100, [b"5"]),
        ([3, 1, 2, 2, 9], 100, [b"1:3,9"]),
        ([1, 2], 100, [b"1:2"]),
        ([1, 3, 5, 7], 5, [b"1,3,5", b"7"]),
    ],
)
def test_uid_sets(uids: list[int], bytes_max: int, sets: list[bytes]) -> None:
    assert [line for line, _ in uid_sets(uids, bytes_max)] == sets


@given(st.sets(st.integers(1, 2**32 - 1), max_size=300), st.integers(25, 200))
def test_sets_hold_every_uid_once_and_fit_the_line(uids: set[int], bytes_max: int) -> None:
    found = list(uid_sets(uids, bytes_max))

    assert [uid for _, held in found for uid in held] == sorted(uids)
    assert all(len(line) <= bytes_max for line, _ in found)


def test_days_are_written_in_english() -> None:
    assert search_date(date(2026, 5, 9)) == b"9-May-2026"
