"""Long work on the loop, cut into slices: in between everybody else has a turn."""

import asyncio
import time

SLICE_SECONDS = 0.008


class Slices:
    """One piece of work. `pause` is awaited after each step of it, and costs nothing while the slice lasts."""

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + SLICE_SECONDS

    async def pause(self) -> None:
        if time.monotonic() >= self._ends_at:
            await asyncio.sleep(0)
            self._ends_at = time.monotonic() + SLICE_SECONDS
