"""Where a page of a list ends, as a text that nobody has to understand: what it is ordered by, and an id."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from uuid import UUID

WRONG = "must be the `next` of an earlier answer"


def pack(first: str, last: UUID) -> str:
    """The cursor behind the line that has this value and this id."""
    return urlsafe_b64encode(json.dumps([first, str(last)], ensure_ascii=False).encode()).decode().rstrip("=")


def unpack(cursor: str) -> tuple[str, UUID]:
    """What `pack` was given. Raises ValueError for what was not made by it."""
    try:
        first, last = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(first, str) or "\x00" in first or not first.isprintable():
            raise ValueError
        return first, UUID(last)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise ValueError(WRONG) from None


def write_cursor(at: datetime, last: UUID) -> str:
    """The cursor of a list in the order of time."""
    return pack(at.isoformat(), last)


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """The moment and the id. Raises ValueError for what was not made by `write_cursor`."""
    first, last = unpack(cursor)
    try:
        at = datetime.fromisoformat(first)
        if at.tzinfo is None:
            raise ValueError
        return at.astimezone(UTC), last
    except (ValueError, OverflowError):
        raise ValueError(WRONG) from None
