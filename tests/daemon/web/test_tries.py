"""The bound on guessing."""

from daemon.web.tries import KEYS_MAX, Tries


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_after_so_many_tries_one_has_to_wait_until_the_first_is_old() -> None:
    clock = Clock()
    tries = Tries(3, 60, clock)

    waits = []
    for _ in range(4):
        waits.append(tries.wait("anna"))
        clock.now += 10

    assert waits == [0, 0, 0, 30]
    assert tries.wait("boris") == 0
    clock.now += 20
    assert tries.wait("anna") == 0


def test_a_success_takes_the_tries_before_it_away() -> None:
    tries = Tries(2, 60, Clock())
    tries.wait("anna")
    tries.wait("anna")

    tries.forget("anna")

    assert tries.wait("anna") == 0


def test_a_flood_of_keys_makes_the_oldest_forgotten_and_not_the_latest() -> None:
    tries = Tries(1, 60, Clock())
    tries.wait("old")
    tries.wait("kept")

    for n in range(KEYS_MAX - 1):
        tries.wait(n)
        tries.wait("kept")

    assert tries.wait("kept") > 0
    assert tries.wait("old") == 0
