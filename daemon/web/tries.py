"""A bound on guessing: so many tries of a key within so many minutes, in memory.

A restart forgets them, and two daemons count each for itself: this slows guessing down, it does not replace a good
password. What is kept is bounded too; under a flood of keys the oldest are forgotten first.
"""

from collections import deque
from collections.abc import Callable, Hashable

KEYS_MAX = 10_000


class Tries:
    """Counts tries by key."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._by_key: dict[Hashable, deque[float]] = {}

    def wait(self, key: Hashable) -> float:
        """Counts a try; says how many seconds are left to wait, 0 where it is allowed."""
        now = self._clock()
        times = self._by_key.pop(key, None) or deque()
        while times and times[0] <= now - self._seconds:
            times.popleft()
        self._by_key[key] = times  # at the end again: the oldest is the one that was not used for longest
        if len(self._by_key) > KEYS_MAX:
            del self._by_key[next(iter(self._by_key))]
        if len(times) >= self._most:
            return times[0] + self._seconds - now
        times.append(now)
        return 0.0

    def forget(self, key: Hashable) -> None:
        """A try succeeded: the ones before it count no more."""
        self._by_key.pop(key, None)
