"""Mails that came in part, because they are larger than their mailbox takes: the whole, when somebody asks for it.

    GET  /interactions/{id}/complete   how it stands: `whole`, `part`, `asked`, `failed` with a reason
    POST /interactions/{id}/complete   asks for it: 202, and repeatable; who asks again after a failure gets new tries

Whoever runs the mailbox fetches it, within seconds or at the next round; then `interaction.updated` says so. What is on no
server any more is 409, what is whole too; of a mailbox that keeps headers only nothing more is ever fetched (403).
"""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from daemon.api.problems import Problem
from daemon.api.records import view_of
from daemon.auth import serving_of, viewer_of
from interactions.records import JsonValue
from interactions.views import InteractionView
from storage import completions
from storage.completions import Asked
from storage.database import Connection

router = APIRouter(tags=["files"])


@router.get("/interactions/{interaction_id}/complete")
async def read_state(request: Request, interaction_id: UUID) -> JSONResponse:
    """Whether all of an interaction is here, and what is done about it."""
    view = await view_of(request, interaction_id)
    async with serving_of(request).database.connection() as db:
        asked = await completions.find(db, interaction_id)
    return JSONResponse(_state(view, asked))


@router.post("/interactions/{interaction_id}/complete", status_code=202)
async def complete(request: Request, interaction_id: UUID) -> JSONResponse:
    """Asks for the whole of a mail that came in part."""
    serving, by = serving_of(request), viewer_of(request).user_id
    view = await view_of(request, interaction_id)
    if not is_part(view):
        raise Problem("conflict", "All of this interaction is here already.")
    if any(
        view.source and one.name == view.source.name and one.privacy == "headers_only"
        for one in serving.settings.mailboxes
    ):
        raise Problem("forbidden", "Of this mailbox only headers are kept (privacy).")

    async def work(db: Connection) -> Asked | None:
        return await completions.find(db, interaction_id) if await completions.ask(db, interaction_id, by) else None

    asked = await serving.database.in_transaction(work)
    if asked is None:
        raise Problem("conflict", "This mail lies in no mailbox any more that is read here.")
    return JSONResponse(_state(view, asked), 202)


def is_part(view: InteractionView) -> bool:
    """Whether only the beginning of a mail was fetched."""
    marks = view.block.get("marks")
    return isinstance(marks, list) and "oversized" in marks


def _state(view: InteractionView, asked: Asked | None) -> dict[str, JsonValue]:
    if not is_part(view):
        return {"state": "whole", "asked_at": None, "reason": ""}
    if asked is None:
        return {"state": "part", "asked_at": None, "reason": ""}
    state = "failed" if asked.failed_at else "asked"
    at = asked.asked_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"state": state, "asked_at": at, "reason": asked.reason}
