"""What a person says about an interaction that waits for a look: reviewed, or later.

    POST /interactions/{id}/reviewed    reviewed=1, or 0 to take it back
    POST /interactions/{id}/postponed   minutes=…, or at=… (in the time of the company), or neither: not postponed

Both are forms of the page and work without script; a script is answered 204. With the option `review_flags` off both are
refused. Each change is told to the feed.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from daemon.access import Withheld, access_of, need_whole
from daemon.auth import serving_of
from daemon.web.forms import NotAForm, read_form, read_id, safe_next
from daemon.web.labels import msgid
from daemon.web.render import not_found, place_of, trouble, withheld
from storage import feed, records
from storage.audit import touching
from storage.database import Connection
from storage.errors import NotFound

PAUSES = {
    15: msgid("15 minutes"),
    30: msgid("30 minutes"),
    60: msgid("1 hour"),
    180: msgid("3 hours"),
    1440: msgid("until tomorrow"),
}
POSTPONED_DAYS_MAX = 366 * 5
WITHOUT_SCRIPT = "text/html"

Read = Callable[[Mapping[str, str]], dict[str, object]]
router = APIRouter(include_in_schema=False)


class Nonsense(ValueError):
    """A form that our page would not send."""


@router.post("/interactions/{interaction_id}/reviewed")
async def review(request: Request, interaction_id: str) -> Response:
    """Sets the flag, or takes it away."""

    def read(form: Mapping[str, str]) -> dict[str, object]:
        if form.get("reviewed") not in ("0", "1"):
            raise Nonsense
        return {"reviewed": form["reviewed"] == "1"}

    return await _change(request, interaction_id, read)


@router.post("/interactions/{interaction_id}/postponed")
async def postpone(request: Request, interaction_id: str) -> Response:
    """Puts it off, or takes that back."""
    zone, now = serving_of(request).settings.timezone, datetime.now(UTC)

    def read(form: Mapping[str, str]) -> dict[str, object]:
        until = wanted_time(form, zone, now)
        return {"review_after": until.isoformat() if until else None}

    return await _change(request, interaction_id, read)


def wanted_time(form: Mapping[str, str], zone: tzinfo, now: datetime) -> datetime | None:
    """When to look again: in the future, and not in another life. Raises Nonsense."""
    minutes, at = form.get("minutes", ""), form.get("at", "")
    if minutes:
        if minutes not in {str(one) for one in PAUSES}:
            raise Nonsense
        return now + timedelta(minutes=int(minutes))
    if not at:
        return None
    try:
        until = datetime.fromisoformat(at)
    except ValueError:
        raise Nonsense from None
    until = until.replace(tzinfo=zone) if until.tzinfo is None else until
    try:
        until = until.astimezone(UTC)
    except OverflowError:
        raise Nonsense from None
    if not now < until < now + timedelta(days=POSTPONED_DAYS_MAX):
        raise Nonsense
    return until


async def _change(request: Request, interaction_id: str, read: Read) -> Response:
    place, wanted = place_of(request), read_id(interaction_id)
    say = place.spoken.words.gettext
    if not place.settings.features.review_flags:
        return trouble(place, 403, say("This option is switched off"), say("The flag “Reviewed” is not in use here."))
    try:
        form = await read_form(request)
        changes = read(form)
    except (NotAForm, Nonsense):
        return trouble(place, 400, say("This could not be read"), say("Go back and try again, please."))
    by = place.viewer.user_id if place.viewer else None

    async def work(db: Connection) -> bool:
        if wanted is None:
            return False
        await need_whole(db, wanted, await access_of(db, serving_of(request), place.viewer))
        touching(*changes)
        if not await records.set_fields(db, wanted, changes, by, None):
            return False
        await feed.add(db, [feed.Change("interaction.updated", wanted)])
        return True

    try:
        if not await serving_of(request).database.in_transaction(work):
            return not_found(request)
    except NotFound:
        return not_found(request)
    except Withheld:
        return withheld(place)
    if WITHOUT_SCRIPT not in request.headers.get("accept", ""):
        return Response(status_code=204)
    return RedirectResponse(safe_next(form.get("next")), 303)
