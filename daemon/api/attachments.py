"""Files of interactions over HTTP: the original bytes, the safe HTML of a mail, attachments there and back.

Files leave as downloads that no browser runs: nosniff, a policy that allows nothing, and never an active type. The safe
HTML of a mail is made at each request from the original bytes, away from the event loop.

A file comes as the body of the request, named by `?name=` or Content-Disposition, or as the first file of a form
(multipart/form-data, RFC 7578). It is kept by its content, durable before the row that names it.
"""

import asyncio
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from daemon.api.problems import Problem
from daemon.api.records import need_features, refuse, view_of
from daemon.api.shapes import attachment_json
from daemon.auth import serving_of
from daemon.serving import Serving
from interactions.bodies import safe_html
from interactions.mime import ParsedMail, TooComplex, cut
from interactions.mime_headers import attachment_name
from interactions.records import Attachment
from storage import attachments, blobs, edits, feed, search
from storage.audit import touching
from storage.database import Connection

router = APIRouter(tags=["files"])
NAME_CHARS_MAX = 200
FILES_MAX = 500
TYPE_CHARS_MAX = 200
FILE_POLICY = "default-src 'none'; sandbox"
BODY_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
FILE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": FILE_POLICY,
    "Cache-Control": "private, no-store",
}


@router.get("/interactions/{interaction_id}/raw")
async def read_raw(request: Request, interaction_id: UUID) -> Response:
    """The original bytes of a mail."""
    await view_of(request, interaction_id)
    raw = await _raw(serving_of(request), interaction_id)
    await serving_of(request).readings.note("interaction.original_read", interaction_id)
    headers = {**FILE_HEADERS, "Content-Disposition": f'attachment; filename="{interaction_id}.eml"'}
    return Response(raw, 200, headers, "message/rfc822")


@router.get("/interactions/{interaction_id}/body")
async def read_body(request: Request, interaction_id: UUID) -> Response:
    """The safe HTML of a mail; of anything else, and of mails without HTML, its text."""
    serving = serving_of(request)
    view = await view_of(request, interaction_id)
    await serving.readings.note("interaction.read", interaction_id)
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
    await view_of(request, interaction_id)
    async with serving.database.connection() as db:
        found = await attachments.find(db, interaction_id, n)
        if found is None:
            raise Problem("not_found", f"This interaction has no attachment {n}.")
        stored = await serving.blobs.read(db, found.sha256) if found.sha256 else None
    content = stored if stored is not None else await _cut(serving, interaction_id, n, found.part)
    await serving.readings.note("interaction.file_read", interaction_id, n=n)
    name = quote(file_name(found.name) or f"attachment-{n}", safe="")
    headers = {**FILE_HEADERS, "Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(content, 200, headers, "application/octet-stream")


async def _cut(serving: Serving, interaction_id: UUID, n: int, part: str | None) -> bytes:
    try:
        return await asyncio.to_thread(cut, await _raw(serving, interaction_id), part or "")
    except (KeyError, TooComplex):
        raise Problem("not_found", f"The attachment {n} can't be found in the mail any more.") from None


@router.post("/interactions/{interaction_id}/attachments", status_code=201)
async def add_attachment(request: Request, interaction_id: UUID) -> Response:
    """A file for any type of interaction. The same file sent again under the same name is one."""
    serving = serving_of(request)
    view = await view_of(request, interaction_id)
    need_features(serving, None, False)
    name, content_type, content = await _given(request, len(view.attachments))
    async with serving.database.connection() as db:
        stored = await serving.blobs.keep(db, [content])

    async def work(db: Connection) -> tuple[Attachment, bool]:
        await blobs.add_all(db, stored)
        added = await attachments.add(db, interaction_id, name, content_type, content, FILES_MAX)
        if added is None:
            await refuse(db, interaction_id)
        assert added is not None
        if added[1]:
            await search.index_these(db, [interaction_id])
            touching("attachments")
            await feed.add(db, [feed.Change("interaction.updated", interaction_id)])
        return added

    added, is_new = await serving.database.in_transaction(work)
    return JSONResponse(attachment_json(added), 201 if is_new else 200)


async def _given(request: Request, n: int) -> tuple[str, str, bytes]:
    """Name, type and content of the file in a request. Raises Problem."""
    body, content_type = await request.body(), request.headers.get("content-type", "")
    head = Message()
    head["Content-Disposition"] = request.headers.get("content-disposition", "")
    name = request.query_params.get("name") or head.get_filename() or ""
    if content_type.lower().startswith("multipart/form-data"):
        found = await asyncio.to_thread(_first_file, content_type, body)
        if found is None:
            raise Problem("invalid", "This form holds no file.", errors=[("file", "is missing")])
        name, content_type, body = found
    if not body:
        raise Problem("invalid", "The file is empty.", errors=[("file", "is empty")])
    plain = content_type.partition(";")[0].strip().lower()[:TYPE_CHARS_MAX] or "application/octet-stream"
    return attachment_name(name, plain, n), plain, body


def _first_file(content_type: str, body: bytes) -> tuple[str, str, bytes] | None:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    try:
        form = BytesParser(policy=HTTP).parsebytes(head + body)
        for part in form.iter_parts():
            name = part.get_filename()
            content = part.get_payload(decode=True)
            if name and isinstance(content, bytes):
                return name, part.get_content_type(), content
    except Exception:  # the standard parser raises many things at hostile forms; each of them means the same here
        return None
    return None


def file_name(name: str) -> str:
    """A name for a download that names no folder, no hidden file, and is what it looks like."""
    plain = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)
    stem, dot, ending = plain.strip(" .").rpartition(".")
    return f"{stem[: NAME_CHARS_MAX - len(ending) - 1]}{dot}{ending}"[:NAME_CHARS_MAX]


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
