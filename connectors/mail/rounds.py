"""Goes round the folders of a mailbox: catches up, waits for news, and tells how the mailbox is.

`Board` is what the connections of one source share: the folders, which of them are parked, what was reported. `Rounds`
is one connection with its share of the folders:

    look at each folder        so that a total can be told
    round after round          live mail of each folder, then a few portions of its history, then the next folder,
                               so that a large folder holds up no small one; until none is behind
    wait `poll_seconds`        in INBOX with IDLE where this connection may, else silent with a NOOP now and then
    a round again              each folder is opened anew and searched, whatever IDLE said: it may have gone deaf

While some folders are behind, INBOX is looked at in every round, the others that are done every `poll_seconds`.

`ok` is reported once every folder has been read to its end, and not before. A folder that the server refuses is parked
for `PARK_SECONDS` and named in the report, the others go on; when all are parked, Unavailable is raised. Every other
trouble passes through.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from connectors.base import Intake, Report, Unavailable
from connectors.mail.folders import Folder
from connectors.mail.refusals import NotDone
from connectors.mail.session import ImapSession
from connectors.mail.sync import FolderSync

PORTIONS_PER_TURN = 5
RELIST_SECONDS = 300.0
PARK_SECONDS = 900.0
# Servers and address translators forget connections on which nothing is said for long.
SILENCE_SECONDS_MAX = 240.0
# Before IDLE is asked for again of a server that ended it by itself.
IDLE_PAUSE_SECONDS = 1.0
PARKED_SHOWN_MAX = 5

Progress = Callable[[], Awaitable[None]]


class Board:
    """The folders of one mailbox, in order of reading. `make` makes the reader of a folder."""

    def __init__(self, intake: Intake, make: Callable[[Folder, Progress], FolderSync]) -> None:
        self.syncs: list[FolderSync] = []
        self._intake = intake
        self._make = make
        self._unread: set[str] = set()  # never read to their end yet
        self._parked: dict[str, tuple[float, str]] = {}  # until when, and why

    def update(self, folders: Iterable[Folder]) -> None:
        """Takes up a list of folders: what stays goes on, what is gone is forgotten."""
        before = {sync.folder: sync for sync in self.syncs}
        self.syncs = [before.get(folder) or self._make(folder, self.tell) for folder in folders]
        self._unread |= {sync.folder.name for sync in self.syncs if sync.folder not in before}

    def is_parked(self, sync: FolderSync) -> bool:
        until, _ = self._parked.get(sync.folder.name, (0.0, ""))
        return until > asyncio.get_running_loop().time()

    def is_behind(self, sync: FolderSync) -> bool:
        """Whether there is more to read than what has just come."""
        return not self.is_parked(sync) and (sync.folder.name in self._unread or not sync.is_up_to_date)

    async def look(self, session: ImapSession, sync: FolderSync) -> None:
        """Finds how much there is to read in a folder."""
        await self._attempt(sync, sync.look(session))

    async def turn(self, session: ImapSession, sync: FolderSync) -> None:
        """Reads a folder for one turn."""
        if await self._attempt(sync, sync.turn(session, PORTIONS_PER_TURN)) and sync.is_up_to_date:
            self._unread.discard(sync.folder.name)

    async def read_new(self, session: ImapSession, sync: FolderSync) -> None:
        """Reads what has just come to the folder that is open."""
        await self._attempt(sync, sync.read_new(session))

    async def tell(self) -> None:
        """Reports how the mailbox is."""
        readable = [sync for sync in self.syncs if not self.is_parked(sync)]
        reasons = [self._parked[sync.folder.name][1] for sync in self.syncs if self.is_parked(sync)]
        shown = "; ".join(reasons[:PARKED_SHOWN_MAX]) + ("; …" if len(reasons) > PARKED_SHOWN_MAX else "")
        detail = f"{len(reasons)} of {len(self.syncs)} folders not read: {shown}" if reasons else ""
        if any(self.is_behind(sync) for sync in readable):
            done, total = sum(sync.done for sync in readable), sum(sync.total for sync in readable)
            await self._intake.report(Report("catching_up", detail, done, total))
            return
        for sync in self.syncs:
            sync.done = sync.total = 0
        await self._intake.report(Report("ok", detail))

    async def _attempt(self, sync: FolderSync, work: Awaitable[None]) -> bool:
        """Whether the work on a folder was done; a refusal parks the folder."""
        name = sync.folder.name
        try:
            await work
        except NotDone as refusal:
            self._parked[name] = (asyncio.get_running_loop().time() + PARK_SECONDS, str(refusal))
            if all(self.is_parked(one) for one in self.syncs):
                raise Unavailable(f"none of the folders could be read; the last: {refusal}") from refusal
            return False
        self._parked.pop(name, None)
        return True


class Rounds:
    """One connection and its share of the folders. `relist` renews the list of folders, if that is its business."""

    def __init__(
        self,
        session: ImapSession,
        board: Board,
        is_mine: Callable[[Folder], bool],
        poll_seconds: float,
        idles: bool = False,
        relist: Callable[[], Awaitable[Iterable[Folder]]] | None = None,
    ) -> None:
        self._session = session
        self._board = board
        self._is_mine = is_mine
        self._poll_seconds = poll_seconds
        self._idles = idles
        self._relist = relist
        self._loop = asyncio.get_running_loop()
        self._relist_at = self._loop.time() + RELIST_SECONDS

    async def run(self) -> None:
        """Catches up, then waits and goes round until cancelled."""
        await self.catch_up()
        while True:
            await self._wait(self._loop.time() + self._poll_seconds)
            await self._renew()
            await self._read_all()

    async def catch_up(self) -> None:
        """Reads everything there is."""
        for sync in self._mine():
            await self._board.look(self._session, sync)
        await self._board.tell()
        await self._read_all()

    async def _read_all(self) -> None:
        await self._round()
        while any(self._board.is_behind(sync) for sync in self._mine()):
            await self._round()
        await self._board.tell()

    async def _round(self) -> None:
        for sync in self._mine():
            due = self._board.is_behind(sync) or sync.folder.role == "inbox" or self._loop.time() >= sync.due_at
            if due and not self._board.is_parked(sync):
                await self._board.turn(self._session, sync)
                sync.due_at = self._loop.time() + self._poll_seconds

    def _mine(self) -> list[FolderSync]:
        return [sync for sync in self._board.syncs if self._is_mine(sync.folder)]

    async def _renew(self) -> None:
        if self._relist is None or self._loop.time() < self._relist_at:
            return
        self._relist_at = self._loop.time() + RELIST_SECONDS
        try:
            self._board.update(await self._relist())
        except NotDone:
            return  # the list that we have is good enough until the next time

    async def _wait(self, until: float) -> None:
        """Waits for the next round; meanwhile mails are read as they come to INBOX."""
        inbox = next((sync for sync in self._mine() if sync.folder.role == "inbox"), None) if self._idles else None
        if inbox is not None and not self._board.is_parked(inbox):
            await self._board.turn(self._session, inbox)  # opens it: other folders may have been open since
        while (left := until - self._loop.time()) > 0:
            if inbox is None or self._board.is_parked(inbox):
                await self._rest(min(left, SILENCE_SECONDS_MAX))
                continue
            told = await self._session.idle(left)
            if not told and (left := until - self._loop.time()) > 0:
                await self._rest(min(left, SILENCE_SECONDS_MAX if told is None else IDLE_PAUSE_SECONDS))
            if self._session.take_changes():
                await self._board.read_new(self._session, inbox)

    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._session.noop()
