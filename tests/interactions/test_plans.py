"""The next time of a plan that repeats: by the clock of the place, past what was missed, and never again after the last."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from interactions.plans import Due, next_due

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "due", "now", "expected"),
    [
        ("FREQ=WEEKLY", "2026-11-02T08:00", "2026-11-02T09:00", ("2026-11-09T08:00", "FREQ=WEEKLY")),
        ("FREQ=WEEKLY", "2026-11-02T08:00", "2026-11-01T09:00", ("2026-11-09T08:00", "FREQ=WEEKLY")),
        ("FREQ=WEEKLY", "2026-11-02T08:00", "2026-11-20T09:00", ("2026-11-23T08:00", "FREQ=WEEKLY")),
        # Nine o'clock stays nine when summer time ends on 25 October, and begins on 28 March.
        ("FREQ=DAILY", "2026-10-24T07:00", "2026-10-24T07:30", ("2026-10-25T08:00", "FREQ=DAILY")),
        ("FREQ=DAILY", "2027-03-27T08:00", "2027-03-27T08:30", ("2027-03-28T07:00", "FREQ=DAILY")),
        ("FREQ=WEEKLY;COUNT=3", "2026-11-02T08:00", "2026-11-02T09:00", ("2026-11-09T08:00", "FREQ=WEEKLY;COUNT=2")),
        ("FREQ=WEEKLY;COUNT=2", "2026-11-02T08:00", "2026-11-02T09:00", ("2026-11-09T08:00", "")),
        ("FREQ=WEEKLY;COUNT=1", "2026-11-02T08:00", "2026-11-02T09:00", None),
        ("FREQ=WEEKLY;COUNT=3", "2026-11-02T08:00", "2026-11-20T09:00", None),
        ("FREQ=WEEKLY;UNTIL=20261109", "2026-11-02T08:00", "2026-11-02T09:00", ("2026-11-09T08:00", "FREQ=WEEKLY;UNTIL=20261109T235959")),
        ("FREQ=WEEKLY;UNTIL=20261109T075959Z", "2026-11-02T08:00", "2026-11-02T09:00", None),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2027-01-31T08:00", "2027-01-31T09:00", ("2027-03-31T07:00", "FREQ=MONTHLY;BYMONTHDAY=31")),
        ("FREQ=YEARLY", "2026-11-02T08:00", "2026-11-02T09:00", ("2027-11-02T08:00", "FREQ=YEARLY")),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "2026-11-02T08:00", "2026-11-02T09:00", None),
        ("FREQ=SECONDLY", "2026-11-02T08:00", "2026-11-02T09:00", None),
        ("FREQ=WEEKLY;UNTIL=20269999", "2026-11-02T08:00", "2026-11-02T09:00", ("2026-11-09T08:00", "FREQ=WEEKLY")),
        ("COUNT=٣;FREQ=WEEKLY", "2026-11-02T08:00", "2026-11-02T09:00", ("2026-11-09T08:00", "FREQ=WEEKLY")),
        ("nonsense", "2026-11-02T08:00", "2026-11-02T09:00", None),
    ],
)  # fmt: skip
def test_the_next_time(rule: str, due: str, now: str, expected: tuple[str, str] | None) -> None:
    found = next_due(rule, at(due), at(now), BERLIN)

    assert found == (Due(at(expected[0]), expected[1]) if expected else None)


def test_a_series_of_years_goes_on() -> None:
    found = next_due("FREQ=DAILY", at("2026-11-02T08:00"), at("2031-06-02T09:00"), BERLIN)

    assert found == Due(at("2031-06-03T07:00"), "FREQ=DAILY")
