"""What a person asks of a source that runs: a mailbox, or a telephone system that we connect to.

    POST /sources/{name}/pause     stops it until it is resumed; from then on nothing is written in its name
    POST /sources/{name}/resume    lets it run again
    POST /sources/{name}/sync      starts it anew at once, whatever it waits for: it reads what there is and is audited

Each answers with the source as `GET /sources` shows it, and may be repeated. Whoever runs it, maybe another daemon, hears
of it within seconds. Pausing and resuming are for administrators. A source that only takes webhooks does nothing by
itself, so nothing of it can be paused.
"""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from connectors.registry import SOURCES
from daemon.api.problems import Problem
from daemon.api.system import source_json
from daemon.auth import serving_of, viewer_of
from storage import sources
from storage.database import Connection
from storage.sources import SourceRow

router = APIRouter(tags=["system"])


@router.post("/sources/{name}/pause")
async def pause(request: Request, name: str) -> JSONResponse:
    """Stops a source until it is resumed."""
    _need_admin(request)
    return await _ask(request, name, sources.pause)


@router.post("/sources/{name}/resume")
async def resume(request: Request, name: str) -> JSONResponse:
    """Lets a paused source run again; one that runs is left alone."""
    _need_admin(request)
    return await _ask(request, name, sources.resume)


@router.post("/sources/{name}/sync")
async def sync(request: Request, name: str) -> JSONResponse:
    """Has a source read what there is, now."""

    async def sync_unless_paused(db: Connection, name: str) -> None:
        if (await _found(db, name)).state == "paused":
            raise Problem("conflict", f"The source {name!r} is paused; resume it first.")
        await sources.sync_now(db, name)

    return await _ask(request, name, sync_unless_paused)


async def _ask(request: Request, name: str, act: Callable[[Connection, str], Awaitable[object]]) -> JSONResponse:
    async def work(db: Connection) -> SourceRow:
        found = await _found(db, name)
        if found.kind != "mailbox" and found.type not in SOURCES:
            raise Problem(
                "conflict", f"The source {name!r} takes what its provider posts; there is nothing to stop here."
            )
        await act(db, name)
        return await _found(db, name)

    return JSONResponse(source_json(await serving_of(request).database.in_transaction(work)))


async def _found(db: Connection, name: str) -> SourceRow:
    for one in await sources.list_all(db):
        if one.name == name:
            return one
    raise Problem("not_found", "There is no such source.")


def _need_admin(request: Request) -> None:
    if viewer_of(request).role != "admin":
        raise Problem("forbidden", "Only an administrator, or a token with the scope admin, may pause and resume.")
