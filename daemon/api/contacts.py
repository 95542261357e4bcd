"""Contacts over HTTP: the list, one contact, who is this, and all that was with one.

An address is given as text or as `{"address", "label"}` and read as `{"address", "label", "key"}`: what a person wrote
stays, the key is what it is compared by. What we make ourselves (`id`, `url`, names, times …) may be sent back with a
change and is left out, so that a contact can be read, changed and sent as a whole. A change and a deletion answer with the
header `Undo-Token`: `POST /undo/{token}` restores the contact and all links as they were.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from daemon import contacts as acts
from daemon import matching
from daemon.access import access_of
from daemon.api.problems import Problem
from daemon.api.repeats import once
from daemon.api.shapes import after_moment, after_name, etag, interaction_json, lines_json, time_json, wanted_version
from daemon.auth import serving_of, viewer_of
from daemon.contacts import Fields, Gone, Invalid, Outdated, Spelling
from daemon.cursors import pack
from daemon.features import shown_kinds
from daemon.lookup import Answer, who_is
from daemon.merging import merge
from interactions.addresses import NAME_CHARS_MAX, email_key
from interactions.contactfiles import Written
from interactions.contacts import Contact, ContactKind, Coordinate, Employment
from interactions.phones import looks_like_number, phone_key
from interactions.records import JsonValue, Key
from storage import contacts, duplicates, lists, lookup
from storage.audit import touching
from storage.contacts import Filter
from storage.database import Connection

router = APIRouter(tags=["contacts"])
UNDO_HEADER = "Undo-Token"
OURS = frozenset({"id", "url", "version", "partner", "responsible", "parent", "created_at", "updated_at"})


class AddressIn(BaseModel):
    """An address of a contact, as a person writes it."""

    model_config = ConfigDict(extra="ignore")

    address: str
    label: str = ""


def _as_address(value: object) -> object:
    return {"address": value} if isinstance(value, str) else value


class ServedIn(BaseModel):
    """A partner that a person serves or served."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    since: date | None = None
    until: date | None = None


AddressesIn = Annotated[
    list[Annotated[AddressIn, BeforeValidator(_as_address)]] | None, Field(max_length=acts.ADDRESSES_MAX)
]


class ContactIn(BaseModel):
    """A contact as it is entered, or what shall change of it; null takes a value away."""

    model_config = ConfigDict(extra="forbid")

    kind: ContactKind | None = None
    name: Annotated[str | None, Field(max_length=NAME_CHARS_MAX)] = None
    emails: AddressesIn = None
    phones: AddressesIn = None
    partners: Annotated[list[ServedIn] | None, Field(max_length=acts.PARTNERS_MAX)] = None
    partner_id: UUID | None = None
    responsible_id: UUID | None = None
    parent_id: UUID | None = None
    external_ref: str | None = None
    domains: Annotated[list[str] | None, Field(max_length=acts.DOMAINS_MAX)] = None
    inn: str | None = None
    kpp: str | None = None
    tags: Annotated[list[str] | None, Field(max_length=acts.TAGS_MAX)] = None
    comment: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_ours(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if name not in OURS} if isinstance(given, dict) else given

    def fields(self) -> Fields:
        """What was given. A list that is null is empty; a kind and a name can't be."""
        given = self.model_fields_set
        wrong = [(name, "must not be empty") for name in ("kind", "name") if name in given and not getattr(self, name)]
        if wrong:
            raise Invalid(wrong)
        fields: dict[str, object] = {name: getattr(self, name) for name in given}
        for name in {"emails", "phones"} & given:
            fields[name] = [Written(one.address, one.label) for one in getattr(self, name) or ()]
        for name in {"domains", "tags"} & given:
            fields[name] = getattr(self, name) or ()
        if "partners" in given:
            fields["partners"] = [Employment(one.id, one.since, one.until) for one in self.partners or ()]
        return cast(Fields, fields)


@router.get("/contacts")
async def list_contacts(
    request: Request,
    kind: Annotated[list[ContactKind] | None, Query()] = None,
    q: Annotated[str, Query(max_length=200)] = "",
    partner: UUID | None = None,
    external_ref: Annotated[str | None, Query(max_length=acts.REF_CHARS_MAX)] = None,
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """Contacts by name. `q`: words of the name, an e-mail, or a number in any spelling."""
    serving, now = serving_of(request), datetime.now(UTC)
    key = _key_in(q, serving.settings.default_region)
    words = () if key else tuple(q.split())
    wanted = Filter(tuple(kind or ()), words, key, partner, external_ref, after_name(cursor), limit + 1)
    async with serving.database.connection() as db:
        found = await contacts.page(db, wanted, now.date())
        names = await contacts.names(db, _named(found))
    last = found[limit - 1] if len(found) > limit else None
    return JSONResponse(
        {
            "items": [contact_json(one, names, serving.public_url, now) for one in found[:limit]],
            "next": pack(contacts.name_key(last.name), last.id) if last else None,
        }
    )


@router.post("/contacts", status_code=201)
async def add_contact(request: Request, given: ContactIn) -> JSONResponse:
    """A new contact: `kind` and `name`, and whatever else is known."""
    serving, now = serving_of(request), datetime.now(UTC)

    async def make(db: Connection) -> dict[str, JsonValue]:
        new = await acts.add(db, fields, spelling_of(request), now)
        return contact_json(new, await contacts.names(db, _named([new])), serving.public_url, now)

    async with problems():
        fields = given.fields()
        need_right_to_users(request, fields.get("kind"))
        made = await once(request, make)
    return JSONResponse(made, 201, {"Location": f"/api/v1/contacts/{made['id']}", "ETag": etag(1)})


@router.get("/contacts/lookup")
async def look_up(
    request: Request,
    phone: Annotated[str, Query(max_length=200)] = "",
    email: Annotated[str, Query(max_length=400)] = "",
) -> JSONResponse:
    """Who is this: `phone` in any spelling, or `email`."""
    serving, now = serving_of(request), datetime.now(UTC)
    if bool(phone.strip()) == bool(email.strip()):
        raise Problem("invalid", "Give phone or email, one of the two.", errors=[("phone", "or email is needed")])
    key = phone_key(phone, serving.settings.default_region) if phone.strip() else email_key(email)
    if key is None:
        name, what = ("phone", "telephone number") if phone.strip() else ("email", "e-mail address")
        raise Problem("invalid", f"This is no {what}.", errors=[(name, f"is no {what}")])
    async with serving.database.connection() as db:
        found = await who_is(db, key, await access_of(db, serving, viewer_of(request)))
        names = await contacts.names(db, _named([*found.candidates, *([found.contact] if found.contact else [])]))
    who = found.contact.id if found.contact else found.found.address_id if found.found else None
    await serving.readings.note("contact.looked_up" if found.contact else "party.looked_up", who, by=key.kind.value)
    kinds = shown_kinds(serving.settings.features)
    found = replace(found, interactions=[one for one in found.interactions if one.kind in kinds])
    return JSONResponse(answer_json(found, names, serving.public_url, now))


@router.get("/contacts/duplicates")
async def list_duplicates(request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> JSONResponse:
    """Contacts that may be one: of one INN, or of one address and called alike."""
    async with serving_of(request).database.connection() as db:
        found = await duplicates.find(db, limit)
        names = await contacts.names(db, {one for some in found for one in some.contact_ids})
    items: list[JsonValue] = [
        {"reason": some.reason, "value": some.value, "contacts": [_named_json(one, names) for one in some.contact_ids]}
        for some in found
    ]
    return JSONResponse({"items": items, "next": None})


@router.get("/contacts/{contact_id}")
async def read_contact(request: Request, contact_id: UUID) -> JSONResponse:
    """One contact."""
    serving, now = serving_of(request), datetime.now(UTC)
    async with problems(), serving.database.connection() as db:
        found = await acts.find(db, contact_id)
    return await _answer(request, found, now)


@router.patch("/contacts/{contact_id}")
async def change_contact(request: Request, contact_id: UUID, given: ContactIn) -> JSONResponse:
    """Changes what is given (JSON merge patch, RFC 7396). With If-Match only the version that was read."""
    serving, by, now = serving_of(request), viewer_of(request).user_id, datetime.now(UTC)
    version = wanted_version(request)
    async with problems():
        fields, spelling = given.fields(), spelling_of(request)
        async with serving.database.connection() as db:
            old = await acts.find(db, contact_id)
        if fields.get("kind", old.kind) is not old.kind or {"emails", "phones"} & fields.keys():
            need_right_to_users(request, old.kind, fields.get("kind"))
        touching(*fields)
        new, token = await serving.database.in_transaction(
            lambda db: matching.change(db, contact_id, fields, spelling, by, now, version)
        )
    return await _answer(request, new, now, token)


@router.delete("/contacts/{contact_id}", status_code=204)
async def delete_contact(request: Request, contact_id: UUID) -> Response:
    """Deletes a contact; its history stays and goes on naming it."""
    serving, by, now = serving_of(request), viewer_of(request).user_id, datetime.now(UTC)
    version = wanted_version(request)
    async with problems():
        token = await serving.database.in_transaction(lambda db: matching.delete(db, contact_id, by, now, version))
    return Response(status_code=204, headers={UNDO_HEADER: token})


class MergeIn(BaseModel):
    """Into which contact one goes."""

    model_config = ConfigDict(extra="forbid")

    into: UUID


@router.post("/contacts/{contact_id}/merge")
async def merge_contact(request: Request, contact_id: UUID, given: MergeIn) -> JSONResponse:
    """Lets a contact go into another, with all that belongs to it; its id answers `gone` with `merged_into` from then on."""
    serving, by, now = serving_of(request), viewer_of(request).user_id, datetime.now(UTC)
    async with problems():
        token = await serving.database.in_transaction(lambda db: merge(db, contact_id, given.into, by, now))
    return JSONResponse({"undo": token, "merged_into": str(given.into)})


@router.get("/contacts/{contact_id}/timeline")
async def read_timeline(
    request: Request,
    contact_id: UUID,
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """Every interaction of a contact, the newest first; of a partner those of all its persons of the time."""
    serving = serving_of(request)
    async with problems(), serving.database.connection() as db:
        await acts.find(db, contact_id)
        seen_by = await access_of(db, serving, viewer_of(request))
        ids = await lookup.timeline(db, contact_id, after_moment(cursor), limit + 1, seen_by)
        found = await lists.views(db, ids[:limit], seen_by)
    kinds = shown_kinds(serving.settings.features)
    return JSONResponse(lines_json(found, serving.public_url, more=len(ids) > limit, kinds=kinds))


async def _answer(request: Request, one: Contact, now: datetime, undo: str | None = None) -> JSONResponse:
    """A contact with its ETag, and the token that takes the change of it back."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        names = await contacts.names(db, _named([one]))
    headers = {"ETag": etag(one.version), **({UNDO_HEADER: undo} if undo else {})}
    return JSONResponse(contact_json(one, names, serving.public_url, now), 200, headers)


def need_right_to_users(request: Request, *kinds: ContactKind | None) -> None:
    """Colleagues, and which addresses are theirs, are the business of administrators: mail of theirs is ours."""
    if ContactKind.USER in kinds and viewer_of(request).role != "admin":
        raise Problem("forbidden", "Only an administrator may add users or change their addresses.")


def spelling_of(request: Request) -> Spelling:
    """How numbers are read that come with a request."""
    return Spelling(serving_of(request).settings.default_region)


async def names_of(db: Connection, some: Collection[Contact]) -> dict[UUID, str]:
    """The names that stand in these contacts."""
    return dict(await contacts.names(db, _named(some)))


def _key_in(q: str, region: str) -> Key | None:
    if "@" in q:
        return email_key(q)
    return phone_key(q, region) if looks_like_number(q) and sum(c.isdigit() for c in q) >= 3 else None


def _named(some: Collection[Contact]) -> set[UUID]:
    """Whose names stand in these contacts."""
    others = {other for one in some for other in (one.responsible_id, one.parent_id)}
    served = {job.partner_id for one in some for job in one.employments}
    return {other for other in others | served if other is not None}


# ---- as JSON


def contact_json(one: Contact, names: Mapping[UUID, str], public_url: str, now: datetime) -> dict[str, JsonValue]:
    """A contact as programs see it."""
    partner_id = None if one.kind is ContactKind.PARTNER else acts.present_partner(one.employments, now)
    return {
        "id": str(one.id),
        "url": f"{public_url}/contacts/{one.id}",
        "kind": one.kind.value,
        "name": one.name,
        "emails": [_address_json(address) for address in one.emails],
        "phones": [_address_json(address) for address in one.phones],
        "partners": [
            {
                "id": str(job.partner_id),
                "name": names.get(job.partner_id, ""),
                "since": job.since.isoformat() if job.since else None,
                "until": job.until.isoformat() if job.until else None,
            }
            for job in one.employments
        ],
        "partner_id": str(partner_id) if partner_id else None,
        "partner": _named_json(partner_id, names),
        "responsible_id": str(one.responsible_id) if one.responsible_id else None,
        "responsible": _named_json(one.responsible_id, names),
        "parent_id": str(one.parent_id) if one.parent_id else None,
        "parent": _named_json(one.parent_id, names),
        "external_ref": one.external_ref,
        "domains": list(one.domains),
        "inn": one.inn,
        "kpp": one.kpp,
        "tags": list(one.tags),
        "comment": one.comment,
        "version": one.version,
        "created_at": time_json(one.created_at),
        "updated_at": time_json(one.updated_at),
    }


def _address_json(one: Coordinate) -> JsonValue:
    return {"address": one.raw, "label": one.label, "key": one.key.value}


def _named_json(one: UUID | None, names: Mapping[UUID, str]) -> JsonValue:
    return {"id": str(one), "name": names.get(one, "")} if one else None


def answer_json(found: Answer, names: Mapping[UUID, str], public_url: str, now: datetime) -> dict[str, JsonValue]:
    """Who an address belongs to, as programs see it."""
    match = found.found
    subjects = {one.subject_id: one for one in found.chains if one.subject_id and one.subject_state == "open"}
    return {
        "key": found.key.value,
        "kind": found.key.kind.value,
        "own": match.own if match else False,
        "contact": contact_json(found.contact, names, public_url, now) if found.contact else None,
        "candidates": [contact_json(one, names, public_url, now) for one in found.candidates],
        "match": {"rule": match.rule if match else "none", "confidence": match.confidence if match else "none"},
        "interactions": [interaction_json(one, public_url, full=False) for one in found.interactions],
        "chains": [
            {
                "id": str(one.id),
                "root_id": str(one.root_id),
                "topic": one.topic,
                "size": one.size,
                "last_at": time_json(one.last_at),
                "url": f"{public_url}/chains/{one.id}",
            }
            for one in found.chains
        ],
        "subjects": [
            {"id": str(key), "kind": one.subject_kind, "title": one.subject_title, "state": one.subject_state}
            for key, one in subjects.items()
        ],
    }


@asynccontextmanager
async def problems() -> AsyncIterator[None]:
    """What the acts on contacts refuse, as answers."""
    try:
        yield
    except Invalid as error:
        raise Problem("invalid", "The contact can't be like this.", errors=error.errors) from error
    except Outdated as error:
        raise Problem("stale", f"{error}. Read it again.") from error
    except Gone as error:
        more = {"merged_into": str(error.merged_into)} if error.merged_into else {}
        raise Problem("gone", str(error), more=more) from error
