"""Everything that is held of a person as one archive (zip): 152-FZ article 14, GDPR articles 15 and 20.

    contacts.json  addresses.json  employments.json  subjects.json  call_events.json  feed.json  audit.json
    interactions.jsonl          each as the API gives it, with its whole text
    mails/ID.eml                the original bytes, attachments within
    files/ID-N-NAME             recordings, media and files that were added
    journal.jsonl               webhooks that name the person, as they were posted
    quarantine/ID.eml           mails that could not be read and name the person

Names of files are made of ids; what a mail calls an attachment is cleaned. Bytes that are not there any more are named in
`missing.txt`.
"""

import asyncio
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from daemon.api.shapes import interaction_json
from daemon.contacts import Gone
from daemon.erasing import JOURNAL_AT_ONCE, QUARANTINE_AT_ONCE, Words, naming, words_of
from storage import audit, contacts, dossiers, erased, erasure, lists
from storage.blobs import Blobs
from storage.database import Connection, Database
from storage.erasure import Held
from storage.errors import NotFound

AT_ONCE = 100
NAME_CHARS_MAX = 80


class _Archive:
    """A zip that is written away from the loop."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self.missing: list[str] = []

    async def put(self, name: str, content: str | bytes) -> None:
        await asyncio.to_thread(self._zip.writestr, name, content)

    async def close(self) -> None:
        if self.missing:
            await self.put("missing.txt", "\n".join(self.missing) + "\n")
        await asyncio.to_thread(self._zip.close)


async def write(database: Database, blobs: Blobs, contact_id: UUID, public_url: str, path: Path) -> int:
    """Writes the archive; how many interactions it holds. Raises NotFound."""

    async def find(db: Connection) -> Held:
        found = await contacts.find(db, contact_id)
        if found is None:
            raise NotFound(f"there is no contact {contact_id}")
        if await erased.is_erased(db, contact_id):
            raise Gone(found)
        await audit.note(db, "contact.dossier_read", contact_id)
        return await erasure.hold(db, contact_id)

    held = await database.in_transaction(find)
    archive = _Archive(path)
    try:
        async with database.connection() as db:
            for table in dossiers.TABLES:
                rows = await dossiers.rows(db, table, held.contact_ids, held.interaction_ids)
                await archive.put(f"{table}.json", json.dumps(rows, ensure_ascii=False, indent=1))
            await _interactions(db, blobs, archive, held.interaction_ids, public_url)
            await _journal(db, archive, words_of(held))
            await _quarantine(db, blobs, archive, words_of(held))
    finally:
        await archive.close()
    return len(held.interaction_ids)


async def _interactions(db: Connection, blobs: Blobs, archive: _Archive, ids: Sequence[UUID], public_url: str) -> None:
    lines: list[str] = []
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        views = await lists.views(db, some, bodies=True)
        lines += [json.dumps(interaction_json(view, public_url, full=True), ensure_ascii=False) for view in views]
        for one, digest in (await dossiers.raw_of(db, some)).items():
            await _file(db, blobs, archive, f"mails/{one}.eml", digest)
        for one, n, name, digest in await dossiers.files_of(db, some):
            await _file(db, blobs, archive, f"files/{one}-{n}-{_clean(name)}", digest)
    await archive.put("interactions.jsonl", "".join(f"{line}\n" for line in lines))


async def _file(db: Connection, blobs: Blobs, archive: _Archive, name: str, digest: bytes) -> None:
    try:
        await archive.put(name, await blobs.read(db, digest))
    except NotFound as error:
        archive.missing.append(f"{name}: {error}")


def _clean(name: str) -> str:
    return re.sub(r"[^\w.\- ]", "_", name)[-NAME_CHARS_MAX:]


async def _journal(db: Connection, archive: _Archive, words: Words) -> None:
    lines: list[str] = []
    after = 0
    while some := await erased.journal(db, after, JOURNAL_AT_ONCE):
        after = some[-1].id
        named = set(await asyncio.to_thread(naming, some, words))
        lines += [
            json.dumps({"id": one.id, "query": one.query, "body": one.body.decode("utf-8", "replace")}, ensure_ascii=False)
            for one in some
            if one.id in named
        ]  # fmt: skip
    await archive.put("journal.jsonl", "".join(f"{line}\n" for line in lines))


async def _quarantine(db: Connection, blobs: Blobs, archive: _Archive, words: Words) -> None:
    after = UUID(int=0)
    while some := await erased.quarantined(db, after, QUARANTINE_AT_ONCE):
        after = some[-1][0]
        for entry_id, digest in some:
            try:
                raw = await blobs.read(db, digest)
            except NotFound:
                continue
            if words.stand_in(raw.decode("utf-8", "replace")):
                await archive.put(f"quarantine/{entry_id}.eml", raw)
