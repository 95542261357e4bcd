"""Reads one folder: its history, what came while we were away, and what comes. What to read is decided in `plan`.

              open: EXAMINE, checkpoint
    unseen ─────────────────────────────► reading ──── all history finished ────► up to date
       ▲                                 │  ▲   one portion:                        │    │
       │                                 └──┘   search, known, sizes, fetch, accept │    │ news: read_new
       └──────────── UIDVALIDITY differs: a new generation of UIDs ─────────────────┘    └────┘

A turn opens the folder, reads all live mail and then some portions of history, with a look for live mail after each,
and leaves the connection to the next folder. The checkpoint goes with the mails into one commit, so that a kill at any
moment leaves a folder that goes on where it was; mails that were fetched and not committed are fetched again.

An audit compares the folder with what we have (`audit`): what is missing is read, what is gone is marked, and the newest
mails are checked to be the same ones. Each folder is audited after it was read to its end, then every `AUDIT_SECONDS`, and
soon after mails have vanished from it. Headers decide what is not fetched at all (`heads`).

How it fails. A command that fails raises, and nothing moves. A mail that is gone when it is fetched is finished. A mail
that the server refuses or has no body for is handed over empty: it ends in quarantine with its place, and the rest goes
on. A mail during which the connection breaks is a suspect (`Strikes`) and stands alone the next time.

Limits: strikes are kept in memory only, and changes of flags are not followed. The audit finds no mail from before `since`
that was put into the folder after its first reading and then missed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from connectors.base import BATCH_COUNT_MAX, Batch, Checkpoint, Intake, Unavailable
from connectors.mail.answers import Fetched, FolderState, FolderStatus
from connectors.mail.arguments import UID_MAX
from connectors.mail.budget import Budget
from connectors.mail.folders import Folder
from connectors.mail.heads import recognised, unwanted
from connectors.mail.plan import (
    EARLIEST,
    Cursor,
    Portion,
    after_new,
    after_old,
    begin,
    is_rewound,
    is_same_generation,
    load,
    may_have_new,
    new_uids,
    old_uids,
    portions,
    rewound,
)
from connectors.mail.refusals import NotDone
from connectors.mail.session import ImapSession
from connectors.mail.strikes import Strikes
from interactions.arrivals import Location, MailArrived

AUDIT_SECONDS = 6 * 3600.0
# Where mails vanish one after the other: a second for each thousand that has to be listed.
AUDIT_AGAIN_SECONDS_MAX = 300.0
AUDITED_IN_A_SECOND = 1000
CHECKED_COUNT = 50  # newest mails that an audit looks at one by one


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
        self._budget = budget
        self._progress = progress
        self._headers_only = headers_only
        self._contacts_only = contacts_only
        self._cursor: Cursor | None = None
        self._audited_at: float | None = None
        self._audit_at = 0.0
        self._there = 0  # at least so many mails, unless some have vanished
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

    @property
    def is_waiting(self) -> bool:
        """Whether there is history, and today's budget is spent."""
        return self._cursor is not None and not self._cursor.done and self._budget.is_spent

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
        self._notice_vanished(state)
        history = await self._search_old(session, cursor)
        self.total = max(self.total, self.done + len(history))
        for _ in range(portions_max):
            if not history or self._budget.is_spent:
                break
            chunk = history[-BATCH_COUNT_MAX:][::-1]
            await self._read(session, chunk, after_old)
            del history[-len(chunk) :]
            if session.take_changes():
                await self.read_new(session)
        if not history and not self.is_up_to_date:
            await self._accept([], after_old(self._now(), None), is_history=True)

    async def read_new(self, session: ImapSession) -> None:
        """Reads what is above the cursor, in the folder that is open."""
        found = await self._search_new(session, self._now(), None)
        self._there += len(found)
        for start in range(0, len(found), BATCH_COUNT_MAX):
            await self._read(session, found[start : start + BATCH_COUNT_MAX], after_new)

    # Comparing ------------------------------------------------------------------------------------------------------

    async def audit(self, session: ImapSession) -> None:
        """Compares the folder with what we have of it, and repairs what differs."""
        cursor, state = await self._open(session)
        if not cursor.done:
            return  # another generation: it is read first
        if cursor.uidvalidity:
            there = await session.uid_search("1:*") if state.exists else []
            if there and there[-1] > cursor.live_uid:  # just come, or UIDNEXT is wrong
                await self.read_new(session)
            ours = await self._intake.placed(self.folder.name, cursor.uidvalidity)
            if await self._is_other(session, there, ours):
                await self._start_anew(session, state)
                return
            repaired = await self._repair(session, there, set(ours))
            # A server that lists fewer mails than it has makes us drop nothing.
            gone = sorted(set(ours) - set(there)) if len(there) >= state.exists else []
            await self._intake.audited(self.folder.name, cursor.uidvalidity, gone, repaired)
        self._audited_at = asyncio.get_running_loop().time()
        self._audit_at = self._audited_at + AUDIT_SECONDS
        self._there = state.exists

    async def _repair(self, session: ImapSession, there: Sequence[int], ours: set[int]) -> int:
        """Reads what a sync should have brought and did not; how many mails that were."""
        cursor = self._now()
        wanted = set(there)
        if cursor.since != EARLIEST:
            wanted &= set(await session.uid_search("1:*", cursor.since))
        missing = sorted(uid for uid in wanted - ours if uid <= cursor.live_uid)
        repaired = 0
        for start in range(0, len(missing), BATCH_COUNT_MAX):
            repaired += await self._read(session, missing[start : start + BATCH_COUNT_MAX], _staying)
        return repaired

    async def _is_other(self, session: ImapSession, there: Sequence[int], ours: Mapping[int, datetime | None]) -> bool:
        """Whether the newest UIDs mean other mails than those that we have: told by their INTERNALDATE."""
        both = [uid for uid in there if ours.get(uid) is not None][-CHECKED_COUNT:]
        shown = await session.sizes(both) if both else []
        return any(one.internal_date is not None and one.internal_date != ours[one.uid] for one in shown)

    async def _start_anew(self, session: ImapSession, state: FolderState) -> None:
        await self._intake.forget(self.folder.name, state.uidvalidity)
        self._cursor = begin(None, state, await self._highest_uid(session, state), self._since)
        self._history = None

    def _notice_vanished(self, state: FolderState) -> None:
        """Mails that vanish bring the next audit nearer."""
        if self._audited_at is not None and state.exists < self._there:
            pause = min(state.exists / AUDITED_IN_A_SECOND, AUDIT_AGAIN_SECONDS_MAX)
            self._audit_at = min(self._audit_at, self._audited_at + pause)

    def _now(self) -> Cursor:
        assert self._cursor is not None
        return self._cursor

    async def _open(self, session: ImapSession) -> tuple[Cursor, FolderState]:
        state = await session.examine(self.folder.raw)
        before = self._cursor or load(await self._intake.checkpoint(self.folder.name))
        is_same = is_same_generation(before, state)
        if before is not None and is_same and is_rewound(before, state):
            before = await self._rewind(session, before, state)
        if before is not None and not is_same:
            await self._intake.forget(self.folder.name, state.uidvalidity)  # of a life that the folder had long ago
            self._audited_at, self._audit_at = None, 0.0
        highest = 0 if is_same else await self._highest_uid(session, state)
        cursor = begin(before, state, highest, self._since)
        if self._cursor is None or not is_same:
            self._history = None
            self.done = self.total = 0
        self._cursor = cursor
        return cursor, state

    async def _rewind(self, session: ImapSession, before: Cursor, state: FolderState) -> Cursor:
        uidnext = state.uidnext or 1
        if state.exists and any(uid >= uidnext for uid in await session.uid_search(f"{uidnext}:*")):
            return before  # it is only UIDNEXT that is wrong
        await self._intake.forget(self.folder.name, before.uidvalidity, uidnext)
        self._audit_at = 0.0
        await self._accept([], rewound(before, uidnext), is_history=False)
        return self._now()

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

    async def _read(self, session: ImapSession, uids: Sequence[int], moving: Callable[[Cursor, int], Cursor]) -> int:
        """Reads these mails, in their order, and moves the cursor to the last; how many were there and not known."""
        name, uidvalidity = self.folder.name, self._now().uidvalidity
        known = await self._intake.known(name, uidvalidity, uids) if uidvalidity else set()
        missing = [uid for uid in uids if uid not in known]
        there = await session.sizes(missing) if missing else []
        strikes = self._strikes.of(name, uidvalidity, uids)
        unsuspected = [one for one in there if one.uid not in strikes]
        decided, count = await self._read_heads(session, unsuspected, moving is after_old)
        there = [one for one in there if one.uid not in decided]
        sizes = {one.uid: one.size for one in there}
        for portion in portions(uids, there, self._message_bytes_max, strikes):
            mails = await self._fetch(session, portion, sizes)
            arrivals = [self._arrival(one, portion, sizes.get(one.uid)) for one in mails]
            self._budget.spend(sum(len(one.raw) for one in arrivals))
            await self._accept(arrivals, moving(self._now(), portion.last), moving is after_old)
            count += len(arrivals)
        self.done += len(uids)
        self.total = max(self.total, self.done)
        await self._progress()
        return count

    async def _read_heads(
        self, session: ImapSession, there: Sequence[Fetched], is_history: bool
    ) -> tuple[set[int], int]:
        """Mails that are not fetched whole, because they are never stored or known from elsewhere; and how many of the
        latter there are."""
        name, uidvalidity = self.folder.name, self._now().uidvalidity
        with self._striking([one.uid for one in there]):
            out = await unwanted(session, self._intake, name, uidvalidity, there, self._contacts_only)
            decided = {one.uid for one in out}
            rest = [one for one in there if one.uid not in decided]
            again = await recognised(session, self._intake, name, uidvalidity, rest)
        if out or again:
            await self._intake.accept(Batch([], None, is_history, again, out))
        return decided | {one.location.uid for one in again}, len(again)

    @contextlib.contextmanager
    def _striking(self, uids: Sequence[int]) -> Iterator[None]:
        """If the connection breaks within, one of these mails may be the reason."""
        try:
            yield
        except Unavailable as error:
            if error.state != "throttled":
                self._strikes.add(self.folder.name, self._now().uidvalidity, uids)
            raise

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
        if self._headers_only:
            return await self._fetch_heads(session, portion)
        if portion.bytes_max == 0:
            return [Fetched(uid, sizes.get(uid), body=b"") for uid in portion.uids]
        with self._striking(portion.uids):
            mails = await self._fetch_all(session, portion)
        self._strikes.clear(name, uidvalidity, portion.uids)
        return mails

    async def _fetch_heads(self, session: ImapSession, portion: Portion) -> list[Fetched]:
        """The headers in place of the mails. One that the server gives none of stays without."""
        with self._striking(portion.uids):
            try:
                heads = await session.heads(portion.uids)
            except NotDone:
                heads = [one for uid in portion.uids for one in await self._refused(session, uid)]
        return [replace(one, body=one.head or b"") for one in heads]

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
        if self._headers_only:
            known_bytes = max(size or 0, len(raw))
        return MailArrived(
            source=self._source,
            location=Location(self.folder.name, self._now().uidvalidity, mail.uid),
            raw=raw,
            received_at=mail.internal_date,
            seen="\\seen" in mail.flags,
            folder_role=self.folder.role,
            size=known_bytes,
        )


def _staying(cursor: Cursor, _: int) -> Cursor:
    """Of what is read again the cursor knows already."""
    return cursor
