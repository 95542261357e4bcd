"""Which rule holds for an arrival, and what it sets."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from interactions.records import (
    AddressKind,
    Direction,
    Importance,
    Interaction,
    Key,
    Kind,
    Participant,
    Role,
)
from interactions.rules import Rule, Sets, When, apply, first_match

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ANNA = UUID(int=1)


def email(address: str) -> Key:
    return Key(AddressKind.EMAIL, address)


def phone(number: str) -> Key:
    return Key(AddressKind.PHONE, number)


MAIL = Interaction(
    UUID(int=7), Kind.EMAIL, Direction.INCOMING, NOW, UUID(int=8), topic="Выписка по счёту", source="sales",
    block={"marks": ["bulk"]},
    participants=(
        Participant(Role.FROM, "", "no-reply@mail.bank.example", email("no-reply@mail.bank.example")),
        Participant(Role.TO, "", "sales@example.org", email("sales@example.org")),
    ),
)  # fmt: skip
CALL = Interaction(
    UUID(int=9), Kind.PHONE_CALL, Direction.INCOMING, NOW, UUID(int=8), source="main",
    participants=(
        Participant(Role.SUBSCRIBER, "", "8916…", phone("+79161234567")),
        Participant(Role.EMPLOYEE, "", "495…", phone("+74951234567")),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("one", "when", "holds"),
    [
        (MAIL, When(), True),
        (MAIL, When(sources=frozenset({"sales", "other"})), True),
        (MAIL, When(sources=frozenset({"other"})), False),
        (MAIL, When(senders=frozenset({email("no-reply@mail.bank.example")})), True),
        (MAIL, When(senders=frozenset({email("sales@example.org")})), False),
        (MAIL, When(domains=frozenset({"bank.example"})), True),
        (MAIL, When(domains=frozenset({"mail.bank.example"})), True),
        (MAIL, When(domains=frozenset({"nk.example", "other.example"})), False),
        (CALL, When(domains=frozenset({"bank.example"})), False),
        (MAIL, When(topics=("выписка",)), True),
        (MAIL, When(topics=("выписка*счёту",)), True),
        (MAIL, When(topics=("счёту*выписка", "акт")), False),
        (MAIL, When(marks=frozenset({"bulk", "bounce"})), True),
        (MAIL, When(marks=frozenset({"bounce"})), False),
        (CALL, When(marks=frozenset({"bulk"})), False),
        (CALL, When(lines=frozenset({phone("+74951234567")})), True),
        (MAIL, When(lines=frozenset({phone("+74951234567")})), False),
        (CALL, When(senders=frozenset({phone("+79161234567")})), True),
        (MAIL, When(directions=frozenset({"incoming"}), types=frozenset({"email", "sms"})), True),
        (CALL, When(directions=frozenset({"incoming"}), types=frozenset({"email"})), False),
        (replace(CALL, direction=None), When(directions=frozenset({"incoming"})), False),
    ],
)
def test_all_that_is_named_must_hold(one: Interaction, when: When, holds: bool) -> None:
    assert (first_match(one, [Rule(when, Sets())]) is not None) is holds


def test_the_first_rule_wins() -> None:
    first, second = Rule(When(types=frozenset({"email"})), Sets(tags=("a",))), Rule(When(), Sets(tags=("b",)))

    assert first_match(MAIL, [first, second]) is first
    assert first_match(CALL, [first, second]) is second
    assert first_match(CALL, []) is None


def test_only_what_is_set_changes() -> None:
    mail = replace(MAIL, tags=("x",), responsible_id=UUID(int=2))

    assert apply(mail, Sets(), None, NOW) == mail
    changed = apply(mail, Sets(reviewed=True, importance="high", tags=("bank", "x")), ANNA, NOW)
    assert changed == replace(
        mail, reviewed=True, reviewed_at=NOW, importance=Importance.HIGH, tags=("x", "bank"), responsible_id=ANNA
    )


def test_a_rule_can_bring_back_to_review_what_was_born_reviewed() -> None:
    born = replace(MAIL, reviewed=True, reviewed_at=NOW)

    assert apply(born, Sets(reviewed=False), None, NOW) == MAIL


def test_many_stars_cost_nothing() -> None:
    mail = replace(MAIL, topic="a" * 4000)

    assert first_match(mail, [Rule(When(topics=("*a" * 40 + "b",)), Sets())]) is None
