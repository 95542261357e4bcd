"""What the one who asks may see, as the configuration and the departments are at this moment.

Every route that shows interactions asks `access_of` once and hands the answer to the storage. Where no source is narrowed,
which is how the house begins, that costs nothing. What changes something is refused where it can't be seen whole:
otherwise whoever may not read a mail could make himself responsible for it, and read it then.

A mailbox that left the configuration stays as narrow as it was (`Serving.departed`; asked for at each request until the
daemon has read it).
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from config.settings import Settings
from daemon.auth import Viewer
from daemon.serving import Serving
from interactions.access import EVERYTHING, Access, Door, decide
from storage import access
from storage.database import Connection
from storage.errors import NotFound


class Withheld(Exception):
    """Something is there, but whoever asks may not read it."""


def doors_of(settings: Settings) -> list[Door]:
    """The configured mailboxes that are not open to everybody. Whoever answers for one is a member of it."""
    return [
        Door(one.name, one.privacy == "private", (*one.members, *((one.responsible,) if one.responsible else ())))
        for one in settings.mailboxes
        if one.members or one.privacy == "private"
    ]


async def remember(db: Connection, settings: Settings) -> Sequence[Door]:
    """Keeps how far each mailbox is open, and says which narrowed ones are no longer configured."""
    names = [one.name for one in settings.mailboxes]
    narrow = {door.source: door for door in doors_of(settings)}
    await access.remember(db, [narrow.get(name) or Door(name) for name in names])
    return await access.departed(db, names)


async def access_of(db: Connection, serving: Serving, viewer: Viewer | None) -> Access:
    """What somebody may see now. Nobody, as a program, is a member of nothing."""
    departed = serving.departed
    if departed is None:
        departed = await access.departed(db, [one.name for one in serving.settings.mailboxes])
    narrow = [*doors_of(serving.settings), *departed]
    if not narrow or (viewer is not None and viewer.token_id is not None and viewer.role == "admin"):
        return EVERYTHING
    user_id = viewer.user_id if viewer else None
    return decide(narrow, await access.asker(db, user_id, datetime.now(UTC)) if user_id else None)


async def need_whole(db: Connection, interaction_id: UUID, seen_by: Access) -> None:
    """Refuses a change of what is not seen whole. Raises NotFound, as if it were not there, or Withheld."""
    if seen_by.is_whole:
        return
    reads = (await access.seen(db, [interaction_id], seen_by)).get(interaction_id)
    if reads is None:
        raise NotFound("there is no such interaction")
    if not reads:
        raise Withheld("only members of its mailbox may read and change this interaction")


async def only_whole(db: Connection, ids: Collection[UUID], seen_by: Access) -> list[UUID]:
    """Those of these interactions that are seen whole."""
    if seen_by.is_whole:
        return list(ids)
    seen = await access.seen(db, ids, seen_by)
    return [one for one in ids if seen.get(one)]


async def need_whole_chain(db: Connection, chain_id: UUID, seen_by: Access) -> None:
    """Refuses to move a chain of which not all is seen. Raises NotFound or Withheld."""
    await need_chain(db, chain_id, seen_by)
    if not await access.is_chain_whole(db, chain_id, seen_by):
        raise Withheld("only who may read all of this chain may put it into another one")


async def need_chain(db: Connection, chain_id: UUID, seen_by: Access) -> None:
    """Raises NotFound for a chain of which nothing is seen."""
    if await access.unseen_chains(db, [chain_id], seen_by):
        raise NotFound(f"there is no chain {chain_id}")
