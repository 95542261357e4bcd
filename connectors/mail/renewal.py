"""How often IDLE is begun anew at one mailbox: as its server needs it, learned from pushes that did not come.

A mail that a round finds in the folder that was listened to, and that IDLE had not told of, is a missed push: the server,
or something on the way, went deaf without a word. Each one halves the interval, down to `IDLE_SECONDS_MIN`; each
`RECOVER_SECONDS` without one make it half as long again, up to what the server's row says (`quirks`). So is one found that
the server told only as IDLE ended, after long silence.

Limits: what was learned lives as long as the source, and is learned anew after a restart.
"""

import time
from collections.abc import Callable

from connectors.mail.quirks import IDLE_SECONDS

IDLE_SECONDS_MIN = 55.0
RECOVER_SECONDS = 6 * 3600.0
RECOVER_FACTOR = 1.5


class Renewal:
    """The interval of one mailbox, and how many pushes were missed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.missed = 0
        self._usual = IDLE_SECONDS
        self._seconds = IDLE_SECONDS
        self._clock = clock
        self._changed_at = clock()

    @property
    def is_shortened(self) -> bool:
        return self.seconds < self._usual

    @property
    def seconds(self) -> float:
        """The interval now."""
        steps = int((self._clock() - self._changed_at) // RECOVER_SECONDS)
        if steps and self._seconds < self._usual:
            self._seconds = min(self._seconds * RECOVER_FACTOR ** min(steps, 20), self._usual)
            self._changed_at += steps * RECOVER_SECONDS
        return self._seconds

    def expect(self, usual: float) -> None:
        """What is usual with this server."""
        if usual != self._usual:
            self._seconds = min(self._seconds, usual) if self.missed else usual
            self._usual = usual

    def miss(self) -> None:
        """A push did not come."""
        self.missed += 1
        self._seconds = max(min(self.seconds / 2, self._usual), min(IDLE_SECONDS_MIN, self._usual))
        self._changed_at = self._clock()
