"""IDLE is begun anew the more often the more pushes were missed, and the old interval comes back slowly."""

import pytest

from connectors.mail.renewal import IDLE_SECONDS_MIN, RECOVER_SECONDS, Renewal


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_missed_push_halves_the_interval_down_to_a_bound() -> None:
    renewal = Renewal(Clock())

    seen = []
    for _ in range(5):
        seen.append(renewal.seconds)
        renewal.miss()

    assert seen == [540.0, 270.0, 135.0, 67.5, IDLE_SECONDS_MIN]
    assert renewal.missed == 5
    assert renewal.is_shortened


def test_without_misses_the_interval_grows_back_and_no_further() -> None:
    clock = Clock()
    renewal = Renewal(clock)
    renewal.miss()

    seen = []
    for _ in range(4):
        seen.append(renewal.seconds)
        clock.now += RECOVER_SECONDS

    assert seen == [270.0, 405.0, 540.0, 540.0]
    assert not renewal.is_shortened


def test_a_long_time_between_two_looks_is_counted_whole() -> None:
    clock = Clock()
    renewal = Renewal(clock)
    for _ in range(4):
        renewal.miss()

    clock.now += 100 * RECOVER_SECONDS

    assert renewal.seconds == 540.0


@pytest.mark.parametrize(("usual", "after"), [(180.0, 90.0), (55.0, 55.0), (30.0, 30.0)])
def test_a_server_that_forgets_sooner_is_asked_sooner(usual: float, after: float) -> None:
    renewal = Renewal(Clock())

    renewal.expect(usual)
    assert renewal.seconds == usual
    renewal.miss()

    assert renewal.seconds == after
