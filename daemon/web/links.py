"""A person corrects a link: one of the candidates it is, or not this contact.

    POST /interactions/{id}/participants/{n}    contact_id=… or empty for nobody; remember=address for its address for ever

A form of the page of an interaction, without script. What was decided is explained there like every other link.
"""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from daemon import matching
from daemon.access import Withheld, access_of, need_whole
from daemon.auth import serving_of
from daemon.contacts import Invalid
from daemon.matching import Remember
from daemon.web.forms import NotAForm, read_form, read_id, safe_next
from daemon.web.render import not_found, place_of, trouble, withheld
from storage.audit import touching
from storage.database import Connection
from storage.errors import NotFound

N_MAX = 10_000

router = APIRouter(include_in_schema=False)


@router.post("/interactions/{interaction_id}/participants/{n}")
async def decide(request: Request, interaction_id: str, n: str) -> Response:
    """Says whom a participant is (`n` counts from 0)."""
    place, wanted, now = place_of(request), read_id(interaction_id), datetime.now(UTC)
    say = place.spoken.words.gettext
    wrong = trouble(place, 400, say("This could not be read"), say("Go back and try again, please."))
    if wanted is None or not n.isascii() or not n.isdigit() or len(n) > 5 or int(n) > N_MAX:
        return not_found(request)
    try:
        form = await read_form(request)
    except NotAForm:
        return wrong
    chosen = read_id(form.get("contact_id", ""))
    if "contact_id" not in form or (form["contact_id"] and chosen is None):
        return wrong
    remember = Remember.ADDRESS if form.get("remember") == "address" else Remember.NO
    by = place.viewer.user_id if place.viewer else None

    async def work(db: Connection) -> None:
        await need_whole(db, wanted, await access_of(db, serving_of(request), place.viewer))
        touching("participants")
        await matching.decide(db, wanted, int(n), chosen, remember, by, now)

    try:
        await serving_of(request).database.in_transaction(work)
    except NotFound:
        return not_found(request)
    except Withheld:
        return withheld(place)
    except Invalid:
        return wrong
    return RedirectResponse(safe_next(form.get("next")), 303)
