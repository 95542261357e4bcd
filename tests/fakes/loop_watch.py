"""Watches the event loop while work is done on it: how long nothing else could run.

Counted are seconds of CPU of the loop's thread between two ticks, so that a machine with other work on it counts for nothing;
and what other tests have left in memory is kept from the garbage collector, which would look through it now and then.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TICK_SECONDS = 0.005


class Watch:
    """`longest`: seconds of work between two ticks, at most."""

    def __init__(self) -> None:
        self.longest = 0.0


@asynccontextmanager
async def watched_loop() -> AsyncIterator[Watch]:
    """The loop for the length of a `with`."""
    watch = Watch()
    gc.collect()
    gc.freeze()

    async def tick() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(TICK_SECONDS)
            watch.longest = max(watch.longest, time.thread_time() - began)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        yield watch
        await asyncio.sleep(2 * TICK_SECONDS)  # what happened last is seen too
    finally:
        ticking.cancel()
        gc.unfreeze()
