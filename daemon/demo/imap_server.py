"""A small IMAP4rev1 server in this process: the mail server of `ringmail demo`.

It listens on this machine only, in the clear, and nothing on it can be changed from outside: what would change
something is answered NO. It knows what reading a mailbox needs (RFC 3501): logins (LOGIN, AUTHENTICATE PLAIN), folders
with their special uses (RFC 6154), STATUS, EXAMINE and SELECT, SEARCH by UID, date and flag, FETCH of sizes, dates,
flags and whole bodies or parts of them by bytes, and IDLE (RFC 2177), which tells of new mail at once.

Bounds: the length of a line and of a literal, the number of connections, wrong logins, the time in which nothing is
said. Beyond them the connection is closed with BYE.

Limits: no TLS, no ENVELOPE and BODYSTRUCTURE, and flags stay as they are.
"""

import asyncio
import contextlib
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

from connectors.mail.arguments import decode_name, encode_name
from daemon.demo.imap_store import Account, Folder, StoredMail, by_user
from daemon.demo.imap_words import (
    LITERAL,
    BadCommand,
    Word,
    in_set,
    item_of,
    on_days,
    quoted,
    read_day,
    read_words,
    text_of,
)

HOST = "127.0.0.1"
LINE_BYTES_MAX = 16 * 1024
LITERAL_BYTES_MAX = 4096
LITERALS_MAX = 10
CONNECTIONS_MAX = 50
LOGINS_MAX = 3
SILENCE_SECONDS_MAX = 1800.0
CAPABILITIES = b"IMAP4rev1 AUTH=PLAIN SASL-IR LITERAL+ IDLE ID ENABLE NAMESPACE SPECIAL-USE UNSELECT"
_CHANGING = frozenset("APPEND CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE STORE COPY MOVE EXPUNGE SETMETADATA".split())


class Farewell(Exception):
    """The connection ends; the message goes into BYE."""


class ImapServer:
    """See the module. `start` binds a free port, which `port` tells; `stop` ends every connection."""

    def __init__(self, accounts: Iterable[Account], connections_max: int = CONNECTIONS_MAX) -> None:
        self.accounts = by_user(accounts)
        self.port = 0
        self._connections_max = connections_max
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, 0, limit=LINE_BYTES_MAX)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def deliver(self, user: str, folder: str, raw: bytes, received_at: datetime, is_seen: bool = False) -> int:
        """Puts a mail into a folder; whoever idles there hears of it. Raises KeyError if there is no such place."""
        return self.accounts[user.casefold()].folders[folder].add(raw, received_at, is_seen)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            # A cancelled handler would be reported by asyncio as an error; it is how we stop.
            with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.CancelledError):
                if len(self._talks) > self._connections_max:
                    writer.write(b"* BYE too many connections\r\n")
                else:
                    await _Talk(self.accounts, reader, writer).run()
        finally:
            self._talks.discard(talk)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class _Talk:
    """One connection."""

    def __init__(
        self, accounts: dict[str, Account], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._accounts = accounts
        self._reader = reader
        self._writer = writer
        self._account: Account | None = None
        self._folder: Folder | None = None
        self._news = asyncio.Event()
        self._told = 0  # how many mails of the open folder the client knows of
        self._logins = 0
        self._is_over = False
        self._by_uid = False
        self._commands: dict[str, Callable[[list[Word]], Awaitable[bytes]]] = {
            "CAPABILITY": self._capability, "NOOP": self._noop, "CHECK": self._noop, "ID": self._id,
            "LOGIN": self._login, "AUTHENTICATE": self._authenticate, "ENABLE": self._enable,
            "NAMESPACE": self._namespace, "LIST": self._list, "LSUB": self._list, "STATUS": self._status,
            "SELECT": self._select, "EXAMINE": self._select, "CLOSE": self._unselect, "UNSELECT": self._unselect,
            "SEARCH": self._search, "FETCH": self._fetch, "IDLE": self._idle,
        }  # fmt: skip

    async def run(self) -> None:
        """Greets, then answers command after command until the client goes or must go."""
        self._say(b"* OK [CAPABILITY %b] Ringmail's sample mail" % CAPABILITIES)
        try:
            while True:
                await self._writer.drain()
                await self._command()
        except Farewell as farewell:
            self._say(b"* BYE " + str(farewell).encode("ascii", "replace"))
        finally:
            self._leave()

    def _say(self, line: bytes) -> None:
        self._writer.write(line + b"\r\n")

    async def _line(self) -> bytes:
        try:
            async with asyncio.timeout(SILENCE_SECONDS_MAX):
                line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise Farewell("a line is too long") from None
        except TimeoutError:
            raise Farewell("nothing was said for long") from None
        return line.rstrip(b"\r\n")

    async def _read_pieces(self) -> list[bytes]:
        """A command as text, literal, text, literal, …, text."""
        pieces = [await self._line()]
        while (announced := LITERAL.search(pieces[-1])) is not None:
            size = int(announced[1])
            if size > LITERAL_BYTES_MAX or len(pieces) > 2 * LITERALS_MAX:
                raise Farewell("a literal is too long")
            pieces[-1] = pieces[-1][: announced.start()]
            if not announced[2]:
                self._say(b"+ go on")
                await self._writer.drain()
            pieces.append(await self._reader.readexactly(size))
            pieces.append(await self._line())
        return pieces

    async def _command(self) -> None:
        pieces = await self._read_pieces()
        tag, _, rest = pieces[0].partition(b" ")
        if not tag or not tag.isalnum():
            self._say(b"* BAD a command begins with a tag")
            return
        try:
            name, *words = read_words([rest, *pieces[1:]]) or [""]
            verb = text_of(name).upper()
            self._by_uid = verb == "UID"
            if self._by_uid and words:
                verb, words = text_of(words[0]).upper(), words[1:]
            answer = await self._answer(verb, words)
        except BadCommand as error:
            answer = b"BAD " + str(error).encode("ascii", "replace")
        self._tell_news()
        self._say(tag + b" " + answer)
        if self._is_over:
            await self._writer.drain()
            raise EOFError

    async def _answer(self, verb: str, words: list[Word]) -> bytes:
        if verb == "LOGOUT":
            self._say(b"* BYE come again")
            self._is_over = True
            return b"OK done"
        if verb in _CHANGING:
            return b"NO [READ-ONLY] this server shows samples and cannot be changed"
        command = self._commands.get(verb)
        if command is None:
            return b"BAD no such command here"
        if self._account is None and verb not in ("CAPABILITY", "NOOP", "ID", "LOGIN", "AUTHENTICATE"):
            return b"BAD log in first"
        if self._folder is None and verb in ("SEARCH", "FETCH", "CHECK", "CLOSE", "UNSELECT"):
            return b"BAD no folder is open"
        return await command(words)

    # Anybody --------------------------------------------------------------------------------------------------------

    async def _capability(self, _: list[Word]) -> bytes:
        self._say(b"* CAPABILITY " + CAPABILITIES)
        return b"OK done"

    async def _noop(self, _: list[Word]) -> bytes:
        return b"OK done"

    async def _id(self, _: list[Word]) -> bytes:
        self._say(b'* ID ("name" "Ringmail sample mail")')
        return b"OK done"

    async def _login(self, words: list[Word]) -> bytes:
        if len(words) != 2:
            raise BadCommand("LOGIN takes a name and a password")
        return self._enter(text_of(words[0]), text_of(words[1]))

    async def _authenticate(self, words: list[Word]) -> bytes:
        if not words or text_of(words[0]).upper() != "PLAIN":
            return b"NO only PLAIN is known here"
        if len(words) > 1:
            secret = text_of(words[1]).encode()
        else:
            self._say(b"+ ")
            await self._writer.drain()
            secret = await self._line()
        try:
            _, user, password = b64decode(secret, validate=True).decode().split("\0")
        except ValueError:
            raise BadCommand("that is no answer to PLAIN") from None
        return self._enter(user, password)

    def _enter(self, user: str, password: str) -> bytes:
        account = self._accounts.get(user.casefold())
        if self._account is not None:
            return b"BAD logged in already"
        if account is None or account.password != password:
            self._logins += 1
            if self._logins >= LOGINS_MAX:
                raise Farewell("too many wrong passwords")
            return b"NO [AUTHENTICATIONFAILED] wrong user name or password"
        self._account = account
        return b"OK [CAPABILITY %b] welcome" % CAPABILITIES

    # Logged in ------------------------------------------------------------------------------------------------------

    async def _enable(self, _: list[Word]) -> bytes:
        self._say(b"* ENABLED")
        return b"OK done"

    async def _namespace(self, _: list[Word]) -> bytes:
        self._say(b'* NAMESPACE (("" "/")) NIL NIL')
        return b"OK done"

    async def _list(self, words: list[Word]) -> bytes:
        assert self._account is not None
        if words and text_of(words[-1]) == "":
            self._say(b'* LIST (\\Noselect) "/" ""')
            return b"OK done"
        for folder in self._account.folders.values():
            flags = b" ".join([b"\\HasNoChildren", *([folder.use.encode("ascii")] if folder.use else [])])
            self._say(b'* LIST (%b) "/" %b' % (flags, quoted(encode_name(folder.name))))
        return b"OK done"

    def _find(self, words: list[Word]) -> Folder | None:
        assert self._account is not None
        if not words:
            raise BadCommand("the name of a folder is missing")
        return self._account.find(decode_name(text_of(words[0]).encode()))

    async def _status(self, words: list[Word]) -> bytes:
        folder = self._find(words)
        if folder is None:
            return b"NO [NONEXISTENT] no such folder"
        counts = {
            "MESSAGES": len(folder.mails), "UIDNEXT": folder.uidnext, "UIDVALIDITY": folder.uidvalidity, "RECENT": 0,
            "UNSEEN": sum("\\Seen" not in mail.flags for mail in folder.mails),
        }  # fmt: skip
        wanted = words[1] if len(words) > 1 and isinstance(words[1], list) else []
        items = [text_of(one).upper() for one in wanted]
        if not items or any(item not in counts for item in items):
            raise BadCommand("STATUS takes a list of items")
        told = " ".join(f"{item} {counts[item]}" for item in items).encode("ascii")
        self._say(b"* STATUS %b (%b)" % (quoted(encode_name(folder.name)), told))
        return b"OK done"

    async def _select(self, words: list[Word]) -> bytes:
        folder = self._find(words)
        self._leave()
        if folder is None:
            return b"NO [NONEXISTENT] no such folder"
        self._folder = folder
        folder.listeners.add(self._news)
        self._told = len(folder.mails)
        self._say(b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)")
        self._say(b"* OK [PERMANENTFLAGS ()] nothing can be changed")
        self._say(b"* %d EXISTS" % self._told)
        self._say(b"* 0 RECENT")
        self._say(b"* OK [UIDVALIDITY %d] of this start" % folder.uidvalidity)
        self._say(b"* OK [UIDNEXT %d] will be next" % folder.uidnext)
        return b"OK [READ-ONLY] done"

    async def _unselect(self, _: list[Word]) -> bytes:
        self._leave()
        return b"OK done"

    def _leave(self) -> None:
        if self._folder is not None:
            self._folder.listeners.discard(self._news)
        self._folder = None

    # A folder is open -----------------------------------------------------------------------------------------------

    def _tell_news(self) -> None:
        self._news.clear()
        if self._folder is not None and len(self._folder.mails) > self._told:
            self._told = len(self._folder.mails)
            self._say(b"* %d EXISTS" % self._told)

    async def _idle(self, _: list[Word]) -> bytes:
        self._say(b"+ idling")
        self._tell_news()
        await self._writer.drain()
        done = asyncio.create_task(self._line())
        try:
            while not done.done():
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait({done, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                self._tell_news()
                await self._writer.drain()
            if (await done).upper() != b"DONE":
                raise BadCommand("IDLE is ended by DONE")
        finally:
            done.cancel()
        return b"OK done"

    def _mails(self) -> Sequence[StoredMail]:
        """The mails that the client knows of."""
        assert self._folder is not None
        return self._folder.mails[: self._told]

    def _chosen(self, text: str, by_uid: bool) -> list[tuple[int, StoredMail]]:
        numbered = list(enumerate(self._mails(), 1))
        present = [mail.uid if by_uid else n for n, mail in numbered]
        wanted = set(in_set(text, present))
        return [(n, mail) for n, mail in numbered if (mail.uid if by_uid else n) in wanted]

    async def _search(self, words: list[Word]) -> bytes:
        found = dict(enumerate(self._mails(), 1))
        todo = [text_of(word) for word in words]
        if todo[:1] and todo[0].upper() == "CHARSET":
            todo = todo[2:]
        while todo:
            key = todo.pop(0).upper()
            if key == "UID" or key[:1].isdigit() or key[:1] == "*":
                keep = {n for n, _ in self._chosen(todo.pop(0) if key == "UID" and todo else key, key == "UID")}
            elif key in ("SINCE", "BEFORE", "ON") and todo:
                keep = on_days(found, key, read_day(todo.pop(0)))
            elif key in ("SEEN", "UNSEEN"):
                keep = {n for n, mail in found.items() if ("\\Seen" in mail.flags) == (key == "SEEN")}
            elif key in ("ALL", "UNDELETED", "UNDRAFT"):
                continue
            else:
                raise BadCommand("this cannot be searched for here")
            found = {n: mail for n, mail in found.items() if n in keep}
        numbers = [mail.uid if self._by_uid else n for n, mail in found.items()]
        self._say(b"* SEARCH" + b"".join(b" %d" % number for number in numbers))
        return b"OK done"

    async def _fetch(self, words: list[Word]) -> bytes:
        if len(words) < 2:
            raise BadCommand("FETCH takes numbers and items")
        listed = words[1] if isinstance(words[1], list) else [words[1]]
        items = [text_of(one).upper() for one in listed]
        if self._by_uid and "UID" not in items:
            items.insert(0, "UID")
        for n, mail in self._chosen(text_of(words[0]), self._by_uid):
            told = b" ".join([item_of(item, mail) for item in items])
            self._say(b"* %d FETCH (%b)" % (n, told))
            await self._writer.drain()
        return b"OK done"
