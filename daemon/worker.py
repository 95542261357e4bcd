"""One process that reads mails, seen from the daemon: its pipes, its answers, its end.

A question is a mail, an answer is one frame (`daemon.worker_child`). A process is asked one thing at a time; after an
answer that did not come whole, whatever the reason, it is at an unknown place and is to be closed, not asked again.

What comes back was made while a hostile mail was read. So answers are bounded in size, and nothing but the parts of a
ParsedMail is made from them. Nothing here waits on a thread: pipes and the end of the process wake the loop.
"""

import asyncio
import fcntl
import io
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from daemon.worker_child import HEADER, LENGTH, Verdict
from interactions.mime import ParsedMail
from storage import binaries

START_SECONDS = 30.0
END_SECONDS = 2.0  # between the end of its answers and its own
ANSWER_BYTES_MAX = 32 << 20
PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031  # Linux's number; others refuse it

_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "PYTHONHOME")  # without which this very Python may not start
_PARTS = {
    ("interactions.mime", "ParsedMail"),
    ("interactions.mime_reports", "Report"),
    ("interactions.addresses", "Mailbox"),
    ("interactions.forwards", "Forwarded"),
    ("interactions.invites", "Invite"),
    ("interactions.invites", "Attendee"),
    ("interactions.records", "Attachment"),
    ("datetime", "datetime"),
    ("datetime", "timezone"),
    ("datetime", "timedelta"),
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one mail may cost: `cpu_seconds_max` ends one that is hard to read, `wall_seconds_max` also one that waits."""

    memory_bytes_max: int = 512 << 20
    cpu_seconds_max: int = 20
    wall_seconds_max: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process said of a mail. `is_last`: it will read no other."""

    verdict: Verdict
    is_last: bool
    mail: ParsedMail | None
    reason: str


class Ended(Exception):
    """The process answers no more."""


class Garbled(Exception):
    """What the process answers is no answer."""


class Worker:
    """One process, and our ends of its pipes. Always to be closed by whoever holds it."""

    def __init__(self, parser: str, bounds: Bounds) -> None:
        words = [parser, os.getpid(), bounds.memory_bytes_max, bounds.cpu_seconds_max]
        self._process = subprocess.Popen(  # noqa: S603  # ourselves, no shell
            [sys.executable, "-P", "-m", "daemon.worker_child", *map(str, words)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what a parser prints may quote a mail
            cwd="/",
            env=_environment(),
            start_new_session=True,  # Ctrl-C in the terminal is for us
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin.fileno(), self._process.stdout.fileno()
        for descriptor in (self._requests, self._answers):
            os.set_blocking(descriptor, False)
            with suppress(OSError):  # the system may allow less
                fcntl.fcntl(descriptor, F_SETPIPE_SZ, PIPE_BYTES)
        self.pid = self._process.pid
        self.ended = asyncio.create_task(binaries.ended(self._process), name="reads mails")

    async def start(self) -> str:
        """Returns why it cannot read mails; empty when it can."""
        try:
            async with asyncio.timeout(START_SECONDS):
                answer = await self._hear()
        except TimeoutError:
            return f"it was not ready within {START_SECONDS:g} s"
        except (Ended, Garbled):
            return name_of(await self.exit_code())
        return answer.reason

    async def ask(self, raw: bytes, seconds: float) -> Answer:
        """Raises TimeoutError, Ended or Garbled; after these, and when cancelled, it is of no more use."""
        async with asyncio.timeout(seconds):
            await self._tell(LENGTH.pack(len(raw)))
            await self._tell(raw)
            answer = await self._hear()
        if answer.verdict == Verdict.READY:
            raise Garbled
        return answer

    def is_waiting(self) -> bool:
        """Whether it lives and has said nothing since its last answer."""
        try:
            os.read(self._answers, 1)
        except BlockingIOError:
            return True
        return False

    async def exit_code(self) -> int:
        """After its answers have ended."""
        await asyncio.wait([self.ended], timeout=END_SECONDS)
        return self.ended.result() if self.ended.done() else 0

    def kill(self) -> None:
        """Whoever waits for an answer sees the end of it."""
        self._process.kill()

    def close(self) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    async def _tell(self, content: bytes) -> None:
        loop = asyncio.get_running_loop()
        left = memoryview(content)
        while left:
            try:
                left = left[os.write(self._requests, left[:PIPE_BYTES]) :]
            except BlockingIOError:
                await _ready(self._requests, loop.add_writer, loop.remove_writer)
            except BrokenPipeError:
                raise Ended from None

    async def _hear(self) -> Answer:
        kind, is_last, size = HEADER.unpack(await self._receive(HEADER.size))
        if size > ANSWER_BYTES_MAX or kind not in list(Verdict):
            raise Garbled
        content = await self._receive(size)
        if kind == Verdict.READ:
            return Answer(Verdict.READ, is_last, _unpickle(content), "")
        return Answer(Verdict(kind), is_last, None, content.decode("utf-8", "replace"))

    async def _receive(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        content = bytearray()
        while len(content) < size:
            try:
                some = os.read(self._answers, min(size - len(content), PIPE_BYTES))
            except BlockingIOError:
                await _ready(self._answers, loop.add_reader, loop.remove_reader)
                continue
            if not some:
                raise Ended
            content += some
        return bytes(content)


def _environment() -> dict[str, str]:
    """Where Python finds what we found, and nothing else: secrets may stand in our variables."""
    paths = [os.path.abspath(path) for path in sys.path]
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": os.pathsep.join(paths), **kept}


async def _ready(
    descriptor: int, add: Callable[[int, Callable[[], None]], object], remove: Callable[[int], object]
) -> None:
    """Waits until a pipe can be written to or read from."""
    event = asyncio.Event()
    add(descriptor, event.set)
    try:
        await event.wait()
    finally:
        remove(descriptor)


class _PartsOnly(pickle.Unpickler):
    """Makes the parts of a mail and nothing else, whatever a process was led to send."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _PARTS:
            raise Garbled
        return super().find_class(module, name)


def _unpickle(content: bytes) -> ParsedMail:
    try:
        found = _PartsOnly(io.BytesIO(content)).load()
    except Exception as error:
        raise Garbled from error
    if not isinstance(found, ParsedMail):
        raise Garbled
    return found


def name_of(code: int) -> str:
    """The end of a process in words."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"it ended with code {code}"
