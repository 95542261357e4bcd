"""Which participants a new subject takes over, who its client is, and what a kind may be called."""

from uuid import UUID

import pytest

from interactions.subjects import Taken, client_of, is_kind, take_over
from interactions.views import ContactView, Named, ParticipantView

SHOP = Named(UUID(int=1), "Магазин")
OTHER = Named(UUID(int=2), "Завод")


def person(
    name: str = "", address: str = "", key: str | None = None, contact: ContactView | None = None, role: str = "to"
) -> ParticipantView:
    kind = "email" if "@" in address else "phone" if key else "other"
    return ParticipantView(role, name, address, kind, key, False, contact, "none", "automatic", "none")


def contact(number: int, kind: str, name: str, partner: Named | None = None) -> ContactView:
    return ContactView(UUID(int=number), kind, name, partner)


IVAN = contact(10, "contact_person", "Иван", SHOP)
OLGA = contact(11, "individual", "Ольга")
ANNA = contact(12, "user", "Анна")
SHOP_ITSELF = contact(1, "partner", "Магазин", SHOP)


def test_everybody_is_taken_over_with_role_and_order() -> None:
    taken = take_over(
        [
            person("Анна", "anna@example.org", "anna@example.org", ANNA, "from"),
            person("Ольга", "o@example.com", "o@example.com", OLGA),
            person("Неизвестный", "(495) 1234567", "+74951234567"),
            person("по заявке"),
        ]
    )

    assert [(one.role, one.display_name, one.address, one.contact_id) for one in taken] == [
        ("from", "Анна", "anna@example.org", ANNA.id),
        ("to", "Ольга", "o@example.com", OLGA.id),
        ("to", "Неизвестный", "(495) 1234567", None),
        ("to", "по заявке", "", None),
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (person("Иван", "i@a.example", "i@a.example", OLGA), person("Ваня", "i2@b.example", "i2@b.example", OLGA)),
        (person("", "8 495 1234567", "+74951234567"), person("Кто-то", "+74951234567", "+74951234567")),
        (person("Петров"), person(" петров ")),
    ],
    ids=["one contact", "one key", "the same words"],
)
def test_who_stands_twice_is_taken_once(first: ParticipantView, second: ParticipantView) -> None:
    assert [one.display_name for one in take_over([first, second])] == [first.display_name]


def test_a_number_and_an_address_that_look_alike_are_two() -> None:
    assert len(take_over([person("", "", "x"), person("", "@", "x")])) == 2


def test_a_person_brings_the_partner_of_the_time_once() -> None:
    taken = take_over([person("Иван", "i@a.example", "i@a.example", IVAN), person("Магазин", "", None, SHOP_ITSELF)])

    assert [(one.display_name, one.contact_id, one.contact_kind) for one in taken] == [
        ("Иван", IVAN.id, "contact_person"),
        ("Магазин", SHOP.id, "partner"),
    ]


@pytest.mark.parametrize(
    ("people", "client"),
    [
        ([ANNA, OLGA, IVAN], SHOP.id),
        ([ANNA, OLGA], OLGA.id),
        ([ANNA], None),
        ([], None),
    ],
)
def test_the_client_is_the_first_partner_else_the_first_individual(
    people: list[ContactView], client: UUID | None
) -> None:
    assert client_of(take_over(person(one.name, contact=one) for one in people)) == client


def test_text_alone_is_no_client() -> None:
    assert client_of([Taken("to", "Иванов", "")]) is None


@pytest.mark.parametrize("kind", ["deal", "claim", "campaign", "service_case", "x1"])
def test_a_kind_is_a_word(kind: str) -> None:
    assert is_kind(kind)


@pytest.mark.parametrize("kind", ["", "Deal", "сделка", "1x", "a b", "interaction", "x" * 41, "deal\n"])
def test_other_words_are_no_kind(kind: str) -> None:
    assert not is_kind(kind)
