"""What spellings of one mailbox or number have in common, and which domains tell something."""

import pytest

from interactions.addresses import email_key
from interactions.phones import phone_key
from interactions.records import Key
from interactions.variants import FREEMAIL, Local, domains_above, stem

MOSCOW = Local("RU", "495")


def key(text: str) -> Key:
    found = email_key(text) if "@" in text else phone_key(text, "RU")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("John.Doe@gmail.com", "johndoe@gmail.com"),
        ("johndoe+shop@googlemail.com", "johndoe@gmail.com"),
        ("ivan.petrov@ya.ru", "ivan.petrov@yandex.ru"),
        ("ivan-petrov@yandex.kz", "ivan.petrov@yandex.ru"),
        ("ivan+1@yandex.ru", "ivan@yandex.ru"),
        ("a+b@outlook.com", "a@outlook.com"),
        ("a.b@outlook.com", "a.b@outlook.com"),
        ("a.b@proton.me", "ab@proton.me"),
        # Other providers deliver each spelling to somebody else.
        ("ivan.petrov@mail.ru", None),
        ("ivan+1@mail.ru", None),
        ("ivan+1@shop.example", None),
        ("ivan@gmail.com.evil.example", None),
        ("ivan@xgmail.com", None),
        ("+@gmail.com", None),
        # A local number is the number with the area code; a whole one is its own stem.
        ("632-98-16", None),
        ("6329816", None),
        ("+7 495 632-98-16", None),
    ],
)
def test_spellings_of_one_mailbox_have_one_stem(text: str, expected: str | None) -> None:
    assert stem(key(text), Local()) == expected


@pytest.mark.parametrize(
    ("text", "local", "expected"),
    [
        ("632-98-16", MOSCOW, "+74956329816"),
        ("6329816", Local("RU", "812"), "+78126329816"),
        ("101", MOSCOW, None),
        ("32-98-16", MOSCOW, None),
        ("329-816", Local("RU", "4742"), "+74742329816"),
        ("2GIS", MOSCOW, None),
        ("6329816", Local("RU", ""), None),
    ],
)
def test_a_local_number_is_completed_with_the_area_code_if_that_is_valid(
    text: str, local: Local, expected: str | None
) -> None:
    assert stem(key(text), local) == expected


@pytest.mark.parametrize(
    ("text", "silent", "expected"),
    [
        ("ivan@shop.example", frozenset(), ("shop.example",)),
        ("ivan@mail.shop.example", frozenset(), ("mail.shop.example", "shop.example")),
        ("ivan@gmail.com", FREEMAIL, ()),
        ("ivan@corp.mail.ru", FREEMAIL, ()),
        ("ivan@shop.example", frozenset({"shop.example"}), ()),
        ("ivan@localhost", frozenset(), ()),
        ("+7 495 632-98-16", frozenset(), ()),
    ],
)
def test_domains_of_providers_and_our_own_tell_nothing(
    text: str, silent: frozenset[str], expected: tuple[str, ...]
) -> None:
    assert domains_above(key(text), silent) == expected
