"""A leaver's open work goes to somebody else in one act, which can be taken back (`daemon.undo`)."""

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

from interactions.records import Json, JsonValue
from storage import feed, handover, staff, undo
from storage.database import Connection
from storage.errors import Conflict, NotFound

KIND = "handover"
_TOLD = {"contacts": "contact.updated", "interactions": "interaction.updated", "subjects": "subject.updated"}


async def hand_over(db: Connection, leaver: UUID, heir: UUID, by: UUID | None) -> tuple[dict[str, int], str]:
    """How much of each kind was moved, and the token that takes it back. Raises NotFound or Conflict."""
    found = {one.id: one for one in await staff.list_all(db, [leaver, heir])}
    for one in (leaver, heir):
        if one not in found:
            raise NotFound(f"there is no user {one}")
    if leaver == heir:
        raise Conflict("a user can't take over from the same user")
    if found[heir].disabled_at is not None:
        raise Conflict(f"{found[heir].name} is disabled and can't take over anything")
    moved = await handover.move(db, leaver, heir)
    image: dict[str, JsonValue] = {"from": str(leaver), "to": str(heir)}
    image |= {name: [str(one) for one in ids] for name, ids in moved.items()}
    token = await undo.add(db, KIND, image, by)
    await _tell(db, moved)
    return {name: len(ids) for name, ids in moved.items()}, token


async def take_back(db: Connection, image: Json) -> None:
    """Moves back what still is with the heir."""
    moved = {name: [UUID(str(one)) for one in cast("list[JsonValue]", image[name])] for name in _TOLD}
    back = await handover.move_back(db, UUID(str(image["from"])), UUID(str(image["to"])), moved)
    await _tell(db, back)


async def _tell(db: Connection, moved: Mapping[str, Sequence[UUID]]) -> None:
    await feed.add(db, [feed.Change(_TOLD[name], one) for name, ids in moved.items() for one in ids])
