"""Links that are wrong or missing, over HTTP: one participant's contact by hand.

What is changed here answers with `undo`, a token for `POST /undo/{token}`.
"""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from daemon import matching
from daemon.api.contacts import problems
from daemon.api.shapes import etag, interaction_json
from daemon.auth import serving_of, viewer_of
from daemon.matching import Remember
from interactions.records import JsonValue
from storage import lists
from storage.database import Connection
from storage.errors import NotFound

router = APIRouter(tags=["parties"])
N_MAX = 10_000


class DecisionIn(BaseModel):
    """Whom a participant is; null is nobody we know."""

    model_config = ConfigDict(extra="forbid")

    contact_id: UUID | None
    remember: Remember = Remember.NO


@router.put("/interactions/{interaction_id}/participants/{n}/contact")
async def decide_contact(
    request: Request, interaction_id: UUID, n: Annotated[int, Path(ge=0, le=N_MAX)], given: DecisionIn
) -> JSONResponse:
    """Says whom a participant is (`n` counts from 0). Answers with the interaction and `undo`."""
    serving, by, now = serving_of(request), viewer_of(request).user_id, datetime.now(UTC)

    async def work(db: Connection) -> tuple[dict[str, JsonValue], str]:
        token = await matching.decide(db, interaction_id, n, given.contact_id, given.remember, by, now)
        found = await lists.find(db, interaction_id)
        if found is None:
            raise NotFound("there is no such interaction")
        return {**interaction_json(found, serving.public_url), "undo": token}, etag(found.version)

    async with problems():
        body, version = await serving.database.in_transaction(work)
    return JSONResponse(body, headers={"ETag": version})
