"""Series of meetings: the starts that a rule says, and rules that would never end."""

from datetime import datetime
from itertools import product

import pytest
from dateutil.rrule import rrule, rrulestr
from hypothesis import given
from hypothesis import strategies as st

from interactions.recurrence import STARTS_MAX, parts_of, starts

BEGINS = datetime(2026, 12, 1, 10, 0)  # noqa: DTZ001  by the clock of the place


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;COUNT=5", "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=9", "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,SU;COUNT=7",
        "FREQ=MONTHLY;BYDAY=-1FR;COUNT=12", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=6", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=1",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=24", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=4",
    ],
)  # fmt: skip
@pytest.mark.parametrize("year", [1999, 2024, 2026, 2027, 2061])
def test_the_starts_are_those_of_the_library_in_the_year_itself(rule: str, year: int) -> None:
    begins = BEGINS.replace(year=year)
    series = rrulestr(rule, dtstart=begins)
    assert isinstance(series, rrule)

    expected = [one for one in series if one.year <= year + 5]

    assert starts(rule, begins) == expected


@pytest.mark.parametrize("rule", ["FREQ=DAILY", "FREQ=DAILY;COUNT=99999999999999999999", "FREQ=DAILY;BYHOUR=1,2,3"])
def test_what_goes_on_for_ever_is_followed_for_a_while(rule: str) -> None:
    assert len(starts(rule, BEGINS)) == STARTS_MAX


@pytest.mark.parametrize(
    "rule",
    [
        "", "FREQ=SECONDLY", "FREQ=MINUTELY;COUNT=3", "FREQ=HOURLY", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=99999", "FREQ=YEARLY;BYEASTER=1", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=x", "FREQ=FOO",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=WEEKLY;BYSETPOS=300",
        "FREQ=DAILY;BYWEEKNO=53;BYMONTH=6", "FREQ=DAILY;BYHOUR=1,2,3,4,5;BYMINUTE=1,2,3,4,5", "FREQ=YEARLY;BYDAY=XX",
    ],
)  # fmt: skip
def test_what_is_too_fine_or_never_comes_gives_nothing(rule: str) -> None:
    assert starts(rule, BEGINS) == []


@pytest.mark.parametrize("year", [1, 1900, 2091, 9999])
def test_what_begins_in_another_age_is_not_followed(year: int) -> None:
    assert starts("FREQ=DAILY", BEGINS.replace(year=year)) == []


NAMES = [
    "FREQ",
    "INTERVAL",
    "COUNT",
    "BYMONTH",
    "BYMONTHDAY",
    "BYDAY",
    "BYSETPOS",
    "BYWEEKNO",
    "BYYEARDAY",
    "BYHOUR",
    "WKST",
]
VALUES = ["DAILY", "YEARLY", "1", "-1", "0", "31", "99999", "MO", "-5SU", "", "x", "1,2", "½"]


@given(
    st.lists(st.sampled_from([f"{name}={value}" for name, value in product(NAMES, VALUES)]), max_size=6).map(";".join)
)
def test_any_rule_ends_in_order_and_within_bounds(rule: str) -> None:
    found = starts(rule, BEGINS)

    assert found == sorted(found)
    assert len(found) <= STARTS_MAX


def test_parts_are_read_in_any_case() -> None:
    assert parts_of("freq=daily;Count=3") == {"FREQ": "DAILY", "COUNT": "3"}
