"""Links that are wrong or missing, over HTTP: parties that are nobody yet, and one participant's contact by hand.

What is changed here answers with `undo`, a token for `POST /undo/{token}`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from daemon import matching
from daemon.access import access_of, need_whole
from daemon.api.contacts import contact_json, problems
from daemon.api.problems import Problem
from daemon.api.shapes import after_moment, etag, interaction_json, lines_json, time_json
from daemon.auth import serving_of, viewer_of
from daemon.contacts import Fields, Spelling
from daemon.cursors import write_cursor
from daemon.features import shown_kinds
from daemon.matching import Remember
from interactions.addresses import NAME_CHARS_MAX
from interactions.contacts import ContactKind
from interactions.records import AddressKind, JsonValue
from storage import contacts, lists, parties
from storage.audit import touching
from storage.database import Connection
from storage.errors import NotFound
from storage.parties import Filter, Party

router = APIRouter(tags=["parties"])
N_MAX = 10_000
CHOICES_MAX = 500


class DecisionIn(BaseModel):
    """Whom a participant is; null is nobody we know."""

    model_config = ConfigDict(extra="forbid")

    contact_id: UUID | None
    remember: Remember = Remember.NO


@router.put("/interactions/{interaction_id}/participants/{n}/contact")
async def decide_contact(
    request: Request, interaction_id: UUID, n: Annotated[int, Path(ge=0, le=N_MAX)], given: DecisionIn
) -> JSONResponse:
    """Says whom a participant is (`n` counts from 0). Answers with the interaction and `undo`."""
    serving, viewer, now = serving_of(request), viewer_of(request), datetime.now(UTC)

    async def work(db: Connection) -> tuple[dict[str, JsonValue], str]:
        seen_by = await access_of(db, serving, viewer)
        await need_whole(db, interaction_id, seen_by)
        touching("participants")
        token = await matching.decide(db, interaction_id, n, given.contact_id, given.remember, viewer.user_id, now)
        found = await lists.find(db, interaction_id, seen_by)
        if found is None:
            raise NotFound("there is no such interaction")
        return {**interaction_json(found, serving.public_url), "undo": token}, etag(found.version)

    async with problems():
        body, version = await serving.database.in_transaction(work)
    return JSONResponse(body, headers={"ETag": version})


class AttachIn(BaseModel):
    """Whose address it is."""

    model_config = ConfigDict(extra="forbid")

    contact_id: UUID


class PromoteIn(BaseModel):
    """The contact that a party becomes; `partner_id` is whom a person serves."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["partner", "contact_person", "individual"]
    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX)]
    partner_id: UUID | None = None


class ChoiceIn(BaseModel):
    """Whose an address is; null is nobody we know."""

    model_config = ConfigDict(extra="forbid")

    party_id: UUID
    contact_id: UUID | None


class ChoicesIn(BaseModel):
    """Whose some addresses are."""

    model_config = ConfigDict(extra="forbid")

    choices: Annotated[list[ChoiceIn], Field(min_length=1, max_length=CHOICES_MAX)]


class PartyEdit(BaseModel):
    """What can be changed of a party."""

    model_config = ConfigDict(extra="forbid")

    ignored: bool


@router.get("/parties")
async def list_parties(
    request: Request,
    kind: AddressKind | None = None,
    ambiguous: bool = False,
    ignored: bool = False,
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """Addresses and numbers that are nobody yet, the newest first; or those that are ignored."""
    serving = serving_of(request)
    wanted = Filter(kind.value if kind else None, ambiguous, ignored, after_moment(cursor), limit + 1)
    async with serving.database.connection() as db:
        found = await parties.page(db, wanted, await access_of(db, serving, viewer_of(request)))
        names = await contacts.names(db, {one for party in found for one in party.candidates})
    last = found[limit - 1] if len(found) > limit else None
    return JSONResponse(
        {
            "items": [party_json(one, names) for one in found[:limit]],
            "next": write_cursor(last.first_seen_at, last.id) if last else None,
        }
    )


@router.get("/parties/{party_id}")
async def read_party(request: Request, party_id: UUID) -> JSONResponse:
    """One address; it may lead to a contact by now."""
    async with serving_of(request).database.connection() as db:
        return await _answer(db, request, party_id)


@router.patch("/parties/{party_id}")
async def change_party(request: Request, party_id: UUID, given: PartyEdit) -> JSONResponse:
    """Ignores a party, or no longer."""

    async def work(db: Connection) -> JSONResponse:
        await _find(db, request, party_id)
        await parties.ignore(db, party_id, given.ignored)
        return await _answer(db, request, party_id)

    return await serving_of(request).database.in_transaction(work)


@router.get("/parties/{party_id}/timeline")
async def read_timeline(
    request: Request,
    party_id: UUID,
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """All that an address took part in, the newest first."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        await _find(db, request, party_id)
        seen_by = await access_of(db, serving, viewer_of(request))
        ids = await parties.timeline(db, party_id, after_moment(cursor), limit + 1, seen_by)
        found = await lists.views(db, ids[:limit], seen_by)
    kinds = shown_kinds(serving.settings.features)
    return JSONResponse(lines_json(found, serving.public_url, more=len(ids) > limit, kinds=kinds))


@router.post("/parties/resolve")
async def resolve_parties(request: Request, given: ChoicesIn) -> JSONResponse:
    """Decides whose many addresses are, all or none; each decision is remembered and stands above their owners."""
    serving, by, now = serving_of(request), viewer_of(request).user_id, datetime.now(UTC)
    choices = {one.party_id: one.contact_id for one in given.choices}

    async def work(db: Connection) -> str:
        for one in choices:
            await _find(db, request, one)
        return await matching.resolve(db, choices, by, now)

    async with problems():
        token = await serving.database.in_transaction(work)
    return JSONResponse({"undo": token, "resolved": len(choices)})


@router.post("/parties/{party_id}/attach")
async def attach_party(request: Request, party_id: UUID, given: AttachIn) -> JSONResponse:
    """Gives the address, and with it all its history, to a contact."""
    serving, by, now = serving_of(request), viewer_of(request).user_id, datetime.now(UTC)

    async def work(db: Connection) -> dict[str, JsonValue]:
        await _find(db, request, party_id)
        token = await matching.attach(db, party_id, given.contact_id, by, now)
        return {"undo": token, "contact_id": str(given.contact_id)}

    async with problems():
        return JSONResponse(await serving.database.in_transaction(work))


@router.post("/parties/{party_id}/promote", status_code=201)
async def promote_party(request: Request, party_id: UUID, given: PromoteIn) -> JSONResponse:
    """Makes a contact of the address, which all its history shows from then on."""
    serving, by, now = serving_of(request), viewer_of(request).user_id, datetime.now(UTC)
    fields = Fields(kind=ContactKind(given.kind), name=given.name)
    if given.partner_id is not None:
        fields["partner_id"] = given.partner_id
    spelling = Spelling(serving.settings.default_region, serving.settings.contacts.default_area_code)

    async def work(db: Connection) -> dict[str, JsonValue]:
        await _find(db, request, party_id)
        new, token = await matching.promote(db, party_id, fields, spelling, by, now)
        names = await contacts.names(db, [job.partner_id for job in new.employments])
        return {"undo": token, "contact": contact_json(new, names, serving.public_url, now)}

    async with problems():
        made = await serving.database.in_transaction(work)
    return JSONResponse(made, 201)


async def _find(db: Connection, request: Request, party_id: UUID) -> Party:
    found = await parties.find(db, party_id, await access_of(db, serving_of(request), viewer_of(request)))
    if found is None:
        raise Problem("not_found", "There is no such party.")
    return found


async def _answer(db: Connection, request: Request, party_id: UUID) -> JSONResponse:
    found = await _find(db, request, party_id)
    return JSONResponse(party_json(found, await contacts.names(db, found.candidates)))


def party_json(one: Party, names: Mapping[UUID, str]) -> dict[str, JsonValue]:
    """A party as programs see it."""
    return {
        "id": str(one.id),
        "kind": one.key.kind.value,
        "key": one.key.value,
        "address": one.address or one.key.value,
        "display_name": one.name,
        "count": one.count,
        "first_seen_at": time_json(one.first_seen_at),
        "last_at": time_json(one.last_at),
        "ignored": one.ignored,
        "own": one.own,
        "contact_id": str(one.contact_id) if one.contact_id else None,
        "candidates": [{"id": str(other), "name": names.get(other, "")} for other in one.candidates],
    }
