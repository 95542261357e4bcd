"""The audit log as a page, for administrators: who changed and read what, the newest first.

    GET /audit    user=ID  object=ID  action=interaction.read  since  until  cursor     as in the API

Who and what are links that narrow the log down to them.
"""

from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from daemon.auth import serving_of
from daemon.cursors import read_cursor, write_cursor
from daemon.filters import read_time
from daemon.web.labels import msgid
from daemon.web.render import not_found, page, place_of, trouble
from storage import audit
from storage.audit import Filter

PAGE_SIZE = 100
NAMES = ("user", "object", "action", "since", "until")
PAGES = {"interaction": "interactions", "contact": "contacts", "chain": "chains", "subject": "subjects"}
ACTS = {
    "interaction.created": msgid("Interaction entered"),
    "interaction.updated": msgid("Interaction changed"),
    "interaction.deleted": msgid("Interaction deleted"),
    "interaction.read": msgid("Interaction read"),
    "interaction.original_read": msgid("Original mail read"),
    "interaction.file_read": msgid("File read"),
    "interactions.exported": msgid("Interactions exported"),
    "contact.created": msgid("Contact entered"),
    "contact.updated": msgid("Contact changed"),
    "contact.deleted": msgid("Contact deleted"),
    "contact.merged": msgid("Contacts merged"),
    "contact.erased": msgid("Contact erased"),
    "contact.looked_up": msgid("Contact looked up"),
    "contact.dossier_read": msgid("Dossier made"),
    "contacts.exported": msgid("Contacts exported"),
    "party.looked_up": msgid("Address looked up"),
    "party.ignored": msgid("Address ignored"),
    "party.shown": msgid("Address shown again"),
    "chain.merged": msgid("Chains merged"),
    "chain.split": msgid("Chain split"),
    "subject.created": msgid("Subject entered"),
    "subject.updated": msgid("Subject changed"),
    "undo.used": msgid("Change taken back"),
    "user.created": msgid("User added"),
    "user.updated": msgid("User changed"),
    "user.link_made": msgid("Sign-in link made"),
    "department.saved": msgid("Department saved"),
    "token.created": msgid("Token made"),
    "token.revoked": msgid("Token revoked"),
    "source.paused": msgid("Source paused"),
    "source.resumed": msgid("Source resumed"),
    "source.synced": msgid("Source asked to read"),
}

router = APIRouter(include_in_schema=False)


@router.get("/audit")
async def show_acts(request: Request) -> Response:
    """A page of the log."""
    place = place_of(request)
    say = place.spoken.words.gettext
    if place.viewer is None or place.viewer.role != "admin":
        return trouble(place, 403, say("This is not for you to see"), say("Only administrators read the audit log."))
    given = {name: request.query_params[name] for name in NAMES if request.query_params.get(name)}
    try:
        wanted = _filter(given, request.query_params.get("cursor", ""))
    except ValueError:
        return not_found(request)
    serving = serving_of(request)
    await serving.readings.write()
    async with serving.database.connection() as db:
        found = await audit.page(db, wanted)
    more, found = len(found) > PAGE_SIZE, found[:PAGE_SIZE]
    last = write_cursor(found[-1][1].at, UUID(int=found[-1][0])) if more else ""
    return page(
        place, "audit.html", acts=[one for _, one in found], labels_of=ACTS, pages=PAGES, is_narrow=bool(given),
        older=f"/audit?{urlencode({**given, 'cursor': last})}" if last else None,
    )  # fmt: skip


def _filter(given: dict[str, str], cursor: str) -> Filter:
    """Raises ValueError for an address that is none of ours."""
    at, number = read_cursor(cursor) if cursor else (None, None)
    return Filter(
        ref=UUID(given["object"]) if "object" in given else None,
        actor_id=UUID(given["user"]) if "user" in given else None,
        act=given.get("action"),
        since=read_time(given["since"]) if "since" in given else None,
        until=read_time(given["until"]) if "until" in given else None,
        after=(at, number.int % 2**63) if at is not None and number is not None else None,
        limit=PAGE_SIZE + 1,
    )
