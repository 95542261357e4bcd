"""Taking back what was changed at once: `POST /undo/{token}`, with the token that the change was answered with."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse

from daemon.auth import serving_of, viewer_of
from daemon.undo import take_back
from storage.database import Connection

router = APIRouter(tags=["undo"])
TOKEN_CHARS_MAX = 100


@router.post("/undo/{token}")
async def undo_change(request: Request, token: Annotated[str, Path(max_length=TOKEN_CHARS_MAX)]) -> JSONResponse:
    """Restores what stood there before. A token works once; what was changed again in between is a conflict."""
    by = viewer_of(request).user_id

    async def work(db: Connection) -> str:
        return await take_back(db, token, by)

    return JSONResponse({"undone": await serving_of(request).database.in_transaction(work)})
