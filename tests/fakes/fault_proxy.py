"""A bad line to a mail server: each connection has one fault of its own, drawn from a seed, or none.

    none        what comes is passed on
    cut         both ends find the line cut after byte k from the server
    stall       after byte k nothing comes for a while, then all of it
    hang        after byte k nothing comes any more
    slices      the next bytes after byte k come one by one
    swallow     an answer after byte k never arrives, the rest does
    bye         after an answer after byte k the server says BYE, and goes
    garbage     after an answer after byte k comes what no server says
    late        the line is there, and nobody answers on it
    silent_end  our side is no longer heard after byte k from the server; what comes from there is passed on

`calm` ends all faults: lines that hang are cut, others are passed on as they are, and new ones have none.

Inside a mail no byte is exchanged, put in or left out: without TLS nobody could tell that it was changed on its way.
"""

import asyncio
import contextlib
import random
import re
from collections import Counter
from types import TracebackType

PIECE = 65536
SLICED_BYTES = 2000
STALL_SECONDS_MAX = 1.5
HANG_SECONDS = 3.0  # a real one hangs until somebody looks; tests want to go on
FAULTS = ("cut", "cut", "stall", "hang", "slices", "swallow", "swallow", "bye", "garbage", "late", "silent_end")
BETWEEN_ANSWERS = ("swallow", "bye", "garbage")
_LITERAL = re.compile(rb"\{(\d+)\+?\}\r?\n$")
GARBAGE = (b"* \xff\xfe\x00\r\n", b"%s\r\n" % (b"x" * 5000), b"* 1 FETCH (UID\r\n", b")\r\n", b"* 99999999999999999999 EXISTS\r\n", b"+ \r\n", b"\r\n", b"A0 OK done\r\n", b"* 4294967296 FETCH (FLAGS (\\Seen)) {10}\r\n")  # fmt: skip


class FaultProxy:
    """A port before a server's port, for the length of a `with`. `chance` is the part of the connections that have a
    fault; `met` counts those that came to it."""

    host = "127.0.0.1"

    def __init__(self, port: int, rng: random.Random, chance: float = 0.0) -> None:
        self.chance = chance
        self.met: Counter[str] = Counter()
        self.connections = 0
        self._beyond = port
        self._rng = rng
        self._open: dict[asyncio.Task[None], tuple[_Line, asyncio.StreamWriter]] = {}

    async def __aenter__(self) -> "FaultProxy":
        self._server = await asyncio.start_server(self._connect, self.host, 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def storm(self, seed: str, chance: float) -> None:
        """From now on connections have faults, by this seed."""
        self._rng = random.Random(seed)
        self.chance = chance

    def calm(self) -> None:
        """From now on there are no faults; connections whose fault has come are cut, the others go on without."""
        self.chance = 0.0
        for line, writer in self._open.values():
            if line.is_hanging:
                writer.transport.abort()
            line.fault = "none"

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        rng = self._rng
        fault = rng.choice(FAULTS) if rng.random() < self.chance else "none"
        # As often in the greeting as among the first mails, or the hundredth.
        line = _Line(fault, int(10 ** rng.uniform(1.0, 4.2)), random.Random(rng.random()), self.met)
        self._open[task] = line, writer
        try:
            far_reader, far_writer = await asyncio.open_connection(self.host, self._beyond)
        except OSError:
            writer.transport.abort()
            self._open.pop(task)
            return
        ways = [asyncio.create_task(line.there(reader, far_writer)), asyncio.create_task(line.back(far_reader, writer))]
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, far_writer):
                end.transport.abort()
            self._open.pop(task)


class _Line:
    """One connection: `left` counts down the bytes from the server until its fault comes."""

    def __init__(self, fault: str, left: int, rng: random.Random, met: Counter[str]) -> None:
        self.fault = fault
        self.is_hanging = False
        self._left = 0 if fault == "late" else left
        self._rng = rng
        self._met = met
        self._is_over = fault == "none"  # it has come, or there is none
        self._is_swallowing = False
        self._begun = b""  # of the line that has not ended
        self._literal = 0  # bytes still to come of a literal

    async def there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(PIECE):
            if self.fault == "silent_end" and self._is_over:
                continue
            writer.write(chunk)
            await writer.drain()

    async def back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(PIECE):
            if self._is_over or self.fault == "none":
                writer.write(chunk)
            elif self.fault in BETWEEN_ANSWERS:
                if not self._fail_between(chunk, writer):
                    break
            elif len(chunk) <= self._left:
                self._left -= len(chunk)
                writer.write(chunk)
            elif not await self._fail(chunk, writer):
                break
            await writer.drain()
        await asyncio.sleep(0.002)  # what was written is on its way

    async def _fail(self, chunk: bytes, writer: asyncio.StreamWriter) -> bool:
        """The fault comes, within this chunk; whether the line is there after it."""
        self._met[self.fault] += 1
        self._is_over = True
        writer.write(chunk[: self._left])
        rest = chunk[self._left :]
        if self.fault == "cut":
            return False
        if self.fault in ("hang", "late"):
            await self._hang(writer)
            return False
        if self.fault == "stall":
            await writer.drain()
            await asyncio.sleep(self._rng.uniform(0.1, STALL_SECONDS_MAX))
        elif self.fault == "slices":
            for at in range(min(len(rest), SLICED_BYTES)):
                writer.write(rest[at : at + 1])
                await writer.drain()
                await asyncio.sleep(0)
            rest = rest[SLICED_BYTES:]
        writer.write(rest)
        if self.fault == "silent_end":
            self._cut_later(writer)
        return True

    def _fail_between(self, chunk: bytes, writer: asyncio.StreamWriter) -> bool:
        """The fault comes after the first answer that ends beyond its byte; whether the line is there after it."""
        ends = self._ends(chunk)
        if self._is_swallowing:
            writer.write(chunk[ends[0] :] if ends else b"")
            self._is_over = bool(ends)
            return True
        at = next((end for end in ends if end > self._left), None)
        if at is None:
            self._left = max(0, self._left - len(chunk))
            writer.write(chunk)
            return True
        self._met[self.fault] += 1
        writer.write(chunk[:at])
        if self.fault == "bye":
            writer.write(b"* BYE The server is going down\r\n")
            return False
        rest = chunk[at:]
        if self.fault == "garbage":
            rest = self._rng.choice(GARBAGE) + rest
        else:
            next_end = next((end for end in ends if end > at), None)
            self._is_swallowing = next_end is None
            rest = chunk[next_end:] if next_end else b""
            self._cut_later(writer)  # who waits for what was swallowed would wait for a minute
        writer.write(rest)
        self._is_over = not self._is_swallowing
        return True

    def _ends(self, chunk: bytes) -> list[int]:
        """Where answers end in what comes next: lines, with the literals in them (RFC 9051 §4.3)."""
        found, at = [], 0
        while at < len(chunk):
            if self._literal:
                passed = min(self._literal, len(chunk) - at)
                self._literal -= passed
                at += passed
                continue
            end = chunk.find(b"\n", at) + 1
            self._begun += chunk[at : end or len(chunk)]
            if not end:
                break
            at = end
            announced = _LITERAL.search(self._begun)
            self._begun = b""
            if announced:
                self._literal = int(announced[1])
            else:
                found.append(at)
        return found

    def _cut_later(self, writer: asyncio.StreamWriter) -> None:
        self.is_hanging = True
        asyncio.get_running_loop().call_later(HANG_SECONDS, writer.transport.abort)

    async def _hang(self, writer: asyncio.StreamWriter) -> None:
        self.is_hanging = True
        await writer.drain()
        await asyncio.sleep(HANG_SECONDS)
