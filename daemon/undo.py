"""Taking back a change of many records: the token finds what was there before, its kind says who brings it back.

Whoever makes such a change adds one line to `APPLIERS`: the kind it keeps its images under (`storage.undo.add`), and the
function that writes an image back. All of it happens in one transaction: a function that raises Conflict, because what
it would restore was changed again in between, leaves the token unused.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias
from uuid import UUID

from daemon import bulk, handover, matching, merging, regroup
from interactions.records import Json
from storage import undo
from storage.database import Connection
from storage.errors import Conflict

Applier: TypeAlias = Callable[[Connection, Json], Awaitable[None]]

APPLIERS: Mapping[str, Applier] = {
    bulk.KIND: bulk.take_back,
    matching.KIND: matching.take_back,
    merging.KIND: merging.take_back,
    handover.KIND: handover.take_back,
    regroup.MERGE: regroup.take_back_merge,
    regroup.SPLIT: regroup.take_back_split,
}


async def take_back(db: Connection, token: str, by: UUID | None, appliers: Mapping[str, Applier] = APPLIERS) -> str:
    """Restores what a change replaced, and says which kind of change it was. Raises NotFound and Conflict."""
    taken = await undo.take(db, token, by)
    apply = appliers.get(taken.kind)
    if apply is None:
        raise Conflict(f"this version can't take back a change of the kind {taken.kind!r}")
    await apply(db, taken.image)
    return taken.kind
