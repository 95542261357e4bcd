"""Reads one folder: its history, what came while we were away, and what comes. What to read is decided in `plan`.

              open: EXAMINE, checkpoint
    unseen ─────────────────────────────► reading ──── all history finished ────► up to date
       ▲                                 │  ▲   one portion:                        │    │
       │                                 └──┘   search, known, sizes, fetch, accept │    │ news: read_new
       └──────────── UIDVALIDITY differs: a new generation of UIDs ─────────────────┘    └────┘

A turn opens the folder, reads all live mail and then some portions of history, with a look for live mail after each,
and leaves the connection to the next folder. The checkpoint goes with the mails into one commit, so that a kill at any
moment leaves a folder that goes on where it was; mails that were fetched and not committed are fetched again.

How it fails. A command that fails raises, and nothing moves. A mail that is gone when it is fetched is finished. A mail
that the server refuses or has no body for is handed over empty: it ends in quarantine with its place, and the rest goes
on. A mail during which the connection breaks is a suspect (`Strikes`) and stands alone the next time.

Limits: strikes are kept in memory only, and changes of flags and deletions are not followed.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date

from connectors.base import BATCH_COUNT_MAX, Batch, Checkpoint, Intake, Unavailable
from connectors.mail.answers import Fetched, FolderState, FolderStatus
from connectors.mail.arguments import UID_MAX
from connectors.mail.folders import Folder
from connectors.mail.plan import (
    EARLIEST,
    Cursor,
    Portion,
    after_new,
    after_old,
    begin,
    is_same_generation,
    load,
    may_have_new,
    new_uids,
    old_uids,
    portions,
)
from connectors.mail.refusals import NotDone
from connectors.mail.session import ImapSession
from interactions.arrivals import Location, MailArrived

STRIKES_KEPT_MAX = 10_000


class Strikes:
    """How often the connection broke while a mail was fetched, over all folders of a source and all its restarts."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int, int], int] = {}

    def of(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> dict[int, int]:
        return {uid: n for uid in uids if (n := self._counts.get((folder, uidvalidity, uid), 0))}

    def add(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> None:
        for uid in uids:
            key = (folder, uidvalidity, uid)
            self._counts[key] = self._counts.pop(key, 0) + 1
        while len(self._counts) > STRIKES_KEPT_MAX:
            del self._counts[next(iter(self._counts))]

    def clear(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> None:
        for uid in uids:
            self._counts.pop((folder, uidvalidity, uid), None)


class FolderSync:
    """One folder of one source. `total` and `done` count the mails to catch up with; `progress` is awaited after each
    200 of them. `due_at` is for whoever gives out the turns."""

    def __init__(
        self,
        source: str,
        folder: Folder,
        intake: Intake,
        since: date | None,
        message_bytes_max: int,
        strikes: Strikes,
        progress: Callable[[], Awaitable[None]],
    ) -> None:
        self.folder = folder
        self.total = 0
        self.done = 0
        self.due_at = 0.0
        self._source = source
        self._intake = intake
        self._since = since
        self._message_bytes_max = message_bytes_max
        self._strikes = strikes
        self._progress = progress
        self._cursor: Cursor | None = None
        self._seen: FolderState | None = None  # as it was when all live mail was read
        self._history: list[int] | None = None  # still to read, the next one last; None: not asked for yet

    @property
    def is_up_to_date(self) -> bool:
        return self._cursor is not None and self._cursor.done

    def may_differ(self, status: FolderStatus) -> bool:
        """Whether something may have changed in the folder since its last turn. What the server leaves out is no news."""
        seen = self._seen
        return seen is None or (
            status.uidvalidity not in (0, seen.uidvalidity)
            or (None not in (status.uidnext, seen.uidnext) and status.uidnext != seen.uidnext)
            or (status.messages is not None and status.messages != seen.exists)
        )

    async def look(self, session: ImapSession) -> None:
        """Opens the folder and finds how much there is to read."""
        cursor, state = await self._open(session)
        new = await self._search_new(session, cursor, state)
        history = await self._search_old(session, cursor)
        self.done, self.total = 0, len(new) + len(history)

    async def turn(self, session: ImapSession, portions_max: int) -> None:
        """Reads all live mail, and history up to a number of portions."""
        cursor, state = await self._open(session)
        if may_have_new(cursor, state):
            await self.read_new(session)
        self._seen = state
        history = await self._search_old(session, cursor)
        self.total = max(self.total, self.done + len(history))
        for _ in range(portions_max):
            if not history:
                break
            chunk = history[-BATCH_COUNT_MAX:][::-1]
            await self._read(session, chunk, is_history=True)
            del history[-len(chunk) :]
            if session.take_changes():
                await self.read_new(session)
        if not history and not self.is_up_to_date:
            await self._accept([], after_old(self._now(), None), is_history=True)

    async def read_new(self, session: ImapSession) -> None:
        """Reads what is above the cursor, in the folder that is open."""
        found = await self._search_new(session, self._now(), None)
        for start in range(0, len(found), BATCH_COUNT_MAX):
            await self._read(session, found[start : start + BATCH_COUNT_MAX], is_history=False)

    def _now(self) -> Cursor:
        assert self._cursor is not None
        return self._cursor

    async def _open(self, session: ImapSession) -> tuple[Cursor, FolderState]:
        state = await session.examine(self.folder.raw)
        before = self._cursor or load(await self._intake.checkpoint(self.folder.name))
        is_same = is_same_generation(before, state)
        highest = 0 if is_same else await self._highest_uid(session, state)
        cursor = begin(before, state, highest, self._since)
        if self._cursor is None or not is_same:
            self._history = None
            self.done = self.total = 0
        self._cursor = cursor
        return cursor, state

    async def _highest_uid(self, session: ImapSession, state: FolderState) -> int:
        if state.uidnext is not None:
            return min(state.uidnext - 1, UID_MAX)
        return max(await session.uid_search("1:*"), default=0) if state.exists else 0

    async def _search_new(self, session: ImapSession, cursor: Cursor, state: FolderState | None) -> list[int]:
        if cursor.live_uid >= UID_MAX or (state is not None and not may_have_new(cursor, state)):
            return []
        return new_uids(cursor, await session.uid_search(f"{cursor.live_uid + 1}:*"))

    async def _search_old(self, session: ImapSession, cursor: Cursor) -> list[int]:
        """History still to read, the next one last."""
        if self._history is None:
            found: list[int] = []
            if not cursor.done and cursor.backfill_uid > 1:
                since = None if cursor.since == EARLIEST else cursor.since
                found = await session.uid_search(f"1:{cursor.backfill_uid - 1}", since)
            self._history = old_uids(cursor, found)[::-1]
        return self._history

    # One chunk of UIDs ----------------------------------------------------------------------------------------------

    async def _read(self, session: ImapSession, uids: Sequence[int], is_history: bool) -> None:
        """Reads these mails, in their order, and moves the cursor to the last."""
        name, uidvalidity = self.folder.name, self._now().uidvalidity
        known = await self._intake.known(name, uidvalidity, uids) if uidvalidity else set()
        missing = [uid for uid in uids if uid not in known]
        there = await session.sizes(missing) if missing else []
        sizes = {one.uid: one.size for one in there}
        strikes = self._strikes.of(name, uidvalidity, uids)
        for portion in portions(uids, there, self._message_bytes_max, strikes):
            mails = await self._fetch(session, portion, sizes)
            arrivals = [self._arrival(one, portion, sizes.get(one.uid)) for one in mails]
            cursor = self._now()
            moved = after_old(cursor, portion.last) if is_history else after_new(cursor, portion.last)
            await self._accept(arrivals, moved, is_history)
        self.done += len(uids)
        self.total = max(self.total, self.done)
        await self._progress()

    async def _accept(self, arrivals: Sequence[MailArrived], moved: Cursor, is_history: bool) -> None:
        # UIDs without UIDVALIDITY mean nothing tomorrow: RFC 9051 §2.3.1.1.
        checkpoint = Checkpoint(self.folder.name, moved.saved()) if moved.uidvalidity else None
        if arrivals or checkpoint is not None:
            await self._intake.accept(Batch(arrivals, checkpoint, is_history))
        self._cursor = moved

    async def _fetch(self, session: ImapSession, portion: Portion, sizes: dict[int, int | None]) -> list[Fetched]:
        name, uidvalidity = self.folder.name, self._now().uidvalidity
        if not portion.uids:
            return []
        if portion.bytes_max == 0:
            return [Fetched(uid, sizes.get(uid), body=b"") for uid in portion.uids]
        try:
            mails = await self._fetch_all(session, portion)
        except Unavailable as error:
            if error.state != "throttled":
                self._strikes.add(name, uidvalidity, portion.uids)
            raise
        self._strikes.clear(name, uidvalidity, portion.uids)
        return mails

    async def _fetch_all(self, session: ImapSession, portion: Portion) -> list[Fetched]:
        try:
            mails = await session.fetch(portion.uids, portion.bytes_max)
        except NotDone:
            if len(portion.uids) == 1:
                return await self._refused(session, portion.uids[0])
            mails = [Fetched(uid) for uid in portion.uids]  # one of them, perhaps: each alone
        whole = [one for one in mails if one.body is not None]
        for one in mails:
            if one.body is None:
                whole += await self._fetch_alone(session, one.uid, portion.bytes_max)
        return whole

    async def _fetch_alone(self, session: ImapSession, uid: int, bytes_max: int | None) -> list[Fetched]:
        try:
            mails = await session.fetch([uid], bytes_max)
        except NotDone:
            return await self._refused(session, uid)
        return [one if one.body is not None else Fetched(uid, one.size, one.internal_date, body=b"") for one in mails]

    async def _refused(self, session: ImapSession, uid: int) -> list[Fetched]:
        """A mail that the server will not give: gone, or empty."""
        return [Fetched(uid, one.size, body=b"") for one in await session.sizes([uid])]

    def _arrival(self, mail: Fetched, portion: Portion, size: int | None) -> MailArrived:
        raw = mail.body or b""
        # What servers say of a size is off by line ends: of a whole mail its length is the truth.
        known_bytes = size or 0 if not raw else len(raw)
        if raw and portion.bytes_max is not None and len(raw) >= portion.bytes_max:
            known_bytes = max(size or 0, len(raw) + 1)
        return MailArrived(
            source=self._source,
            location=Location(self.folder.name, self._now().uidvalidity, mail.uid),
            raw=raw,
            received_at=mail.internal_date,
            seen="\\seen" in mail.flags,
            folder_role=self.folder.role,
            size=known_bytes,
        )
