"""What is put into the index, and that each of the ways to ask for it finds it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.phones import phone_key
from interactions.records import AddressKind, Key
from interactions.search import (
    QUERY_CHARS_MAX,
    SearchQuery,
    email_lexeme,
    fold,
    lexemes_for,
    parse_query,
    phone_lexemes,
)

SHOP = Key(AddressKind.PHONE, "+74956329816")
IVAN = Key(AddressKind.EMAIL, "ivan@customer.example")
LEXEME = re.compile(r"[a-z0-9_]+")


def finds(q: str, *keys: Key) -> bool:
    """Whether a query that is a number or an address finds a record with these keys, as the database would."""
    query = parse_query(q, "RU")
    lexemes = lexemes_for(keys)
    return bool(query.prefixes) and all(any(one.startswith(prefix) for one in lexemes) for prefix in query.prefixes)


@pytest.mark.parametrize(
    "q",
    ["6329816", "495 632-98-16", "(495) 6329816", "+7 495 632-98-16", "84956329816", "8 (495) 632-98-16", "74956329816",
     "4956329816", "007 495 6329816", "9816", "32-98", "8 495 632", "+7 495 63", "7495", " 632 98 16 ", "495/632-98-16"],
)  # fmt: skip
def test_a_number_is_found_in_any_spelling_and_by_any_fragment(q: str) -> None:
    assert finds(q, SHOP)


@pytest.mark.parametrize("q", ["6329817", "+7 812 632-98-16", "98160", "+8 495 632"])
def test_another_number_is_not_found(q: str) -> None:
    assert not finds(q, SHOP)


@pytest.mark.parametrize(
    "q", ["ivan@customer.example", "Ivan@Customer.EXAMPLE", "ivan@", "ivan@cust", " <ivan@customer.example> "]
)
def test_an_address_is_found_by_its_beginning(q: str) -> None:
    assert finds(q, IVAN)


@pytest.mark.parametrize("q", ["ivan@shop.example", "van@customer.example", "ivan_@customer.example"])
def test_another_address_is_not_found(q: str) -> None:
    assert not finds(q, IVAN)


def test_an_address_in_letters_of_its_country_is_found_as_it_is_stored() -> None:
    assert finds("Иван@почта.рф", Key(AddressKind.EMAIL, "иван@xn--80a1acny.xn--p1ai"))


def test_an_extension_is_found() -> None:
    assert finds("101", Key(AddressKind.OTHER, "101"))
    assert not finds("101", Key(AddressKind.OTHER, "10"))


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("", ""),
        ("бытовая техника", "бытовая техника"),
        ("Консультации", "консультации"),
        ("ЁЛКА ёлка", "елка елка"),
        ("№33", "№33"),
        ("12", "12"),
        ("33 коровы", "33 коровы"),
        ("письмо ivan@customer.example", "письмо ivan@customer.example"),
        ("x" * 1000, "x" * QUERY_CHARS_MAX),
    ],
)
def test_anything_else_is_words(q: str, expected: str) -> None:
    assert parse_query(q, "RU") == SearchQuery(words=expected)


def test_lexemes_of_a_number_are_its_endings() -> None:
    assert phone_lexemes("+74956") == ["tel74956", "tel4956"]
    assert phone_lexemes("101") == ["tel101"]
    assert phone_lexemes("beeline") == []


def test_lexemes_of_a_record_are_those_of_its_addresses_each_once() -> None:
    assert lexemes_for([IVAN, IVAN, Key(AddressKind.OTHER, "101"), Key(AddressKind.OTHER, "beeline")]) == [
        "mail_ivan_40_customer_2e_example",
        "tel101",
    ]


def test_two_addresses_never_have_one_lexeme() -> None:
    addresses = ["a_b@c.example", "a.b@c.example", "a-b@c.example", "a_2e_b@c.example", "ab@c.example"]

    assert len({email_lexeme(one) for one in addresses}) == len(addresses)


@given(st.text())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_lexeme_is_safe_between_quotes_and_within_the_limit(text: str) -> None:
    keys = [Key(AddressKind.EMAIL, text), Key(AddressKind.PHONE, text), Key(AddressKind.OTHER, text)]

    for lexeme in lexemes_for(keys):
        assert LEXEME.fullmatch(lexeme)
        assert len(lexeme) <= 2046  # PostgreSQL's limit
    for prefix in parse_query(text + "@", "RU").prefixes:
        assert LEXEME.fullmatch(prefix)


def test_a_lexeme_of_the_longest_address_is_within_the_limit() -> None:
    assert len(email_lexeme("\U0010ffff" * 1000)) <= 2046


@given(st.integers(min_value=9_000_000_000, max_value=9_999_999_999), st.integers(0, 8))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_every_fragment_of_a_stored_number_finds_it(number: int, start: int) -> None:
    key = phone_key(f"8{number}", "RU")
    assert key is not None

    for fragment in (key.value[1:][start:], key.value[1:][start : start + 4]):
        if len(fragment) >= 4 and phone_key(fragment, "RU") != key:
            assert finds(fragment, key)


def test_texts_are_folded() -> None:
    assert fold("Счёт ЁЖ") == "счет еж"
