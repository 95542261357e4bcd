"""Who changed what, and who read what, for administrators. Lines are only added; nobody can change or remove one.

    GET /audit    user=ID  object=ID  action=interaction.read  since  until  cursor  limit

A line names what was changed (`details.fields`), never the values.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from daemon import cursors
from daemon.api.problems import Problem
from daemon.api.shapes import time_json
from daemon.auth import serving_of, viewer_of
from daemon.filters import read_time
from interactions.records import JsonValue
from storage import audit
from storage.audit import Act

router = APIRouter(tags=["audit"])


@router.get("/audit")
async def list_acts(
    request: Request,
    user: UUID | None = None,
    object: UUID | None = None,  # noqa: A002  # the name of the parameter
    action: Annotated[str | None, Query(max_length=100)] = None,
    since: Annotated[str, Query(max_length=100)] = "",
    until: Annotated[str, Query(max_length=100)] = "",
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """What was done, the newest first. `user` is the id of a user or of a token."""
    if viewer_of(request).role != "admin":
        raise Problem("forbidden", "Only an administrator, or a token with the scope admin, may read the audit log.")
    serving = serving_of(request)
    await serving.readings.write()  # so that whoever looks sees what was read a moment ago
    wanted = audit.Filter(
        object, user, action or None, _time("since", since), _time("until", until), _after(cursor), limit + 1
    )
    async with serving.database.connection() as db:
        found = await audit.page(db, wanted)
    last = found[limit - 1] if len(found) > limit else None
    return JSONResponse(
        {
            "items": [act_json(number, one) for number, one in found[:limit]],
            "next": cursors.write_cursor(last[1].at, UUID(int=last[0])) if last else None,
        }
    )


def _time(name: str, text: str) -> datetime | None:
    try:
        return read_time(text) if text else None
    except ValueError as error:
        raise Problem("invalid", f"{name} {error}.", errors=[(name, str(error))]) from None


def _after(cursor: str | None) -> tuple[datetime, int] | None:
    try:
        at, number = cursors.read_cursor(cursor) if cursor else (None, None)
    except ValueError as error:
        raise Problem("invalid", "This cursor is not one of ours.", errors=[("cursor", str(error))]) from None
    return (at, number.int % 2**63) if at is not None and number is not None else None


def act_json(number: int, one: Act) -> dict[str, JsonValue]:
    """A line of the log. `action` begins with the kind of its object."""
    return {
        "id": str(number),
        "at": time_json(one.at),
        "action": one.act,
        "object": {"kind": one.act.partition(".")[0], "id": str(one.ref)} if one.ref else None,
        "actor": {
            "kind": one.actor.kind,
            "id": str(one.actor.id) if one.actor.id else None,
            "name": one.actor.name,
            "address": one.actor.remote or None,
        },
        "details": dict(one.detail),
    }
