"""One change to a selection or to all that a filter shows, with a token that takes it back."""

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

from interactions.records import Json, JsonValue
from storage import bulk, feed, undo
from storage.database import Connection

KIND = "interactions"
AT_ONCE_MAX = 10_000


async def change(
    db: Connection, ids: Sequence[UUID], changes: Mapping[str, JsonValue], by: UUID | None
) -> tuple[int, str]:
    """How many interactions were changed, and the token that takes it back."""
    changed, before = await bulk.change(db, ids, changes, by)
    image: dict[str, JsonValue] = {"set": dict(changes), "before": [dict(row) for row in before]}
    token = await undo.add(db, KIND, image, by)
    await feed.add(db, [feed.Change("interaction.updated", one) for one in changed])
    return len(changed), token


async def take_back(db: Connection, image: Json) -> None:
    """Restores what stood there before (`daemon.undo`)."""
    before = cast(Sequence[bulk.Row], image["before"])
    back = await bulk.restore(db, before, cast(Mapping[str, JsonValue], image["set"]))
    await feed.add(db, [feed.Change("interaction.updated", one) for one in back])
