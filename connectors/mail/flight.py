"""Portions that were handed over and are not committed yet, in their order: so that the next one can be fetched meanwhile.

    fetch 3 │ read 2, keep its bytes │ commit 1        at most IN_FLIGHT_MAX handed over, one more being fetched

Each is committed after the one before it, or not at all, so that at any moment what is committed is what would be without
this: a checkpoint never tells of mails that are still under way. How far we are (`landed`) moves with the commits.

How it fails. When a portion fails, those after it fail too, and its error comes out of the next call here. When something
else fails meanwhile (`under_way`), for example a fetch, what was handed over before is still committed; when we are
cancelled, it is given up. Nothing is ever left behind that works on by itself.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable

from connectors.base import Accepted, Batch, Intake

# With the one that is being fetched, what is held of one folder is three times BATCH_BYTES_MAX.
IN_FLIGHT_MAX = 2


class Flight:
    """What one folder has under way."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._tasks: deque[tuple[asyncio.Task[Accepted], Callable[[], None]]] = deque()
        self._is_under_way = False

    @property
    def is_busy(self) -> bool:
        """Whether anything is not committed yet."""
        return bool(self._tasks)

    @contextlib.asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        """Within, `add` does not wait for the commit. At the end all is committed."""
        self._is_under_way = True
        try:
            try:
                yield
            except Exception:
                await self.settle()
                raise
            await self.settle()
        finally:
            self._is_under_way = False
            await self._give_up()

    async def add(self, batch: Batch, landed: Callable[[], None]) -> None:
        """Hands a batch over; `landed` is called once it is committed."""
        if not self._is_under_way:
            await self._intake.accept(batch)
            landed()
            return
        while len(self._tasks) >= IN_FLIGHT_MAX or (self._tasks and self._tasks[0][0].done()):
            await self._first()
        before = self._tasks[-1][0] if self._tasks else None
        self._tasks.append((asyncio.create_task(self._intake.accept(batch, before), name="a portion"), landed))

    async def settle(self) -> None:
        """Waits until all is committed."""
        try:
            while self._tasks:
                await self._first()
        except BaseException:
            await self._give_up()
            raise

    async def _first(self) -> None:
        task, landed = self._tasks[0]
        await asyncio.wait([task])
        self._tasks.popleft()
        task.result()
        landed()

    async def _give_up(self) -> None:
        tasks = [task for task, _ in self._tasks]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
