"""A bad line to a mail server: passes bytes on until so many have come back, then both ends find it cut."""

import asyncio
import contextlib
from types import TracebackType


class CutLine:
    """A port before another port, for the length of a `with`. `bytes_left` counts down over all connections."""

    host = "127.0.0.1"

    def __init__(self, port: int, bytes_left: int) -> None:
        self.bytes_left = bytes_left
        self._beyond = port
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "CutLine":
        self._server = await asyncio.start_server(self._connect, self.host, 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        far_reader, far_writer = await asyncio.open_connection(self.host, self._beyond)
        ways = [
            asyncio.create_task(self._there(reader, far_writer)),
            asyncio.create_task(self._back(far_reader, writer)),
        ]
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, far_writer):
                end.transport.abort()
            self._open.discard(task)

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            writer.write(chunk)

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.bytes_left > 0 and (chunk := await reader.read(65536)):
            passed = chunk[: self.bytes_left]
            self.bytes_left -= len(passed)
            writer.write(passed)
            await writer.drain()
        await asyncio.sleep(0.002)  # what was written is on its way
