"""Interactions over HTTP: the list with its filters, one record, records of a program's own, and files.

    POST /interactions            a call, meeting, SMS or plan; repeatable with an Idempotency-Key
    PATCH /interactions/{id}      a merge patch; with If-Match only the version that was read
    PUT …/by-ref/{external_ref}   creates or updates: a program's own records

Files leave as downloads that no browser runs: nosniff, a policy that allows nothing, and never an active type. The safe
HTML of a mail is made at each request from the original bytes, away from the event loop.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from daemon.api.drafts import InteractionEdit, InteractionIn
from daemon.api.problems import Problem
from daemon.api.shapes import etag, interaction_json, wanted_version
from daemon.auth import serving_of, viewer_of
from daemon.filters import LIMIT_MAX, WrongFilter, read_filter, write_cursor
from daemon.intake import manual
from daemon.serving import Serving
from interactions.bodies import safe_html
from interactions.mime import ParsedMail, TooComplex, cut
from interactions.records import JsonValue
from interactions.views import InteractionView
from storage import edits, feed, idempotency, lists, locations, records
from storage.database import Connection

router = APIRouter(tags=["interactions"])
FULL_LIMIT_MAX = 20
KEY_CHARS_MAX = 255
FILE_POLICY = "default-src 'none'; sandbox"
BODY_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
FILE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": FILE_POLICY,
    "Cache-Control": "private, no-store",
}


@router.get("/interactions")
async def list_interactions(request: Request) -> JSONResponse:
    """A page of the list. `full=1` brings long texts, at most 20 at a time."""
    serving = serving_of(request)
    full = request.query_params.get("full") in ("1", "true")
    try:
        wanted = read_filter(
            request.query_params.multi_items(),
            serving.settings.default_region,
            others=("full", "format"),
            limit_max=FULL_LIMIT_MAX if full else LIMIT_MAX,
        )
    except WrongFilter as error:
        raise Problem("invalid", f"These filters can't be used: {error}.", errors=error.errors) from None
    if request.query_params.get("format", "json") != "json":
        raise Problem("invalid", "Only format=json is built yet.", errors=[("format", "must be json")])
    async with serving.database.connection() as db:
        found = await lists.page(db, replace(wanted, limit=wanted.limit + 1))
        more, found = len(found) > wanted.limit, found[: wanted.limit]
        if full:
            found = await lists.views(db, [one.id for one in found], bodies=True)
    return JSONResponse(
        {
            "items": [interaction_json(one, serving.public_url, full=full) for one in found],
            "next": write_cursor(found[-1].occurred_at, found[-1].id) if more else None,
        }
    )


@router.post("/interactions", status_code=201)
async def add_interaction(request: Request, given: InteractionIn) -> Response:
    """A new record."""
    serving, viewer = serving_of(request), viewer_of(request)
    key = request.headers.get("idempotency-key", "")
    if len(key) > KEY_CHARS_MAX:
        raise Problem("invalid", f"An Idempotency-Key has at most {KEY_CHARS_MAX} characters.")
    asked = sha256(await request.body()).digest()
    now = datetime.now(UTC)

    async def work(db: Connection) -> tuple[int, dict[str, JsonValue]]:
        if key:
            before = await idempotency.claim(db, viewer.owner, key, asked)
            if before is not None:
                if before[0] != asked:
                    raise Problem("conflict", "This Idempotency-Key was used for another request; take a new one.")
                return before[1], dict(before[2])
        await _need_contacts(db, given.contacts())
        new_id = await manual.admit(db, given.draft(viewer.user_id), serving.desk.settings, now)
        body = await _json(db, serving, new_id)
        if key:
            await idempotency.keep(db, viewer.owner, key, 201, body)
        return 201, body

    status, body = await serving.database.in_transaction(work)
    return JSONResponse(body, status, {"Location": f"/api/v1/interactions/{body['id']}", "ETag": etag(1)})


@router.get("/interactions/by-ref/{external_ref:path}")
async def read_by_ref(request: Request, external_ref: str) -> Response:
    """The record that another program knows by this reference."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        found = await records.find_by_ref(db, external_ref)
        if found is None:
            raise Problem("not_found", f"There is no interaction with the reference {external_ref!r}.")
        return await _answer(db, serving, found)


@router.put("/interactions/by-ref/{external_ref:path}")
async def put_by_ref(request: Request, external_ref: str, given: InteractionIn) -> Response:
    """Creates the record of this reference, or changes it."""
    serving, viewer = serving_of(request), viewer_of(request)
    if not 1 <= len(external_ref) <= 200 or given.external_ref not in (None, external_ref):
        raise Problem("invalid", "The reference in the body differs from that in the path.")
    wanted = given.model_copy(update={"external_ref": external_ref})
    version = wanted_version(request)

    async def work(db: Connection) -> tuple[UUID, int]:
        await _need_contacts(db, given.contacts())
        found = await records.find_by_ref(db, external_ref)
        if found is None:
            now = datetime.now(UTC)
            return await manual.admit(db, wanted.draft(viewer.user_id), serving.desk.settings, now), 201
        await _change(db, serving, found, given.edit(), viewer.user_id, version)
        return found, 200

    changed, status = await serving.database.in_transaction(work)
    async with serving.database.connection() as db:
        return await _answer(db, serving, changed, status)


@router.get("/interactions/{interaction_id}")
async def read_interaction(request: Request, interaction_id: UUID) -> Response:
    """One record with its long texts."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        return await _answer(db, serving, interaction_id)


@router.patch("/interactions/{interaction_id}")
async def change_interaction(request: Request, interaction_id: UUID, given: InteractionEdit) -> Response:
    """Changes what is given."""
    serving, viewer, version = serving_of(request), viewer_of(request), wanted_version(request)

    async def work(db: Connection) -> None:
        await _need_contacts(db, given.contacts())
        await _change(db, serving, interaction_id, given.edit(), viewer.user_id, version)

    await serving.database.in_transaction(work)
    async with serving.database.connection() as db:
        return await _answer(db, serving, interaction_id)


@router.delete("/interactions/{interaction_id}", status_code=204)
async def delete_interaction(request: Request, interaction_id: UUID) -> Response:
    """Deletes a record; what it was made from does not bring it back."""
    serving, version = serving_of(request), wanted_version(request)

    async def work(db: Connection) -> None:
        if not await edits.bury(db, interaction_id, version):
            await _refuse(db, interaction_id)
        await feed.add(db, [feed.Change("interaction.deleted", interaction_id)])

    await serving.database.in_transaction(work)
    return Response(status_code=204)


@router.get("/interactions/{interaction_id}/raw")
async def read_raw(request: Request, interaction_id: UUID) -> Response:
    """The original bytes of a mail."""
    raw = await _raw(serving_of(request), interaction_id)
    headers = {**FILE_HEADERS, "Content-Disposition": f'attachment; filename="{interaction_id}.eml"'}
    return Response(raw, 200, headers, "message/rfc822")


@router.get("/interactions/{interaction_id}/body")
async def read_body(request: Request, interaction_id: UUID) -> Response:
    """The safe HTML of a mail; of anything else, and of mails without HTML, its text."""
    serving = serving_of(request)
    view = await _view(serving, interaction_id)
    headers = {**FILE_HEADERS, "Content-Security-Policy": BODY_POLICY}
    if view.block.get("has_html"):
        mail = await _parsed(serving, await _raw(serving, interaction_id))
        markup = await asyncio.to_thread(safe_html, mail.html or "")
        if markup:
            return Response(f"<!doctype html><meta charset=utf-8>{markup}", 200, headers, "text/html; charset=utf-8")
    return Response(view.body_text or view.description, 200, headers, "text/plain; charset=utf-8")


@router.get("/interactions/{interaction_id}/attachments/{n}")
async def read_attachment(request: Request, interaction_id: UUID, n: int) -> Response:
    """One file, as a download."""
    serving = serving_of(request)
    view = await _view(serving, interaction_id)
    found = next((file for file in view.attachments if file.n == n), None)
    if found is None or found.part is None:
        raise Problem("not_found", f"This interaction has no attachment {n}.")
    raw = await _raw(serving, interaction_id)
    try:
        content = await asyncio.to_thread(cut, raw, found.part)
    except (KeyError, TooComplex):
        raise Problem("not_found", f"The attachment {n} can't be found in the mail any more.") from None
    name = quote(found.name, safe="")
    headers = {**FILE_HEADERS, "Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(content, 200, headers, "application/octet-stream")


# ---- shared by the routes


async def _answer(db: Connection, serving: Serving, interaction_id: UUID, status: int = 200) -> Response:
    found = await lists.find(db, interaction_id)
    if found is None:
        await _refuse(db, interaction_id)
        raise AssertionError
    places = await locations.of_interaction(db, interaction_id) if found.kind == "email" else None
    body = interaction_json(found, serving.public_url, locations=places)
    return JSONResponse(body, status, {"ETag": etag(found.version)})


async def _json(db: Connection, serving: Serving, interaction_id: UUID) -> dict[str, JsonValue]:
    found = await lists.find(db, interaction_id)
    assert found is not None
    return interaction_json(found, serving.public_url)


async def _view(serving: Serving, interaction_id: UUID) -> InteractionView:
    async with serving.database.connection() as db:
        found = await lists.find(db, interaction_id)
        if found is None:
            await _refuse(db, interaction_id)
            raise AssertionError
        return found


async def _change(
    db: Connection, serving: Serving, which: UUID, edit: manual.Edit, by: UUID | None, version: int | None
) -> None:
    if not await manual.change(db, which, edit, serving.desk.settings, by, version):
        await _refuse(db, which)


async def _refuse(db: Connection, interaction_id: UUID) -> None:
    """Says why a record could not be had: never there, deleted, or changed since it was read."""
    buried = await edits.is_buried(db, interaction_id)
    if buried is None:
        raise Problem("not_found", "There is no such interaction.")
    if buried:
        raise Problem("gone", "This interaction was deleted.")
    raise Problem("stale", "Somebody changed this interaction since you read it; read it again.")


async def _need_contacts(db: Connection, ids: set[UUID]) -> None:
    unknown = await edits.unknown_contacts(db, ids) if ids else set()
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        raise Problem("invalid", f"There is no contact {names}.", errors=[("contact_id", f"{names} is no contact")])


async def _raw(serving: Serving, interaction_id: UUID) -> bytes:
    async with serving.database.connection() as db:
        digest = await edits.raw_of(db, interaction_id)
        if digest is None:
            raise Problem("not_found", "There are no original bytes of this interaction.")
        return await serving.blobs.read(db, digest)


async def _parsed(serving: Serving, raw: bytes) -> ParsedMail:
    try:
        return await serving.desk.parse(raw)
    except TooComplex:
        return ParsedMail()
