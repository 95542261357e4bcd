"""One person's meetings and plans as a calendar (.ics) for a telephone or Outlook.

    POST   /me/calendar              a new address with a secret; the one before stops working
    DELETE /me/calendar              no address at all
    GET    /calendar/{secret}.ics    the calendar; open, since programs that read calendars do not sign in

What is in it is what its owner may see at that moment. Whoever is disabled has none.
"""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from daemon.access import access_of
from daemon.api.problems import Problem
from daemon.auth import Viewer, serving_of, viewer_of
from daemon.features import shown_kinds
from daemon.passwords import digest, new_secret
from interactions.calendars import calendar_of
from interactions.records import Kind
from storage import audit, calendars, lists
from storage.database import Connection

router = APIRouter(tags=["calendar"])
open_router = APIRouter(tags=["calendar"])
PAST = timedelta(days=90)
ENTRIES_MAX = 1000
SECRET_CHARS_MAX = 100


@router.post("/me/calendar")
async def make_calendar(request: Request) -> JSONResponse:
    """A new address of my calendar. It is shown once; whoever has it reads the calendar."""
    serving, user_id, secret = serving_of(request), viewer_of(request).user_id, new_secret()
    if user_id is None:
        raise Problem("invalid", "A token has no calendar; a person who signs in has one.")

    async def work(db: Connection) -> None:
        await calendars.put(db, user_id, digest(secret))
        await audit.note(db, "calendar.made", user_id)

    await serving.database.in_transaction(work)
    return JSONResponse({"url": f"{serving.public_url}/calendar/{secret}.ics"})


@router.delete("/me/calendar", status_code=204)
async def drop_calendar(request: Request) -> Response:
    """Stops the address of my calendar."""
    user_id = viewer_of(request).user_id
    if user_id is not None:
        async with serving_of(request).database.connection() as db:
            await calendars.drop(db, user_id)
    return Response(status_code=204)


@open_router.get("/calendar/{secret}.ics")
async def read_calendar(request: Request, secret: str) -> Response:
    """The calendar that this secret reads."""
    serving, now = serving_of(request), datetime.now(UTC)
    async with serving.database.connection() as db:
        found = await calendars.owner(db, digest(secret[:SECRET_CHARS_MAX]))
        if found is None:
            raise Problem("not_found", "There is no such calendar.")
        user_id, name, role, language = found
        seen_by = await access_of(db, serving, Viewer(name, role, user_id, language=language))
        is_on = Kind.MEETING in shown_kinds(serving.settings.features)
        ids = await calendars.entries(db, user_id, now - PAST, ENTRIES_MAX) if is_on else []
        some = await lists.views(db, ids, seen_by)
    content = calendar_of(some, f"{name}, Ringmail", serving.public_url, now)
    headers = {"Cache-Control": "private, max-age=300", "X-Content-Type-Options": "nosniff"}
    return Response(content, 200, headers, "text/calendar; charset=utf-8")
