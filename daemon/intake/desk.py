"""The door for everything that arrives: read, then gather, decide, write and checkpoint in one transaction.

    arrivals ──► read (parse) and keep raw bytes ──► BEGIN   (the disk may still be at it)
                 loop or worker   one pack, fsync    fence: is the source still ours?
                                                     admit: gather → decide → write
                                                     checkpoint
                                                     COMMIT ──► accept returns

`accept` returns only after the commit: that is the back-pressure on connectors. A deadlock runs the whole admission
again; ids are made from what arrived, so the second try writes the same rows. A crash anywhere loses nothing: the batch
is fetched again and meets its origins.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from connectors.base import Accepted, After, Batch, Checkpoint, Report, Wanted
from daemon.intake import calls, completing, mail, skipping
from daemon.intake.context import IntakeSettings
from daemon.intake.erased import kept_out
from daemon.intake.prepared import PREPARED_MIN, prepare
from interactions.admission import ReadMail, read_mail
from interactions.arrivals import (
    Arrival,
    CallChanged,
    Likeness,
    Location,
    MailArrived,
    SmsArrived,
    SmsStatusChanged,
)
from interactions.mime import ParsedMail, TooComplex
from interactions.never_log import NeverLog
from interactions.records import Json
from storage import blobs, checkpoints, completions, feed, leases, locations, lookup, records, sources
from storage.database import Connection, Database
from storage.erased import is_anybody_kept_out

Parse = Callable[[bytes], Awaitable[ParsedMail]]


def utc_now() -> datetime:
    """The clock of the intake."""
    return datetime.now(UTC)


class Gone(Exception):
    """The mail was erased with a person, and stays out."""


class Unwanted(Exception):
    """The mail names somebody of `never_log`."""


class Desk:
    """Admits batches. One for a daemon; `settings` may be replaced while it runs."""

    def __init__(
        self,
        database: Database,
        store: blobs.Blobs,
        settings: IntakeSettings,
        parse: Parse,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings
        self._database = database
        self._store = store
        self.parse = parse
        self._clock = clock
        self._large = 0  # batches of many mails that are being taken in

    @property
    def is_busy(self) -> bool:
        """Whether many mails are arriving."""
        return self._large > 0

    @property
    def store(self) -> blobs.Blobs:
        return self._store

    async def accept(self, lease: leases.Lease, batch: Batch, after: After = None) -> Accepted:
        """Commits a batch of one source under its lease; once `after` is committed, if that is given."""
        is_large = len(batch.arrivals) >= PREPARED_MIN
        self._large += is_large
        try:
            return await self._accept(lease, batch, after)
        finally:
            self._large -= is_large

    async def _accept(self, lease: leases.Lease, batch: Batch, after: After) -> Accepted:
        now = self._clock()
        came = [one for one in batch.arrivals if isinstance(one, MailArrived)]
        unwanted = [one.location for one in came if self.settings.never_log.names(one.raw)]
        wanted = [one for one in came if one.location not in unwanted] if unwanted else came
        hashes = await _hashes_of(wanted)
        erased, mails, unread, keeping = await self._take_in(wanted, hashes, now)
        unwanted += [one.arrival.location for one in erased]
        left_out = [locations.Placed(at, None) for at in (*batch.left_out, *unwanted)]
        mails, prepared = await prepare(self._database, mails, self.settings, lease.name, now)
        ready = mail.MailBatch(lease.name, lease.source_id, mails, unread, prepared, hashes)

        async def work(db: Connection) -> int:
            await leases.fence(db, lease.source_id, lease.token)
            new = await mail.admit(db, ready, self.settings, now) if mails or unread else 0
            await locations.place_alike(db, lease.source_id, batch.again)
            await locations.add_all(db, lease.source_id, left_out)
            new += await self.admit_events(db, lease.name, batch.arrivals, now)
            if batch.checkpoint is not None:
                await checkpoints.save(db, lease.source_id, batch.checkpoint.key, batch.checkpoint.state)
            await blobs.add_all(db, await keeping)
            return new

        try:
            if after is not None:
                await asyncio.wait([after])
                after.result()
            new = await self._database.in_transaction(work)
        finally:
            keeping.cancel()
        if len(batch.arrivals) > len(came):  # events of a telephone system
            # Apart: whoever is fenced holds the row of the source, and two that do would wait for each other.
            async with self._database.connection() as db:
                await sources.mark_success(db, [lease.name])
        known = len(batch.arrivals) - len(unwanted) + len(batch.again) - len(unread) - new
        return Accepted(new, known, len(unread))

    async def bring(self, raw: bytes, by: UUID | None) -> tuple[UUID, bool]:
        """Admits a mail that a person brings: its interaction, and whether it is new. Raises TooComplex for one that can't
        be read, Gone for one that was erased, and Unwanted for one that is never stored."""
        if self.settings.never_log.names(raw):
            raise Unwanted
        now = self._clock()
        arrival = MailArrived("", Location("", 0, 0), raw, size=len(raw))
        hashes = await _hashes_of([arrival])
        erased, mails, unread, keeping = await self._take_in([arrival], hashes, now)
        if erased:
            raise Gone
        if unread:
            raise TooComplex(unread[0].reason)
        [read] = mails

        async def work(db: Connection) -> tuple[UUID, bool]:
            is_new = bool(await mail.admit(db, mail.MailBatch("", None, mails, hashes=hashes), self.settings, now))
            found = (await records.find_by_origin(db, "mail", [read.identity]))[read.identity]
            if is_new and by is not None:
                await records.set_author(db, found, by)
            await blobs.add_all(db, await keeping)
            return found, is_new

        return await self._database.in_transaction(work)

    async def admit_events(self, db: Connection, source: str, arrivals: Sequence[Arrival], now: datetime) -> int:
        """Admits calls and SMS within the caller's transaction."""
        settings = self.settings
        new = await calls.admit_calls(
            db, source, [one for one in arrivals if isinstance(one, CallChanged)], settings, now
        )
        new += await calls.admit_sms(
            db, source, [one for one in arrivals if isinstance(one, SmsArrived)], settings, now
        )
        await calls.admit_statuses(db, source, [one for one in arrivals if isinstance(one, SmsStatusChanged)])
        return new

    async def _take_in(
        self, wanted: Sequence[MailArrived], hashes: Mapping[int, bytes], now: datetime
    ) -> tuple[list[ReadMail], list[ReadMail], list[mail.Unread], "asyncio.Future[list[blobs.Stored]]"]:
        """Reads mails and keeps their bytes, at the same time, unless some may have to stay out; those come first. The
        disk may be at work still, but needs no connection any more: a transaction that waits for it holds up no other."""
        if wanted and (skipping.has_any(self.settings) or await self._is_anybody_erased()):
            mails, unread = await self._read(wanted, now)
            async with self._database.connection() as db:
                out = await kept_out(db, mails, self.settings.erasure_keys) if await is_anybody_kept_out(db) else []
                out += [one for one in await skipping.skipped(db, mails, self.settings, now) if one not in out]
            mails = [one for one in mails if one not in out] if out else mails
            kept = [one.arrival for one in mails] + [one.arrival for one in unread]
            return out, mails, unread, await self._keep(kept, hashes)
        keeping = asyncio.ensure_future(self._keep(wanted, hashes))  # the disk works while we read
        try:
            mails, unread = await self._read(wanted, now)
            return [], mails, unread, await keeping
        except BaseException:
            keeping.cancel()
            raise

    async def _keep(
        self, mails: Sequence[MailArrived], hashes: Mapping[int, bytes]
    ) -> "asyncio.Future[list[blobs.Stored]]":
        """Begins to make bytes durable; returns once it is known which of them are there already."""
        new: dict[bytes, bytes] = {}
        if mails:
            known = [hashes[id(one.raw)] for one in mails]
            async with self._database.connection() as db:
                new = await self._store.missing(db, [one.raw for one in mails], known)
        writing = asyncio.ensure_future(self._store.write(new))
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody may no longer want it
        return writing

    async def is_left_out(self, db: Connection, read: ReadMail) -> bool:
        """Whether a mail stays out: by a rule, by `never_log`, or because somebody was erased."""
        if self.settings.never_log.names(read.arrival.raw):
            return True
        out = await kept_out(db, [read], self.settings.erasure_keys) if await is_anybody_kept_out(db) else []
        return bool(out or await skipping.skipped(db, [read], self.settings, self._clock()))

    async def _is_anybody_erased(self) -> bool:
        async with self._database.connection() as db:
            return await is_anybody_kept_out(db)

    async def _read(self, arrivals: Sequence[MailArrived], now: datetime) -> tuple[list[ReadMail], list[mail.Unread]]:
        """Parses mails, in their order; what can't be parsed is kept with its reason and holds up nothing. While a process
        reads a large one, small ones are read here."""
        tasks = [asyncio.ensure_future(self._read_one(arrival, now)) for arrival in arrivals]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()  # of use only where one of them failed
        return [one for one in found if isinstance(one, ReadMail)], [
            one for one in found if isinstance(one, mail.Unread)
        ]

    async def _read_one(self, arrival: MailArrived, now: datetime) -> ReadMail | mail.Unread:
        if not arrival.raw:  # there is nothing that could tell one of them from another
            return mail.Unread(arrival, "the server lists this mail and gives no content of it")
        try:
            return read_mail(arrival, await self.parse(arrival.raw), now)
        except TooComplex as reason:
            return mail.Unread(arrival, str(reason))


async def _hashes_of(mails: Sequence[MailArrived]) -> dict[int, bytes]:
    """By the identity of the bytes: whoever asks holds them."""
    found = await blobs.hashes_of([one.raw for one in mails])
    return {id(one.raw): its for one, its in zip(mails, found, strict=True)}


@dataclass(frozen=True, slots=True)
class SourceIntake:
    """What one running source sees of us (`connectors.base.Intake`)."""

    desk: Desk
    database: Database
    lease: leases.Lease

    @property
    def never_log(self) -> NeverLog:
        return self.desk.settings.never_log

    async def checkpoint(self, key: str) -> Json | None:
        async with self.database.connection() as db:
            return await checkpoints.find(db, self.lease.source_id, key)

    async def known(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> set[int]:
        async with self.database.connection() as db:
            return await locations.known(db, self.lease.source_id, folder, uidvalidity, uids)

    async def contacts_among(self, emails: Sequence[str]) -> set[str]:
        async with self.database.connection() as db:
            return await lookup.of_contacts(db, emails)

    async def customers_among(self, emails: Sequence[str]) -> set[str]:
        async with self.database.connection() as db:
            return await lookup.of_customers(db, emails)

    async def mails_among(self, identities: Sequence[bytes]) -> set[bytes]:
        async with self.database.connection() as db:
            return set(await records.find_by_origin(db, "mail", identities))

    async def same(self, mails: Sequence[Likeness]) -> list[Likeness]:
        async with self.database.connection() as db:
            return await locations.same(db, self.lease.source_id, mails)

    async def alike(self, mails: Sequence[Likeness]) -> list[Likeness]:
        async with self.database.connection() as db:
            return await locations.alike(db, self.lease.source_id, mails)

    async def placed(self, folder: str, uidvalidity: int, above: int = 0) -> Sequence[int]:
        async with self.database.connection() as db:
            return await locations.placed(db, self.lease.source_id, folder, uidvalidity, above)

    async def arrived(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> Mapping[int, datetime]:
        async with self.database.connection() as db:
            return await locations.arrived(db, self.lease.source_id, folder, uidvalidity, uids)

    @property
    def follows_review(self) -> bool:
        return self.desk.settings.review_flags

    async def seen(self, folder: str, uidvalidity: int, seen: Mapping[int, bool]) -> None:
        async def work(db: Connection) -> None:
            changed = await locations.follow_seen(db, self.lease.source_id, folder, uidvalidity, seen)
            await feed.add(db, [feed.Change("interaction.updated", one) for one in changed])

        if self.follows_review:
            await self._fenced(work)

    async def vanished(self, folder: str, uidvalidity: int, ranges: Sequence[tuple[int, int]]) -> None:
        source_id = self.lease.source_id
        await self._fenced(lambda db: locations.mark_vanished(db, source_id, folder, uidvalidity, ranges))

    async def forget(self, folder: str, uidvalidity: int, from_uid: int = 1) -> None:
        source_id = self.lease.source_id
        await self._fenced(lambda db: locations.forget(db, source_id, folder, uidvalidity, from_uid))

    async def renumber(self, folder: str, before: int, uidvalidity: int, checkpoint: Checkpoint) -> None:
        lease = self.lease
        told: Json = {"source": lease.name, "renumbered": {"before": before, "now": uidvalidity}}

        async def work(db: Connection) -> None:
            await locations.forget(db, lease.source_id, folder, uidvalidity, 1)
            await checkpoints.save(db, lease.source_id, checkpoint.key, checkpoint.state)
            await feed.add(db, [feed.Change("source.state_changed", None, told)])

        await self._fenced(work)

    async def keep_folders(self, names: Sequence[str]) -> None:
        source_id = self.lease.source_id

        async def work(db: Connection) -> None:
            for folder, state in await checkpoints.drop_others(db, source_id, names):
                uidvalidity = state.get("uidvalidity")
                if isinstance(uidvalidity, int):
                    await locations.forget(db, source_id, folder, uidvalidity, 1)
            await locations.drop_others(db, source_id, names)

        await self._fenced(work)

    async def audited(self, folder: str, uidvalidity: int, gone: Sequence[int], repaired: int) -> None:
        async def work(db: Connection) -> None:
            await locations.mark_gone(db, self.lease.source_id, folder, uidvalidity, gone)
            await sources.count_repairs(db, self.lease.source_id, repaired)

        await self._fenced(work)

    async def _fenced(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        """Writes in the name of the source, if it is still ours."""

        async def all_of_it(db: Connection) -> None:
            await leases.fence(db, self.lease.source_id, self.lease.token)
            await work(db)

        await self.database.in_transaction(all_of_it)

    async def wanted(self) -> Sequence[Wanted]:
        found = await self.database.in_transaction(lambda db: completions.begin(db, self.lease.source_id))
        return [Wanted(which, tuple(places)) for which, places in found]

    async def complete(self, wanted: Wanted, parts: AsyncIterator[bytes]) -> None:
        await completing.complete(self.desk.parse, self.database, self.desk.store, self.lease, wanted.key, parts)

    async def give_up(self, wanted: Wanted, reason: str) -> None:
        await completing.give_up(self.database, self.lease, wanted.key, reason)

    async def accept(self, batch: Batch, after: After = None) -> Accepted:
        return await self.desk.accept(self.lease, batch, after)

    async def report(self, report: Report) -> None:
        async with self.database.connection() as db:
            await sources.report(
                db, self.lease.name, report.state, report.detail, None, report.done, report.total, report.is_audited,
                self.lease.token,
            )  # fmt: skip
