"""A person wants the whole of a mail that came in part.

    POST /interactions/{id}/complete

A form of the page of an interaction, without script; how it stands is told there.
"""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from daemon import completing
from daemon.access import Withheld, access_of, need_whole
from daemon.auth import serving_of
from daemon.completing import NotToBeHad
from daemon.web.forms import read_id
from daemon.web.render import not_found, place_of, trouble, withheld
from storage import lists
from storage.database import Connection
from storage.errors import NotFound

router = APIRouter(include_in_schema=False)


@router.post("/interactions/{interaction_id}/complete")
async def complete(request: Request, interaction_id: str) -> Response:
    """Asks for it."""
    place, wanted, serving = place_of(request), read_id(interaction_id), serving_of(request)
    by = place.viewer.user_id if place.viewer else None
    if wanted is None:
        return not_found(request)

    async def work(db: Connection) -> None:
        seen_by = await access_of(db, serving, place.viewer)
        await need_whole(db, wanted, seen_by)
        view = await lists.find(db, wanted, seen_by)
        if view is None:
            raise NotFound("there is no such interaction")
        await completing.ask(db, serving.settings, view, by)

    say = place.spoken.words.gettext
    try:
        await serving.database.in_transaction(work)
    except NotFound:
        return not_found(request)
    except Withheld:
        return withheld(place)
    except NotToBeHad:
        return trouble(
            place, 409, say("There is no more of this mail"), say("It is whole, or no longer on the server.")
        )
    return RedirectResponse(f"/interactions/{wanted}", 303)
