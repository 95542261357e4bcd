"""The pages people read: the list, one interaction, its chain, a contact. Made whole on the server; scripts only add.

    GET  /  /interactions            the list, newest first
    GET  /interactions/rows          the same without the frame, for a page that keeps itself fresh; 304 if nothing moved
    GET  /interactions/{id}          one interaction, why it is linked, its chain
    POST /interactions/{id}/…        the flag and the postponement (`attention`), a link that is corrected (`links`),
                                     the rest of a large mail (`completing`)
    GET  /chains/{id}                a chain from its beginning
    GET  /contacts/{id}              a contact and all that was with it
    GET  /subjects/{id}              a deal, claim or campaign and all that was about it
    GET  /audit                      who changed and read what (`audit`), for administrators

What does not exist is said in words. A chain that was merged, or a contact, leads on to where it is now.
"""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from daemon.access import access_of
from daemon.auth import serving_of
from daemon.completing import standing
from daemon.cursors import read_cursor, write_cursor
from daemon.features import shown_kinds
from daemon.filters import WrongFilter
from daemon.web import attention, audit, completing, entry, links, listing
from daemon.web.forms import read_id
from daemon.web.render import Place, headers, markup, not_found, page, place_of, trouble
from daemon.web.rows import folded, newer_than, row_of
from interactions.views import InteractionView
from storage import access, chains, contacts, lists, lookup, subjects

CHAIN_SHOWN = 30
CHAIN_PAGE = 50
MEMBER_CHARS_MAX = 20_000  # the whole text is on the page of its interaction
PERSONS_SHOWN = 50
TIMELINE_PAGE = 50

router = APIRouter(include_in_schema=False)
router.include_router(entry.router)
router.include_router(attention.router)
router.include_router(audit.router)
router.include_router(links.router)
router.include_router(completing.router)


@router.get("/")
@router.get("/interactions")
async def show_list(request: Request) -> Response:
    """A page of the list."""
    place = place_of(request)
    try:
        async with serving_of(request).database.connection() as db:
            found = await listing.gather(db, place, request.query_params.multi_items())
    except WrongFilter as error:
        return _wrong_filter(place, error)
    return page(place, "list.html", listing=found, newer=0)


@router.get("/interactions/rows")
async def show_rows(request: Request) -> Response:
    """What of a list may have changed. `top` is the id of the line that is on top there."""
    place = place_of(request)
    try:
        async with serving_of(request).database.connection() as db:
            found = await listing.gather(db, place, request.query_params.multi_items(), whole=False)
    except WrongFilter as error:
        return _wrong_filter(place, error)
    newer = newer_than(found.rows, request.query_params.get("top", ""))
    # What is shown follows from this: also the time, since lines say how many minutes ago they were.
    shown = (found, newer, place.spoken.code, place.viewer, place.now.replace(second=0, microsecond=0))
    tag = f'"{sha256(repr(shown).encode()).hexdigest()[:32]}"'
    sent = {**headers(place.settings), "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=sent)
    return Response(markup(place, "_fresh.html", listing=found, newer=newer), 200, sent, "text/html")


@router.get("/interactions/{interaction_id}")
async def show_interaction(request: Request, interaction_id: str) -> Response:
    """One interaction."""
    place, wanted = place_of(request), read_id(interaction_id)
    async with serving_of(request).database.connection() as db:
        seen_by = await access_of(db, serving_of(request), place.viewer)
        one = await lists.find(db, wanted, seen_by) if wanted else None
        if one is None or one.kind not in shown_kinds(place.settings.features):
            return not_found(request)
        wanted_chain = lists.Filter(chain_id=one.chain_id, oldest_first=True, limit=CHAIN_SHOWN)
        chain = await lists.page(db, wanted_chain, seen_by)
        names = await contacts.names(db, {other for person in one.participants for other in person.candidates})
        whole = await standing(db, one)
    if not one.is_closed:
        await serving_of(request).readings.note("interaction.read", one.id)
    flags = place.settings.features.review_flags
    new, quoted = folded(one)
    return page(
        place, "interaction.html", row=row_of(one, flags=flags), one=one, new=new, quoted=quoted, names=names,
        chain=[row_of(member, flags=flags) for member in chain], flags=flags, pauses=attention.PAUSES,
        whole=whole,
    )  # fmt: skip


@router.get("/chains/{chain_id}")
async def show_chain(request: Request, chain_id: str) -> Response:
    """A chain in the order of time."""
    place, wanted = place_of(request), read_id(chain_id)
    after = _cursor(request)
    async with serving_of(request).database.connection() as db:
        final = await chains.final(db, wanted) if wanted else None
        if final is None:
            return not_found(request)
        seen_by = await access_of(db, serving_of(request), place.viewer)
        if final in await access.unseen_chains(db, [final], seen_by):
            return not_found(request)
        if final != wanted:
            return RedirectResponse(f"/chains/{final}", 303)
        in_chain = lists.Filter(chain_id=final, oldest_first=True, after=after, limit=CHAIN_PAGE + 1)
        found = await lists.page(db, in_chain, seen_by)
        more, found = len(found) > CHAIN_PAGE, found[:CHAIN_PAGE]
        members = await lists.views(db, [one.id for one in found], seen_by, bodies=True)
    kinds = shown_kinds(place.settings.features)
    members = [one for one in members if one.kind in kinds]
    await serving_of(request).readings.note("interaction.read", *(one.id for one in members if not one.is_closed))
    if not members:
        return not_found(request)
    flags = place.settings.features.review_flags
    return page(
        place, "chain.html", members=[(row_of(one, flags=flags), *folded(one, MEMBER_CHARS_MAX)) for one in members],
        chain_id=final, first=members[0], later=_next(members) if more else None, flags=flags,
    )  # fmt: skip


@router.get("/contacts/{contact_id}")
async def show_contact(request: Request, contact_id: str) -> Response:
    """A contact: the card, and all that was with it."""
    place, wanted = place_of(request), read_id(contact_id)
    after = _cursor(request)
    async with serving_of(request).database.connection() as db:
        one = await contacts.find(db, wanted) if wanted else None
        if one is None:
            return not_found(request)
        if one.merged_into is not None:
            return RedirectResponse(f"/contacts/{one.merged_into}", 303)
        seen_by = await access_of(db, serving_of(request), place.viewer)
        ids = await lookup.timeline(db, one.id, after, TIMELINE_PAGE + 1, seen_by)
        found = await lists.views(db, ids[:TIMELINE_PAGE], seen_by)
        today = place.now.astimezone(place.settings.timezone).date()
        persons = await contacts.page(db, contacts.Filter(partner_id=one.id, limit=PERSONS_SHOWN), today)
        named = {job.partner_id for job in one.employments} | {one.responsible_id, one.parent_id} - {None}
        names = await contacts.names(db, [key for key in named if key is not None])
    flags, kinds = place.settings.features.review_flags, shown_kinds(place.settings.features)
    return page(
        place, "contact.html", one=one, persons=persons, names=names, today=today, flags=flags,
        rows=[row_of(member, flags=flags) for member in found if member.kind in kinds],
        later=_next(found) if len(ids) > TIMELINE_PAGE and found else None,
    )  # fmt: skip


@router.get("/subjects/{subject_id}")
async def show_subject(request: Request, subject_id: str) -> Response:
    """A subject: the card, and all that was about it."""
    place, wanted = place_of(request), read_id(subject_id)
    after = _cursor(request)
    async with serving_of(request).database.connection() as db:
        seen_by = await access_of(db, serving_of(request), place.viewer)
        one = await subjects.find(db, wanted, seen_by) if wanted else None
        if one is None:
            return not_found(request)
        found = await lists.page(db, lists.Filter(subject_id=one.id, after=after, limit=TIMELINE_PAGE + 1), seen_by)
    flags, kinds = place.settings.features.review_flags, shown_kinds(place.settings.features)
    more, found = len(found) > TIMELINE_PAGE, found[:TIMELINE_PAGE]
    return page(
        place, "subject.html", one=one, flags=flags, later=_next(found) if more else None,
        rows=[row_of(member, flags=flags) for member in found if member.kind in kinds],
    )  # fmt: skip


def _cursor(request: Request) -> tuple[datetime, UUID] | None:
    """Where the page before ended; what is no place is the beginning."""
    try:
        return read_cursor(request.query_params["cursor"])
    except (KeyError, ValueError):
        return None


def _next(found: list[InteractionView]) -> str:
    return f"?cursor={write_cursor(found[-1].occurred_at, found[-1].id)}"


def _wrong_filter(place: Place, error: WrongFilter) -> Response:
    say = place.spoken.words.gettext
    return trouble(
        place, 400, say("This filter can't be used"),
        say("The address names something that is no filter: %(names)s.") % {"names": ", ".join(n for n, _ in error.errors)},
    )  # fmt: skip
