"""What a change of contacts would do to history, without doing it: the change runs whole and is rolled back.

interactions    how many would show another contact or partner
addresses       those whose link would change, and whom each would lead to
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from interactions.records import JsonValue
from storage import addresses, feed
from storage.database import Connection, Database

ADDRESSES_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class Effects:
    """What would change."""

    interactions: int
    addresses: tuple[dict[str, JsonValue], ...] = ()

    def as_json(self) -> dict[str, JsonValue]:
        return {"dry_run": True, "interactions": self.interactions, "addresses": list(self.addresses)}


class _RolledBack(Exception):
    def __init__(self, effects: Effects) -> None:
        self.effects = effects


async def effects_of(database: Database, work: Callable[[Connection], Awaitable[object]]) -> Effects:
    """What the work would do. Raises what the work raises."""

    async def attempt(db: Connection) -> None:
        start = await feed.end(db)
        await work(db)
        raise _RolledBack(await _read(db, await feed.ours_since(db, start)))

    try:
        await database.in_transaction(attempt)
    except _RolledBack as rolled_back:
        return rolled_back.effects
    raise AssertionError("a preview never commits")


async def _read(db: Connection, changes: list[feed.Change]) -> Effects:
    told: set[UUID] = {one.ref for one in changes if one.type == "interaction.updated" and one.ref is not None}
    relinked = {one.ref: dict(one.data) for one in changes if one.type == "address.relinked" and one.ref is not None}
    count = len(told) + await addresses.count_history(db, list(relinked)) if relinked else len(told)
    return Effects(count, tuple(list(relinked.values())[:ADDRESSES_SHOWN_MAX]))
