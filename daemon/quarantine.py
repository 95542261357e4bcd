"""Reading again what could not be read: after an update that reads more, or with other bounds.

A mail is parsed once more and admitted as if it had just come; its place in the mailbox becomes the record's. An event goes
back into the journal, and comes back here with a new entry if it still can't be read. Either way nothing is doubled: both
meet their origins.
"""

from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from daemon.intake import mail
from daemon.intake.desk import Desk
from interactions.admission import read_mail
from interactions.arrivals import Location, MailArrived
from interactions.mime import TooComplex
from interactions.records import Json, JsonValue
from storage import quarantine, sources
from storage.blobs import Blobs
from storage.database import Connection, Database
from storage.errors import NotFound

Outcome = Literal["read", "queued", "kept"]


async def retry(database: Database, blobs: Blobs, desk: Desk, entry_id: UUID) -> Outcome:
    """`read`: it is an interaction now, or left out by a rule or an erasure. `queued`: an event that the journal works off. `kept`: it can't be read still.
    Raises NotFound for what is not waiting there."""
    async with database.connection() as db:
        found = await quarantine.find(db, entry_id)
        raw = await blobs.read(db, found.raw_sha256) if found and found.raw_sha256 else b""
    if found is None:
        raise NotFound(f"there is no entry {entry_id} in the quarantine")
    now = datetime.now(UTC)
    arrival = _arrival(found.entry.source, found.entry.locator, raw)
    reason = "the server gave no content of this mail" if found.entry.kind == "mail" and not raw else ""
    parsed = None
    if raw:
        try:
            parsed = read_mail(arrival, await desk.parse(raw), now)
        except TooComplex as error:
            reason = str(error)

    async def work(db: Connection) -> Outcome:
        held = await quarantine.hold(db, entry_id)
        if held is None:
            raise NotFound(f"the entry {entry_id} was read already")
        if held.inbound_id is not None:
            await quarantine.requeue(db, held.inbound_id)
            await quarantine.resolve(db, entry_id)
            return "queued"
        if parsed is None:
            await quarantine.mark_tried(db, entry_id, reason)
            return "kept"
        source_id = await sources.find_id(db, held.source)
        if source_id is None:
            raise NotFound(f"there is no source {held.source!r} any more")
        await quarantine.resolve(db, entry_id)
        if await desk.is_left_out(db, parsed):
            return "read"
        await mail.admit(db, mail.MailBatch(held.source, source_id, [parsed]), desk.settings, now)
        return "read"

    return await database.in_transaction(work)


def _arrival(source: str, locator: Json, raw: bytes) -> MailArrived:
    """The mail as it came; what the locator does not say is unknown."""
    received = locator.get("received_at")
    numbers = [locator.get(name) for name in ("uidvalidity", "uid")]
    uidvalidity, uid = (one if isinstance(one, int) else 0 for one in numbers)
    return MailArrived(
        source,
        Location(str(locator.get("folder", "")), uidvalidity, uid),
        raw,
        datetime.fromisoformat(received) if isinstance(received, str) else None,
        seen=locator.get("seen") is True,
        folder_role=_text(locator.get("folder_role")) or "",
        size=size if isinstance(size := locator.get("size"), int) else len(raw),
        mail_id=_text(locator.get("mail_id")),
        thread_id=_text(locator.get("thread_id")),
        labels=tuple(str(one) for one in labels) if isinstance(labels := locator.get("labels"), list) else (),
        handled_elsewhere=locator.get("handled_elsewhere") is True,
    )


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None
