"""The rest that a program can ask: chains, sources, who I am, quarantine, and numbers for Prometheus."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from daemon import metrics
from daemon.access import access_of, need_chain
from daemon.api.problems import Problem
from daemon.api.shapes import after_moment, interaction_json, lines_json, time_json
from daemon.auth import serving_of, viewer_of
from daemon.features import shown_kinds
from daemon.filters import LIMIT_MAX
from daemon.quarantine import retry
from interactions.records import JsonValue
from storage import chains, counts, lists, quarantine, sources
from storage.sources import SourceRow

router = APIRouter(tags=["system"])


@router.get("/chains/{chain_id}")
async def read_chain(
    request: Request,
    chain_id: UUID,
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_MAX,
) -> JSONResponse:
    """A chain and its members in time order; the id of a merged chain leads to the one it went into."""
    serving, after = serving_of(request), after_moment(cursor)
    kinds = tuple(shown_kinds(serving.settings.features))
    async with serving.database.connection() as db:
        final = await chains.final(db, chain_id)
        if final is None:
            raise Problem("not_found", "There is no such chain.")
        seen_by = await access_of(db, serving, viewer_of(request))
        await need_chain(db, final, seen_by)
        wanted = lists.Filter(types=kinds, chain_id=final, oldest_first=True, after=after, limit=limit + 1)
        found = await lists.page(db, wanted, seen_by) if kinds else []
        more, found = len(found) > limit, found[:limit]
    first = interaction_json(found[0], serving.public_url, full=False) if found else {}
    return JSONResponse(
        {
            "id": str(final),
            "root_id": str(found[0].root_id) if found else None,
            "url": f"{serving.public_url}/chains/{final}",
            "subject": first.get("subject"),
            "continues": str(found[0].continues_id) if found and found[0].continues_id else None,
            **lines_json(found, serving.public_url, more=more),
        }
    )


@router.get("/sources")
async def list_sources(request: Request) -> JSONResponse:
    """Every mailbox and telephony source, with the truth about how it is."""
    async with serving_of(request).database.connection() as db:
        found = await sources.list_all(db)
    return JSONResponse({"items": [source_json(one) for one in found], "next": None})


def source_json(one: SourceRow) -> dict[str, JsonValue]:
    """A source as programs see it."""
    progress: JsonValue = None
    if one.total is not None:
        rate = round(one.per_second, 1) if one.per_second is not None else None
        progress = {"done": one.done, "total": one.total, "per_second": rate, "seconds_left": one.seconds_left}
    return {
        "name": one.name,
        "kind": one.kind,
        "type": one.type,
        "state": one.state,
        "detail": one.detail,
        "since": time_json(one.since),
        "next_try": time_json(one.next_try_at),
        "progress": progress,
        "last_success": time_json(one.last_success_at),
        "audited_at": time_json(one.audited_at),
        "audit_repairs": one.audit_repairs,
    }


@router.get("/me")
async def read_me(request: Request) -> JSONResponse:
    """Who asks."""
    viewer = viewer_of(request)
    return JSONResponse(
        {
            "id": str(viewer.user_id) if viewer.user_id else None,
            "name": viewer.name,
            "role": viewer.role,
            "language": viewer.language,
        }
    )


@router.get("/quarantine")
async def list_quarantine(request: Request) -> JSONResponse:
    """Mails and events that could not be read, with their reasons."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        unread = (await access_of(db, serving, viewer_of(request))).unread or ()
        found = [one for one in await quarantine.list_open(db) if one.source not in unread]
    items: list[JsonValue] = [
        {
            "id": str(one.id),
            "source": one.source,
            "kind": one.kind,
            "reason": one.reason,
            "locator": dict(one.locator),
            "attempts": one.attempts,
            "created_at": time_json(one.created_at),
        }
        for one in found
    ]
    return JSONResponse({"items": items, "next": None})


@router.post("/quarantine/{entry_id}/retry")
async def retry_entry(request: Request, entry_id: UUID) -> JSONResponse:
    """Tries to read an entry once more: `read`, `queued` (an event, for the journal) or `kept`."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        unread = (await access_of(db, serving, viewer_of(request))).unread or ()
        kept = await quarantine.find(db, entry_id)
    if kept is not None and kept.entry.source in unread:
        raise Problem("not_found", "There is no such entry.")
    outcome = await retry(serving.database, serving.blobs, serving.desk, entry_id)
    if outcome == "queued":
        serving.journal.arrived.set()
    return JSONResponse({"outcome": outcome})


metrics_router = APIRouter(tags=["system"])


@metrics_router.get("/metrics")
async def read_metrics(request: Request) -> Response:
    """Numbers for Prometheus."""
    async with serving_of(request).database.connection() as db:
        waiting, kept = await counts.waiting(db), await counts.kept(db)
        found = await sources.list_all(db)
    return Response(metrics.render(waiting, kept, found, datetime.now(UTC)), media_type=metrics.MEDIA_TYPE)
