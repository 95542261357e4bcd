"""Reading mails without stalling the loop: the quick ones in place, the others in processes with limits.

                    ┌ quick ──► a slice of the loop ──► mime.parse ─────────────► ParsedMail
    parse(raw) ─────┤                                     └ fails ┐
                    └ large, deep, odd ──► a turn ──► a process ◄─┘ ──► its answer ──► ParsedMail or TooComplex
                                                       └ killed from outside: once more, in a fresh one

Quick is what surely takes less than 20 ms: nearly every mail up to BRIEF_BYTES_MAX, because it has few words beside files,
which the native parser finds out in a few milliseconds at most; else what is little, and has neither a long header nor much
HTML, whose cost is in its tags. A run of quick mails holds the loop for SLICE_SECONDS, then everybody else has a turn.

Processes (`daemon.worker_child`) are started when first needed, live on, and read one mail at a time. One that was cut
off in the middle of a mail, by a limit, a crash or a cancelled caller, is killed and replaced: what it would say next
could be about another mail. One that has grown is replaced too.

How it fails. A mail that needs too much time or memory, or on which the parser crashes or fails, raises TooComplex with
the reason. A process killed by somebody else, for example by a system short of memory, says nothing about the mail: it
is read again in a fresh one, and only the second time is that the reason. If no process can be started, NoWorker is
raised: then it is not the mail's fault, and it is to be brought again later.

To be started on the thread that lives as long as the daemon: Linux ends the processes with the thread.

Limits: a daemon that was stopped as a whole (SIGSTOP) for longer than `wall_seconds_max` may take the mail that was
just being read for too slow; it lies in quarantine and can be tried again there.
"""

import asyncio
import signal
import time

import structlog

from daemon.worker import Answer, Bounds, Ended, Garbled, Worker, name_of
from daemon.worker_child import EXIT_OUT_OF_MEMORY, Verdict
from interactions import mime
from interactions.mime import HEAVY_BYTES, HEAVY_PARTS, NotBrief, ParsedMail, TooComplex
from interactions.mime_careful import header_end

LOG = structlog.get_logger()
SLICE_SECONDS = 0.008  # and a mail of up to 10 ms after it
QUICK_HTML_BYTES = 64 * 1024
QUICK_CODED_HTML_BYTES = 24 * 1024  # whose tags cannot be counted
QUICK_TAGS = 3_000  # a tag takes about 4 µs
QUICK_HEADER_BYTES = 16 * 1024
BRIEF_BYTES_MAX = 2 * 1024 * 1024
COUNT = 2
BOUNDS = Bounds()
STOP_SECONDS = 2.0
TRIES = 2
PARSER = "interactions.mime:parse"
STOPPING = "the processes that read mails are being stopped"

_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)


class NoWorker(Exception):
    """No process can read mails now; the message says why."""


class Workers:
    """Reads mails; one for a daemon. `parser` names what the processes run, as `module:function`."""

    def __init__(self, count: int = COUNT, bounds: Bounds = BOUNDS, parser: str = PARSER) -> None:
        self._bounds = bounds
        self._parser = parser
        self._turns = asyncio.Semaphore(count)
        self._free: list[Worker] = []
        self._living: set[Worker] = set()
        self._is_open = False
        self._slice = _Slice()

    async def start(self) -> None:
        """From now on mails are taken; a process is started when the first one needs it."""
        self._is_open = True

    async def stop(self) -> None:
        """Ends every process; whoever still waits for a mail gets NoWorker. May be called again."""
        self._is_open = False
        while self._free:
            self._free.pop().close()
        ending = [worker.ended for worker in self._living]
        for worker in self._living:
            worker.kill()
        if ending:
            _, left = await asyncio.wait(ending, timeout=STOP_SECONDS)
            if left:
                LOG.error("processes that read mails do not end", pids=self.pids)

    @property
    def pids(self) -> list[int]:
        """Of the processes that live now."""
        return sorted(worker.pid for worker in self._living)

    async def parse(self, raw: bytes) -> ParsedMail:
        """Raises TooComplex when the mail cannot be read, NoWorker when it cannot be read now."""
        if may_be_brief(raw) and (mail := await self._here(raw, is_brief=True)) is not None:
            return mail
        if is_quick(raw) and (mail := await self._here(raw, is_brief=False)) is not None:
            return mail
        async with self._turns:
            return await self._apart(raw)

    async def _here(self, raw: bytes, is_brief: bool) -> ParsedMail | None:
        """Reads a mail on the loop; None where that cannot be done."""
        async with self._slice:
            try:
                return mime.parse(raw, is_brief)
            except NotBrief:
                return None
            except (TooComplex, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a panic of the native parser is not an Exception
                LOG.warning("the parser failed on a mail; it is tried apart", error=type(error).__name__)
                return None

    async def _apart(self, raw: bytes) -> ParsedMail:
        for _ in range(TRIES):
            worker = await self._take()
            answer = None
            try:
                answer = await worker.ask(raw, self._bounds.wall_seconds_max)
            except TimeoutError:
                raise TooComplex(f"reading it took more than {self._bounds.wall_seconds_max:g} s") from None
            except Garbled:
                raise TooComplex("the parser was led to an answer that cannot be used") from None
            except Ended:
                code = await worker.exit_code()
                if code not in _FROM_OUTSIDE:
                    raise TooComplex(self._why_ended(code)) from None
            finally:
                self._give_back(worker, answer)
            if answer is not None:
                return self._mail_of(answer)
        if not self._is_open:
            raise NoWorker(STOPPING)
        raise TooComplex(
            "the process that read it was killed from outside, and once more when it was tried again; "
            "the system may be short of memory"
        )

    async def _take(self) -> Worker:
        """A process that waits for a mail: one at hand, or a new one."""
        while self._free:
            worker = self._free.pop()
            if worker.is_waiting():
                return worker
            worker.close()
        reason = ""
        for _ in range(TRIES):
            if not self._is_open:
                raise NoWorker(STOPPING)
            worker = self._spawn()
            is_ready = False
            try:
                reason = await worker.start()
                is_ready = not reason
            finally:
                if not is_ready:
                    worker.close()
            if is_ready:
                return worker
        raise NoWorker(f"a process that reads mails cannot be started: {reason}")

    def _spawn(self) -> Worker:
        try:
            worker = Worker(self._parser, self._bounds)
        except OSError as error:
            raise NoWorker(f"a process that reads mails cannot be started: {error.strerror}") from error
        self._living.add(worker)
        worker.ended.add_done_callback(lambda _: self._living.discard(worker))
        return worker

    def _give_back(self, worker: Worker, answer: Answer | None) -> None:
        """Without an answer it is at an unknown place in a mail, and never asked again."""
        if answer is not None and not answer.is_last and self._is_open:
            self._free.append(worker)
            return
        if self._is_open:
            LOG.info("a process that reads mails is replaced", pid=worker.pid, has_answered=answer is not None)
        worker.close()

    def _mail_of(self, answer: Answer) -> ParsedMail:
        if answer.mail is not None:
            return answer.mail
        if answer.verdict == Verdict.OUT_OF_MEMORY:
            raise TooComplex(self._too_large())
        if answer.verdict == Verdict.TOO_COMPLEX:
            raise TooComplex(answer.reason)
        raise TooComplex(f"the parser failed on it ({answer.reason})")

    def _why_ended(self, code: int) -> str:
        if code == -signal.SIGXCPU:
            return f"reading it took more than {self._bounds.cpu_seconds_max} s of processor time"
        if code == EXIT_OUT_OF_MEMORY:
            return self._too_large()
        if code == -signal.SIGABRT:  # the native parser's way of being refused memory
            return f"the parser gave up on it (SIGABRT); perhaps {self._too_large()}"
        return f"the parser crashed on it ({name_of(code)})"

    def _too_large(self) -> str:
        size = self._bounds.memory_bytes_max
        words = f"{size / (1 << 30):g} GB" if size >= 1 << 30 else f"{size >> 20} MB"
        return f"reading it needed more than {words} of memory"


def is_quick(raw: bytes) -> bool:
    """Whether a mail may be read on the loop, whatever is in it."""
    if len(raw) > HEAVY_BYTES:  # even a look at a large one takes its time
        return False
    shape = mime.inspect(raw)
    if mime.is_heavy(shape) or shape.header_bytes > QUICK_HEADER_BYTES:
        return False
    lower = raw.lower()
    if b"text/html" not in lower:
        return True
    if lower.count(b"<") + lower.count(b"=3c") > QUICK_TAGS:
        return False
    return shape.size <= (QUICK_CODED_HTML_BYTES if b"base64" in lower else QUICK_HTML_BYTES)


def may_be_brief(raw: bytes) -> bool:
    """Whether a mail may be read on the loop, should there be few words in it beside files."""
    if len(raw) > BRIEF_BYTES_MAX or header_end(raw) > QUICK_HEADER_BYTES:
        return False
    return raw.count(b"\n--") <= HEAVY_PARTS


class _Slice:
    """Quick mails one after the other, with a pause for everybody else once SLICE_SECONDS are used up.

    A slice begins with the first mail of a round of the loop and ends with the round, so whoever awaits something else
    in between begins a new one. Waiting callers are served in order.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._ends_at: float | None = None

    async def __aenter__(self) -> None:
        await self._turn.acquire()
        try:
            # The loop's own clock may stand still during a round.
            if self._ends_at is not None and time.monotonic() >= self._ends_at:
                await asyncio.sleep(0)
        except BaseException:
            self._turn.release()
            raise
        if self._ends_at is None:
            self._ends_at = time.monotonic() + SLICE_SECONDS
            asyncio.get_running_loop().call_soon(self._end)

    async def __aexit__(self, *_: object) -> None:
        self._turn.release()

    def _end(self) -> None:
        self._ends_at = None
