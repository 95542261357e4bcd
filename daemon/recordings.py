"""Fetches recordings of calls and keeps them as attachments: providers' links end after minutes, months or a contract.

Asked for with the call (`daemon.intake.calls`), fetched at once, and again after a minute, five, fifteen, an hour, six hours and
a day; then given up, with the reason in the table. Addresses inside payloads are not believed: private ones are refused
unless the source's `networks` name them (`connectors.web`), and so is what is no sound and what is larger than
RECORDING_BYTES_MAX.
"""

import asyncio
import mimetypes
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog

from config.telephony_settings import Telephony
from connectors.base import ConnectorError
from connectors.recordings import wanted
from connectors.web import Web, WebAnswer
from daemon.serving import Serving
from storage import attachments, blobs, feed, recordings
from storage.database import Connection
from storage.recordings import Due

LOG = structlog.get_logger()
RECORDING_BYTES_MAX = 64_000_000
FETCH_SECONDS = 120.0
AT_ONCE = 4
PAUSES = (60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
FILES_MAX = 500
SOUNDS = ("audio/", "video/", "application/octet-stream", "application/ogg", "binary/octet-stream")
ENDINGS: Mapping[str, str] = {"audio/mpeg": ".mp3", "audio/mp3": ".mp3", "audio/x-wav": ".wav", "audio/wav": ".wav"}


async def work(serving: Serving, web: Web) -> int:
    """Fetches some that are due; how many were looked at."""
    async with serving.database.connection() as db:
        some = await recordings.take(db, AT_ONCE, FETCH_SECONDS * 2)
    await asyncio.gather(*(_fetch(serving, web, one) for one in some))
    return len(some)


async def _fetch(serving: Serving, web: Web, one: Due) -> None:
    table = next((table for table in serving.settings.telephony if table.name == one.source), None)
    if table is None or table.recordings != "store":
        await _close(serving, one, "its source does not store recordings any more")
        return
    try:
        answer = await _get(web, table, one)
    except ConnectorError as error:
        pause = PAUSES[one.attempts - 1] if one.attempts <= len(PAUSES) else None
        LOG.warning("a recording was not fetched", source=one.source, reason=str(error), next_try_seconds=pause)
        if pause is None:
            await _close(serving, one, f"given up: {error}")
            return
        async with serving.database.connection() as db:
            await recordings.put_off(db, one, str(error), pause)
        return
    await _store(serving, one, answer)


async def _get(web: Web, table: Telephony, one: Due) -> WebAnswer:
    request = wanted(table, one.link)
    return await web.get(
        request.url, login=request.login, networks=table.networks, trusted=[str(table.host)] if table.host else [],
        bytes_max=RECORDING_BYTES_MAX, types=SOUNDS, seconds=FETCH_SECONDS,
    )  # fmt: skip


async def _close(serving: Serving, one: Due, error: str) -> None:
    async with serving.database.connection() as db:
        await recordings.close(db, one, error)


async def _store(serving: Serving, one: Due, answer: WebAnswer) -> None:
    kind = answer.headers.get("content-type", "").split(";")[0].strip().lower() or "application/octet-stream"
    ending = ENDINGS.get(kind) or mimetypes.guess_extension(kind) or ""
    async with serving.database.connection() as db:
        stored = await serving.blobs.keep(db, [answer.body])

    async def write(db: Connection) -> None:
        if not await recordings.hold(db, one):
            return
        await blobs.add_all(db, stored)
        name = f"recording-{datetime.now(UTC):%Y%m%d-%H%M%S}{ending}"
        added = await attachments.add(db, one.interaction_id, name, kind, answer.body, FILES_MAX)
        await recordings.close(db, one, None if added else "the call is gone, or has too many files")
        if added:
            await feed.add(db, [feed.Change("interaction.updated", one.interaction_id)])

    await serving.database.in_transaction(write)
