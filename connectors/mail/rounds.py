"""Goes round the folders of a mailbox: catches up, waits for news, and tells how the mailbox is.

`Board` is what the connections of one source share: the folders, which of them are parked, what was reported. `Rounds`
is one connection with its share of the folders:

    look at each folder        so that a total can be told
    round after round          live mail of each folder, then a few portions of its history, then the next folder,
                               so that a large folder holds up no small one; until none is behind
    wait `poll_seconds`        and learn meanwhile, without opening them, which folders have changed (below)
    a round again              each folder is opened anew and searched, whatever was told: servers go deaf

    a folder lies open         its news come by IDLE, where this connection may
    NOTIFY (RFC 5465)          the server tells of all other folders too, new ones among them, while we idle
    else a sweep               every `sweep_seconds`: LIST, and STATUS of each folder; one command with LIST-STATUS
    neither, or no push        NOOP now and then, nothing is learned before the next round

Mail that a round finds in the folder that was listened to, and that the server had not told of, is a missed push: it is
counted, named in the report, and IDLE is begun anew more often (`renewal`). Where other mailboxes wait for a connection
to the same host (`hosts`), `run` returns between two folders, with all that was read committed; it goes on with the same
`Board` when its turn comes again.

What has changed gets a turn at once. While some folders are behind, INBOX is looked at in every round, the others that
are done every `poll_seconds`.

`ok` is reported once every folder has been read to its end and then compared with the server (`sync`), and not before; `throttled` while history waits for
the next day's budget. A folder that the server refuses is parked
for `PARK_SECONDS` and named in the report, the others go on; when all are parked, Unavailable is raised. Every other
trouble passes through.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from connectors.base import Batch, Checkpoint, Intake, Report, Unavailable
from connectors.mail.answers import FolderState, FolderStatus, Listed
from connectors.mail.budget import KEY, Budget
from connectors.mail.completing import Completer
from connectors.mail.folders import Folder
from connectors.mail.refusals import NotDone
from connectors.mail.renewal import Renewal
from connectors.mail.session import ImapSession
from connectors.mail.sync import FolderSync

PORTIONS_PER_TURN = 5
PARK_SECONDS = 900.0
# Servers and address translators forget connections on which nothing is said for long.
SILENCE_SECONDS_MAX = 240.0
# Before IDLE is asked for again of a server that ended it by itself.
IDLE_PAUSE_SECONDS = 1.0
SWEEP_SECONDS = 15.0
# A sweep that asks after each folder apart takes its time, so that no server sees us hurry.
STATUS_EACH_SECONDS = 0.5
PARKED_SHOWN_MAX = 5
# An IDLE that was shorter may have ended just before the server would have told.
DEAF_SECONDS_MIN = 45.0

Progress = Callable[[], Awaitable[None]]


class Board:
    """The folders of one mailbox, in order of reading. `make` makes the reader of a folder."""

    def __init__(
        self,
        intake: Intake,
        budget: Budget,
        make: Callable[[Folder, Progress], FolderSync],
        renewal: Renewal | None = None,
        completer: Completer | None = None,
    ) -> None:
        self.syncs: list[FolderSync] = []
        self.renewal = renewal or Renewal()
        self.completer = completer
        self.state = "catching_up"  # as it was last reported
        self._budget = budget
        self._intake = intake
        self._make = make
        self._unread: set[str] = set()  # never read to their end yet
        self._parked: dict[str, tuple[float, str]] = {}  # until when, and why
        self._names: frozenset[str] = frozenset()  # of all folders there are
        self._is_audit_untold = False

    def update(self, folders: Iterable[Folder]) -> None:
        """Takes up a list of folders: what stays goes on, what is gone is forgotten."""
        before = {sync.folder: sync for sync in self.syncs}
        self.syncs = [before.get(folder) or self._make(folder, self.tell) for folder in folders]
        self._unread |= {sync.folder.name for sync in self.syncs if sync.folder not in before}

    async def keep_only(self, listed: Iterable[Listed]) -> None:
        """Tells which folders the server has, when that has changed. A renamed one is another one."""
        names = frozenset(one.name for one in listed if "\\nonexistent" not in one.flags)
        if names != self._names:
            await self._intake.keep_folders(sorted(names))
            self._names = names

    def is_parked(self, sync: FolderSync) -> bool:
        until, _ = self._parked.get(sync.folder.name, (0.0, ""))
        return until > asyncio.get_running_loop().time()

    def is_behind(self, sync: FolderSync) -> bool:
        """Whether there is more to read than what has just come."""
        is_unread = sync.folder.name in self._unread or not sync.is_up_to_date
        return is_unread and not sync.is_waiting and not self.is_parked(sync)

    async def complete(self, session: ImapSession) -> bool:
        """Fetches what somebody wants whole; whether folders were opened for that."""
        if self.completer is None:
            return False
        return await self.completer.work(session, {sync.folder.name: sync.folder.raw for sync in self.syncs})

    async def look(self, session: ImapSession, sync: FolderSync) -> None:
        """Finds how much there is to read in a folder."""
        await self._attempt(sync, sync.look(session))

    async def turn(self, session: ImapSession, sync: FolderSync) -> None:
        """Reads a folder for one turn."""
        if await self._attempt(sync, sync.turn(session, PORTIONS_PER_TURN)) and sync.is_up_to_date:
            self._unread.discard(sync.folder.name)
        if (spent := self._budget.to_save()) is not None:
            await self._intake.accept(Batch([], Checkpoint(KEY, spent)))

    async def audit(self, session: ImapSession, sync: FolderSync) -> None:
        """Compares a folder with what we have of it."""
        if await self._attempt(sync, sync.audit(session)):
            self._is_audit_untold = True

    async def read_new(self, session: ImapSession, sync: FolderSync) -> None:
        """Reads what has just come to the folder that is open."""
        await self._attempt(sync, sync.read_new(session))

    async def tell(self) -> None:
        """Reports how the mailbox is."""
        readable = [sync for sync in self.syncs if not self.is_parked(sync)]
        reasons = [self._parked[sync.folder.name][1] for sync in self.syncs if self.is_parked(sync)]
        shown = "; ".join(reasons[:PARKED_SHOWN_MAX]) + ("; …" if len(reasons) > PARKED_SHOWN_MAX else "")
        unread = f"{len(reasons)} of {len(self.syncs)} folders not read: {shown}" if reasons else ""
        detail = "; ".join(filter(None, (unread, self._missed())))
        done, total = sum(sync.done for sync in readable), sum(sync.total for sync in readable)
        if any(sync.is_waiting for sync in readable) and not any(self.is_behind(sync) for sync in readable):
            spent = f"bytes_a_day = {self._budget.bytes_a_day} are used up; history goes on after midnight UTC"
            await self._say(Report("throttled", "; ".join(filter(None, (spent, detail))), done, total))
            return
        if not all(sync.is_audited and not self.is_behind(sync) for sync in readable):
            await self._say(Report("catching_up", detail, done, total))
            return
        for sync in self.syncs:
            sync.done = sync.total = 0
        is_audited, self._is_audit_untold = self._is_audit_untold, False
        await self._say(Report("ok", detail, is_audited=is_audited))

    async def wait(self, words: str) -> None:
        """Reports that the mailbox waits for its turn at the server."""
        await self._say(Report(self.state, words))

    async def _say(self, report: Report) -> None:
        self.state = report.state
        await self._intake.report(report)

    def _missed(self) -> str:
        """What a person may want to know of pushes that did not come, while it makes a difference."""
        if not self.renewal.is_shortened:
            return ""
        return f"{self.renewal.missed} times mail was there untold; IDLE is renewed every {self.renewal.seconds:.0f} s"

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


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are done. `sweep_seconds` None: nothing between the rounds."""

    poll_seconds: float
    sweep_seconds: float | None = None


class Rounds:
    """One connection and its share of the folders. `idles`: it may wait with IDLE, and with NOTIFY where offered;
    `chosen` makes folders of what the server lists, if keeping that list is the business of this connection; `leaves`: `run`
    returns when others want the connection."""

    def __init__(
        self,
        session: ImapSession,
        board: Board,
        is_mine: Callable[[Folder], bool],
        pace: Pace,
        idles: bool = False,
        chosen: Callable[[Sequence[Listed]], Iterable[Folder]] | None = None,
        leaves: bool = False,
    ) -> None:
        self._session = session
        self._board = board
        self._is_mine = is_mine
        self._pace = pace
        self._idles = idles
        self._chosen = chosen
        self._loop = asyncio.get_running_loop()
        self._open: FolderSync | None = None
        self._is_told = False  # the server tells of other folders: NOTIFY
        self._sweep_at = float("inf")
        self._leaves = leaves
        self._has_listened = False  # to the folder that is open, since it was opened
        self._has_heard = False  # of mail in it
        board.renewal.expect(session.quirks.idle_seconds)

    def _is_leaving(self) -> bool:
        return self._leaves and self._session.is_wanted_back

    async def run(self) -> None:
        """Catches up, then waits and goes round until cancelled, or until others want the connection."""
        await self.catch_up()
        if self._chosen is not None and self._pace.sweep_seconds is not None:
            self._is_told = self._idles and await self._session.notify()
            await self._sweep()  # what came since the folder was read and before we were told
        while not self._is_leaving():
            await self._wait(self._loop.time() + self._pace.poll_seconds)
            if self._is_leaving():
                return
            await self._renew()
            await self._read_all()

    async def catch_up(self) -> None:
        """Reads everything there is."""
        await self._renew()  # of a folder that is gone nothing is left to read, but what we have of it
        for sync in self._mine():
            self._open = sync
            await self._board.look(self._session, sync)
        await self._board.tell()
        await self._read_all()

    async def _read_all(self) -> None:
        await self._round()
        while not self._is_leaving() and (any(map(self._board.is_behind, self._mine())) or await self._audit()):
            await self._complete()  # what somebody waits for
            await self._round()
        await self._board.tell()

    async def _complete(self) -> bool:
        """Fetches what somebody wants whole, if that is the business of this connection; whether there was anything."""
        if self._chosen is None or not await self._board.complete(self._session):
            return False
        self._open = None  # other folders were opened
        return True

    async def _audit(self) -> bool:
        """Compares the folders whose turn it is with the server; whether there is more to read after that."""
        for sync in self._mine():
            if sync.is_audit_due and not self._board.is_parked(sync):
                self._open = sync
                await self._board.audit(self._session, sync)
        return any(self._board.is_behind(sync) for sync in self._mine())

    async def _round(self) -> None:
        for sync in self._mine():
            due = self._board.is_behind(sync) or sync.folder.is_home or self._loop.time() >= sync.due_at
            if due and not self._board.is_parked(sync):
                await self._turn(sync)
                if self._is_leaving():
                    return

    async def _turn(self, sync: FolderSync) -> None:
        listened = self._session.state if sync is self._open and self._has_listened and not self._has_heard else None
        self._open = sync
        self._has_listened = self._has_heard = False
        await self._board.turn(self._session, sync)
        sync.due_at = self._loop.time() + self._pace.poll_seconds
        if listened is not None and _has_more(listened, self._session.state):
            self._board.renewal.miss()

    def _mine(self) -> list[FolderSync]:
        return [sync for sync in self._board.syncs if self._is_mine(sync.folder)]

    # Between two rounds -----------------------------------------------------------------------------------------------

    async def _wait(self, until: float) -> None:
        """Waits for the next round; meanwhile mails are read as they come."""
        self._plan_sweep()
        while (now := self._loop.time()) < until and not self._is_leaving():
            home = self._home()
            if await self._complete():
                continue
            if now >= self._sweep_at:
                await self._sweep()
            elif home is None:
                await self._rest(min(until - now, self._sweep_at - now, SILENCE_SECONDS_MAX))
            elif home is not self._open:
                await self._turn(home)  # opens it: other folders have been open since
            else:
                await self._listen(home, min(until, self._sweep_at))

    def _home(self) -> FolderSync | None:
        """The folder that lies open while we wait: INBOX, or any if the server tells of the others."""
        if not self._idles:
            return None
        mine = [sync for sync in self._mine() if not self._board.is_parked(sync)]
        inbox = next((sync for sync in mine if sync.folder.is_home), None)
        if inbox is not None or not self._is_told:
            return inbox
        return self._open if self._open in mine else next(iter(mine), None)

    async def _listen(self, home: FolderSync, until: float) -> None:
        """Waits with IDLE in the folder that is open, and reads what it hears of."""
        began_at = self._loop.time()
        told = await self._session.idle(min(until - began_at, self._board.renewal.seconds))
        self._has_listened = self._has_listened or told is not None
        if self._session.was_deaf and self._loop.time() - began_at >= DEAF_SECONDS_MIN:
            self._board.renewal.miss()
        if self._is_leaving():
            return
        if not told and (left := until - self._loop.time()) > 0:
            await self._rest(min(left, SILENCE_SECONDS_MAX if told is None else IDLE_PAUSE_SECONDS))
        if self._session.take_changes():
            self._has_heard = True
            await self._board.read_new(self._session, home)
        elif self._session.was_altered and home.follows_flags:
            self._has_heard = True
            await self._turn(home)
        news = self._session.take_news()
        self._is_told = self._is_told and not news.is_over
        if news.is_more:
            await self._sweep()
        elif news.statuses:
            await self._follow(news.statuses)

    async def _rest(self, seconds: float) -> None:
        await self._session.rest(seconds)
        await self._session.noop()

    def _plan_sweep(self) -> None:
        every = self._pace.sweep_seconds
        if every is None or self._chosen is None or self._is_told:
            self._sweep_at = float("inf")
            return
        apart = 0.0 if self._session.sweeps_at_once else STATUS_EACH_SECONDS * len(self._mine())
        self._sweep_at = self._loop.time() + max(every, apart)

    async def _sweep(self) -> None:
        """Looks which folders there are and which have changed, and reads those."""
        self._plan_sweep()
        try:
            listed, statuses = await self._session.sweep([sync.folder.raw for sync in self._mine()])
        except NotDone:
            return  # the list that we have is good enough until the next time
        await self._take_up(listed)
        await self._follow(statuses)

    async def _renew(self) -> None:
        """Looks which folders there are."""
        if self._chosen is None:
            return
        try:
            await self._take_up(await self._session.list_folders())
        except NotDone:
            return

    async def _take_up(self, listed: Sequence[Listed]) -> None:
        folders = list(self._chosen(listed)) if self._chosen is not None else []
        if folders:
            self._board.update(folders)
            await self._board.keep_only(listed)

    async def _follow(self, statuses: Iterable[FolderStatus]) -> None:
        """Reads the folders that have changed by what the server says of them."""
        latest = {status.raw: status for status in statuses}
        home = self._home()
        for sync in self._mine():
            status = latest.get(sync.folder.raw)
            # Of the folder that lies open STATUS may be behind the times (RFC 9051 §6.3.11); of home IDLE tells.
            is_open = sync is self._open
            if status is None or (is_open and sync is home) or self._board.is_parked(sync):
                continue
            if is_open or sync.may_differ(status):
                await self._turn(sync)
        if any(self._board.is_behind(sync) for sync in self._mine()):
            await self._read_all()


def _has_more(before: FolderState, now: FolderState | None) -> bool:
    """Whether mail has come to a folder between the two times that it was opened."""
    if now is None or now.uidvalidity != before.uidvalidity:
        return False
    if before.uidnext is not None and now.uidnext is not None:
        return now.uidnext > before.uidnext
    return now.exists > before.exists
