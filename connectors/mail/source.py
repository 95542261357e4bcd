"""A mailbox as a source: logs in, catches up with every folder, then waits for news until cancelled.

    connections >= 2, push     one connection stays in INBOX with IDLE; another reads the other folders, told of their
                               news by NOTIFY or sweeping over them with STATUS (`rounds`)
    connections  = 1, push     one does both: IDLE in INBOX, and NOTIFY or sweeps for the others
    no IDLE                    one goes round, and sweeps between
    poll                       one goes round

A server that grants only one connection is read with one. Where more mailboxes go to a host than it bears connections,
they take turns (`hosts`): one that has to leave keeps what it knows and goes on with the next turn. Trouble ends `run` with a ConnectorError and closes the
connections; whoever runs us starts it again after a while, and the checkpoints make that cheap. Cancelling closes them
too, at once.

    Refused       needs_reauth: the login is refused · misconfigured: certificate, host, port, no folder fits
    Unavailable   unreachable: not found, no answer, connection lost · throttled: we ask too much

Limits: where the server tells of other folders than the open one (NOTIFY), or sweeps do, it is new and vanished mails that
bring a turn; changes of flags there wait for the next round.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import date

from connectors.base import ConnectorError, Intake, Refused, Unavailable
from connectors.mail.account import Account, Tls
from connectors.mail.answers import Listed
from connectors.mail.budget import KEY, Budget
from connectors.mail.completing import Completer
from connectors.mail.folders import DEFAULT, Folder, choose
from connectors.mail.hosts import HOSTS, Hosts
from connectors.mail.protocol import QUIET_SECONDS
from connectors.mail.refusals import NotDone
from connectors.mail.renewal import Renewal
from connectors.mail.rounds import SWEEP_SECONDS, Board, Pace, Progress, Rounds
from connectors.mail.session import ImapSession, opened
from connectors.mail.strikes import Strikes
from connectors.mail.survey import FolderSurvey, Surveyor
from connectors.mail.sync import FolderSync
from connectors.oauth import OAuthSettings, Tokens, Vault

NAMES_SHOWN_MAX = 12


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """One mailbox as the configuration has it, secrets resolved. `ssl_context` None: the system's authorities."""

    name: str
    address: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)  # unused where there is `oauth`
    tls: Tls = "implicit"
    aliases: tuple[str, ...] = ()
    folders: tuple[str, ...] = DEFAULT
    since: date | None = None
    push: bool = True
    poll_seconds: float = 120.0
    message_bytes_max: int = 50_000_000
    headers_only: bool = False
    handled_elsewhere: bool = False  # people read it in another program, whose \Seen is followed
    junk_of_contacts: bool = False  # mail of known contacts is read from the folder of junk
    bytes_a_day: int = 2_000_000_000
    connections: int = 3
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    quiet_seconds: float = QUIET_SECONDS
    sweep_seconds: float = SWEEP_SECONDS
    oauth: OAuthSettings | None = field(default=None, repr=False)
    vault: Vault | None = field(default=None, repr=False, compare=False)  # where its tokens are kept


class ImapSource:
    """The `Source` of a mailbox. Keeps nothing between runs but its strikes, today's budget, how often the server bears to be
    asked, and how long its IDLE can be trusted. `hosts`: what all that go to one host share; None: the program's."""

    def __init__(self, settings: MailboxSettings, hosts: Hosts | None = None) -> None:
        self.settings = settings
        self._strikes = Strikes()
        self._has_labels = False  # the server's folders are Google's labels
        self._budget = Budget(settings.bytes_a_day)
        self._renewal = Renewal()
        self._sweep_seconds = settings.sweep_seconds
        self._account = Account(
            settings.host,
            settings.port,
            settings.tls,
            settings.user,
            settings.password,
            settings.ssl_context,
            settings.message_bytes_max,
            settings.quiet_seconds,
            Tokens(settings.oauth, source=settings.name, vault=settings.vault) if settings.oauth is not None else None,
            settings.connections,
            (hosts or HOSTS).door(settings.host, settings.port, settings.user),
        )

    async def run(self, intake: Intake) -> None:
        """Reads until cancelled. See the module."""
        board = await self._board(intake)
        try:
            while True:  # each time until others want our connections
                await self._turn(board)
        except Unavailable as error:
            if error.state == "throttled":  # what the server does not bear is asked half as often
                self._sweep_seconds = min(2 * self._sweep_seconds, max(self.settings.poll_seconds, self._sweep_seconds))
            raise

    async def _turn(self, board: Board) -> None:
        settings = self.settings
        async with contextlib.AsyncExitStack() as stack:
            session = await stack.enter_async_context(opened(self._account, waiting=board.wait))
            board.update(await self._folders(session))
            folders = [sync.folder for sync in board.syncs]
            pushes = settings.push and session.can_idle and any(map(_is_inbox, folders))
            second = None
            if pushes and settings.connections > 1 and not all(map(_is_inbox, folders)):
                second = await self._second(stack)
            if second is None:
                await self._rounds(session, board, _is_any, pushes, leaves=True).run()
                return
            await _together(
                Rounds(session, board, _is_inbox, Pace(settings.poll_seconds), idles=True, leaves=True).run(),
                self._rounds(second, board, _is_other, True, leaves=True).run(),
            )

    async def catch_up(self, intake: Intake) -> None:
        """Reads everything there is, on one connection, and returns."""
        board = await self._board(intake)
        async with opened(self._account, waiting=board.wait) as session:
            board.update(await self._folders(session))
            await self._rounds(session, board, _is_any, False).catch_up()

    async def check(self) -> str:
        """Logs in and lists folders."""
        async with opened(self._account) as session:
            folders = await self._folders(session)
            useful = [name for name in ("IDLE", "NOTIFY", "CONDSTORE", "QRESYNC") if name in session.capabilities]
            privacy = {"implicit": "TLS", "starttls": "STARTTLS", "none": "no TLS"}[self.settings.tls]
        names = ", ".join(map(_shown, folders[:NAMES_SHOWN_MAX]))
        more = f" and {len(folders) - NAMES_SHOWN_MAX} more" if len(folders) > NAMES_SHOWN_MAX else ""
        return (
            f"logged in to {self._account.peer} as {self.settings.user} ({privacy}; {', '.join(useful) or 'no push'}); "
            f"{len(folders)} folders to read: {names}{more}"
        )

    async def survey(self, intake: Intake | None = None) -> list[FolderSurvey]:
        """What a first read would bring, folder by folder; with an intake, how much of it is known or leads to a contact."""
        found = []
        surveyor = Surveyor(intake) if intake is not None else None
        async with opened(self._account) as session:
            for folder in await self._folders(session):
                try:
                    state = await session.examine(folder.raw)
                    wanted = await session.uid_search("1:*", self.settings.since) if state.exists else []
                except NotDone:
                    continue
                if surveyor is None:
                    found.append(FolderSurvey(folder.name, folder.role, state.exists, len(wanted)))
                else:
                    found.append(await surveyor.look(session, folder, state, wanted))
        return found

    async def _folders(self, session: ImapSession) -> list[Folder]:
        self._has_labels = "X-GM-EXT-1" in session.capabilities
        return self._chosen(await session.list_folders())

    def _chosen(self, listed: Sequence[Listed]) -> list[Folder]:
        if not listed:  # INBOX always exists: RFC 9051 §5.1
            raise Unavailable(f"{self._account.peer} lists no folders at all for {self.settings.user}")
        folders = choose(listed, self.settings.folders, self.settings.junk_of_contacts, self._has_labels)
        if not folders:
            names = ", ".join(one.name for one in listed[:NAMES_SHOWN_MAX])
            raise Refused(
                f"no folder of {self.settings.user} at {self._account.peer} fits folders = "
                f"{list(self.settings.folders)}; the server has: {names}"
            )
        return folders

    async def _board(self, intake: Intake) -> Board:
        settings = self.settings
        self._budget.load(await intake.checkpoint(KEY))

        def make(folder: Folder, progress: Progress) -> FolderSync:
            return FolderSync(
                settings.name,
                folder,
                intake,
                settings.since,
                settings.message_bytes_max,
                self._strikes,
                self._budget,
                progress,
                settings.headers_only,
                contacts_only=settings.junk_of_contacts and folder.role == "junk",
                handled_elsewhere=settings.handled_elsewhere,
            )

        completer = Completer(intake, self._budget, settings.message_bytes_max, settings.headers_only)
        return Board(intake, self._budget, make, self._renewal, completer)

    def _rounds(
        self,
        session: ImapSession,
        board: Board,
        is_mine: Callable[[Folder], bool],
        idles: bool,
        leaves: bool = False,
    ) -> Rounds:
        """The rounds of the connection that has the other folders, or all."""
        pace = Pace(self.settings.poll_seconds, self._sweep_seconds if self.settings.push else None)
        return Rounds(session, board, is_mine, pace, idles, self._chosen, leaves)

    async def _second(self, stack: contextlib.AsyncExitStack) -> ImapSession | None:
        """Another connection, or None where the server, having granted one, grants no more."""
        try:
            return await stack.enter_async_context(opened(self._account, is_extra=True))
        except ConnectorError as error:
            if isinstance(error, Unavailable) and error.state == "throttled" and error.retry_after:
                raise  # that is meant for the account, not for this connection
            return None


def _shown(folder: Folder) -> str:
    """A folder for people; what was only guessed is told."""
    return f"{folder.name} (taken for {folder.role} by its name)" if folder.known_by == "name" else folder.name


def _is_any(_: Folder) -> bool:
    return True


def _is_inbox(folder: Folder) -> bool:
    return folder.is_home


def _is_other(folder: Folder) -> bool:
    return not folder.is_home


async def _together(*running: Coroutine[object, object, None]) -> None:
    """Runs these side by side. When one ends or fails, the others are cancelled; its error is raised."""
    tasks = [asyncio.create_task(one) for one in running]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
