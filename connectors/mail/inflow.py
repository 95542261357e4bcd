"""What comes on a connection, worked off a bounded piece at a time, so that no server can keep the loop busy.

A loop hands over up to eight megabytes before it looks at anything else, and a megabyte of short lines is a quarter of a
second of work. So after `TURN_COST` of it the transport is paused, others have their turn, and then it goes on: a response
costs one, and so do `BYTES_PER_COST` bytes that have to be looked at. What came meanwhile waits, never more than a transport reads at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from connectors.base import ConnectorError
from connectors.mail.responses import Response, ResponseReader

TURN_COST = 1500
BYTES_PER_COST = 200


class Inflow:
    """The data of one connection. `handle` is called with each response, `fail` with the error that ends it all."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        reader: ResponseReader,
        handle: Callable[[Response], None],
        fail: Callable[[ConnectorError], None],
    ) -> None:
        self._loop = loop
        self._reader = reader
        self._handle = handle
        self._fail = fail
        self._waiting: deque[bytes] = deque()
        self._reading: Iterator[Response] | None = None
        self._paused: asyncio.Transport | None = None
        self._is_over = False
        self._left = TURN_COST
        self._is_counting = False

    @property
    def is_empty(self) -> bool:
        """Whether all that came was whole responses, and is worked off."""
        return not self._waiting and self._reading is None and self._reader.is_idle

    def take(self, data: bytes, transport: asyncio.Transport | None) -> None:
        """Takes what came, and works on it if nothing else waits."""
        self._waiting.append(data)
        if self._paused is not None:
            return
        if not self._is_counting:  # a transport reads many times in one turn of the loop
            self._is_counting, self._left = True, TURN_COST
            self._loop.call_soon(self._begin_turn)
        if not self._work(is_bounded=True):
            self._pause(transport)

    def finish(self) -> None:
        """Works off all there is: nothing more will come."""
        self._work(is_bounded=False)

    def drop(self) -> None:
        """Forgets what waits."""
        self._is_over = True
        self._waiting.clear()
        self._reading = None

    def _begin_turn(self) -> None:
        self._is_counting = False

    def _work(self, is_bounded: bool) -> bool:
        """Works on what waits; whether all is done, and may go on in this turn of the loop."""
        try:
            while not self._is_over:
                if self._reading is None:
                    if not self._waiting:
                        return not is_bounded or self._left > 0
                    data = self._waiting.popleft()
                    if not self._reader.is_in_literal:
                        self._left -= len(data) // BYTES_PER_COST
                    self._reading = self._reader.feed(data)
                for response in self._reading:
                    self._handle(response)
                    self._left -= 1
                    if is_bounded and self._left <= 0:
                        return False
                self._reading = None
                if is_bounded and self._left <= 0:
                    return False
        except ConnectorError as error:
            self._fail(error)
        return True

    def _pause(self, transport: asyncio.Transport | None) -> None:
        if transport is None:
            self.finish()
            return
        self._paused = transport
        transport.pause_reading()
        self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._paused is None or self._is_over:
            return
        self._left = TURN_COST
        if self._work(is_bounded=True):
            transport, self._paused = self._paused, None
            if not transport.is_closing():
                transport.resume_reading()
        else:
            self._loop.call_soon(self._go_on)
