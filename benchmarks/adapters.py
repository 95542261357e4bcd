"""Three functions that drive the production path, for whoever wants to score it on mail with known answers.

    threads(mails)               a chain for each, as it stands after the last: workers, intake and a database of their own
    replies(text, html, parent)  the new words, by the functions that read them out of every mail and compare it with its parent
    mime(raw)                    what a mail says, by the processes that read mails

The database server is started with the first call and lives as long as the program.
"""

import asyncio
import atexit
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from connectors.base import Batch
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from daemon.workers import Workers
from interactions import mime as reader
from interactions.addresses import Mailbox
from interactions.arrivals import Location, MailArrived
from interactions.mime import ParsedMail
from interactions.replies import new_words, without_old
from storage import leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.postgres import Cluster

MAILS_AT_ONCE = 50
LEASE_SECONDS = 3600
_CHAINS = "SELECT l.uid, coalesce(i.chain_id, l.quarantine_id) FROM mail_location l LEFT JOIN interaction i ON i.id = l.interaction_id"


def threads(mails: list[bytes]) -> list[str]:
    """The id of the chain of each mail; a mail in quarantine is alone."""
    dsn = _cluster().clone()
    try:
        with tempfile.TemporaryDirectory(prefix="ringmail-adapter-") as folder:
            return asyncio.run(_threads(mails, dsn, Path(folder)))
    finally:
        _cluster().drop(dsn)


def replies(text: str | None, html: str | None, parent: str | None = None) -> str:
    """The new words of a reply. `parent`: the text of the mail that is answered, where it is at hand."""
    said = new_words(text or "", html, is_reply=True)
    return without_old(said, parent, text or "") if parent else said


def mime(raw: bytes) -> dict[str, Any]:
    """What a mail says."""
    mail = asyncio.run(_read(raw))
    return {
        "subject": mail.subject,
        "from": _boxes(mail.from_),
        "to": _boxes(mail.to),
        "text": mail.body_text,
        "html": mail.html,
        "attachments": [(one.name, one.content_type, one.size) for one in mail.attachments],
        "date": mail.date,
        "message_id": mail.message_id,
    }


@cache
def _cluster() -> Cluster:
    cluster = Cluster()
    cluster.start()
    atexit.register(cluster.stop)
    return cluster


async def _threads(mails: Sequence[bytes], dsn: str, folder: Path) -> list[str]:
    database = await Database.open(dsn)
    workers = Workers()
    await workers.start()
    try:
        async with database.connection() as db:
            await sources.save_all(db, [("mail", "mailbox", "imap")])
            (lease,) = await leases.acquire(db, "adapter", ["mail"], 1, LEASE_SECONDS)
        desk = Desk(database, Blobs(folder), IntakeSettings(), workers.parse)
        now = datetime.now(UTC)
        arrivals = [
            MailArrived("mail", Location("INBOX", 1, n), raw, received_at=_date_of(raw) or now, size=len(raw))
            for n, raw in enumerate(mails, 1)
        ]
        for n in range(0, len(arrivals), MAILS_AT_ONCE):
            await desk.accept(lease, Batch(arrivals[n : n + MAILS_AT_ONCE]))
        async with database.connection() as db:
            chain_of = {row[0]: str(row[1]) for row in await db.fetch(_CHAINS)}
        return [chain_of[n] for n in range(1, len(mails) + 1)]
    finally:
        await workers.stop()
        await database.close()


def _date_of(raw: bytes) -> datetime | None:
    """When a server would have received an old mail: about when it says that it was sent."""
    try:
        return reader.parse(raw[: reader.inspect(raw).header_bytes] + b"\r\n\r\n").date
    except reader.TooComplex:
        return None


async def _read(raw: bytes) -> ParsedMail:
    workers = Workers()
    await workers.start()
    try:
        return await workers.parse(raw)
    finally:
        await workers.stop()


def _boxes(boxes: Sequence[Mailbox]) -> list[tuple[str, str]]:
    return [(box.display_name, box.address) for box in boxes]
