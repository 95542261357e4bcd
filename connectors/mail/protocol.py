"""One connection to an IMAP server: commands out, responses in. On aioimaplib's client, with reading of our own.

From aioimaplib come the command table, the states, the tags, the commands and the hook that makes the client. Replaced
is everything that touches bytes: its reader calls itself once per line and dies of a long answer, looks through an
answer again with each line, drops what it did not ask for, and leaves commands waiting when the connection is lost.

    one command at a time      `run` sends it and returns its `Answer`: the result and the responses it asked for
    what was not asked for     EXISTS, EXPUNGE, FETCH go to `unsolicited`, STATUS and LIST of other folders (NOTIFY) to
                               `notices`; of each the newest `UNSOLICITED_MAX`; `changed` is set
    `+`                        sends the next chunk of the command (a literal, a SASL answer), or starts IDLE
    BYE, lost connection       fail what is waiting, at once, with the server's words
    timeout, cancelled, oddity close the connection: nobody knows any more which answer belongs to what

A command may be silent for `quiet_seconds` and last `COMMAND_SECONDS_MAX`. Its answer is bounded as a whole.
What comes is worked off in turns (`inflow`), so that no server keeps the loop busy; over TLS it comes through `tls`.
After any failure the connection is of no use: each further command raises the first error again.
Nothing is logged here: what passes is other people's mail, and passwords.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aioimaplib import AUTH, CONNECTED, LOGOUT, NONAUTH, SELECTED, Command, Commands, IMAP4ClientProtocol

from connectors.base import ConnectorError, Unavailable
from connectors.mail.arguments import Argument, chunks
from connectors.mail.inflow import Inflow
from connectors.mail.refusals import of_farewell, of_greeting, throttling
from connectors.mail.responses import LITERAL_BYTES_MAX, Garbled, Response, ResponseReader, shown
from connectors.mail.tls import Tls

QUIET_SECONDS = 60.0
COMMAND_SECONDS_MAX = 1800.0
DONE_SECONDS = 15.0
CONNECT_SECONDS = 20.0
UNSOLICITED_MAX = 1000
CAPABILITIES_MAX = 500
# Answers of one command together, beyond one literal of the largest size; each response counts for its own weight too.
ANSWER_BYTES_MAX = 64 * 1024 * 1024
RESPONSE_WEIGHT = 250
NOTICE_BYTES_MAX = 4096

_NEWS = (b"EXISTS", b"EXPUNGE", b"FETCH", b"VANISHED")
_NOTICES = (b"STATUS", b"LIST")
_OVERFLOW = b"* OK [NOTIFICATIONOVERFLOW]"  # the server stopped telling: RFC 5465 §5.8
# Commands that aioimaplib does not know, and when they make sense.
_MORE_STATES = {"NOTIFY": (AUTH, SELECTED), "XLIST": (AUTH, SELECTED)}


@dataclass(slots=True)
class Answer:
    """What a command brought: `result` is OK, NO or BAD, `text` the server's words, `responses` what was asked for."""

    result: str = ""
    text: bytes = b""
    responses: list[Response] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        return self.result == "OK"


@dataclass(slots=True)
class _Pending:
    command: Command
    wanted: Collection[bytes]
    unsent: deque[bytes]
    done: "asyncio.Future[Answer]"
    started: "asyncio.Future[None] | None" = None  # of IDLE: the server has said `+`
    answer: Answer = field(default_factory=Answer)
    weight: int = 0


def kind_of(response: Response) -> bytes:
    """The name of an untagged response: `* 12 EXISTS` is EXISTS, `* LIST …` is LIST."""
    words = response.text[:100].split(None, 3)
    if len(words) > 2 and words[1].isdigit():
        return words[2].upper()
    return words[1].upper() if len(words) > 1 else b""


class ImapProtocol(IMAP4ClientProtocol):
    """The connection itself. `peer` names the server in errors: `imap.example.org:993`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        peer: str,
        literal_bytes_max: int = LITERAL_BYTES_MAX,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        super().__init__(loop)
        self.peer = peer
        self.quiet_seconds = quiet_seconds
        self.done_seconds = DONE_SECONDS  # a server that does not end IDLE by then is dead, whatever else it says
        self.greeting: asyncio.Future[bytes] = loop.create_future()
        self.unsolicited: deque[tuple[bytes, bytes]] = deque(maxlen=UNSOLICITED_MAX)
        self.notices: deque[Response] = deque(maxlen=UNSOLICITED_MAX)
        self.changed = asyncio.Event()
        self.was_deaf = False  # the last IDLE was told of mail only as it ended, after its whole time
        self.broken: ConnectorError | None = None
        self._literal_bytes_max = literal_bytes_max
        reader = ResponseReader(peer, literal_bytes_max)
        self._inflow = Inflow(loop, reader, self._handle_line, self.break_off)
        self._pending: _Pending | None = None
        self._turn = asyncio.Lock()
        self._heard_at = loop.time()
        self._bye = b""
        self._must_be_silent = False  # between the answer to STARTTLS and the end of the handshake

    # What asyncio calls ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases
        self.state = CONNECTED

    def data_received(self, d: bytes) -> None:
        if self.broken is not None:
            return
        self._heard_at = self.loop.time()
        self._inflow.take(d, self.transport)
        if self._must_be_silent and not self._inflow.is_empty:
            self.break_off(self._intrusion())

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.broken is None:
            self._inflow.finish()
        if self._bye:
            self.break_off(of_farewell(self.peer, self._bye))
        why = f": {exc}" if exc else ""
        self.break_off(Unavailable(f"the connection to {self.peer} was lost{why}"))
        self.transport = None  # with its buffers, whoever still holds us

    # Reading --------------------------------------------------------------------------------------------------------

    def _handle_line(self, response: Response) -> None:
        if self._must_be_silent:
            raise self._intrusion()
        text = response.text
        if self.state == CONNECTED:
            self._greet(text)
        elif text.startswith(b"* "):
            self._untagged_response(response)
        elif text == b"+" or text.startswith(b"+ "):
            self._continuation(text)
        else:
            self._response_done(text)

    def _greet(self, text: bytes) -> None:
        words = text.split(None, 2)
        kind = words[1].upper() if len(words) > 1 and words[0] == b"*" else b""
        if kind == b"BYE":
            raise of_greeting(self.peer, text[6:])
        if kind not in (b"OK", b"PREAUTH"):
            raise Garbled(f"{self.peer} does not greet as an IMAP server ({shown(text)!r}); check host and port")
        self.state = AUTH if kind == b"PREAUTH" else NONAUTH
        self._note_capabilities(text)
        if not self.greeting.done():
            self.greeting.set_result(text)

    def _untagged_response(self, response: Response) -> None:
        kind = kind_of(response)
        if kind == b"BYE":
            self._say_farewell(response.text[6:])
            return
        if kind == b"CAPABILITY":
            self._take_capabilities(response.text[2:].split()[1:])
        pending = self._pending
        is_overflow = response.text[: len(_OVERFLOW)].upper() == _OVERFLOW
        if pending is not None and kind in pending.wanted and not is_overflow:
            pending.weight += response.size + RESPONSE_WEIGHT
            if pending.weight > ANSWER_BYTES_MAX + self._literal_bytes_max:
                raise Garbled(f"{self.peer} answers {pending.command.name} without end; the connection was closed")
            pending.answer.responses.append(response)
        elif kind in _NEWS:
            self.unsolicited.append((kind, response.text[2:100].split(None, 1)[0]))
            self.changed.set()
        elif is_overflow or kind in _NOTICES:
            if response.size <= NOTICE_BYTES_MAX:
                self.notices.append(response)
            self.changed.set()

    def _say_farewell(self, words: bytes) -> None:
        self._bye = words or b"BYE"
        if self._pending is None or self._pending.command.name != "LOGOUT":
            raise of_farewell(self.peer, self._bye)

    def _continuation(self, text: bytes) -> None:
        pending = self._pending
        if pending is not None and pending.unsent:
            self._write(pending.unsent.popleft())
        elif pending is not None and pending.started is not None and not pending.started.done():
            pending.started.set_result(None)
        elif pending is not None and pending.command.name == "AUTHENTICATE":
            # A refusal with its reason in the challenge: an empty answer brings the tagged NO (RFC 7628 §3.2.3).
            self._write(b"\r\n")
        else:
            raise Garbled(f"{self.peer} asked for more without reason ({shown(text)!r}); the connection was closed")

    def _response_done(self, text: bytes) -> None:
        tag, _, rest = text.partition(b" ")
        result, _, words = rest.partition(b" ")
        pending = self._pending
        kind = result.upper().decode("ascii", "replace")
        if pending is None or tag != pending.command.tag.encode() or kind not in ("OK", "NO", "BAD"):
            raise Garbled(f"{self.peer} sent an answer nobody asked for ({shown(text)!r}); the connection was closed")
        self._note_capabilities(words)
        pending.answer.result, pending.answer.text = kind, words
        if kind == "OK" and pending.command.name == "STARTTLS":
            self._must_be_silent = True
        if kind == "OK" and pending.command.name == "LOGOUT":
            self.state = LOGOUT
        if not pending.done.done():
            pending.done.set_result(pending.answer)

    def _note_capabilities(self, text: bytes) -> None:
        code = text.partition(b"[")[2].partition(b"]")[0].split()
        if code and code[0].upper() == b"CAPABILITY":
            self._take_capabilities(code[1:])

    def _take_capabilities(self, words: Sequence[bytes]) -> None:
        self.capabilities = {word.decode("ascii", "replace").upper() for word in words[:CAPABILITIES_MAX]}

    # Sending --------------------------------------------------------------------------------------------------------

    async def run(
        self,
        name: str,
        *arguments: Argument,
        wanted: Collection[bytes] = (),
        prefix: str | None = None,
        after: bytes | None = None,
    ) -> Answer:
        """Sends a command, and `after` once the server asks for more, and returns its answer, whatever the result.
        Raises Unavailable when there will be none."""
        async with self._turn:
            pending = self._begin(name, arguments, wanted, prefix)
            if after is not None:
                pending.unsent.append(after)
            with self._breaking(pending):
                return await self._wait(pending, pending.done, self.quiet_seconds)

    async def idle(self, seconds: float) -> bool | None:
        """Waits until something changes, at most `seconds`: whether something did, or None if the server won't idle."""
        async with self._turn:
            pending = self._begin("IDLE", (), (), None)
            pending.started = self.loop.create_future()
            with self._breaking(pending):
                await self._wait(pending, pending.started, self.quiet_seconds)
                if not pending.started.done():
                    return self._idled(pending.done.result())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._first_of(pending.done)
                is_late = not self.changed.is_set()
                if not pending.done.done():
                    self._write(b"DONE\r\n")
                answer = await self._wait(pending, pending.done, self.done_seconds, noise_counts=False)
                self.was_deaf = is_late and any(kind == b"EXISTS" for kind, _ in self.unsolicited)
                return self._idled(answer)

    def _idled(self, answer: Answer) -> bool | None:
        if answer.is_ok:
            return self.changed.is_set()
        slow = throttling(self.peer, answer.text)
        if slow is not None:
            raise slow
        return None

    async def _first_of(self, done: "asyncio.Future[Answer]") -> None:
        """Returns on a change or the end of the command, whichever comes first."""
        waiter = self.loop.create_task(self.changed.wait())
        try:
            either: set[asyncio.Future[Any]] = {waiter, done}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """The handshake after the server has agreed to STARTTLS. Errors of TLS pass as they are."""
        self.capabilities = set()  # what was said in the clear may have been said by anybody (RFC 9051 §6.2.1)
        if self.broken is not None:
            raise self.broken
        assert self.transport is not None
        if not self._inflow.is_empty:
            self.break_off(self._intrusion())
            raise self._intrusion()
        tls = Tls(self, context, host)
        below = self.transport
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                below.set_protocol(tls)
                tls.connection_made(below)
                await tls.handshaken()
        except BaseException:
            self.break_off(Unavailable(f"the TLS handshake with {self.peer} failed"))
            raise
        if self.broken is not None:
            raise self.broken
        self.transport = cast(asyncio.Transport, tls)
        self._must_be_silent = False

    def break_off(self, error: ConnectorError) -> None:
        """Ends the connection now; what waits, and whoever asks later, gets the error. The first error stays."""
        if self.broken is None:
            self.broken = error
        self._inflow.drop()
        futures: list[asyncio.Future[Any] | None] = [self.greeting]
        if self._pending is not None:
            futures += [self._pending.started, self._pending.done]
        for waiting in futures:
            if waiting is not None and not waiting.done():
                waiting.set_exception(self.broken)
                waiting.exception()  # seen: nobody may be left to await it
        self.changed.set()
        if self.transport is not None:
            self.transport.abort()

    def take_changes(self) -> list[tuple[bytes, bytes]]:
        """What the server told unasked since the last call, oldest first: kind and number."""
        told = list(self.unsolicited)
        self.unsolicited.clear()
        self._settle()
        return told

    def take_notices(self) -> list[Response]:
        """What the server told unasked of folders since the last call, oldest first."""
        told = list(self.notices)
        self.notices.clear()
        self._settle()
        return told

    def _settle(self) -> None:
        if self.broken is None and not self.unsolicited and not self.notices:
            self.changed.clear()

    def _begin(
        self, name: str, arguments: Sequence[Argument], wanted: Collection[bytes], prefix: str | None
    ) -> _Pending:
        if self.broken is not None:
            raise self.broken
        states = _MORE_STATES.get(name) or Commands[name].valid_states
        if self.state not in states:
            raise Unavailable(f"{name} makes no sense to {self.peer} in state {self.state}")
        command = Command(name, self.new_tag(), loop=self.loop)
        spoken = f"{prefix} {name}" if prefix else name
        first, *rest = chunks(command.tag, spoken, arguments)
        self._pending = _Pending(command, wanted, deque(rest), self.loop.create_future())
        self._write(first)
        return self._pending

    def _write(self, chunk: bytes) -> None:
        if self.transport is not None:
            self.transport.write(chunk)

    @contextlib.contextmanager
    def _breaking(self, pending: _Pending) -> Iterator[None]:
        """Closes the connection unless the command within came to its end."""
        try:
            yield
        finally:
            if not pending.done.done():
                self.break_off(Unavailable(f"{pending.command.name} to {self.peer} was given up in the middle"))
            self._pending = None

    async def _wait(
        self, pending: _Pending, what: "asyncio.Future[Any]", quiet_seconds: float, noise_counts: bool = True
    ) -> Answer:
        """Waits for a future of a command, or for its end; as long as the server goes on sending, if `noise_counts`."""
        begun_at = self.loop.time()
        while not (what.done() or pending.done.done()):
            now = self.loop.time()
            quiet_left = max(begun_at, self._heard_at if noise_counts else 0.0) + quiet_seconds - now
            left = min(quiet_left, begun_at + COMMAND_SECONDS_MAX - now)
            if left <= 0:
                error = Unavailable(
                    f"{self.peer} gave no answer to {pending.command.name} for {quiet_seconds:.0f} seconds; "
                    "the connection was closed"
                )
                self.break_off(error)
                raise error
            await asyncio.wait({what, pending.done}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        return pending.done.result() if pending.done.done() else pending.answer

    def _intrusion(self) -> Garbled:
        return Garbled(
            f"{self.peer} went on talking after STARTTLS was agreed; somebody may be meddling, the connection was closed"
        )
