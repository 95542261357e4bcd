"""E-mail addresses: one key for one mailbox, no key for what could be two, and lists read whatever they hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.addresses import (
    ADDRESS_OCTETS_MAX,
    ADDRESSES_MAX,
    LIST_CHARS_MAX,
    NAME_CHARS_MAX,
    Mailbox,
    clean_name,
    domain_of,
    email_key,
    parse_addresses,
)
from interactions.records import AddressKind, Key


def email(value: str) -> Key:
    return Key(AddressKind.EMAIL, value)


def storable(text: str) -> bool:
    """What PostgreSQL takes as text."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ivan@customer.example", "ivan@customer.example"),
        ("Ivan@Customer.EXAMPLE", "ivan@customer.example"),
        (" <ivan@customer.example> ", "ivan@customer.example"),
        ("ivan@customer.example.", "ivan@customer.example"),
        ("i.van+orders@customer.example", "i.van+orders@customer.example"),
        ("ИВАН@почта.рф", "иван@xn--80a1acny.xn--p1ai"),
        ("a@MÜNCHEN.example", "a@xn--mnchen-3ya.example"),
        ("a@xn--mnchen-3ya.example", "a@xn--mnchen-3ya.example"),
        ("a@ｅｘample.com", "a@example.com"),
        ("и\u0306ван@customer.example", "йван@customer.example"),
        ("a.@docomo.example", "a.@docomo.example"),
        ("root@localhost", "root@localhost"),
        ("a@under_score.example", "a@under_score.example"),
        ("a" * 244 + "@x.example", "a" * 244 + "@x.example"),
    ],
)
def test_spellings_of_one_mailbox_are_one_key(text: str, expected: str) -> None:
    assert email_key(text) == email(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ivan",
        "@customer.example",
        "ivan@",
        "a@b@c.example",
        "alice@example.org)bob@evil.example",
        "alice@example.org, bob@evil.example",
        "alice@example.org bob@evil.example",
        "<alice@example.org><bob@evil.example>",
        "Alice <alice@example.org>",
        "alice@example.org(comment)",
        '"alice"@example.org',
        "alice@[192.0.2.1]",
        "alice@exa mple.org",
        "alice@-example.org",
        "alice@example..org",
        ".alice@example.org",
        "alice@" + "b" * 64 + ".example",
        "alice@example.org\x00",
        "al\udc80ice@example.org",
        "alice@exa\udc80mple.org",
        "alice@\u202eexample.org",
        "a" * 245 + "@x.example",
        "a" * 243 + "é@x.example",
        "я" * 200 + "@x.example",
    ],
)
def test_what_is_not_exactly_one_address_has_no_key(text: str) -> None:
    assert email_key(text) is None


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_key_is_its_own_canonical_form(local: str, domain: str) -> None:
    key = email_key(f"{local}@{domain}")

    if key is not None:
        assert email_key(key.value) == key
        assert storable(key.value)
        assert len(key.value.encode()) <= ADDRESS_OCTETS_MAX


def test_only_an_email_has_a_domain() -> None:
    assert domain_of(email("ivan@customer.example")) == "customer.example"
    assert domain_of(Key(AddressKind.PHONE, "+74956329816")) == ""


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("a@b.example", [("", "a@b.example")]),
        ("Иван Петров <a@b.example>", [("Иван Петров", "a@b.example")]),
        ('"Петров, Иван" <a@b.example>, c@d.example', [("Петров, Иван", "a@b.example"), ("", "c@d.example")]),
        ("a@b.example (Иван)", [("Иван", "a@b.example")]),
        ("(one (two) \\) three) a@b.example", [("one (two) \\) three", "a@b.example")]),
        ("a@b.example; c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        ("Team: a@b.example, c@d.example;", [("", "a@b.example"), ("", "c@d.example")]),
        ("x@y.example, Team: a@b.example;", [("", "x@y.example"), ("", "a@b.example")]),
        ('"My: Team": a@b.example;', [("", "a@b.example")]),
        ("undisclosed-recipients:;", []),
        ("unlisted-recipients:; (no To-header on input)", []),
        ("<>", []),
        (", ,, ;", []),
        ("ivan@shop.example <a@b.example>", [("ivan@shop.example", "a@b.example")]),
        ('"ivan@shop.example" <a@b.example>', [("ivan@shop.example", "a@b.example")]),
        ('"say \\"hi\\"" <a@b.example>', [('say "hi"', "a@b.example")]),
        ("=?utf-8?b?0JjQstCw0L0=?= <a@b.example>", [("Иван", "a@b.example")]),
        ("=?utf-8?q?Petrov=2C_Ivan?= <a@b.example>", [("Petrov, Ivan", "a@b.example")]),
        ("=?utf-8?q?=3Cboss=40corp.example=3E?= <a@b.example>", [("<boss@corp.example>", "a@b.example")]),
        ("=?utf-8?q?boss=40corp.example=2C?= <a@b.example>", [("boss@corp.example,", "a@b.example")]),
        ("=?utf-8?q?a=40b.example?=", [("", "a@b.example")]),
        ("Evil\u202egpj.exe\x00\x1b[31m <a@b.example>", [("Evilgpj.exe[31m", "a@b.example")]),
    ],
)
def test_a_list_is_read_as_it_was_meant(header: str, expected: list[tuple[str, str]]) -> None:
    found = parse_addresses(header)

    assert [(one.display_name, one.address) for one in found.mailboxes] == expected
    assert not found.ambiguous


@pytest.mark.parametrize(
    "header",
    [
        "alice@example.org)bob@evil.example",
        "<alice@example.org> <bob@evil.example>",
        "<alice@example.org>bob@evil.example",
        '<alice@example.org>"bob"',
        "alice@example.org bob@evil.example",
        '"alice@example.org"',
        '"alice@example.org" bob',
        "=?utf-8?q?=22Bob=22_=3Calice=40example.org=3E?=",
        "<@relay.example:alice@example.org>",
        "<alice@example.org",
        "<<alice@example.org>>",
        "alice@",
        "Alice",
        "\udc80",
        "a" * (LIST_CHARS_MAX + 1),
    ],
)
def test_a_list_that_could_be_read_in_two_ways_says_so(header: str) -> None:
    found = parse_addresses(header)

    assert found.ambiguous


@pytest.mark.parametrize(
    "header", ["alice@example.org)bob@evil.example", '"alice@example.org"', '"alice@example.org" bob', "<a@b> <c@d>x"]
)
def test_an_ambiguous_address_leads_to_nobody_but_its_first_clean_one(header: str) -> None:
    found = parse_addresses(header)

    keys = [email_key(one.address) for one in found.mailboxes]
    assert keys in ([None], [email("a@b")])


def test_a_list_is_bounded_and_says_when_it_was_cut() -> None:
    many = parse_addresses(", ".join(f"a{n}@b.example" for n in range(ADDRESSES_MAX + 1)))
    full = parse_addresses(", ".join(f"a{n}@b.example" for n in range(ADDRESSES_MAX)))

    assert len(many.mailboxes) == ADDRESSES_MAX
    assert many.ambiguous
    assert not full.ambiguous


@pytest.mark.parametrize(
    "piece", [",", "(", '"', "<", ">", ":", "a:", "\\", "(\\", '"\\', "a@é,", "=?a?q?", "=?a?q?é?= "]
)
def test_a_million_characters_of_nonsense_end(piece: str) -> None:
    found = parse_addresses(piece * (1_000_000 // len(piece)))

    assert len(found.mailboxes) <= ADDRESSES_MAX


@given(st.text() | st.text(alphabet='<>(),;:@\\" =?qb.aA\x00\udc80\n'))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_text_is_a_list_that_can_be_stored(header: str) -> None:
    for one in parse_addresses(header).mailboxes:
        assert isinstance(one, Mailbox)
        assert storable(one.display_name + one.address)
        assert len(one.display_name) <= NAME_CHARS_MAX
        assert len(one.address) <= NAME_CHARS_MAX


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Магазин "Бытовая техника (Москва)"', 'Магазин "Бытовая техника (Москва)"'),
        ("  Иван\tПетров\r\n ", "Иван Петров"),
        ("Иван\u200bПетров", "ИванПетров"),
        ("\u202eнавИ", "навИ"),
        ("\x00\ud800", ""),
        ("a" * 10_000, "a" * NAME_CHARS_MAX),
        ("\x00" * 10_000 + "a", ""),
    ],
)
def test_a_name_has_nothing_hidden_in_it(text: str, expected: str) -> None:
    assert clean_name(text) == expected
