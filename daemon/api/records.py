"""Interactions over HTTP: the list with its filters, one record, and records of a program's own.

POST /interactions            a call, meeting, SMS or plan; repeatable with an Idempotency-Key
PATCH /interactions/{id}      a merge patch; with If-Match only the version that was read
PUT …/by-ref/{external_ref}   creates or updates: a program's own records
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from daemon import listexports, planning, subjects
from daemon.access import access_of, need_chain, need_whole
from daemon.api.drafts import InteractionEdit, InteractionIn
from daemon.api.problems import Problem
from daemon.api.repeats import once
from daemon.api.shapes import etag, interaction_json, lines_json, wanted_version
from daemon.auth import serving_of, viewer_of
from daemon.features import shown_kinds
from daemon.filters import LIMIT_MAX, WrongFilter, described, read_filter
from daemon.intake import manual
from daemon.serving import Serving
from interactions.access import EVERYTHING, Access
from interactions.records import JsonValue, Kind
from interactions.views import InteractionView
from storage import attention, blocks, edits, feed, lists, locations, records
from storage.access import seen
from storage.audit import touching
from storage.database import Connection
from storage.errors import Conflict, NotFound
from storage.subjects import find as find_subject

router = APIRouter(tags=["interactions"])
FULL_LIMIT_MAX = 20
SHEET_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}


@router.get("/interactions", openapi_extra={"parameters": described()})
async def list_interactions(request: Request) -> Response:
    """A page of the list. `full=1` brings long texts, at most 20 at a time; `format=csv` or `xlsx` all of it as a sheet."""
    serving = serving_of(request)
    full = request.query_params.get("full") in ("1", "true")
    form = request.query_params.get("format", "json")
    if form != "json" and form not in listexports.TYPES:
        raise Problem("invalid", "There is no such format.", errors=[("format", "must be json, csv or xlsx")])
    wanted = _wanted(request, FULL_LIMIT_MAX if full else LIMIT_MAX)
    if form != "json":
        return await _sheet(request, wanted, form)
    if wanted is None:
        return JSONResponse({"items": [], "next": None})
    async with serving.database.connection() as db:
        seen_by = await access_of(db, serving, viewer_of(request))
        found = await lists.page(db, replace(wanted, limit=wanted.limit + 1), seen_by)
        more, found = len(found) > wanted.limit, found[: wanted.limit]
        if full:
            found = await lists.views(db, [one.id for one in found], seen_by, bodies=True)
            await serving.readings.note("interaction.read", *(one.id for one in found if not one.is_closed))
    return JSONResponse(lines_json(found, serving.public_url, more=more, full=full))


def _wanted(request: Request, limit_max: int) -> lists.Filter | None:
    """The filter of a request, for the types that are switched on; None where none of the wanted ones is."""
    serving = serving_of(request)
    try:
        wanted = read_filter(
            request.query_params.multi_items(),
            serving.settings.default_region,
            others=("full", "format"),
            limit_max=limit_max,
        )
    except WrongFilter as error:
        raise Problem("invalid", f"These filters can't be used: {error}.", errors=error.errors) from None
    shown = shown_kinds(serving.settings.features)
    types = tuple(kind for kind in shown if not wanted.types or kind in wanted.types)
    if not types:
        return None
    return replace(wanted, types=types) if wanted.types or len(types) < len(Kind) else wanted


async def _sheet(request: Request, wanted: lists.Filter | None, form: str) -> Response:
    serving = serving_of(request)
    async with serving.database.connection() as db:
        seen_by = await access_of(db, serving, viewer_of(request))
        try:
            found = await listexports.found(db, wanted, seen_by, form, serving.public_url) if wanted is not None else []
        except listexports.TooMany as error:
            raise Problem("too_large", str(error)) from None
    content = await asyncio.to_thread(listexports.sheet, found, form)
    await serving.readings.note("interactions.exported", None, format=form, count=len(found))
    headers = {**SHEET_HEADERS, "Content-Disposition": f'attachment; filename="interactions.{form}"'}
    return Response(content, 200, headers, listexports.TYPES[form])


@router.post("/interactions", status_code=201)
async def add_interaction(request: Request, given: InteractionIn) -> Response:
    """A new record."""
    serving, viewer = serving_of(request), viewer_of(request)
    need_features(serving, Kind(given.type), given.flags)

    async def make(db: Connection) -> dict[str, JsonValue]:
        seen_by = await access_of(db, serving, viewer)
        new_id = await _add(db, serving, given, viewer.user_id, seen_by)
        found = await lists.find(db, new_id, seen_by)
        assert found is not None
        return interaction_json(found, serving.public_url)

    body = await once(request, make)
    return JSONResponse(body, 201, {"Location": f"/api/v1/interactions/{body['id']}", "ETag": etag(1)})


@router.get("/interactions/by-ref/{external_ref:path}")
async def read_by_ref(request: Request, external_ref: str) -> Response:
    """The record that another program knows by this reference."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        found = await records.find_by_ref(db, external_ref)
        if found is None:
            raise Problem("not_found", f"There is no interaction with the reference {external_ref!r}.")
        return await _read(db, serving, found, await access_of(db, serving, viewer_of(request)))


@router.put("/interactions/by-ref/{external_ref:path}")
async def put_by_ref(request: Request, external_ref: str, given: InteractionIn) -> Response:
    """Creates the record of this reference, or changes it."""
    serving, viewer = serving_of(request), viewer_of(request)
    if not 1 <= len(external_ref) <= 200 or given.external_ref not in (None, external_ref):
        raise Problem("invalid", "The reference in the body differs from that in the path.")
    wanted = given.model_copy(update={"external_ref": external_ref})
    version = wanted_version(request)
    need_features(serving, Kind(given.type), given.flags)

    async def work(db: Connection) -> tuple[UUID, int]:
        found = await records.find_by_ref(db, external_ref)
        seen_by = await access_of(db, serving, viewer)
        if found is None:
            return await _add(db, serving, wanted, viewer.user_id, seen_by), 201
        await _change(db, serving, found, given, viewer.user_id, version, seen_by)
        return found, 200

    try:
        changed, status = await serving.database.in_transaction(work)
    except Conflict:  # another made it at the same moment: by now it is there to be changed
        changed, status = await serving.database.in_transaction(work)
    async with serving.database.connection() as db:
        return await _answer(db, serving, changed, await access_of(db, serving, viewer), status)


@router.get("/interactions/{interaction_id}")
async def read_interaction(request: Request, interaction_id: UUID) -> Response:
    """One record with its long texts."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        return await _read(db, serving, interaction_id, await access_of(db, serving, viewer_of(request)))


@router.patch("/interactions/{interaction_id}")
async def change_interaction(request: Request, interaction_id: UUID, given: InteractionEdit) -> Response:
    """Changes what is given."""
    serving, viewer, version = serving_of(request), viewer_of(request), wanted_version(request)
    need_features(serving, None, given.flags)

    async def work(db: Connection) -> None:
        seen_by = await access_of(db, serving, viewer)
        await _change(db, serving, interaction_id, given, viewer.user_id, version, seen_by)

    await serving.database.in_transaction(work)
    async with serving.database.connection() as db:
        return await _answer(db, serving, interaction_id, await access_of(db, serving, viewer))


@router.delete("/interactions/{interaction_id}", status_code=204)
async def delete_interaction(request: Request, interaction_id: UUID) -> Response:
    """Deletes a record; what it was made from does not bring it back."""
    serving, version = serving_of(request), wanted_version(request)

    async def work(db: Connection) -> None:
        await need_whole(db, interaction_id, await access_of(db, serving, viewer_of(request)))
        if not await edits.bury(db, interaction_id, version):
            await refuse(db, interaction_id)
        await feed.add(db, [feed.Change("interaction.deleted", interaction_id)])

    await serving.database.in_transaction(work)
    return Response(status_code=204)


# ---- shared by the routes


async def _read(db: Connection, serving: Serving, interaction_id: UUID, seen_by: Access) -> Response:
    answer = await _answer(db, serving, interaction_id, seen_by)
    if (await seen(db, [interaction_id], seen_by)).get(interaction_id):
        await serving.readings.note("interaction.read", interaction_id)
    return answer


async def _answer(
    db: Connection, serving: Serving, interaction_id: UUID, seen_by: Access, status: int = 200
) -> Response:
    found = await _find(db, serving, interaction_id, seen_by)
    places = None
    if found.kind == "email":
        places = [one for one in await locations.of_interaction(db, interaction_id) if one[0] not in seen_by.hidden]
    body = interaction_json(found, serving.public_url, locations=places)
    return JSONResponse(body, status, {"ETag": etag(found.version)})


async def view_of(request: Request, interaction_id: UUID) -> InteractionView:
    """An interaction that whoever asks may read. Raises Problem and Withheld."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        seen_by = await access_of(db, serving, viewer_of(request))
        await need_whole(db, interaction_id, seen_by)
        return await _find(db, serving, interaction_id, seen_by)


async def _find(db: Connection, serving: Serving, interaction_id: UUID, seen_by: Access) -> InteractionView:
    found = await lists.find(db, interaction_id, seen_by)
    if found is None:
        await refuse(db, interaction_id, seen_by)
    elif found.kind in shown_kinds(serving.settings.features):
        return found
    raise Problem("not_found", "There is no such interaction.")


async def _add(db: Connection, serving: Serving, given: InteractionIn, by: UUID | None, seen_by: Access) -> UUID:
    await _need_contacts(db, given.contacts())
    try:
        if given.chain_id is not None:
            await need_chain(db, given.chain_id, seen_by)
        if given.based_on_id is not None and given.based_on_id not in await seen(db, [given.based_on_id], seen_by):
            raise NotFound(f"there is no interaction {given.based_on_id}")
        if given.subject_id is not None and not await find_subject(db, given.subject_id, seen_by):
            raise NotFound(f"there is no subject {given.subject_id}")
        new_id = await manual.admit(db, given.draft(by), serving.desk.settings, datetime.now(UTC))
        if given.subject_id is not None:
            await subjects.move(db, new_id, given.subject_id, by)
        return new_id
    except NotFound as error:
        path = next(
            name for name in ("based_on_id", "subject_id", "chain_id") if getattr(given, name) or name == "chain_id"
        )
        raise Problem("invalid", f"This can't be added: {error}.", errors=[(path, str(error))]) from None


async def _change(
    db: Connection, serving: Serving, which: UUID, given: InteractionIn | InteractionEdit, by: UUID | None,
    version: int | None, seen_by: Access,
) -> None:  # fmt: skip
    await need_whole(db, which, seen_by)
    touching(*given.model_fields_set)
    await _need_contacts(db, given.contacts())
    edit = given.edit()
    plan = await _plan_that_is_done(db, which, edit, seen_by)
    if not await manual.change(db, which, edit, serving.desk.settings, by, version):
        await refuse(db, which)
    if plan is not None:
        await planning.follow(db, plan, serving.desk.settings, serving.settings.timezone, datetime.now(UTC))
    if isinstance(given, InteractionEdit) and "on_control" in given.model_fields_set:
        mark = given.on_control
        await attention.set_control(
            db, which, mark is not None, mark.wake_at if mark else None, mark.until_reply if mark else False
        )
    if "subject_id" in given.model_fields_set:
        await _move(db, which, given.subject_id, by, seen_by)
    if ("topic" in edit.fields or edit.participants is not None) and not await edits.says_something(db, which):
        what = "needs a topic, or one participant with any text"
        raise Problem("invalid", f"An interaction {what}.", errors=[("", what)])


async def _plan_that_is_done(db: Connection, which: UUID, edit: manual.Edit, seen_by: Access) -> InteractionView | None:
    """The open plan that a change says is done."""
    kind, facts = edit.facts or (None, {})
    if kind is not Kind.PLANNED or facts.get("state") != "done" or await blocks.hold_state(db, which) != "open":
        return None
    return await lists.find(db, which, seen_by)


async def _move(db: Connection, which: UUID, subject_id: UUID | None, by: UUID | None, seen_by: Access) -> None:
    try:
        if subject_id is not None and not await find_subject(db, subject_id, seen_by):
            raise NotFound(f"there is no subject {subject_id}")
        await subjects.move(db, which, subject_id, by)
    except NotFound as error:
        raise Problem("invalid", f"This can't be: {error}.", errors=[("subject_id", str(error))]) from None


async def refuse(db: Connection, interaction_id: UUID, seen_by: Access = EVERYTHING) -> None:
    """Says why a record could not be had: never there (nor seen), deleted, or changed since it was read."""
    if interaction_id not in await seen(db, [interaction_id], seen_by):
        raise Problem("not_found", "There is no such interaction.")
    buried = await edits.is_buried(db, interaction_id)
    if buried is None:
        raise Problem("not_found", "There is no such interaction.")
    if buried:
        into = await edits.merged_into(db, interaction_id)
        if into is not None:
            raise Problem("gone", "This interaction was joined into another one.", more={"merged_into": into})
        raise Problem("gone", "This interaction was deleted.")
    raise Problem("stale", "Somebody changed this interaction since you read it; read it again.")


def need_features(serving: Serving, kind: Kind | None, flags: bool) -> None:
    """Refuses what belongs to an option that is switched off."""
    features = serving.settings.features
    if kind is not None and kind not in shown_kinds(features):
        raise Problem("feature_off", "Calls, meetings, SMS and plans are switched off here (other_interactions).")
    if flags and not features.review_flags:
        raise Problem("feature_off", "The flags of review are switched off here (review_flags).")


async def _need_contacts(db: Connection, ids: set[UUID]) -> None:
    unknown = await edits.unknown_contacts(db, ids) if ids else set()
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        raise Problem("invalid", f"There is no contact {names}.", errors=[("contact_id", f"{names} is no contact")])
