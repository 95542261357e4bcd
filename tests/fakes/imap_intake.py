"""The daemon as a mailbox sees it, in memory: keeps what was accepted and how far each folder is read."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from connectors.base import Accepted, After, Batch, Checkpoint, Report, Wanted
from interactions.admission import mail_identity
from interactions.arrivals import Likeness, Location, MailArrived, head_digest
from interactions.mime import parse
from interactions.never_log import NeverLog
from interactions.records import Json

PAGE_COUNT = 3


class MemoryIntake:
    """`fetched` counts what was handed over, known or not; a restart takes up `checkpoints` and `mails`."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.checkpoints: dict[str, Json] = {}
        self.reports: list[Report] = []
        self.never_log = NeverLog()
        self.contacts: set[str] = set()
        self.kept_folders: list[list[str]] = []
        self.left_out: list[Location] = []
        self.mails: list[MailArrived] = []
        self.again: list[Likeness] = []  # known from elsewhere, not fetched
        self.audits: list[tuple[str, list[int], int]] = []  # folder, gone, repaired
        self.forgotten: list[tuple[str, int, int]] = []
        self.follows_review = True
        self.read_elsewhere: list[tuple[str, int, dict[int, bool]]] = []
        self.gone: list[tuple[str, int, list[tuple[int, int]]]] = []  # what the server has told to be gone
        self.renumbered: list[tuple[str, int, int]] = []
        self.to_complete: list[Wanted] = []
        self.whole: dict[UUID, list[bytes]] = {}
        self.given_up: dict[UUID, str] = {}
        self._changed = asyncio.Condition()

    async def checkpoint(self, key: str) -> Json | None:
        return self.checkpoints.get(key)

    async def known(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> set[int]:
        places = {
            (at.folder, at.uidvalidity, at.uid)
            for at in (*(one.location for one in (*self.mails, *self.again)), *self.left_out)
        }
        return {uid for uid in uids if (folder, uidvalidity, uid) in places}

    async def contacts_among(self, emails: Sequence[str]) -> set[str]:
        return self.contacts & set(emails)

    async def customers_among(self, emails: Sequence[str]) -> set[str]:
        return self.contacts & set(emails)

    async def mails_among(self, identities: Sequence[bytes]) -> set[bytes]:
        return {mail_identity(parse(one.raw)) for one in self.mails} & set(identities)

    async def alike(self, mails: Sequence[Likeness]) -> list[Likeness]:
        return [one for one in mails if self._same(one) is not None]

    def _same(self, likeness: Likeness) -> MailArrived | None:
        for one in self.mails:
            same = (one.size, one.received_at) == (likeness.size, likeness.received_at)
            if same and likeness.head_sha256 in (b"", head_digest(one.raw)):
                return one
        return None

    async def same(self, mails: Sequence[Likeness]) -> list[Likeness]:
        named = {(one.mail_id, one.size) for one in (*self.mails, *self.again) if one.mail_id}
        return [one for one in mails if (one.mail_id, one.size) in named]

    async def placed(self, folder: str, uidvalidity: int, above: int = 0) -> Sequence[int]:
        """In pages of a few, so that tests cross their borders."""
        places = [one.location for one in (*self.mails, *self.again)] + self.left_out
        here = {at.uid for at in places if (at.folder, at.uidvalidity) == (folder, uidvalidity)}
        return sorted(uid for uid in here if uid > above)[:PAGE_COUNT]

    async def arrived(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> Mapping[int, datetime]:
        places = [(one.location, one.received_at) for one in (*self.mails, *self.again)]
        return {
            at.uid: when
            for at, when in places
            if (at.folder, at.uidvalidity) == (folder, uidvalidity) and at.uid in uids and when is not None
        }

    async def seen(self, folder: str, uidvalidity: int, seen: Mapping[int, bool]) -> None:
        self.read_elsewhere.append((folder, uidvalidity, dict(seen)))
        await self._notify()

    async def vanished(self, folder: str, uidvalidity: int, ranges: Sequence[tuple[int, int]]) -> None:
        self.gone.append((folder, uidvalidity, list(ranges)))
        await self._notify()

    async def forget(self, folder: str, uidvalidity: int, from_uid: int = 1) -> None:
        self.forgotten.append((folder, uidvalidity, from_uid))
        moved = [_forgotten(one, folder, uidvalidity, from_uid) for one in self.mails]
        self.mails = moved

    async def renumber(self, folder: str, before: int, uidvalidity: int, checkpoint: Checkpoint) -> None:
        self.renumbered.append((folder, before, uidvalidity))
        self.checkpoints[checkpoint.key] = checkpoint.state
        await self.forget(folder, uidvalidity)

    async def keep_folders(self, names: Sequence[str]) -> None:
        self.kept_folders.append(sorted(names))

    async def audited(self, folder: str, uidvalidity: int, gone: Sequence[int], repaired: int) -> None:
        self.audits.append((folder, list(gone), repaired))

    async def wanted(self) -> Sequence[Wanted]:
        taken, self.to_complete = self.to_complete, []
        return taken

    async def complete(self, wanted: Wanted, parts: AsyncIterator[bytes]) -> None:
        self.whole[wanted.key] = [part async for part in parts]
        await self._notify()

    async def give_up(self, wanted: Wanted, reason: str) -> None:
        self.given_up[wanted.key] = reason
        await self._notify()

    async def accept(self, batch: Batch, after: After = None) -> Accepted:
        if after is not None:
            await after
        self.batches.append(batch)
        for one in batch.arrivals:
            assert isinstance(one, MailArrived)
            self.mails.append(one)
        self.again += batch.again
        self.left_out += batch.left_out
        if batch.checkpoint is not None:
            self.checkpoints[batch.checkpoint.key] = batch.checkpoint.state
        await self._notify()
        return Accepted(new=len(batch.arrivals))

    async def report(self, report: Report) -> None:
        self.reports.append(report)
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # For tests ------------------------------------------------------------------------------------------------------

    @property
    def states(self) -> list[str]:
        return [report.state for report in self.reports]

    def uids(self, folder: str = "INBOX") -> list[int]:
        """The UIDs handed over, in that order, repeats too."""
        return [one.location.uid for one in self.mails if one.location.folder == folder]

    async def until_ok(self) -> None:
        """Waits for the first report of `ok` after this moment, or returns at once if that is the last one."""
        await self._until(lambda: bool(self.reports) and self.reports[-1].state == "ok")

    async def until_report(self, report: Report) -> None:
        """Waits until this was reported."""
        await self._until(lambda: report in self.reports)

    async def until_mails(self, count: int) -> None:
        """Waits until so many mails are here."""
        await self._until(lambda: len(self.mails) >= count)

    async def until_settled(self, count: int) -> None:
        """Waits until so many mails have come whole, or were given up."""
        await self._until(lambda: len(self.whole) + len(self.given_up) >= count)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(is_so)


def _forgotten(mail: MailArrived, folder: str, uidvalidity: int, from_uid: int) -> MailArrived:
    at = mail.location
    if (at.folder, at.uidvalidity) != (folder, uidvalidity) or at.uid < from_uid:
        return mail
    return replace(mail, location=replace(at, uidvalidity=0))
