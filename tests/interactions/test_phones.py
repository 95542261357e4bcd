"""Numbers: every spelling of one number is one key, and what is no number is never made into one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.phones import NUMBER_CHARS_MAX, Number, looks_like_number, phone_key, read_number
from interactions.records import AddressKind, Key

SHOP = "+74956329816"


def phone(value: str) -> Key:
    return Key(AddressKind.PHONE, value)


def other(value: str) -> Key:
    return Key(AddressKind.OTHER, value)


@pytest.mark.parametrize(
    "spelling",
    [
        "(495) 6329816",
        "8 (495) 632-98-16",
        "84956329816",
        "74956329816",
        "4956329816",
        "495/632-98-16",
        "+7 495 632 98 16",
        "8-10-7-495-6329816",
        "8~10 7 495 6329816",
        "007 495 6329816",
        "007 (495) 632-98-16",
        "+7 495 632-98-16 доб. 123",
        "+7(495)632-98-16доб.123",
        "8 495 632-98-16 вн. 12",
        "+74956329816 #123",
        "+7 495 632-98-16 моб.",
        "8 495 632-98-16 Иван",
        "тел. (495) 6329816",
        "4956329816 extra",
        "sip:+74956329816@10.0.0.1:5060;user=phone",
        "sip:74956329816;transport=udp@pbx.example",
        '"Магазин" <sip:84956329816@10.0.0.1>',
        "tel:+7-495-632-98-16",
        "tel:+7-495-632-98-16;ext=12;phone-context=+7",
        "８４９５６３２９８１６",
        "٨٤٩٥٦٣٢٩٨١٦",
        "8\u00a0495\u00a0632\u201198\u201116",
        "\u202a+7 495 632-98-16\u202c",
        "\x00+74956329816\udc80",
    ],
)
def test_every_spelling_of_a_number_is_one_key(spelling: str) -> None:
    assert phone_key(spelling, "RU") == phone(SHOP)


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("9991234567", "RU", "+79991234567"),
        ("88005553535", "KZ", "+78005553535"),
        ("87771234567", "KZ", "+77771234567"),
        ("77771234567", "RU", "+77771234567"),
        ("810442037691880", "RU", "+442037691880"),
        ("00442037691880", "RU", "+442037691880"),
        ("442037691880", "RU", "+442037691880"),
        ("16502530000", "RU", "+16502530000"),
        ("0048221234567", "PL", "+48221234567"),
        ("80291234567", "BY", "+375291234567"),
        ("02214710334", "DE", "+492214710334"),
        ("07251937261", "IN", "+917251937261"),
        ("+390612345678", "RU", "+390612345678"),
        ("(650) 253-0000", "US", "+16502530000"),
    ],
)
def test_a_number_is_read_by_the_rules_of_its_country(text: str, region: str, expected: str) -> None:
    assert phone_key(text, region) == phone(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6329816", "6329816"),
        ("632-98-16", "6329816"),
        ("12345678", "12345678"),
        ("7800123456789", "7800123456789"),
        ("+447700900000", "447700900000"),
        ("+5215512345678", "5215512345678"),
        ("4956329816, 4951112233", "49563298164951112233"),
    ],
)
def test_what_is_no_valid_number_stays_its_digits(text: str, expected: str) -> None:
    assert phone_key(text, "RU") == other(expected)


@pytest.mark.parametrize(
    ("text", "key", "extension"),
    [
        ("101", "101", ""),
        ("\u00a0101 ", "101", ""),
        ("sip: 101 @pbx", "101", ""),
        ("112", "112", ""),
        ("sip:101@10.11.12.13", "101", ""),
        ("<sip:101@10.11.12.13:5060>", "101", ""),
        ("tel:112", "112", ""),
        ("доб. 123", "123", ""),
        ("x123", "123", ""),
        ("101 доб. 5", "101", "5"),
        ("6329816 доб. 5", "6329816", "5"),
    ],
)
def test_short_codes_and_extensions_are_themselves(text: str, key: str, extension: str) -> None:
    assert read_number(text, "RU") == Number(other(key), extension)


def test_the_end_of_a_number_is_not_the_number() -> None:
    assert len({phone_key(text, "RU") for text in ("9816", "29816", "329816", "6329816", SHOP)}) == 5


@pytest.mark.parametrize(
    ("text", "extension"),
    [
        ("+7 495 632-98-16 доб. 123", "123"),
        ("+7 495 632-98-16 добавочный: 123", "123"),
        ("8 495 632-98-16 вн. 12", "12"),
        ("+74956329816;ext=12", "12"),
        ("tel:+7-495-632-98-16;ext=12", "12"),
        ("+74956329816,12", "12"),
        ("+74956329816 x12", "12"),
        ("+74956329816#12", "12"),
        ("+74956329816 #", ""),
        ("+74956329816", ""),
    ],
)
def test_an_extension_is_split_off(text: str, extension: str) -> None:
    assert read_number(text, "RU") == Number(phone(SHOP), extension)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "\x00", "\u202d\u202c", "-", "+", "***", "anonymous", "Anonymous", "ANONYMOUS", "unknown", "No Number",
     "Скрытый", "sip:anonymous@anonymous.invalid", "SIP:Anonymous@10.0.0.1", "<sip:restricted@x>", "tel:anonymous",
     "sip:", "sip:@x", "tel:", "+266696687", "+7378742833", "+2562533", "+8566696", "+86282452253"],
)  # fmt: skip
def test_a_hidden_caller_has_no_key(text: str) -> None:
    assert read_number(text, "RU") == Number(None, withheld=True)


def test_the_keypad_spelling_of_restricted_is_not_an_american_number() -> None:
    assert phone_key("7378742833", "US") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Beeline", "beeline"),
        ("MTS-INFO", "mts-info"),
        ("2GIS", "2gis"),
        ("1C", "1c"),
        ("24Bank", "24bank"),
        ("Bank24", "bank24"),
        ("Xerox 12", "xerox 12"),
        ("Сбербанк", "сбербанк"),
        ("1-800-FLOWERS", "1-800-flowers"),
        ("SIP/101-00000a3f", "sip/101-00000a3f"),
        ("sip:alice@example.org", "alice"),
        ("client:Bob", "client:bob"),
        ("CLIENT:Bob", "client:bob"),
        ("፩", "፩"),
    ],
)
def test_a_sender_name_is_compared_as_a_whole(text: str, expected: str) -> None:
    assert phone_key(text, "RU") == other(expected)


@pytest.mark.parametrize("text", ["9" * 10_000, "\ufdfa" * 10_000, "ﬃ" * 10_000, "a" * 10_000, "+7" + "(" * 10_000])
def test_a_key_is_short_enough_for_an_index(text: str) -> None:
    key = phone_key(text, "RU")

    assert key is not None
    assert len(key.value.encode()) <= 4 * NUMBER_CHARS_MAX


@given(st.text() | st.text(alphabet="+0123456789 ()-.,;#x~досбext@:<>sipтел"), st.sampled_from(["RU", "KZ", "US", ""]))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_text_is_read_without_an_exception(text: str, region: str) -> None:
    found = read_number(text, region)

    assert found.withheld == (found.key is None)
    if found.key is not None:
        assert found.key.value
        assert "\x00" not in found.key.value
        assert found.key.value.encode().decode() == found.key.value


@given(st.integers(min_value=10**9, max_value=10**10 - 1))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_canonical_number_is_its_own_spelling(number: int) -> None:
    key = phone_key(f"8{number}", "RU")

    assert key is not None
    assert phone_key(key.value, "RU") == key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6329816", True),
        ("495 632-98-16", True),
        ("(495) 632", True),
        ("+7 495", True),
        (" 8~10 44 ", True),
        ("", False),
        ("-16", False),
        ("№33", False),
        ("33 коровы", False),
        ("a@b.example", False),
        ("2026-11-23T09:00", False),
    ],
)
def test_a_piece_of_a_number_looks_like_one(text: str, expected: bool) -> None:
    assert looks_like_number(text) is expected
