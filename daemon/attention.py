"""What wakes by itself, and what an arrival wakes: each within the caller's transaction, told to the feed."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from interactions.records import Direction, Interaction
from storage import attention, feed
from storage.database import Connection

AT_ONCE_MAX = 200


async def remind(db: Connection) -> int:
    """Announces what has come due, once; returns how much there was."""
    woken = await attention.wake_due(db, AT_ONCE_MAX)
    due = await attention.remind_due(db, datetime.now(UTC), AT_ONCE_MAX)
    await feed.add(db, [feed.Change("interaction.updated", one) for one in woken])
    await feed.add(db, [feed.Change("reminder.due", one) for one in (*woken, *due)])
    return len(woken) + len(due)


async def hold(db: Connection, ids: Sequence[UUID]) -> None:
    """Puts what a rule wants so on control, until somebody takes the mark away."""
    for one in ids:
        await attention.set_control(db, one, True, None, False)


async def wake(db: Connection, arrived: Sequence[Interaction], elsewhere: Collection[UUID] = ()) -> None:
    """Ends waiting in the chains of what has just come in. What was born reviewed (automatic answers) wakes nobody, but for
    what was only because people read it `elsewhere`: it is an answer all the same."""
    incoming = [one for one in arrived if one.direction is Direction.INCOMING]
    news = [one for one in incoming if not one.reviewed or one.id in elsewhere]
    if not news:
        return
    changed = await attention.wake_chains(db, sorted({one.chain_id for one in news}), [one.id for one in news])
    await feed.add(db, [feed.Change("interaction.updated", one) for one in changed])
