"""What was read, written down beside the requests: within a second, many to one commit.

A change is written down in its own transaction (`storage.audit.note`). Reading must not wait for a commit, so what was read
is put on a list here that a loop writes away; a normal stop writes the rest. While the database is away the list grows to
`WAITING_MAX`; from then on whoever reads waits for it like everybody else, and hears 503: nothing is read unseen.

Limits. A daemon that is killed loses what was read in its last second. A line whose commit was not answered is there twice.
"""

import asyncio
from uuid import UUID

import structlog

from interactions.records import JsonValue
from storage import audit
from storage.database import Database
from storage.errors import StorageError

LOG = structlog.get_logger()
WRITE_EACH_SECONDS = 1.0
AT_ONCE_MAX = 1000
WAITING_MAX = 10_000


class Readings:
    """What was read and is not yet written down."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[audit.Act] = []
        self._turn = asyncio.Lock()

    async def note(self, act: str, *refs: UUID | None, **detail: JsonValue) -> None:
        """That whoever acts has read these things. Raises StorageDown when too much waits."""
        found = [audit.reading(act, ref, **detail) for ref in refs]
        self._waiting += [one for one in found if one is not None]
        if len(self._waiting) > WAITING_MAX:
            await self.write()

    async def write(self) -> None:
        """Writes down all that waits. What could not be written waits on."""
        async with self._turn:
            while self._waiting:
                some = self._waiting[:AT_ONCE_MAX]
                async with self._database.connection() as db:
                    await audit.add(db, some)
                del self._waiting[: len(some)]

    async def run(self) -> None:
        """Writes until cancelled."""
        is_away = False
        while True:
            await asyncio.sleep(WRITE_EACH_SECONDS)
            try:
                await self.write()
                is_away = False
            except StorageError as error:
                if not is_away:
                    LOG.warning("the audit log waits for the database", reason=str(error))
                is_away = True
            except Exception:
                LOG.exception("the audit log failed; it is tried again")
