"""Who answers for what arrives: the first that applies.

Who answered → the extension rung → the contact's own responsible → the line's or mailbox's → nobody. Someone who is
disabled is passed over; who is known to be there is the caller's `active`.
"""

from collections.abc import Collection, Iterable
from uuid import UUID


def choose(candidates: Iterable[UUID | None], active: Collection[UUID]) -> UUID | None:
    """The first candidate who is still with us."""
    return next((one for one in candidates if one is not None and one in active), None)
