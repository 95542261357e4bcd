"""Reads one folder: its history, what came while we were away, and what comes. What to read is decided in `plan`.

              open: EXAMINE, checkpoint
    unseen ─────────────────────────────► reading ──── all history finished ────► up to date
       ▲                                 │  ▲   one portion:                        │    │
       │                                 └──┘   search, known, sizes, fetch, accept │    │ news: read_new
       └──────────── UIDVALIDITY differs: a new generation of UIDs ─────────────────┘    └────┘

A turn opens the folder, reads all live mail and then some portions of history, with a look for live mail after each,
and leaves the connection to the next folder. The checkpoint goes with the mails into one commit (`reading`), so that a
kill at any moment leaves a folder that goes on where it was; mails that were fetched and not committed are fetched again.

An audit compares the folder with what we have (`audit`): what is missing is read, what is gone is marked, and the newest
mails are checked to be the same ones. Each folder is audited after it was read to its end, then every `AUDIT_SECONDS`, and
soon after mails have vanished from it.

How it fails. A command that fails raises, and nothing moves.

What becomes of mails that we know is followed at every turn (`changes`): read in another program, gone.
"""

import asyncio
from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from datetime import date

from connectors.base import BATCH_COUNT_MAX, Checkpoint, Intake
from connectors.mail.answers import FolderState, FolderStatus
from connectors.mail.arguments import UID_MAX
from connectors.mail.budget import Budget
from connectors.mail.changes import Follower
from connectors.mail.folders import Folder
from connectors.mail.plan import (
    EARLIEST,
    Cursor,
    after_new,
    after_old,
    begin,
    holds,
    is_rewound,
    is_same_generation,
    load,
    may_have_new,
    new_uids,
    old_uids,
    rewound,
)
from connectors.mail.reading import Moving, Reader
from connectors.mail.session import ImapSession
from connectors.mail.strikes import Strikes
from connectors.mail.uids import Uids

AUDIT_SECONDS = 6 * 3600.0
# Where mails vanish one after the other: a second for each thousand that has to be listed.
AUDIT_AGAIN_SECONDS_MAX = 300.0
AUDITED_IN_A_SECOND = 1000
CHECKED_COUNT = 50  # newest mails that an audit looks at one by one
CHECKED_AMONG = 1000  # newest UIDs
COMPARED_COUNT = 50_000  # at once


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
        budget: Budget,
        progress: Callable[[], Awaitable[None]],
        headers_only: bool = False,
        contacts_only: bool = False,
        handled_elsewhere: bool = False,
    ) -> None:
        self.folder = folder
        self.total = 0
        self.done = 0
        self.due_at = 0.0
        self._intake = intake
        self._since = since
        self._budget = budget
        self._progress = progress
        self._reader = Reader(
            source, folder, intake, message_bytes_max, strikes, budget, headers_only, contacts_only, handled_elsewhere
        )
        self._follower = Follower(folder.name, intake, handled_elsewhere)
        self._audited_at: float | None = None
        self._audit_at = 0.0
        self._there = 0  # at least so many mails, unless some have vanished
        self._seen: FolderState | None = None  # as it was when all live mail was read
        self._history: Uids | None = None  # still to read, the next one last; None: not asked for yet

    @property
    def is_up_to_date(self) -> bool:
        return self._reader.cursor is not None and self._reader.cursor.done

    def may_differ(self, status: FolderStatus) -> bool:
        """Whether something may have changed in the folder since its last turn. What the server leaves out is no news."""
        seen = self._seen
        return seen is None or (
            status.uidvalidity not in (0, seen.uidvalidity)
            or (None not in (status.uidnext, seen.uidnext) and status.uidnext != seen.uidnext)
            or (status.messages is not None and status.messages != seen.exists)
        )

    @property
    def follows_flags(self) -> bool:
        return self._follower.wants_flags

    @property
    def is_waiting(self) -> bool:
        """Whether there is history, and today's budget is spent."""
        return self._reader.cursor is not None and not self._reader.cursor.done and self._budget.is_spent

    @property
    def is_audited(self) -> bool:
        """Whether the folder was compared with what we have, since it was read to its end."""
        return self._audited_at is not None

    @property
    def is_audit_due(self) -> bool:
        return self.is_up_to_date and asyncio.get_running_loop().time() >= self._audit_at

    async def look(self, session: ImapSession) -> None:
        """Opens the folder and finds how much there is to read."""
        cursor, state = await self._open(session)
        new = await self._search_new(session, cursor, state)
        history = await self._search_old(session, cursor)
        self.done, self.total = 0, len(new) + len(history)

    async def turn(self, session: ImapSession, portions_max: int) -> None:
        """Reads all live mail, and history up to a number of portions."""
        cursor, state = await self._open(session)
        if may_have_new(cursor, state) or (self.is_audited and state.exists > self._there):
            await self.read_new(session)
        self._seen = state
        history = await self._search_old(session, cursor)
        self.total = max(self.total, self.done + len(history))
        async with self._reader.ahead():
            for _ in range(portions_max):
                if not history or self._budget.is_spent:
                    break
                chunk = history[-BATCH_COUNT_MAX:].tolist()[::-1]
                await self._read(session, chunk, after_old)
                del history[-len(chunk) :]
                if session.take_changes():
                    await self.read_new(session)
        await self._count()
        if not history and not self.is_up_to_date:
            await self._reader.accept([], after_old(self._reader.now(), None), is_history=True)
        await self._follow(session, state)
        self._notice_vanished(state)

    async def _follow(self, session: ImapSession, state: FolderState) -> None:
        """Takes up what became of mails that we know."""
        followed, is_all_gone_told = await self._follower.follow(session, self._reader.now(), state)
        if followed != self._reader.now():
            await self._reader.accept([], followed, is_history=False)
        if is_all_gone_told:
            self._there = min(self._there, state.exists)

    async def read_new(self, session: ImapSession) -> None:
        """Reads what is above the cursor, in the folder that is open."""
        found = await self._search_new(session, self._reader.now(), None)
        self._there += len(found)
        for start in range(0, len(found), BATCH_COUNT_MAX):
            await self._read(session, found[start : start + BATCH_COUNT_MAX].tolist(), after_new)

    # Comparing ------------------------------------------------------------------------------------------------------

    async def audit(self, session: ImapSession) -> None:
        """Compares the folder with what we have of it, and repairs what differs."""
        cursor, state = await self._open(session)
        if not cursor.done:
            return  # another generation: it is read first
        if cursor.uidvalidity:
            there = await session.uid_search("1:*") if state.exists else array("I")
            if there and there[-1] > cursor.live_uid:  # just come, or UIDNEXT is wrong
                await self.read_new(session)
            if await self._is_other(session, there):
                await self._start_anew(session, state)
                return
            missing, gone = await self._compare(there)
            repaired = await self._repair(session, missing)
            # A server that lists fewer mails than it has makes us drop nothing.
            gone = gone if len(there) >= state.exists else []
            await self._intake.audited(self.folder.name, cursor.uidvalidity, gone, repaired)
            await self._follower.sweep(session, cursor, state)
        self._audited_at = asyncio.get_running_loop().time()
        self._audit_at = self._audited_at + AUDIT_SECONDS
        self._there = state.exists

    async def _compare(self, there: Sequence[int]) -> tuple[Sequence[int], list[int]]:
        """UIDs that only the server has, and those that only we have: a page of ours at a time, so that a folder of a
        million mails takes little memory and nobody has to wait."""
        missing, gone, above = array("Q"), [], 0
        while True:
            ours = await self._intake.placed(self.folder.name, self._reader.now().uidvalidity, above)
            last = ours[-1] if ours else UID_MAX
            known = set(ours)
            start, end = bisect_right(there, above), bisect_right(there, last)
            for at in range(start, end, COMPARED_COUNT):
                here = there[at : min(at + COMPARED_COUNT, end)]
                missing.extend(uid for uid in here if uid not in known)
                known.difference_update(here)
                await asyncio.sleep(0)
            gone += sorted(known)
            if not ours:
                return missing, gone
            above = last

    async def _repair(self, session: ImapSession, missing: Sequence[int]) -> int:
        """Reads what a sync should have brought and did not; how many mails that were."""
        cursor = self._reader.now()
        missing = missing[: bisect_right(missing, cursor.live_uid)]
        old = bisect_right(missing, cursor.first_uid)
        if old and cursor.since != EARLIEST:
            wanted = await session.uid_search(f"1:{cursor.first_uid}", cursor.since)
            missing = [uid for uid in missing[:old] if holds(wanted, uid)] + list(missing[old:])
        repaired = 0
        for start in range(0, len(missing), BATCH_COUNT_MAX):
            repaired += await self._read(session, missing[start : start + BATCH_COUNT_MAX], _staying)
        return repaired

    async def _is_other(self, session: ImapSession, there: Sequence[int]) -> bool:
        """Whether the newest UIDs mean other mails than those that we have: told by their INTERNALDATE."""
        name, uidvalidity = self.folder.name, self._reader.now().uidvalidity
        ours = await self._intake.arrived(name, uidvalidity, there[-CHECKED_AMONG:])
        shown = await session.sizes(sorted(ours)[-CHECKED_COUNT:]) if ours else []
        return any(one.internal_date is not None and one.internal_date != ours[one.uid] for one in shown)

    async def _start_anew(self, session: ImapSession, state: FolderState) -> None:
        await self._intake.forget(self.folder.name, state.uidvalidity)
        self._reader.cursor = begin(None, state, await self._highest_uid(session, state), self._since)
        self._history = None

    def _notice_vanished(self, state: FolderState) -> None:
        """Mails that vanish bring the next audit nearer."""
        if self._audited_at is not None and state.exists < self._there:
            pause = min(state.exists / AUDITED_IN_A_SECOND, AUDIT_AGAIN_SECONDS_MAX)
            self._audit_at = min(self._audit_at, self._audited_at + pause)

    async def _open(self, session: ImapSession) -> tuple[Cursor, FolderState]:
        state = await session.examine(self.folder.raw)
        before = self._reader.cursor or load(await self._intake.checkpoint(self.folder.name))
        is_same = is_same_generation(before, state)
        if before is not None and is_same and is_rewound(before, state):
            before = await self._rewind(session, before, state)
        highest = 0 if is_same else await self._highest_uid(session, state)
        cursor = self._follower.begun(begin(before, state, highest, self._since))
        if before is not None and not is_same:
            await self._renumber(before, cursor)
        if self._reader.cursor is None or not is_same:
            self._history = None
            self.done = self.total = 0
        self._reader.cursor = cursor
        return cursor, state

    async def _renumber(self, before: Cursor, cursor: Cursor) -> None:
        """The folder begins anew; what it may have had of this UIDVALIDITY was of a life long ago."""
        name = self.folder.name
        if cursor.uidvalidity:
            checkpoint = Checkpoint(name, cursor.saved())
            await self._intake.renumber(name, before.uidvalidity, cursor.uidvalidity, checkpoint)
        else:
            await self._intake.forget(name, 0)
        self._audited_at, self._audit_at = None, 0.0

    async def _rewind(self, session: ImapSession, before: Cursor, state: FolderState) -> Cursor:
        uidnext = state.uidnext or 1
        if state.exists and (found := await session.uid_search(f"{uidnext}:*")) and found[-1] >= uidnext:
            return before  # it is only UIDNEXT that is wrong
        await self._intake.forget(self.folder.name, before.uidvalidity, uidnext)
        self._audit_at = 0.0
        await self._reader.accept([], rewound(before, uidnext), is_history=False)
        return self._reader.now()

    async def _highest_uid(self, session: ImapSession, state: FolderState) -> int:
        if state.uidnext is not None:
            return min(state.uidnext - 1, UID_MAX)
        found = await session.uid_search("1:*") if state.exists else None
        return found[-1] if found else 0

    async def _search_new(self, session: ImapSession, cursor: Cursor, state: FolderState | None) -> Uids:
        if cursor.live_uid >= UID_MAX or (state is not None and not may_have_new(cursor, state)):
            return array("I")
        return new_uids(cursor, await session.uid_search(f"{cursor.live_uid + 1}:*"))

    async def _search_old(self, session: ImapSession, cursor: Cursor) -> Uids:
        """History still to read, the next one last."""
        if self._history is None:
            found: Uids = array("I")
            if not cursor.done and cursor.backfill_uid > 1:
                since = None if cursor.since == EARLIEST else cursor.since
                found = await session.uid_search(f"1:{cursor.backfill_uid - 1}", since)
            self._history = old_uids(cursor, found)
        return self._history

    async def _read(self, session: ImapSession, uids: Sequence[int], moving: Moving) -> int:
        """Reads these mails and moves the cursor to the last; how many were there and not known."""
        count = await self._reader.read(session, uids, moving)
        await self._count()
        return count

    async def _count(self) -> None:
        """Tells of the progress, if there is any."""
        finished, self._reader.finished = self._reader.finished, 0
        if finished:
            self.done += finished
            self.total = max(self.total, self.done)
            await self._progress()


def _staying(cursor: Cursor, _: int) -> Cursor:
    """Of what is read again the cursor knows already."""
    return cursor
