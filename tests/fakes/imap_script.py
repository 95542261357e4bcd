"""A mail server that says what the test tells it to: a real socket, good manners by default, any fault on demand.

    async with ImapScript({"SEARCH": b"* SEARCH 1\\r\\n%T OK done\\r\\n"}) as server: …

Each command is answered from a book: bytes, in which `%T` stands for the tag, or a function from the command's
arguments to bytes. A list gives one answer for each time, the last one for ever. `CLOSE` at the end of an answer hangs
up after it; an empty answer is silence. What was asked is in `asked`. `push` speaks unasked to everybody connected. With
`room` so many may be connected at a time.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TypeAlias

PATIENCE_SECONDS = 20
CLOSE = b"<close>"
OK = b"%T OK done\r\n"
NO = b"%T NO I will not\r\n"

Answer: TypeAlias = bytes | Callable[[str], bytes]
Book: TypeAlias = Mapping[str, Answer | Sequence[Answer]]

POLITE: Book = {
    "GREETING": b"* OK ready\r\n",
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN SASL-IR\r\n" + OK,
    "AUTHENTICATE": b"%T OK [CAPABILITY IMAP4rev1 IDLE] welcome\r\n",
    "LOGIN": OK,
    "STARTTLS": OK,
    "LIST": b'* LIST () "/" INBOX\r\n' + OK,
    "EXAMINE": b"* 0 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 1] ok\r\n" + OK,
    "SEARCH": b"* SEARCH\r\n" + OK,
    "FETCH": OK,
    "NOOP": OK,
    "IDLE": b"+ idling\r\n",
    "DONE": OK,
    "LOGOUT": b"* BYE bye\r\n%T OK done\r\n" + CLOSE,
}


def folder(*uids: int, uidvalidity: int = 1, next_uid: int | None = None) -> bytes:
    """The answer to EXAMINE of a folder with these mails."""
    next_uid = next_uid or max(uids, default=0) + 1
    return (
        b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] ok\r\n* OK [UIDNEXT %d] ok\r\n" % (len(uids), uidvalidity, next_uid) + OK
    )


def mails(bodies: Mapping[int, bytes]) -> Callable[[str], bytes]:
    """The answer to FETCH of sizes, headers or bodies, honest about them; of `BODY.PEEK[]<m.n>` a part."""

    def answer(arguments: str) -> bytes:
        wanted, items = arguments.split(" ", 1)
        said = b""
        for uid, body in bodies.items():
            if not _holds(wanted, uid):
                continue
            said += b"* %d FETCH (UID %d RFC822.SIZE %d" % (uid, uid, len(body))
            if "INTERNALDATE" in items:
                said += b' INTERNALDATE "23-Nov-2026 12:00:00 +0300"'
            if "BODY.PEEK[HEADER]" in items:
                head = body.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
                said += b" FLAGS () BODY[HEADER] {%d}\r\n%s" % (len(head), head)
            elif "BODY.PEEK" in items:
                cut = re.search(r"<(\d+)\.(\d+)>", items)
                start, most = (int(cut[1]), int(cut[2])) if cut else (0, len(body))
                part = body[start : start + most]
                said += b" FLAGS () BODY[]%s {%d}\r\n%s" % (b"<%d>" % start if cut else b"", len(part), part)
            said += b")\r\n"
        return said + OK

    return answer


def found(*uids: int) -> Callable[[str], bytes]:
    """The answer to UID SEARCH in a folder with these mails. `*` is the last one."""

    def answer(arguments: str) -> bytes:
        wanted = arguments.split()[1].replace("*", str(max(uids, default=0)))
        return b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids if _holds(wanted, uid)) + b"\r\n" + OK

    return answer


def _holds(uid_set: str, uid: int) -> bool:
    for piece in uid_set.split(","):
        ends = sorted(int(end) for end in piece.split(":"))
        if ends[0] <= uid <= ends[-1]:
            return True
    return False


class Box:
    """An INBOX that a test may change while it is being read."""

    def __init__(self, mails: Mapping[int, bytes], uidvalidity: int = 1) -> None:
        self.mails = dict(mails)
        self.uidvalidity = uidvalidity

    def book(self, **more: Answer | Sequence[Answer]) -> Book:
        """The answers of a server with this INBOX, some of them otherwise."""

        def examine(_: str) -> bytes:
            return folder(*self.mails, uidvalidity=self.uidvalidity)

        def search(words: str) -> bytes:
            return found(*self.mails)(words)

        def fetch(words: str) -> bytes:
            return mails(self.mails)(words)

        return {"EXAMINE": examine, "SEARCH": search, "FETCH": fetch, **more}


class ImapScript:
    """The server, for the length of a `with`."""

    host = "127.0.0.1"

    def __init__(
        self,
        book: Book | None = None,
        tls: ssl.SSLContext | None = None,
        tls_at_once: bool = False,
        room: int | None = None,
    ) -> None:
        self.asked: list[str] = []
        self.connections = 0
        self.refused = 0  # for want of room
        self.book: dict[str, Answer | Sequence[Answer]] = {**POLITE, **(book or {})}
        self._tls = tls
        self._tls_at_once = tls_at_once
        self._room = room
        self._times: dict[str, int] = {}
        self.writers: set[asyncio.StreamWriter] = set()  # of everybody connected
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "ImapScript":
        context = self._tls if self._tls_at_once else None
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=context)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def push(self, said: bytes) -> None:
        """Says something unasked."""
        for writer in self.writers:
            writer.write(said)

    def hang_up(self) -> None:
        """Drops every connection."""
        for writer in self.writers:
            writer.transport.abort()

    async def alone(self) -> None:
        """Waits until nobody is connected any more."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.writers:
                await asyncio.sleep(0.005)

    async def heard(self, word: str, times: int = 1) -> None:
        """Waits until a command has been asked."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sum(line.startswith(word) for line in self.asked) < times:
                await asyncio.sleep(0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self.connections += 1
        self._talks.add(talk)
        self.writers.add(writer)
        try:
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError
            ):
                await self._talk(reader, writer)
        finally:
            self._talks.discard(talk)
            self.writers.discard(writer)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        idle_tag = ""
        if self._room is not None and len(self.writers) > self._room:
            self.refused += 1
            writer.write(b"* BYE Too many connections from your IP\r\n")
            await writer.drain()
            return
        if not self._say(writer, "GREETING", "", ""):
            return
        while line := await self._command(reader, writer):
            tag, _, rest = line.partition(" ")
            name, _, arguments = rest.partition(" ")
            if name == "UID":
                name, _, arguments = arguments.partition(" ")
            if tag == "DONE":
                tag, name, arguments = idle_tag, "DONE", ""
            self.asked.append(f"{name} {arguments}".strip())
            idle_tag = tag if name == "IDLE" else idle_tag
            if not self._say(writer, name, tag, arguments):
                await writer.drain()
                return
            if name == "STARTTLS" and self._tls is not None and self.book[name] == OK:
                await writer.start_tls(self._tls)

    async def _command(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """One command, with its literals in place."""
        line = b""
        while (part := (await reader.readline()).rstrip(b"\r\n")).endswith(b"}"):
            head, _, size = part[:-1].rpartition(b"{")
            writer.write(b"+ go on\r\n")
            line += head + await reader.readexactly(int(size))
        return (line + part).decode()

    def _say(self, writer: asyncio.StreamWriter, name: str, tag: str, arguments: str) -> bool:
        """Whether the talk goes on."""
        known = self.book.get(name, b"%T BAD unknown\r\n")
        answers: Sequence[Answer] = [known] if isinstance(known, bytes) or callable(known) else known
        time = self._times[name] = self._times.get(name, -1) + 1
        answer = answers[min(time, len(answers) - 1)]
        said = answer if isinstance(answer, bytes) else answer(arguments)
        writer.write(said.removesuffix(CLOSE).replace(b"%T", tag.encode()))
        return not said.endswith(CLOSE)
