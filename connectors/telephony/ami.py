"""The wire of Asterisk's manager interface (AMI): lines of `Key: value`, an empty line after each message.

    connect ──banner──▶ Challenge ──▶ Login (MD5 over challenge and password) ──▶ messages, until either side ends

The password never goes over the wire. A message is bounded in lines and bytes; more than that, or silence in spite of
our `Ping`, breaks the connection: half a message is worse than none. A task of its own reads at once whatever comes,
because Asterisk drops a client that does not read for a tenth of a second; what it has read waits in a bounded queue.

Nothing that we send may hold a line break: a name or password with one in it would be further commands.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from hashlib import md5
from typing import TypeAlias

from connectors.base import Refused, Unavailable

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 10.0
PING_SECONDS = 20.0
QUIET_SECONDS = 60.0
LINE_BYTES_MAX = 16 * 1024
LINES_MAX = 500
WAITING_MAX = 20_000
BANNER = "Asterisk Call Manager/"
PORT = 5038
TLS_PORT = 5039

Message: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Account:
    """Where Asterisk listens, and as whom we log in."""

    host: str
    port: int
    user: str
    password: str
    ssl_context: ssl.SSLContext | None = None
    ping_seconds: float = PING_SECONDS
    quiet_seconds: float = QUIET_SECONDS

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"


class Connection:
    """One connection after its login. `messages` may be asked for once."""

    def __init__(self, account: Account, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._account = account
        self._reader = reader
        self._writer = writer
        self.banner = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, account: Account) -> "AsyncIterator[Connection]":
        """Connects and logs in. Raises Unavailable or Refused; closes the connection in any case."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(
                    account.host, account.port, ssl=account.ssl_context, limit=LINE_BYTES_MAX
                )
        except ssl.SSLCertVerificationError as error:
            raise Refused(
                f"the certificate of Asterisk at {account.peer} is not trusted: {error.verify_message}; set tls_ca"
            ) from None
        except (OSError, TimeoutError) as error:
            reason = "no answer" if isinstance(error, TimeoutError) else str(error)
            raise Unavailable(f"Asterisk at {account.peer} was not reached: {reason}") from None
        connection = cls(account, reader, writer)
        try:
            await connection._enter()
            yield connection
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    async def _enter(self) -> None:
        peer = self._account.peer
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._log_in()
        except TimeoutError:
            raise Unavailable(f"Asterisk at {peer} does not answer the login in {ANSWER_SECONDS:.0f} s") from None
        except OSError as error:
            raise Unavailable(f"the connection to Asterisk at {peer} broke: {error}") from None

    async def _log_in(self) -> None:
        account = self._account
        self.banner = (await self._line()).strip()
        if not self.banner.startswith(BANNER):
            raise Refused(f"{account.peer} is no manager interface of Asterisk; it says {self.banner[:40]!r}")
        self.send({"Action": "Challenge", "AuthType": "MD5", "ActionID": "challenge"})
        challenge = (await self._answer("challenge")).get("challenge", "")
        if not challenge:
            raise Refused(f"Asterisk at {account.peer} gives no challenge for the login; it has to allow MD5")
        proof = md5(f"{challenge}{account.password}".encode(), usedforsecurity=False).hexdigest()
        login = {
            "Action": "Login",
            "AuthType": "MD5",
            "Username": account.user,
            "Key": proof,
            "Events": "call,dialplan",
        }
        self.send({**login, "ActionID": "login"})
        answer = await self._answer("login")
        if answer.get("response", "").casefold() != "success":
            raise Refused(
                f"Asterisk at {account.peer} refuses the login of {account.user}: {answer.get('message', '')[:80]}; "
                "check user and password in manager.conf, and its `permit`",
                "needs_reauth",
            )

    async def _answer(self, action_id: str) -> Message:
        while True:
            message = await self._message()
            if "response" in message and message.get("actionid") == action_id:
                return message

    def send(self, action: Message) -> None:
        """Sends an action. Raises Refused where a value has a line break in it."""
        if any("\r" in value or "\n" in value for value in action.values()):
            raise Refused("a name or password for Asterisk has a line break in it")
        text = "".join(f"{name}: {value}\r\n" for name, value in action.items()) + "\r\n"
        self._writer.write(text.encode())

    async def messages(self) -> AsyncGenerator[list[Message], None]:
        """What comes, several at once where several have come. Raises Unavailable when the connection ends."""
        waiting: asyncio.Queue[Message | Unavailable] = asyncio.Queue(WAITING_MAX)
        reading = asyncio.create_task(self._read_on(waiting))
        pinging = asyncio.create_task(self._ping())
        try:
            while True:
                some = [await waiting.get()]
                while not waiting.empty():
                    some.append(waiting.get_nowait())
                messages = [one for one in some if not isinstance(one, Unavailable)]
                if messages:
                    yield messages
                for one in some:
                    if isinstance(one, Unavailable):
                        raise one
        finally:
            reading.cancel()
            pinging.cancel()
            await asyncio.gather(reading, pinging, return_exceptions=True)

    async def _read_on(self, waiting: "asyncio.Queue[Message | Unavailable]") -> None:
        peer = self._account.peer
        try:
            while True:
                async with asyncio.timeout(self._account.quiet_seconds):
                    message = await self._message()
                if waiting.qsize() >= WAITING_MAX - 1:
                    raise Unavailable(f"Asterisk at {peer} sends faster than it can be stored")
                waiting.put_nowait(message)
        except Unavailable as error:
            waiting.put_nowait(error)
        except TimeoutError:
            waiting.put_nowait(Unavailable(f"Asterisk at {peer} has fallen silent"))
        except OSError as error:
            waiting.put_nowait(Unavailable(f"the connection to Asterisk at {peer} broke: {error}"))

    async def _ping(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                await asyncio.sleep(self._account.ping_seconds)
                self.send({"Action": "Ping"})

    async def _message(self) -> Message:
        """The next message, its names in lower case; of a name that is there twice the first counts."""
        message: Message = {}
        for _ in range(LINES_MAX):
            line = (await self._line()).rstrip("\r\n")
            if not line and message:
                return message
            name, colon, value = line.partition(":")
            if colon:
                message.setdefault(name.strip().casefold(), value.strip())
        raise Unavailable(f"Asterisk at {self._account.peer} sent a message of more than {LINES_MAX} lines")

    async def _line(self) -> str:
        try:
            line = await self._reader.readline()
        except ValueError:
            raise Unavailable(
                f"Asterisk at {self._account.peer} sent a line of more than {LINE_BYTES_MAX} bytes"
            ) from None
        if not line.endswith(b"\n"):
            raise Unavailable(f"the connection to Asterisk at {self._account.peer} was closed")
        return line.decode("utf-8", "replace").replace("\x00", "")
