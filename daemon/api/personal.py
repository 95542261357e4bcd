"""Personal data of a contact over HTTP, for administrators: out of everything for good, or all of it as one archive."""

import asyncio
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from daemon import dossier
from daemon.api.contacts import problems
from daemon.api.problems import Problem
from daemon.auth import serving_of, viewer_of
from daemon.erasing import REASON_CHARS_MAX, erase, hash_keys

router = APIRouter(tags=["personal data"])


class EraseIn(BaseModel):
    """Why, and how: with `remove` what the person had with us alone is deleted besides."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARS_MAX)]
    mode: Literal["anonymise", "remove"] = "anonymise"
    dry_run: bool = False


@router.post("/contacts/{contact_id}/erase")
async def erase_contact(request: Request, contact_id: UUID, given: EraseIn) -> JSONResponse:
    """Erases what is held of a contact; nothing takes that back. The answer is the act. The disk is cleaned beside it."""
    serving = serving_of(request)
    _need_admin(request)
    keys = await asyncio.to_thread(hash_keys, serving.settings)
    async with problems():
        done = await erase(
            serving.database, serving.blobs, contact_id, given.mode, given.reason, viewer_of(request).user_id, keys,
            datetime.now(UTC), dry_run=given.dry_run,
        )  # fmt: skip
    serving.desk.settings = replace(serving.desk.settings, erasure_keys=keys)
    serving.erased.set()
    return JSONResponse(done.as_json())


@router.get("/contacts/{contact_id}/dossier")
async def read_dossier(request: Request, contact_id: UUID) -> FileResponse:
    """Everything that is held of a contact, as a zip."""
    serving = serving_of(request)
    _need_admin(request)
    folder = tempfile.TemporaryDirectory(prefix="ringmail-dossier-")  # it goes when the answer is sent
    path = Path(folder.name) / f"{contact_id}.zip"
    try:
        async with problems():
            await dossier.write(serving.database, serving.blobs, contact_id, serving.public_url, path)
    except BaseException:
        folder.cleanup()
        raise
    headers = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
    return FileResponse(
        path, media_type="application/zip", filename=f"dossier-{contact_id}.zip", headers=headers,
        background=BackgroundTask(folder.cleanup),
    )  # fmt: skip


def _need_admin(request: Request) -> None:
    if viewer_of(request).role != "admin":
        raise Problem("forbidden", "Only an administrator, or a token with the scope admin, may do this.")
