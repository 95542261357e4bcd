"""Reads chunks of UIDs of the folder that is open, and hands their mails over: what `sync` has decided to read.

    known · sizes · heads (what is not fetched at all) ──► portions ──► for each: fetch · hand over with the checkpoint

The cursor moves only with a commit. Within `ahead` portions are fetched while those before them are committed (`flight`).
Headers decide what is not fetched at all (`heads`).

How it fails. A command that fails raises, and nothing moves. A mail that is gone when it is fetched is finished. A mail
that the server refuses or has no body for is handed over empty: it ends in quarantine with its place, and the rest goes
on. A mail during which the connection breaks is a suspect (`Strikes`) and stands alone the next time.

Limits: strikes are kept in memory only.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from connectors.base import Batch, Checkpoint, Intake, Unavailable
from connectors.mail.answers import Fetched
from connectors.mail.budget import Budget
from connectors.mail.flight import Flight
from connectors.mail.folders import Folder
from connectors.mail.heads import hidden, recognised, unwanted
from connectors.mail.plan import Cursor, Portion, after_old, portions
from connectors.mail.refusals import NotDone
from connectors.mail.session import ImapSession
from connectors.mail.strikes import Strikes
from interactions.arrivals import Location, MailArrived

Moving = Callable[[Cursor, int], Cursor]


class Reader:
    """What reads the mails of one folder of one source. `cursor` is as committed; None before the folder was opened.
    `finished` counts the UIDs that are."""

    def __init__(
        self,
        source: str,
        folder: Folder,
        intake: Intake,
        message_bytes_max: int,
        strikes: Strikes,
        budget: Budget,
        headers_only: bool = False,
        contacts_only: bool = False,
        handled_elsewhere: bool = False,
    ) -> None:
        self.folder = folder
        self.cursor: Cursor | None = None
        self.finished = 0
        self._flight = Flight(intake)
        self._handed_over: Cursor | None = None  # the cursor once all that is under way is committed
        self._source = source
        self._intake = intake
        self._message_bytes_max = message_bytes_max
        self._strikes = strikes
        self._budget = budget
        self._headers_only = headers_only
        self._contacts_only = contacts_only
        self._handled_elsewhere = handled_elsewhere

    def now(self) -> Cursor:
        """The cursor of the folder, which is open: where the next portion begins."""
        cursor = self._handed_over if self._flight.is_busy else self.cursor
        assert cursor is not None
        return cursor

    def ahead(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Within, what is read need not be committed before the next portion is fetched; at the end it is."""
        return self._flight.under_way()

    async def read(self, session: ImapSession, uids: Sequence[int], moving: Moving) -> int:
        """Reads these mails, in their order, and moves the cursor to the last; how many were there and not known."""
        name, uidvalidity = self.folder.name, self.now().uidvalidity
        known = await self._intake.known(name, uidvalidity, uids) if uidvalidity else set()
        missing = [uid for uid in uids if uid not in known]
        there = await session.sizes(missing) if missing else []
        strikes = self._strikes.of(name, uidvalidity, uids)
        unsuspected = [one for one in there if one.uid not in strikes]
        decided, count = await self._read_heads(session, unsuspected, moving is after_old)
        there = [one for one in there if one.uid not in decided]
        sizes = {one.uid: one.size for one in there}
        finished = 0
        for portion in portions(uids, there, self._message_bytes_max, strikes):
            mails = await self._fetch(session, portion, sizes)
            arrivals = [self._arrival(one, portion, sizes.get(one.uid)) for one in mails]
            self._budget.spend(sum(len(one.raw) for one in arrivals))
            before, finished = finished, uids.index(portion.last) + 1
            moved = moving(self.now(), portion.last)
            await self.accept(arrivals, moved, moving is after_old, finished - before)
            count += len(arrivals)
        return count

    async def _read_heads(
        self, session: ImapSession, there: Sequence[Fetched], is_history: bool
    ) -> tuple[set[int], int]:
        """Mails that are not fetched whole, because they are never stored or known from elsewhere; and how many of the
        latter there are."""
        name, uidvalidity = self.folder.name, self.now().uidvalidity
        with self._striking([one.uid for one in there]):
            out = hidden(self.folder, uidvalidity, there)
            decided = {one.uid for one in out}
            shown = [one for one in there if one.uid not in decided]
            out += await unwanted(session, self._intake, name, uidvalidity, shown, self._contacts_only)
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
                self._strikes.add(self.folder.name, self.now().uidvalidity, uids)
            raise

    async def accept(self, arrivals: Sequence[MailArrived], moved: Cursor, is_history: bool, finished: int = 0) -> None:
        """Hands mails over with the cursor that they lead to; so many UIDs are finished with them."""

        def landed() -> None:
            self.cursor = moved
            self.finished += finished

        # UIDs without UIDVALIDITY mean nothing tomorrow: RFC 9051 §2.3.1.1.
        checkpoint = Checkpoint(self.folder.name, moved.saved()) if moved.uidvalidity else None
        if arrivals or checkpoint is not None:
            self._handed_over = moved
            await self._flight.add(Batch(arrivals, checkpoint, is_history), landed)
        else:
            await self._flight.settle()
            landed()

    async def _fetch(self, session: ImapSession, portion: Portion, sizes: dict[int, int | None]) -> list[Fetched]:
        name, uidvalidity = self.folder.name, self.now().uidvalidity
        if not portion.uids:
            return []
        if self._headers_only:
            return await self._fetch_heads(session, portion)
        if portion.bytes_max == 0:
            return [Fetched(uid, sizes.get(uid), body=b"") for uid in portion.uids]
        with self._striking(portion.uids):
            mails = await self._without_gone(session, await self._fetch_all(session, portion))
        self._strikes.clear(name, uidvalidity, portion.uids)
        return mails

    async def _without_gone(self, session: ImapSession, mails: list[Fetched]) -> list[Fetched]:
        """Leaves out what has no content because another session has expunged it: a server lists it until it may say so,
        which it may not during FETCH (RFC 9051 §7.5.1)."""
        empty = [one.uid for one in mails if not one.body]
        if not empty:
            return mails
        await session.noop()
        there = {one.uid for one in await session.sizes(empty)}
        return [one for one in mails if one.body or one.uid in there]

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
            location=Location(self.folder.name, self.now().uidvalidity, mail.uid),
            raw=raw,
            received_at=mail.internal_date,
            seen="\\seen" in (mail.flags or ()),
            folder_role=self.folder.role_with(mail.labels),
            size=known_bytes,
            mail_id=mail.mail_id,
            thread_id=mail.thread_id,
            labels=tuple(sorted(mail.labels or ())),
            handled_elsewhere=self._handled_elsewhere,
        )
