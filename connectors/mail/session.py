"""A logged-in session with an IMAP server, in the words that reading a mailbox needs.

`connect` opens the connection (TLS from the start, STARTTLS, or in the clear to this machine only), logs in and asks
what the server can do. Then folders are opened with EXAMINE and mails fetched with BODY.PEEK, so nothing ever changes
on the server: there is no SELECT, no STORE and no EXPUNGE here. Everything goes by UID, never by position.

A command that fails raises, it never looks like an empty answer. Fields that servers leave out (UIDNEXT, INTERNALDATE,
RFC822.SIZE) are None. ENVELOPE and BODYSTRUCTURE are not asked for: servers build them with their own parsers.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from aioimaplib import AUTH, SELECTED

from connectors.base import ConnectorError, Refused, Unavailable
from connectors.mail import quirks
from connectors.mail.account import Account, default_context, is_loopback
from connectors.mail.answers import (
    Fetched,
    FolderState,
    FolderStatus,
    Listed,
    merged,
    read_list,
    read_mail,
    read_state,
    read_status,
    read_vanished,
)
from connectors.mail.arguments import Argument, decode_name, search_date, string, uid_sets
from connectors.mail.client import ImapClient
from connectors.mail.hosts import Place, Waiting
from connectors.mail.login import log_in, start_tls
from connectors.mail.protocol import UNSOLICITED_MAX, Answer, ImapProtocol, kind_of
from connectors.mail.refusals import NotDone, of_command, of_connection, throttling
from connectors.mail.uids import Uids, of_answer

LOGOUT_SECONDS = 2.0
FOLDERS_MAX = 10_000
READ_AT_ONCE = 250

_WHO = b'("name" "ringmail" "version" "1" "vendor" "ringmail")'
_STATUS_ITEMS = b"(MESSAGES UIDNEXT UIDVALIDITY)"
# Of the open folder and of all others: RFC 5465 §5 and §6. New and gone mails can only be asked for together.
_EVENTS = b"(selected-delayed (MessageNew MessageExpunge)) (personal (MessageNew MessageExpunge MailboxName))"


@dataclass(frozen=True, slots=True)
class News:
    """What the server told unasked of folders: their states, and whether there is more that only asking can tell."""

    statuses: list[FolderStatus]
    is_more: bool = False
    is_over: bool = False  # it will tell no more


@contextlib.asynccontextmanager
async def opened(
    account: Account, is_extra: bool = False, waiting: Waiting | None = None
) -> AsyncIterator["ImapSession"]:
    """A session for the length of a `with`; ended politely if it is still alive, at once otherwise. It takes its place
    among all that go to the host (`hosts`); `is_extra`, `waiting`: see there."""
    if account.door is None:
        async with _ended(await ImapSession.connect(account)) as session:
            yield session
        return
    async with account.door.entered(is_extra, waiting) as place, _ended(await ImapSession.connect(account)) as session:
        session.take_place(place)
        yield session


@contextlib.asynccontextmanager
async def _ended(session: "ImapSession") -> AsyncIterator["ImapSession"]:
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
        self.quirks = quirks.Quirks()
        self.place: Place | None = None
        self.tells_vanished = False
        self.was_altered = False
        self.state: FolderState | None = None  # of the folder that is open, as it was then
        self._wanted = asyncio.Event()
        self._trusts_esearch = True

    @classmethod
    async def connect(cls, account: Account) -> "ImapSession":
        """Raises Refused when a person must act, Unavailable when waiting may help."""
        if account.tls == "none" and not is_loopback(account.host):
            raise Refused(
                f"{account.peer} would get the password in the clear; use imaps:// or imap+starttls://, "
                "plain imap:// is for this machine only"
            )
        context = None if account.tls == "none" else account.ssl_context or default_context()
        client = ImapClient(
            account.host,
            account.port,
            context if account.tls == "implicit" else None,
            account.literal_bytes_max,
            account.quiet_seconds,
        )
        session = cls(client.protocol, account)
        try:
            await client.wait_hello_from_server()
            if account.tls == "starttls" and context is not None:
                await start_tls(client.protocol, account, context)
            await log_in(client.protocol, account)
            await session._tell_who()
            await session._enable()
        except (OSError, TimeoutError) as error:
            session.close()
            raise of_connection(account.peer, account.host, error) from error
        except ValueError as error:
            session.close()
            raise Refused(f"{account.host!r} is no host name ({error}); check it") from error
        except BaseException:
            session.close()
            raise
        return session

    async def _tell_who(self) -> None:
        self.quirks = quirks.of_server(self.account.host, self._protocol.greeting.result(), self.capabilities)
        if self.quirks.tells_who:
            await self._protocol.run("ID", _WHO)

    async def _enable(self) -> None:
        """Has mails that vanish told by UID from now on (RFC 7162 §3.2.3); only possible before a folder is opened."""
        if {"ENABLE", "QRESYNC"} <= self.capabilities:
            self.tells_vanished = (await self._protocol.run("ENABLE", b"QRESYNC")).is_ok

    def take_place(self, place: Place) -> None:
        """The place of this connection among all of the host; it wakes us when others wait for it."""
        self.place = place
        place.is_in = True
        place.on_wanted = self._wake
        most = [count for count in (self.quirks.connections, self.account.connections_max) if count is not None]
        place.door.suit(min(most, default=None), self.quirks.commands_a_second)

    def _wake(self) -> None:
        self._wanted.set()
        self._protocol.changed.set()

    @property
    def is_wanted_back(self) -> bool:
        """Whether others wait for this connection to end."""
        return self.place is not None and self.place.is_wanted

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

    @property
    def can_idle(self) -> bool:
        return "IDLE" in self._protocol.capabilities and self.quirks.idles

    async def _ask(
        self, what: str, name: str, *arguments: Argument, wanted: Collection[bytes] = (), prefix: str | None = None
    ) -> Answer:
        """The answer to a command that was done; `what` completes "could not …"."""
        if self.place is not None:
            await self.place.door.pace()
        answer = await self._protocol.run(name, *arguments, wanted=wanted, prefix=prefix)
        if not answer.is_ok:
            raise of_command(self.peer, what, answer.text)
        return answer

    # Folders --------------------------------------------------------------------------------------------------------

    async def list_folders(self) -> list[Listed]:
        """Every folder there is, with special uses where the server knows them (RFC 6154)."""
        arguments: list[Argument] = [b'""', b'"*"']
        if {"SPECIAL-USE", "LIST-EXTENDED"} <= self.capabilities:
            arguments += [b"RETURN", b"(SPECIAL-USE)"]
        is_old = "XLIST" in self.capabilities and "SPECIAL-USE" not in self.capabilities  # Google's, before RFC 6154
        name = "XLIST" if is_old else "LIST"
        answer = await self._ask("list folders", name, *arguments, wanted=(name.encode(),))
        listed = [read_list(response, self.peer) for response in answer.responses[:FOLDERS_MAX]]
        return [one for one in listed if one is not None]

    async def sweep(self, raws: Iterable[bytes]) -> tuple[list[Listed], list[FolderStatus]]:
        """Every folder there is, and the state of at least these, none of them opened: one command where the server
        has LIST-STATUS (RFC 5819). A folder whose state is refused is left out."""
        if self.sweeps_at_once:
            use = b"SPECIAL-USE " if "SPECIAL-USE" in self.capabilities else b""
            arguments: list[Argument] = [b'""', b'"*"', b"RETURN", b"(%sSTATUS %s)" % (use, _STATUS_ITEMS)]
            answer = await self._ask("list folders", "LIST", *arguments, wanted=(b"LIST", b"STATUS"))
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
        what = f"tell the state of the folder {decode_name(raw)!r}"
        answer = await self._ask(what, "STATUS", string(raw, "folder name"), _STATUS_ITEMS, wanted=(b"STATUS",))
        told = [read_status(response, self.peer) for response in answer.responses]
        return [one for one in told if one is not None]

    async def examine(self, raw: bytes) -> FolderState:
        """Opens a folder without the right to change it. `raw` is its name on the wire."""
        self._protocol.take_changes()  # they were about the folder before
        if self._protocol.state == SELECTED:
            self._protocol.state = AUTH  # RFC 9051 §6.3.2: should it fail, none is open
        self.state = None
        wanted = (b"OK", b"EXISTS", b"FLAGS", b"RECENT")
        what = f"open the folder {decode_name(raw)!r}"
        answer = await self._ask(what, "EXAMINE", string(raw, "folder name"), wanted=wanted)
        self._protocol.state = SELECTED
        self.state = read_state(answer.responses)
        return self.state

    # Mails ----------------------------------------------------------------------------------------------------------

    async def uid_search(self, uids: str, since: date | None = None) -> Uids:
        """The UIDs of the open folder within a set such as `17:*`, arrived on or after a day; ascending, each once.
        The caller filters: the server reads `17:*` as `*:17` where 17 is beyond its last mail (RFC 9051 §9)."""
        # No CHARSET: several servers refuse it, and there is no text here.
        arguments: list[Argument] = [b"UID", uids.encode("ascii")]
        if since is not None:
            arguments += [b"SINCE", search_date(since)]
        if self.quirks.esearch and self._trusts_esearch and {"ESEARCH", "IMAP4REV2"} & self.capabilities:
            try:
                found = await self._search(b"RETURN", b"(ALL)", *arguments)
            except NotDone:
                self._trusts_esearch = False
            else:
                if found:
                    return found
        # What says nothing in ranges may be a server that can't count in them: nothing is believed only without.
        return await self._search(*arguments)

    async def _search(self, *arguments: Argument) -> Uids:
        wanted = (b"SEARCH", b"ESEARCH")
        answer = await self._ask("search for mails", "SEARCH", *arguments, wanted=wanted, prefix="UID")
        return await of_answer(answer.responses, self.peer)

    @property
    def _names(self) -> bytes:
        """What to ask for where the server names mails and conversations: RFC 8474, Google."""
        standard = b" EMAILID THREADID" if "OBJECTID" in self.capabilities else b""
        return standard + (b" X-GM-MSGID X-GM-THRID X-GM-LABELS" if "X-GM-EXT-1" in self.capabilities else b"")

    async def sizes(self, uids: Iterable[int]) -> list[Fetched]:
        """The sizes and dates of those of these mails that are still there, ascending."""
        return await self._fetch(uids, b"(UID RFC822.SIZE INTERNALDATE%s)" % self._names)

    async def heads(self, uids: Iterable[int]) -> list[Fetched]:
        """The headers of those of these mails that are still there, ascending."""
        return await self._fetch(uids, b"(UID RFC822.SIZE INTERNALDATE FLAGS%s BODY.PEEK[HEADER])" % self._names)

    async def fetch(self, uids: Iterable[int], bytes_max: int | None = None, start: int = 0) -> list[Fetched]:
        """These mails as far as they are still there, ascending; of each only `bytes_max` bytes from `start` if given."""
        part = b"" if bytes_max is None else b"<%d.%d>" % (start, bytes_max)
        return await self._fetch(uids, b"(UID RFC822.SIZE INTERNALDATE FLAGS%s BODY.PEEK[]%s)" % (self._names, part))

    async def flags(self, uids: Iterable[int]) -> list[Fetched]:
        """The flags of those of these mails that are still there, ascending."""
        return await self._fetch(uids, b"(UID FLAGS)")

    async def changed_uids(self, last: int, modseq: int) -> Sequence[int]:
        """The UIDs up to the last one whose mails have changed since a MODSEQ, ascending."""
        arguments = [b"UID", b"1:%d" % last, b"MODSEQ", b"%d" % (modseq + 1)]
        answer = await self._ask("search for changes", "SEARCH", *arguments, wanted=(b"SEARCH",), prefix="UID")
        return await of_answer(answer.responses, self.peer)

    async def changes(self, last: int, modseq: int, flags: bool) -> tuple[list[Fetched], list[tuple[int, int]]]:
        """The mails with UIDs up to the last one that have changed since a MODSEQ, with their flags if wanted; and first
        and last UIDs of what has vanished since, where the server tells (`tells_vanished`)."""
        items = b"(UID FLAGS)" if flags else b"(UID)"
        since = b"(CHANGEDSINCE %d%s)" % (modseq, b" VANISHED" if self.tells_vanished else b"")
        wanted = (b"FETCH", b"VANISHED")
        answer = await self._ask(
            "tell what changed", "FETCH", b"1:%d" % last, items, since, wanted=wanted, prefix="UID"
        )
        gone = [ends for one in answer.responses if kind_of(one) == b"VANISHED" for ends in read_vanished(one)]
        told = [read_mail(one, self.peer) for one in answer.responses if kind_of(one) == b"FETCH"]
        return [one for one in told if one is not None and one.uid <= last], gone

    async def _fetch(self, uids: Iterable[int], items: bytes) -> list[Fetched]:
        found: dict[int, Fetched] = {}
        for uid_set, asked in uid_sets(uids):
            what = f"fetch {len(asked)} mails"
            answer = await self._ask(what, "FETCH", uid_set, items, wanted=(b"FETCH",), prefix="UID")
            wanted = set(asked)
            for count, response in enumerate(answer.responses, 1):
                if not count % READ_AT_ONCE:
                    await asyncio.sleep(0)  # others wait
                one = read_mail(response, self.peer)
                if one is not None and one.uid in wanted:
                    found[one.uid] = merged(found.get(one.uid), one)
        return [found[uid] for uid in sorted(found)]

    # Waiting --------------------------------------------------------------------------------------------------------

    async def idle(self, seconds: float) -> bool | None:
        """Waits for news of the open folder, at most `seconds`: whether something changed; None: no IDLE here. Ends too
        when others want this connection."""
        if not self.can_idle:
            return None
        return await self._protocol.idle(min(seconds, self.quirks.idle_seconds))

    @property
    def was_deaf(self) -> bool:
        """Whether the last IDLE was told of mail only as it ended, after its whole time."""
        return self._protocol.was_deaf

    def take_changes(self) -> bool:
        """Whether mails may have come since the last call, as told by the server unasked; `was_altered`: mails that were
        there already have other flags, or are gone."""
        kinds = {kind for kind, _ in self._protocol.take_changes()}
        self.was_altered = bool(kinds - {b"EXISTS"})
        return b"EXISTS" in kinds

    async def notify(self) -> bool:
        """Asks to be told of news in every folder (RFC 5465); whether the server will. They come while we idle."""
        if "NOTIFY" not in self.capabilities:
            return False
        answer = await self._protocol.run("NOTIFY", b"SET", _EVENTS)
        if not answer.is_ok and (slow := throttling(self.peer, answer.text)) is not None:
            raise slow
        return answer.is_ok

    def take_news(self) -> News:
        """What the server has told of folders since the last call."""
        told = self._protocol.take_notices()
        read = [read_status(one, self.peer) for one in told if kind_of(one) == b"STATUS"]
        statuses = [one for one in read if one is not None]
        is_over = any(kind_of(one) == b"OK" for one in told)
        is_full = len(told) >= UNSOLICITED_MAX  # and what came before is lost
        return News(statuses, is_full or is_over or any(kind_of(one) == b"LIST" for one in told), is_over)

    async def rest(self, seconds: float) -> None:
        """Does nothing for so long, or until others want this connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted.wait()

    async def noop(self) -> None:
        """Shows that we are alive, and hears the news."""
        if self.quirks.noop_counts:
            await self._ask("answer", "NOOP")
        else:
            await self._status(b"INBOX")

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
