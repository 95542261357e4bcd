"""The ordered feed of changes: in pages, and as a stream of server-sent events (WHATWG HTML §9.2).

Every committed change comes once and in order; who has seen number n has seen all before it. A stream goes on after
`Last-Event-ID` (a browser sends it by itself when it connects again) or `?after=`; without either it begins now. A line
that says nothing keeps it open through proxies. What belongs to a switched-off option comes with its id only. Of what
somebody may not see nothing comes; the numbers have gaps there.

Streams are bounded, all together and for each viewer; they end with the daemon.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from daemon.access import access_of
from daemon.api.problems import Problem
from daemon.api.shapes import interaction_json, time_json
from daemon.auth import Viewer, find_viewer, serving_of, viewer_of
from daemon.features import shown_kinds
from daemon.serving import Serving
from interactions.access import Access
from interactions.records import JsonValue
from storage import access, feed, lists, subjects
from storage.database import Connection
from storage.errors import StorageError

router = APIRouter(tags=["events"])
EVENTS_MAX = 200
NUMBER_MAX = 2**62
STREAMS_MAX = 500
STREAMS_OF_ONE_MAX = 20
JUDGE_EACH_SECONDS = 10.0
LOOK_EACH_SECONDS = 0.25
SILENCE_SECONDS_MAX = 15.0
OF_INTERACTIONS = ("interaction", "call", "reminder", "outgoing")  # what begins so is about an interaction

_open: Counter[str] = Counter()


@router.get("/events")
async def list_events(
    request: Request,
    after: Annotated[int, Query(ge=0, le=NUMBER_MAX)] = 0,
    limit: Annotated[int, Query(ge=1, le=EVENTS_MAX)] = 50,
) -> JSONResponse:
    """Changes after a number, in order: every committed change once, nothing skipped."""
    items, last, more = await read_events(serving_of(request), viewer_of(request), after, limit)
    return JSONResponse({"items": [event for _, event in items], "next": str(last) if more else None})


@router.get("/events/stream")
async def stream_events(request: Request, after: Annotated[int | None, Query(ge=0, le=NUMBER_MAX)] = None) -> Response:
    """The same as it happens."""
    serving, viewer = serving_of(request), viewer_of(request)
    owner = viewer.owner
    if _open[owner] >= STREAMS_OF_ONE_MAX or _open.total() >= STREAMS_MAX:
        raise Problem("rate_limited", "Too many streams are open. Close one, or ask /api/v1/events now and then.")
    seen = _last_seen(request, after)
    if seen is None:
        async with serving.database.connection() as db:
            seen = await feed.last(db)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(serving, request, viewer, seen), 200, headers, "text/event-stream")


def _last_seen(request: Request, after: int | None) -> int | None:
    given = request.headers.get("last-event-id", "")
    if given.isascii() and given.isdigit() and len(given) < 19:
        return int(given)
    return after


async def _stream(serving: Serving, request: Request, viewer: Viewer, seen: int) -> AsyncIterator[bytes]:
    owner, clock = viewer.owner, asyncio.get_running_loop().time
    _open[owner] += 1
    judged_at = clock()
    try:
        yield b"retry: 2000\n\n"
        silent = 0.0
        while True:
            try:
                if clock() - judged_at >= JUDGE_EACH_SECONDS:  # a session may have ended, a token been taken away
                    judged_at = clock()
                    now = await find_viewer(serving, request)
                    if now is None or now.owner != owner:
                        return
                    viewer = now
                items, seen, more = await read_events(serving, viewer, seen, EVENTS_MAX)
            except StorageError:
                items, more = [], False  # the database is away; the stream waits with everybody else
            if items or more:
                silent = 0.0
                yield b"".join(as_event(seq, event) for seq, event in items)
                continue
            await asyncio.sleep(LOOK_EACH_SECONDS)
            silent += LOOK_EACH_SECONDS
            if silent >= SILENCE_SECONDS_MAX:
                silent = 0.0
                yield b": still here\n\n"
    finally:
        _open[owner] -= 1
        if not _open[owner]:
            del _open[owner]


def as_event(seq: int, event: dict[str, JsonValue]) -> bytes:
    """One event of the stream. JSON has no line breaks, so nothing in it can begin a field of its own."""
    return f"id: {seq}\nevent: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


async def read_events(
    serving: Serving, viewer: Viewer, after: int, limit: int
) -> tuple[Sequence[tuple[int, dict[str, JsonValue]]], int, bool]:
    """The changes after a number that this viewer may see, each with what it is about as that stands now; the number of
    the last one that was looked at, and whether there may be more."""
    async with serving.database.connection() as db:
        found = await feed.list_after(db, after, limit)
        if not found:
            return (), after, False
        last, more = found[-1].seq, len(found) == limit
        seen_by = await access_of(db, serving, viewer)
        unseen = await _unseen(db, found, seen_by)
        found = [one for one in found if one.change.ref not in unseen and _into(one) not in unseen]
        ids = [one.change.ref for one in found if one.change.ref and not one.change.type.startswith("contact.")]
        views = {one.id: one for one in await lists.views(db, ids, seen_by)} if ids else {}
    kinds = shown_kinds(serving.settings.features)
    items: list[tuple[int, dict[str, JsonValue]]] = []
    for one in found:
        ref = one.change.ref
        view = views.get(ref) if ref else None
        thing: JsonValue = {"id": str(ref) if ref else None, **one.change.data}
        if view is not None and view.kind in kinds:
            thing = interaction_json(view, serving.public_url, full=False)
        data: JsonValue = {"seq": one.seq, "object": thing}
        items.append((one.seq, {"type": one.change.type, "timestamp": time_json(one.at), "data": data}))
    return items, last, more


def _into(one: feed.Numbered) -> UUID | None:
    """The other chain of a chain that was merged or split."""
    into = one.change.data.get("into")
    return UUID(str(into)) if into is not None and one.change.type.startswith("chain.") else None


async def _unseen(db: Connection, found: Sequence[feed.Numbered], seen_by: Access) -> set[UUID]:
    """What of these changes are about somebody may not see: interactions, and chains, subjects and addresses of nothing
    else. Contacts and sources are everybody's."""
    if not seen_by.hidden:
        return set()
    refs: dict[str, set[UUID]] = {}
    for one in found:
        if one.change.ref is not None:
            refs.setdefault(one.change.type.partition(".")[0], set()).add(one.change.ref)
    interactions = set[UUID]().union(*(refs.get(kind, ()) for kind in OF_INTERACTIONS))
    chains = refs.get("chain", set()) | {into for one in found if (into := _into(one)) is not None}
    about = refs.get("subject", set())
    return {
        *(interactions - (await access.seen(db, interactions, seen_by)).keys()),
        *await access.unseen_chains(db, chains, seen_by),
        *await access.unseen_addresses(db, refs.get("address", ()), seen_by),
        *(about - await subjects.seen(db, list(about), seen_by)),
    }
