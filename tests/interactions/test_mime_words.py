"""Charsets, encoded words and parameters of headers: as the standards say, and as mail programs write them."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.mime_words import clean, decode_bytes, decode_words, parameters, raw_text


@pytest.mark.parametrize(
    ("content", "charset", "expected"),
    [
        (b"plain", "us-ascii", "plain"),
        ("Привет".encode(), "utf-8", "Привет"),
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет"),
        ("Привет".encode("cp1251"), "windows-1251", "Привет"),
        ("Привет".encode("utf-16"), "utf-16", "Привет"),
        ("テスト".encode("iso-2022-jp"), "iso-2022-jp", "テスト"),
        ("Привет".encode("cp1251"), "utf-8", "Привет"),
        ("Привет".encode(), "us-ascii", "Привет"),
        ("Привет".encode(), "no-such-charset", "Привет"),
        ("Привет".encode(), "", "Привет"),
        ("Привет".encode(), "\x00", "Привет"),
        ("Привет".encode(), "кодировка", "Привет"),
        (b"\x98", "utf-8", "\x98"),
        (b"caf\xe9", "iso-8859-1", "café"),
        (b"\\x41\\ud800", "unicode_escape", "\\x41\\ud800"),
        (b"abc", "rot13", "abc"),
        (b"abc", "base64", "abc"),
        (b"", "utf-8", ""),
    ],
)
def test_text_is_read_by_its_charset_or_the_first_that_fits(content: bytes, charset: str, expected: str) -> None:
    assert decode_bytes(content, charset) == expected


def test_a_character_cut_off_at_the_end_of_a_long_text_is_left_out() -> None:
    text = "Привет " * 200

    assert decode_bytes(text.encode() + "я".encode()[:1]) == text


def test_a_charset_of_slow_decoding_is_not_believed() -> None:
    content = b"a" * 300_000 + b"-" + b"a" * 300_000

    assert decode_bytes(content, "punycode") == content.decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?B?0J/RgNC40LLQtdGC?=", "Привет"),
        ("=?UTF-8?q?=D0=9F=D1=80?=", "Пр"),
        ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
        ("=?windows-1251?Q?=CF=F0=E8=E2=E5=F2?=", "Привет"),
        ("=?utf-8?q?a_b=5Fc?=", "a b_c"),
        ("=?utf-8?q?a?= =?utf-8?q?b?= c =?utf-8?q?d?=", "ab c d"),
        ("=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        ("=?utf-8?B?0J8=?= =?koi8-r?B?0g==?=", "Пр"),
        ("=?utf-8?B?0A==?= =?utf-8?B?nw==?=", "П"),
        ("=?utf-8?B?0A==?= =?UTF-8?Q?=9F?=", "П"),
        ("Re: =?utf-8*ru?q?=D0=9F?= (1)", "Re: П (1)"),
        ("=?utf-8?q??=", ""),
        ("=?utf-8?q?a b?=", "a b"),
        ("=?utf-8?q?is this ok??=", "is this ok?"),
        ("=?utf-8?B?0J/RgA?=", "Пр"),
        ("=?utf-8?B?0J/R gA==?=", "Пр"),
        ("=?utf-8?B?0J/RgAx?=", "Пр\f"),
        ("=?utf-8?B?!!?=", ""),
        ("=?utf-8?q?=ZZ=4?=", "=ZZ=4"),
        ("=?no-such?q?=D0=9F?=", "П"),
        ("=?utf-8?q?never ends", "=?utf-8?q?never ends"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?=?=?=", "=?=?=?="),
        ("я你=?utf-8?q?=D0=9F?=я", "я你Пя"),
        ("1 =? 2 ?= 3", "1 =? 2 ?= 3"),
    ],
)
def test_encoded_words_are_read(text: str, expected: str) -> None:
    assert decode_words(text) == expected


def test_a_long_word_may_be_cut_in_the_middle_of_its_characters() -> None:
    text = "Предложение о поставке бытовой техники, вторая редакция"
    octets = text.encode()
    pieces = [octets[n : n + 7] for n in range(0, len(octets), 7)]
    folded = "\r\n ".join(f"=?utf-8?B?{base64.b64encode(piece).decode()}?=" for piece in pieces)

    assert decode_words(folded) == text


@given(st.text(max_size=60).filter(lambda text: text.isprintable()), st.sampled_from(["utf-8", "koi8-r", "cp1251"]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_what_was_encoded_is_read_back(text: str, charset: str) -> None:
    try:
        octets = text.encode(charset)
    except UnicodeEncodeError:
        return
    word = f"=?{charset}?B?{base64.b64encode(octets).decode()}?="

    assert decode_words(word) == octets.decode(charset)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/plain", {}),
        ("text/plain; charset=utf-8", {"charset": "utf-8"}),
        ('text/plain; CHARSET="utf-8"; format=flowed', {"charset": "utf-8", "format": "flowed"}),
        ("text/plain ; charset = utf-8 ;", {"charset": "utf-8"}),
        ("a/b;;; x=1", {"x": "1"}),
        ("a/b; x=1; x=2", {"x": "1"}),
        ("a/b; name=Счёт на оплату.pdf", {"name": "Счёт на оплату.pdf"}),
        ('a/b; name="a;b=c\\"d.pdf"; x=1', {"name": 'a;b=c"d.pdf', "x": "1"}),
        ('a/b; name="never ends', {"name": "never ends"}),
        ('a/b; name="x" junk; y=z', {"name": "x", "y": "z"}),
        ('a/b; name="=?utf-8?B?0J8=?=.pdf"', {"name": "П.pdf"}),
        ('a/b; name="=?utf-8?B?0J8=?=\r\n =?utf-8?B?0J8=?="', {"name": "ПП"}),
        ("a/b; name*=utf-8''%D0%9F.pdf", {"name": "П.pdf"}),
        ("a/b; name*=koi8-r'ru'%F0.pdf", {"name": "П.pdf"}),
        ("a/b; name*=%D0%9F.pdf", {"name": "П.pdf"}),
        ("a/b; name*0*=utf-8''%D0; name*1*=%9F; name*2=.pdf", {"name": "П.pdf"}),
        ("a/b; name*1=b; name*0=a", {"name": "ab"}),
        ("a/b; name*0*=no-such''%D0%9F", {"name": "П"}),
        ("attachment; filename=plain.pdf; filename*=utf-8''%D0%9F.pdf", {"filename": "П.pdf"}),
        ("attachment; filename*=''", {"filename": ""}),
        ("a/b; =; x=1", {"x": "1"}),
        ("a/b; *=1; *0=2", {"*": "1", "*0": "2"}),
        ("", {}),
        (";", {}),
    ],
)
def test_parameters_are_read(value: str, expected: dict[str, str]) -> None:
    assert parameters(value) == expected


@pytest.mark.parametrize(
    "piece",
    [
        ";",
        "; ",
        "a",
        "=",
        '"',
        "\\",
        "a=b;",
        "=;",
        "a*0=b;",
        '";"',
        "=?",
        "=?a?q?",
        "=?a?q?b?= ",
        "=?a?b?",
        "?=",
        "\r\n ",
    ],
)
def test_a_million_characters_of_nonsense_end(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))

    assert len(parameters("a/b;" + text)) <= 100
    assert len(decode_words(text)) <= len(text)
    assert len(raw_text(text.encode())) <= len(text)


@given(st.text() | st.text(alphabet="=?;*'\"\\ abqQB018-\udc80\x00"))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_text_has_words_and_parameters(text: str) -> None:
    assert isinstance(decode_words(text), str)
    for name, value in parameters(text).items():
        assert name
        assert isinstance(value, str)


@given(st.binary(), st.text(max_size=12))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_bytes_in_any_charset_are_text(content: bytes, charset: str) -> None:
    assert isinstance(clean(decode_bytes(content, charset)).encode(), bytes)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"one\r\n two\r\n\tthree", "one two three"),
        (b"one\n  two\r\n", "one two"),
        ("Иван".encode(), "Иван"),
        ("Иван".encode("cp1251"), "Иван"),
    ],
)
def test_a_header_is_unfolded_and_its_raw_bytes_are_text(value: bytes, expected: str) -> None:
    assert raw_text(value) == expected


def test_what_no_database_keeps_is_taken_out() -> None:
    assert clean("a\x00b\x1b\x7f\ud800\udc80\tc\nd") == "ab\tc\nd"
