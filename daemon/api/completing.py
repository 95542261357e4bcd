"""Mails that came in part, because they are larger than their mailbox takes: the whole, when somebody asks for it.

    GET  /interactions/{id}/complete   how it stands: `whole`, `part`, `asked`, `failed` with a reason
    POST /interactions/{id}/complete   asks for it: 202, and repeatable; who asks again after a failure gets new tries

Whoever runs the mailbox fetches it, within seconds or at the next round; then `interaction.updated` says so. What is on no
server any more is 409, what is whole too; of a mailbox that keeps headers only nothing more is ever fetched (403).
"""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from daemon import completing
from daemon.api.problems import Problem
from daemon.api.records import view_of
from daemon.api.shapes import time_json
from daemon.auth import serving_of, viewer_of
from daemon.completing import NotToBeHad, Standing
from interactions.records import JsonValue

router = APIRouter(tags=["files"])


@router.get("/interactions/{interaction_id}/complete")
async def read_state(request: Request, interaction_id: UUID) -> JSONResponse:
    """Whether all of an interaction is here, and what is done about it."""
    view = await view_of(request, interaction_id)
    async with serving_of(request).database.connection() as db:
        return JSONResponse(_json(await completing.standing(db, view)))


@router.post("/interactions/{interaction_id}/complete", status_code=202)
async def complete(request: Request, interaction_id: UUID) -> JSONResponse:
    """Asks for the whole of a mail that came in part."""
    serving, by = serving_of(request), viewer_of(request).user_id
    view = await view_of(request, interaction_id)
    try:
        found = await serving.database.in_transaction(lambda db: completing.ask(db, serving.settings, view, by))
    except NotToBeHad as error:
        raise Problem(error.code, str(error)) from None
    return JSONResponse(_json(found), 202)


def _json(found: Standing) -> dict[str, JsonValue]:
    asked = found.asked
    return {
        "state": found.state,
        "asked_at": time_json(asked.asked_at if asked else None),
        "reason": asked.reason if asked else "",
    }
