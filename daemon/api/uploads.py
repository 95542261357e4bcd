"""An e-mail from a file: `POST /interactions` with a body of message/rfc822, as mail programs save it (.eml).

It is read, matched and threaded as if it had arrived, and kept byte for byte; it lies in no mailbox. One that is there
already is answered with its record and 200, a new one with 201.
"""

import re

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from daemon.access import access_of
from daemon.api.problems import Problem
from daemon.api.shapes import etag, interaction_json
from daemon.auth import serving_of, viewer_of
from daemon.features import shown_kinds
from daemon.intake.desk import Gone, Unwanted
from interactions.mime import TooComplex
from interactions.records import Kind
from storage import lists

MAIL_TYPE = b"message/rfc822"
# RFC 5322 §2.2; a mailbox in one file begins its mails with From.
_HEADER = re.compile(rb"(?:From [^\r\n]{1,200}\r?\n)?[!-9;-~]{1,100}[ \t]{0,5}:")


class _OfMails(APIRoute):
    """Takes what says that it is a mail, and leaves the rest to the next route."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        given = dict(scope["headers"]).get(b"content-type", b"").split(b";")[0].strip().lower()
        return (match, child) if given == MAIL_TYPE else (Match.NONE, {})


router = APIRouter(tags=["interactions"], route_class=_OfMails)


@router.post("/interactions", include_in_schema=False)
async def bring_mail(request: Request) -> Response:
    """Takes a mail from a file."""
    serving, viewer = serving_of(request), viewer_of(request)
    if Kind.EMAIL not in shown_kinds(serving.settings.features):
        raise Problem("feature_off", "E-mail is switched off here (mail_client).")
    raw = await request.body()
    if not raw.strip(b"\0 \t\r\n"):
        raise Problem("invalid", "The file is empty.", errors=[("", "is empty")])
    if not _HEADER.match(raw):
        raise Problem("invalid", "This is no mail: it does not begin with headers.", errors=[("", "is no mail")])
    try:
        found_id, is_new = await serving.desk.bring(raw, viewer.user_id)
    except TooComplex as reason:
        raise Problem("invalid", f"This mail can't be read: {reason}.", errors=[("", str(reason))]) from None
    except Unwanted:
        raise Problem("invalid", "Mail with one of its addresses is never stored here (mail.never_log).") from None
    except Gone:
        raise Problem("gone", "This mail was erased with the data of a person, and stays out.") from None
    async with serving.database.connection() as db:
        found = await lists.find(db, found_id, await access_of(db, serving, viewer))
    if found is None:
        raise Problem("gone", "This mail is here already, and was deleted or is not for you to see.")
    headers = {"Location": f"/api/v1/interactions/{found_id}", "ETag": etag(found.version)}
    return JSONResponse(interaction_json(found, serving.public_url), 201 if is_new else 200, headers)
