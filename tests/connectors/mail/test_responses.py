"""Reading what servers send: whole responses from any chunks, and nothing else than Garbled from any bytes."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mail.responses import Garbled, Response, ResponseReader, Token, number, pairs, parse, shown

PEER = "imap.example.org:993"
WIRE = (
    b"* OK ready {3}\r\n"
    b'* LIST (\\HasNoChildren) "/" "a \\"b\\" {5}"\r\n'
    b"* 1 FETCH (UID 7 BODY[] {12}\r\na) OK\r\nA1 OK FLAGS ())\r\n"
    b"A1 OK done {9}\r\n"
    b"+ go\n"
)
READ = [
    (b"* OK ready {3}",),
    (b'* LIST (\\HasNoChildren) "/" "a \\"b\\" {5}"',),
    (b"* 1 FETCH (UID 7 BODY[] ", b"a) OK\r\nA1 OK", b" FLAGS ())"),
    (b"A1 OK done {9}",),
    (b"+ go",),
]


def read(chunks: Iterable[bytes], reader: ResponseReader | None = None) -> list[tuple[bytes, ...]]:
    reader = reader or ResponseReader(PEER)
    return [response.pieces for chunk in chunks for response in reader.feed(chunk)]


def parsed(*pieces: bytes) -> list[Token]:
    return parse(Response(pieces), PEER)


def test_responses_are_cut_out_of_the_stream() -> None:
    assert read([WIRE]) == READ


@given(st.lists(st.integers(0, len(WIRE)), max_size=12).map(sorted))
def test_any_chunks_give_the_same_responses(cuts: list[int]) -> None:
    edges = [0, *cuts, len(WIRE)]
    assert read(WIRE[a:b] for a, b in itertools.pairwise(edges)) == READ


def test_a_body_can_not_forge_a_response() -> None:
    body = b"\r\nA1 OK FETCH done\r\n* BYE\r\n"

    found = read([b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%s)\r\n" % (len(body), body)])

    assert [pieces[1] for pieces in found] == [body]


def test_an_empty_literal_and_several_of_them() -> None:
    assert read([b"* 1 FETCH (A {0}\r\n B ~{2}\r\nxy C {1+}\r\nz)\r\n"]) == [
        (b"* 1 FETCH (A ", b"", b" B ", b"xy", b" C ", b"z", b")")
    ]


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"* 1 FETCH (BODY[] {1001}\r\n", "announced 1001 bytes"),
        (b"* 1 FETCH (BODY[] {99999999999999999999}\r\n", "announced"),
        (b"* " + b"x" * 200, "longer than 100"),
        (b"* " + b"x" * 200 + b"\r\n", "longer than 100"),
        (b"* 1 FETCH (" + b"A {0}\r\n" * 200, "too many parts"),
        (
            b"* 1 FETCH (" + b"A {600}\r\n" + b"x" * 600 + b" {600}\r\n" + b"x" * 600 + b")\r\n",
            "too many parts or bytes",
        ),
    ],
)
def test_what_is_beyond_a_bound_ends_the_reading(wire: bytes, why: str) -> None:
    reader = ResponseReader(PEER, literal_bytes_max=1000, line_bytes_max=100)

    with pytest.raises(Garbled, match=why):
        read([wire], reader)

    with pytest.raises(Garbled, match="given up"):
        read([b"* OK\r\n"], reader)


def test_twenty_digits_are_the_most_that_announce_a_literal() -> None:
    assert read([b"* 1 FETCH (X {123456789012345678901}\r\n"]) == [(b"* 1 FETCH (X {123456789012345678901}",)]


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_are_read_or_garbled(chunks: list[bytes]) -> None:
    try:
        for pieces in read(chunks, ResponseReader(PEER, 500, 500)):
            parsed(*pieces)
    except Garbled:
        pass


@given(st.text(alphabet='*()[]{}"\\ \r\nA1<>NIL.+~', max_size=80))
def test_anything_made_of_the_marks_of_the_protocol_is_read_or_garbled(text: str) -> None:
    try:
        for pieces in read([text.encode() + b"\r\n"], ResponseReader(PEER, 500, 500)):
            parsed(*pieces)
    except Garbled:
        pass


@pytest.mark.parametrize(
    ("pieces", "tokens"),
    [
        ((b"* SEARCH 1 2",), [b"SEARCH", b"1", b"2"]),
        ((b"* LIST (\\A \\B) NIL INBOX",), [b"LIST", [b"\\A", b"\\B"], None, b"INBOX"]),
        ((b'* LIST () "/" "a \\"b\\\\ (c) [d"',), [b"LIST", [], b"/", b'a "b\\ (c) [d']),
        ((b"* 1 FETCH (BODY[HEADER.FIELDS (A B)]<0> ", b"x) y", b")"),
         [b"1", b"FETCH", [b"BODY[HEADER.FIELDS (A B)]<0>", b"x) y"]]),
        ((b"* 1 FETCH (((A)(B)) nil)",), [b"1", b"FETCH", [[[b"A"], [b"B"]], None]]),
        ((b"* X \xff\x00",), [b"X", b"\xff\x00"]),
        ((b"",), []),
        ((b"*",), [b"*"]),
    ],
)  # fmt: skip
def test_tokens(pieces: tuple[bytes, ...], tokens: list[Token]) -> None:
    assert parsed(*pieces) == tokens


@pytest.mark.parametrize(
    "text", [b"* (", b"* )", b"* (a))", b'* "abc', b'* "a\\"', b"* a[b", b"* " + b"(" * 26 + b")" * 26]
)
def test_what_is_not_well_formed_is_garbled(text: bytes) -> None:
    with pytest.raises(Garbled, match="cannot be read"):
        parsed(text)


def test_the_work_grows_with_the_size_and_not_faster() -> None:
    # A megabyte that arrives byte by byte, and a hundred thousand lines in one chunk: squared, either takes minutes.
    line = b"* LSUB" + b" 1234567" * 130_000 + b"\r\n"

    found = read(line[n : n + 1] for n in range(len(line)))
    many = read([b"* 1 FETCH (FLAGS ())\r\n" * 100_000])

    assert len(found[0][0]) == len(line) - 2
    assert len(many) == 100_000


def test_words_of_a_server_are_shown_on_one_short_line() -> None:
    assert shown(b"no\r\n\x1b[31m \xff way") == "no   [31m � way"
    assert len(shown(b"x" * 10_000)) == 200


@pytest.mark.parametrize(
    ("token", "value"), [(b"12", 12), (b"", None), (b"-1", None), (b"1e3", None), (b"9" * 21, None), (None, None),
                         ([b"1"], None), (b"4294967296", None), (b"4294967295", 4294967295)],
)  # fmt: skip
def test_numbers(token: Token, value: int | None) -> None:
    assert number(token, 2**32 - 1) == value


def test_pairs_leave_out_what_has_no_value_or_no_name() -> None:
    assert pairs([b"uid", b"1", [b"x"], b"2", b"FLAGS"]) == {b"UID": b"1"}
