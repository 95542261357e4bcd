"""Whom an address leads to, and which partner stands behind a person at a moment."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from interactions.contacts import NOBODY, ContactKind, Employment, Match, Owner, are_alike, choose, partner_at
from interactions.records import AddressKind, Key

TODAY = date(2026, 11, 23)
EMAIL = Key(AddressKind.EMAIL, "ivan@customer.example")
PHONE = Key(AddressKind.PHONE, "+74956329816")
SHOP, STORE, IVAN, PETR, ANNA, BORIS = (UUID(int=n) for n in range(1, 7))

AT_SHOP = Employment(SHOP)
LEFT_SHOP = Employment(SHOP, until=TODAY)
BEFORE_SHOP = Employment(SHOP, since=TODAY + timedelta(days=1))


def partner(contact_id: UUID) -> Owner:
    return Owner(contact_id, ContactKind.PARTNER)


def person(contact_id: UUID, *jobs: Employment) -> Owner:
    return Owner(contact_id, ContactKind.CONTACT_PERSON, jobs)


def individual(contact_id: UUID) -> Owner:
    return Owner(contact_id, ContactKind.INDIVIDUAL)


def user(contact_id: UUID) -> Owner:
    return Owner(contact_id, ContactKind.USER)


@pytest.mark.parametrize(
    ("owners", "contact_id", "rule", "candidates"),
    [
        ([], None, "none", ()),
        ([partner(SHOP)], SHOP, "email_exact", ()),
        ([person(IVAN)], IVAN, "email_exact", ()),
        ([individual(IVAN)], IVAN, "email_exact", ()),
        # One who had the address twice is one.
        ([person(IVAN), person(IVAN)], IVAN, "email_exact", ()),
        # A person and the person's own partner.
        ([person(IVAN, AT_SHOP), partner(SHOP)], IVAN, "email_exact", (SHOP, IVAN)),
        ([person(IVAN, AT_SHOP, Employment(STORE)), partner(SHOP), partner(STORE)], IVAN, "email_exact", (SHOP, STORE, IVAN)),
        # … not the partner of somebody else, of yesterday, or of tomorrow.
        ([person(IVAN, AT_SHOP), partner(STORE)], None, "none", (STORE, IVAN)),
        ([person(IVAN, LEFT_SHOP), partner(SHOP)], None, "none", (SHOP, IVAN)),
        ([person(IVAN, BEFORE_SHOP), partner(SHOP)], None, "none", (SHOP, IVAN)),
        ([individual(IVAN), partner(SHOP)], None, "none", (SHOP, IVAN)),
        # Several persons of one partner.
        ([person(IVAN, AT_SHOP), person(PETR, AT_SHOP)], SHOP, "partner_of_all", (IVAN, PETR)),
        ([person(IVAN, AT_SHOP), person(PETR, AT_SHOP), partner(SHOP)], SHOP, "partner_of_all", (SHOP, IVAN, PETR)),
        ([person(IVAN, AT_SHOP, Employment(STORE)), person(PETR, AT_SHOP)], SHOP, "partner_of_all", (IVAN, PETR)),
        # Nothing in common, or too much: nobody is picked.
        ([person(IVAN), person(PETR)], None, "none", (IVAN, PETR)),
        ([person(IVAN, AT_SHOP), person(PETR, LEFT_SHOP)], None, "none", (IVAN, PETR)),
        ([person(IVAN, AT_SHOP), person(PETR, Employment(STORE))], None, "none", (IVAN, PETR)),
        ([person(IVAN, AT_SHOP, Employment(STORE)), person(PETR, AT_SHOP, Employment(STORE))], None, "none", (IVAN, PETR)),
        ([individual(IVAN), individual(PETR)], None, "none", (IVAN, PETR)),
        ([partner(SHOP), partner(STORE)], None, "none", (SHOP, STORE)),
        # A user's address is ours, whoever else has it.
        ([user(ANNA)], ANNA, "own", ()),
        ([user(ANNA), person(IVAN, AT_SHOP)], ANNA, "own", ()),
        ([user(ANNA), user(BORIS)], None, "own", ()),
    ],
)  # fmt: skip
def test_nobody_is_picked_silently_among_several(
    owners: list[Owner], contact_id: UUID | None, rule: str, candidates: tuple[UUID, ...]
) -> None:
    for order in permutations(owners):
        found = choose(EMAIL, order, TODAY)

        assert (found.contact_id, found.rule, found.candidates) == (contact_id, rule, candidates)
        assert found.confidence == ("none" if rule == "none" else "exact")


def test_a_number_is_matched_by_the_rule_of_numbers() -> None:
    assert choose(PHONE, [partner(SHOP)], TODAY) == Match(SHOP, "phone_exact", "exact")
    assert choose(Key(AddressKind.OTHER, "101"), [], TODAY) == NOBODY


@pytest.mark.parametrize("owners", [[], [partner(SHOP)], [person(IVAN), person(PETR)]])
def test_an_own_address_is_never_a_customer(owners: list[Owner]) -> None:
    assert choose(EMAIL, owners, TODAY, own=True) == Match(None, "own", "exact")


@pytest.mark.parametrize(
    ("kind", "jobs", "expected"),
    [
        (ContactKind.PARTNER, [], IVAN),
        (ContactKind.CONTACT_PERSON, [], None),
        (ContactKind.INDIVIDUAL, [], None),
        (ContactKind.CONTACT_PERSON, [AT_SHOP], SHOP),
        (ContactKind.CONTACT_PERSON, [LEFT_SHOP], None),
        (ContactKind.CONTACT_PERSON, [BEFORE_SHOP], None),
        (ContactKind.CONTACT_PERSON, [Employment(SHOP, since=TODAY)], SHOP),
        (ContactKind.CONTACT_PERSON, [Employment(SHOP, until=TODAY + timedelta(days=1))], SHOP),
        (ContactKind.CONTACT_PERSON, [LEFT_SHOP, Employment(STORE, since=TODAY)], STORE),
        (ContactKind.CONTACT_PERSON, [Employment(SHOP, since=date(2020, 1, 1)), Employment(STORE, since=date(2019, 1, 1))], SHOP),
        (ContactKind.CONTACT_PERSON, [AT_SHOP, Employment(STORE, since=date(2019, 1, 1))], STORE),
        (ContactKind.CONTACT_PERSON, [AT_SHOP, Employment(STORE)], STORE),
    ],
)  # fmt: skip
def test_the_partner_is_that_of_the_moment(kind: ContactKind, jobs: list[Employment], expected: UUID | None) -> None:
    at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

    for order in permutations(jobs):
        assert partner_at(kind, IVAN, order, at) == expected


def test_a_change_of_employer_moves_nothing_that_was() -> None:
    jobs = [Employment(SHOP, until=date(2026, 6, 1)), Employment(STORE, since=date(2026, 6, 1))]

    assert partner_at(ContactKind.CONTACT_PERSON, IVAN, jobs, datetime(2026, 5, 31, 23, 59, tzinfo=UTC)) == SHOP
    assert partner_at(ContactKind.CONTACT_PERSON, IVAN, jobs, datetime(2026, 6, 1, tzinfo=UTC)) == STORE


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Иван Петров", "петров иван", True),
        ("Иван Петров", "Петров Иван Сергеевич", True),
        ('ООО "Ромашка"', "Ромашка, ЗАО", True),
        ("Артём", "Артем", True),
        ("Иван Петров", "Иван Сидоров", False),
        ("Муж", "Жена", False),
        ("ООО", "ЗАО", False),
        ("", "", False),
    ],
)
def test_names_are_alike_when_one_holds_all_words_of_the_other(one: str, other: str, alike: bool) -> None:
    assert are_alike(one, other) is alike
    assert are_alike(other, one) is alike
