"""How many bytes of mail a mailbox may fetch in a day, so that no provider locks the account (Gmail: 2.5 GB a day).

A day is one of UTC. History stops when the budget is spent and goes on the next day; new mail is counted and goes on, there
is never much of it. What was spent is saved as a checkpoint of the source whenever another `SAVE_BYTES` have come together:
a restart does not begin the day anew.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime

from interactions.records import Json

# Beside the checkpoints of folders, whose keys are their names: none is called so.
KEY = "/bytes_a_day/"
SAVE_BYTES = 4 * 1024 * 1024


def utc_today() -> date:
    """The day that budgets are of."""
    return datetime.now(UTC).date()


class Budget:
    """The budget of one mailbox."""

    def __init__(self, bytes_a_day: int, today: Callable[[], date] = utc_today) -> None:
        self.bytes_a_day = bytes_a_day
        self._today = today
        self._day = today()
        self._spent = 0
        self._unsaved = 0

    def load(self, saved: Json | None) -> None:
        """Takes up what was saved, if it is of today; what is known is never less."""
        spent = saved.get("bytes") if saved else None
        self._roll()
        if saved and saved.get("day") == self._day.isoformat() and isinstance(spent, int):
            self._spent = max(self._spent, spent)

    def spend(self, count: int) -> None:
        self._roll()
        self._spent += count
        self._unsaved += count

    @property
    def is_spent(self) -> bool:
        self._roll()
        return self._spent >= self.bytes_a_day

    def to_save(self) -> Json | None:
        """What to save now, if it is worth it."""
        if self._unsaved < SAVE_BYTES:
            return None
        self._unsaved = 0
        return {"day": self._day.isoformat(), "bytes": self._spent}

    def _roll(self) -> None:
        if (today := self._today()) != self._day:
            self._day, self._spent = today, 0
