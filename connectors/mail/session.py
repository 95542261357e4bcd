"""A logged-in session with an IMAP server, in the words that reading a mailbox needs.

`connect` opens the connection (TLS from the start, STARTTLS, or in the clear to this machine only), logs in and asks
what the server can do. Then folders are opened with EXAMINE and mails fetched with BODY.PEEK, so nothing ever changes
on the server: there is no SELECT, no STORE and no EXPUNGE here. Everything goes by UID, never by position.

A command that fails raises, it never looks like an empty answer. Fields that servers leave out (UIDNEXT, INTERNALDATE,
RFC822.SIZE) are None. ENVELOPE and BODYSTRUCTURE are not asked for: servers build them with their own parsers.
"""

import asyncio
import contextlib
import functools
import ipaddress
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from aioimaplib import AUTH, NONAUTH, SELECTED

from connectors.base import ConnectorError, Refused, Unavailable
from connectors.mail.answers import (
    Fetched,
    FolderState,
    FolderStatus,
    Listed,
    merged,
    read_list,
    read_mail,
    read_search,
    read_state,
    read_status,
)
from connectors.mail.arguments import Argument, decode_name, search_date, string, uid_sets
from connectors.mail.client import ImapClient
from connectors.mail.protocol import QUIET_SECONDS, UNSOLICITED_MAX, Answer, ImapProtocol, kind_of
from connectors.mail.refusals import NotDone, of_command, of_connection, of_login
from connectors.mail.responses import shown
from connectors.oauth import Tokens

# Servers drop a session that idles for 30 minutes (RFC 2177); some go deaf long before.
IDLE_SECONDS_MAX = 540.0
LOGOUT_SECONDS = 2.0
FOLDERS_MAX = 10_000
# Servers cut long lines; a token that is longer goes in a line of its own (Microsoft's are up to 5,000 characters).
INITIAL_BYTES_MAX = 3000
# Room above message_bytes_max for servers whose RFC822.SIZE counts line ends otherwise than they send them.
LITERAL_SLACK_BYTES = 1024 * 1024

_STATUS_ITEMS = b"(MESSAGES UIDNEXT UIDVALIDITY)"
# Of the open folder and of all others: RFC 5465 §5 and §6. New and gone mails can only be asked for together.
_EVENTS = b"(selected-delayed (MessageNew MessageExpunge)) (personal (MessageNew MessageExpunge MailboxName))"

Tls = Literal["implicit", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class Account:
    """Where a mailbox is and who opens it. `message_bytes_max` bounds what one answer may bring."""

    host: str
    port: int
    tls: Tls
    user: str
    password: str = field(repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    message_bytes_max: int = 50_000_000
    quiet_seconds: float = QUIET_SECONDS
    tokens: Tokens | None = field(default=None, repr=False)  # in place of the password

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class News:
    """What the server told unasked of folders: their states, and whether there is more that only asking can tell."""

    statuses: list[FolderStatus]
    is_more: bool = False
    is_over: bool = False  # it will tell no more


@functools.cache
def default_context() -> ssl.SSLContext:
    """The one TLS context of this program: the system's authorities, and a megabyte less for each connection."""
    return ssl.create_default_context()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


@contextlib.asynccontextmanager
async def opened(account: Account) -> AsyncIterator["ImapSession"]:
    """A session for the length of a `with`; ended politely if it is still alive, at once otherwise."""
    session = await ImapSession.connect(account)
    try:
        yield session
        await session.logout()
    finally:
        session.close()


class ImapSession:
    """See the module. Made by `connect`; any failure other than NO or BAD to a command has closed the connection."""

    def __init__(self, protocol: ImapProtocol, account: Account) -> None:
        self._protocol = protocol
        self.account = account
        self.peer = account.peer

    @classmethod
    async def connect(cls, account: Account) -> "ImapSession":
        """Raises Refused when a person must act, Unavailable when waiting may help."""
        if account.tls == "none" and not is_loopback(account.host):
            raise Refused(
                f"{account.peer} would get the password in the clear; use imaps:// or imap+starttls://, "
                "plain imap:// is for this machine only"
            )
        context = account.ssl_context or default_context()
        literal_bytes_max = account.message_bytes_max + account.message_bytes_max // 8 + LITERAL_SLACK_BYTES
        client = ImapClient(
            account.host,
            account.port,
            context if account.tls == "implicit" else None,
            literal_bytes_max,
            account.quiet_seconds,
        )
        session = cls(client.protocol, account)
        try:
            await client.wait_hello_from_server()
            if account.tls == "starttls":
                await session._start_tls(context)
            await session._log_in()
        except UnicodeError as error:
            session.close()
            raise Refused(f"{account.host!r} is no host name ({error}); check it") from error
        except (OSError, TimeoutError) as error:
            session.close()
            raise of_connection(account.peer, account.host, error) from error
        except BaseException:
            session.close()
            raise
        return session

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset(self._protocol.capabilities)

    @property
    def is_alive(self) -> bool:
        return self._protocol.broken is None

    @property
    def sweeps_at_once(self) -> bool:
        """Whether `sweep` is one command."""
        return {"LIST-EXTENDED", "LIST-STATUS"} <= self.capabilities

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        if self._protocol.state != NONAUTH:
            # RFC 9051 §11.3: who greets with PREAUTH keeps us from asking for TLS.
            raise Refused(f"{self.peer} claims that we are logged in before TLS; somebody may be meddling")
        answer = await self._protocol.run("STARTTLS")
        if not answer.is_ok:
            raise Refused(
                f"{self.peer} does not offer STARTTLS ({shown(answer.text)}); use imaps:// if it has a TLS port"
            )
        await self._protocol.start_tls(context, self.account.host)

    async def _log_in(self) -> None:
        if self._protocol.state != NONAUTH:
            return
        await self._ask_capabilities()
        offered = self._protocol.capabilities
        if self.account.tokens is not None:
            await self._log_in_by_token(offered, self.account.tokens)
            return
        user, password = self.account.user, self.account.password
        name, password_form = string(user, "user name"), string(password, "password")
        self._protocol.capabilities = set()  # they change with the login
        if "AUTH=PLAIN" in offered:
            secret = b64encode(f"\0{user}\0{password}".encode())
            if "SASL-IR" in offered:
                answer = await self._protocol.run("AUTHENTICATE", b"PLAIN", secret)
            else:
                answer = await self._protocol.run("AUTHENTICATE", b"PLAIN", after=secret + b"\r\n")
        elif "LOGINDISABLED" not in offered:
            answer = await self._protocol.run("LOGIN", name, password_form)
        else:
            raise Refused(f"{self.peer} takes no password on this connection; use TLS, or another way to log in")
        if not answer.is_ok:
            said = answer.text.replace(password.encode(), b"***") if password else answer.text
            raise of_login(self.peer, user, answer.result, said)
        await self._be_logged_in()

    async def _log_in_by_token(self, offered: Collection[str], tokens: Tokens) -> None:
        user = self.account.user
        name = next((one for one in ("XOAUTH2", "OAUTHBEARER") if f"AUTH={one}" in offered), "")
        if not name:
            raise Refused(f"{self.peer} takes no tokens (it offers neither XOAUTH2 nor OAUTHBEARER); use a password")
        token = await tokens.access()
        said = f"user={user}\x01auth=Bearer {token}\x01\x01"
        if name == "OAUTHBEARER":  # RFC 7628 §3.1
            gs2 = user.replace("=", "=3D").replace(",", "=2C")
            said = f"n,a={gs2},\x01host={self.account.host}\x01port={self.account.port}\x01auth=Bearer {token}\x01\x01"
        secret = b64encode(said.encode())
        self._protocol.capabilities = set()
        if "SASL-IR" in offered and len(secret) <= INITIAL_BYTES_MAX:
            answer = await self._protocol.run("AUTHENTICATE", name.encode(), secret)
        else:
            answer = await self._protocol.run("AUTHENTICATE", name.encode(), after=secret + b"\r\n")
        if not answer.is_ok:
            error = of_login(self.peer, user, answer.result, answer.text.replace(token.encode(), b"***"))
            if isinstance(error, Refused) and not tokens.refuse(token):
                raise Unavailable(f"{self.peer} no longer takes our access token; another one is fetched", 0.0)
            raise error
        await self._be_logged_in()

    async def _be_logged_in(self) -> None:
        self._protocol.state = AUTH
        if not self._protocol.capabilities:
            await self._ask_capabilities()

    async def _ask_capabilities(self) -> None:
        if not self._protocol.capabilities:
            await self._done("tell what it can do", self._protocol.run("CAPABILITY"))

    async def _done(self, what: str, running: Awaitable[Answer]) -> Answer:
        answer = await running
        if not answer.is_ok:
            raise of_command(self.peer, what, answer.text)
        return answer

    # Folders --------------------------------------------------------------------------------------------------------

    async def list_folders(self) -> list[Listed]:
        """Every folder there is, with special uses where the server knows them (RFC 6154)."""
        arguments: list[Argument] = [b'""', b'"*"']
        if {"SPECIAL-USE", "LIST-EXTENDED"} <= self.capabilities:
            arguments += [b"RETURN", b"(SPECIAL-USE)"]
        answer = await self._done("list folders", self._protocol.run("LIST", *arguments, wanted=(b"LIST",)))
        listed = [read_list(response, self.peer) for response in answer.responses[:FOLDERS_MAX]]
        return [one for one in listed if one is not None]

    async def sweep(self, raws: Iterable[bytes]) -> tuple[list[Listed], list[FolderStatus]]:
        """Every folder there is, and the state of at least these, none of them opened: one command where the server
        has LIST-STATUS (RFC 5819). A folder whose state is refused is left out."""
        if self.sweeps_at_once:
            use = b"SPECIAL-USE " if "SPECIAL-USE" in self.capabilities else b""
            arguments: list[Argument] = [b'""', b'"*"', b"RETURN", b"(%sSTATUS %s)" % (use, _STATUS_ITEMS)]
            running = self._protocol.run("LIST", *arguments, wanted=(b"LIST", b"STATUS"))
            answer = await self._done("list folders", running)
            responses = answer.responses[: 2 * FOLDERS_MAX]
            listed = [read_list(one, self.peer) for one in responses if kind_of(one) == b"LIST"]
            told = [read_status(one, self.peer) for one in responses if kind_of(one) == b"STATUS"]
            return [one for one in listed if one is not None], [one for one in told if one is not None]
        found, statuses = await self.list_folders(), []
        for raw in raws:
            with contextlib.suppress(NotDone):
                statuses += await self._status(raw)
        return found, statuses

    async def _status(self, raw: bytes) -> list[FolderStatus]:
        running = self._protocol.run("STATUS", string(raw, "folder name"), _STATUS_ITEMS, wanted=(b"STATUS",))
        answer = await self._done(f"tell the state of the folder {decode_name(raw)!r}", running)
        told = [read_status(response, self.peer) for response in answer.responses]
        return [one for one in told if one is not None]

    async def examine(self, raw: bytes) -> FolderState:
        """Opens a folder without the right to change it. `raw` is its name on the wire."""
        self._protocol.take_changes()  # they were about the folder before
        if self._protocol.state == SELECTED:
            self._protocol.state = AUTH  # RFC 9051 §6.3.2: should it fail, none is open
        wanted = (b"OK", b"EXISTS", b"FLAGS", b"RECENT")
        what = f"open the folder {decode_name(raw)!r}"
        answer = await self._done(what, self._protocol.run("EXAMINE", string(raw, "folder name"), wanted=wanted))
        self._protocol.state = SELECTED
        return read_state(answer.responses)

    # Mails ----------------------------------------------------------------------------------------------------------

    async def uid_search(self, uids: str, since: date | None = None) -> list[int]:
        """The UIDs of the open folder within a set such as `17:*`, arrived on or after a day; ascending, each once.
        The caller filters: the server reads `17:*` as `*:17` where 17 is beyond its last mail (RFC 9051 §9)."""
        # No CHARSET: several servers refuse it, and there is no text here.
        arguments: list[Argument] = [b"UID", uids.encode("ascii")]
        if since is not None:
            arguments += [b"SINCE", search_date(since)]
        running = self._protocol.run("SEARCH", *arguments, wanted=(b"SEARCH",), prefix="UID")
        answer = await self._done("search for mails", running)
        return read_search(answer.responses)

    async def sizes(self, uids: Iterable[int]) -> list[Fetched]:
        """The sizes and dates of those of these mails that are still there, ascending."""
        return await self._fetch(uids, b"(UID RFC822.SIZE INTERNALDATE)")

    async def heads(self, uids: Iterable[int]) -> list[Fetched]:
        """The headers of those of these mails that are still there, ascending."""
        return await self._fetch(uids, b"(UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[HEADER])")

    async def fetch(self, uids: Iterable[int], bytes_max: int | None = None) -> list[Fetched]:
        """These mails as far as they are still there, ascending; of each only the first `bytes_max` bytes if given."""
        part = b"" if bytes_max is None else b"<0.%d>" % bytes_max
        return await self._fetch(uids, b"(UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[]%s)" % part)

    async def _fetch(self, uids: Iterable[int], items: bytes) -> list[Fetched]:
        found: dict[int, Fetched] = {}
        for uid_set, asked in uid_sets(uids):
            running = self._protocol.run("FETCH", uid_set, items, wanted=(b"FETCH",), prefix="UID")
            answer = await self._done(f"fetch {len(asked)} mails", running)
            wanted = set(asked)
            for response in answer.responses:
                one = read_mail(response, self.peer)
                if one is not None and one.uid in wanted:
                    found[one.uid] = merged(found.get(one.uid), one)
        return [found[uid] for uid in sorted(found)]

    # Waiting --------------------------------------------------------------------------------------------------------

    async def idle(self, seconds: float) -> bool | None:
        """Waits for news of the open folder, at most `seconds`: whether something changed; None: no IDLE here."""
        if "IDLE" not in self._protocol.capabilities:
            return None
        return await self._protocol.idle(min(seconds, IDLE_SECONDS_MAX))

    def take_changes(self) -> bool:
        """Whether mails may have come since the last call, as told by the server unasked."""
        return any(kind == b"EXISTS" for kind, _ in self._protocol.take_changes())

    async def notify(self) -> bool:
        """Asks to be told of news in every folder (RFC 5465); whether the server will. They come while we idle."""
        if "NOTIFY" not in self.capabilities:
            return False
        return (await self._protocol.run("NOTIFY", b"SET", _EVENTS)).is_ok

    def take_news(self) -> News:
        """What the server has told of folders since the last call."""
        told = self._protocol.take_notices()
        read = [read_status(one, self.peer) for one in told if kind_of(one) == b"STATUS"]
        statuses = [one for one in read if one is not None]
        is_over = any(kind_of(one) == b"OK" for one in told)
        is_full = len(told) >= UNSOLICITED_MAX  # and what came before is lost
        return News(statuses, is_full or is_over or any(kind_of(one) == b"LIST" for one in told), is_over)

    async def noop(self) -> None:
        """Shows that we are alive, and hears the news."""
        await self._done("answer", self._protocol.run("NOOP"))

    async def logout(self) -> None:
        """Says good-bye; never fails."""
        if self.is_alive:
            with contextlib.suppress(ConnectorError, TimeoutError):
                async with asyncio.timeout(LOGOUT_SECONDS):
                    await self._protocol.run("LOGOUT")
        self.close()

    def close(self) -> None:
        """Drops the connection."""
        self._protocol.break_off(Unavailable(f"the session with {self.peer} was closed"))
