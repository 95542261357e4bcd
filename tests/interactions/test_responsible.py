"""Who answers for what arrives: the first candidate who is still there."""

from uuid import UUID

import pytest

from interactions.responsible import Colleague, choose, stand_ins

ANNA, BORIS, CLARA = (UUID(int=n) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("candidates", "active", "expected"),
    [
        ([], {ANNA}, None),
        ([None, None], {ANNA}, None),
        ([ANNA, BORIS], {ANNA, BORIS}, ANNA),
        ([None, BORIS], {ANNA, BORIS}, BORIS),
        ([ANNA, BORIS], {BORIS}, BORIS),
        ([ANNA, BORIS], {CLARA}, None),
        ([ANNA], set(), None),
    ],
)
def test_the_first_who_is_still_with_us(
    candidates: list[UUID | None], active: set[UUID], expected: UUID | None
) -> None:
    assert choose(candidates, active) == expected


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [([ANNA], BORIS), ([ANNA, CLARA], BORIS), ([CLARA, ANNA], CLARA), ([None, ANNA], BORIS), ([UUID(int=9)], None)],
)
def test_who_is_stood_in_for_is_not_passed_over(candidates: list[UUID | None], expected: UUID | None) -> None:
    assert choose(candidates, {CLARA}, {ANNA: BORIS}) == expected


AWAY = {"is_away": True}
GONE = {"is_disabled": True}


@pytest.mark.parametrize(
    ("anna", "boris", "clara", "expected"),
    [
        ({}, {}, {}, {}),
        (AWAY, {}, {}, {ANNA: BORIS}),
        (GONE, {}, {}, {ANNA: BORIS}),
        (AWAY, AWAY, {}, {ANNA: CLARA}),
        (AWAY, GONE, {}, {ANNA: CLARA}),
        (AWAY, AWAY, AWAY, {}),
    ],
)
def test_the_deputy_stands_in_else_the_head(
    anna: dict[str, bool], boris: dict[str, bool], clara: dict[str, bool], expected: dict[UUID, UUID]
) -> None:
    colleagues = [
        Colleague(ANNA, **anna, deputy_id=BORIS, head_id=CLARA), Colleague(BORIS, **boris), Colleague(CLARA, **clara),
    ]  # fmt: skip

    assert stand_ins(colleagues) == expected


def test_nobody_stands_in_for_themselves_or_from_outside() -> None:
    assert stand_ins([Colleague(ANNA, is_away=True, deputy_id=BORIS, head_id=ANNA)]) == {}
