"""Who answers for what arrives: the first candidate who is still there."""

from uuid import UUID

import pytest

from interactions.responsible import choose

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
