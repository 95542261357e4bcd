"""Subjects over HTTP: deals, claims, campaigns and kinds of the user's own.

POST /subjects   with from_interaction_id or from_chain_id every member of the chain gets the subject, and all
                 participants are copied
PATCH            a merge patch; a state other than "open" closes the subject now
"""

from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from daemon import subjects as acts
from daemon.access import access_of, need_whole, need_whole_chain
from daemon.api.blocks import Moment
from daemon.api.drafts import Block, Line
from daemon.api.problems import Problem
from daemon.api.repeats import once
from daemon.api.shapes import contact_brief, etag, named_json, participant_json, time_json, wanted_version
from daemon.auth import serving_of, viewer_of
from interactions.access import Access
from interactions.records import JsonValue
from interactions.subjects import is_kind
from storage import edits, feed, records, subjects
from storage.audit import touching
from storage.database import Connection
from storage.subjects import NewSubject, SubjectView

router = APIRouter(tags=["subjects"])
OURS = frozenset("id number participants closed_at responsible client created_at updated_at interactions".split())
State = Literal["open", "won", "lost", "closed"]


def _kind(text: str) -> str:
    if not is_kind(text):
        raise ValueError("must be a word like deal, claim or campaign: small letters, digits and _")
    return text


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("must begin with https:// or http://")
    return text


Kind = Annotated[str, AfterValidator(_kind)]
Url = Annotated[Line, AfterValidator(_url)]
Ref = Annotated[Line, Field(min_length=1, max_length=200)]
Title = Annotated[Line, Field(min_length=1)]


class SubjectEdit(BaseModel):
    """What of a subject may change; null takes a value away."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = "deal"
    title: Title = "-"
    state: State = "open"
    responsible_id: UUID | None = None
    client_id: UUID | None = None
    due_at: Moment | None = None
    external_ref: Ref | None = None
    url: Url | None = None
    extra: Block | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_ours(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if name not in OURS} if isinstance(given, dict) else given

    def contacts(self) -> set[UUID]:
        """All contacts that are named."""
        return {one for one in (self.responsible_id, self.client_id) if one is not None}


class SubjectIn(SubjectEdit):
    """A new subject."""

    kind: Kind
    title: Title
    from_interaction_id: UUID | None = None
    from_chain_id: UUID | None = None

    @model_validator(mode="after")
    def _made_from_one(self) -> "SubjectIn":
        if self.from_interaction_id is not None and self.from_chain_id is not None:
            raise ValueError("takes one of from_interaction_id and from_chain_id")
        return self


@router.get("/subjects")
async def list_subjects(
    request: Request,
    kind: Annotated[str | None, Query(max_length=40)] = None,
    state: State | None = None,
    responsible: UUID | None = None,
    client: UUID | None = None,
    external_ref: Annotated[str | None, Query(max_length=200)] = None,
    overdue: bool = False,
    cursor: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """Subjects, the newest first. `overdue=1`: open ones whose time has passed."""
    wanted = subjects.Filter(kind, state, responsible, client, external_ref, overdue, cursor, limit + 1)
    serving = serving_of(request)
    async with serving.database.connection() as db:
        found = await subjects.page(db, wanted, await access_of(db, serving, viewer_of(request)))
    more = len(found) > limit
    items = [subject_json(one) for one in found[:limit]]
    return JSONResponse({"items": items, "next": str(found[limit - 1].number) if more else None})


@router.post("/subjects", status_code=201)
async def add_subject(request: Request, given: SubjectIn) -> Response:
    """A new subject."""
    serving, viewer = serving_of(request), viewer_of(request)
    new = NewSubject(
        uuid4(), given.kind, given.title, given.state, given.responsible_id or viewer.user_id, given.client_id,
        given.due_at, given.external_ref, given.url, given.extra,
    )  # fmt: skip

    async def make(db: Connection) -> dict[str, JsonValue]:
        await _need_contacts(db, given.contacts())
        seen_by = await access_of(db, serving, viewer)
        if given.from_interaction_id is not None:
            await need_whole(db, given.from_interaction_id, seen_by)
            chain_id = await records.chain_of(db, given.from_interaction_id)
            if chain_id is not None:  # all of it gets the subject
                await need_whole_chain(db, chain_id, seen_by)
        if given.from_chain_id is not None:
            await need_whole_chain(db, given.from_chain_id, seen_by)
        await acts.add(
            db, new, interaction_id=given.from_interaction_id, chain_id=given.from_chain_id, by=viewer.user_id
        )
        found = await subjects.find(db, new.id, seen_by)
        assert found is not None
        return subject_json(found)

    body = await once(request, make)
    return JSONResponse(body, 201, {"Location": f"/api/v1/subjects/{body['id']}", "ETag": etag(1)})


@router.get("/subjects/{subject_id}")
async def read_subject(request: Request, subject_id: UUID) -> Response:
    """One subject with its participants."""
    serving = serving_of(request)
    async with serving.database.connection() as db:
        return await _answer(db, subject_id, await access_of(db, serving, viewer_of(request)))


@router.patch("/subjects/{subject_id}")
async def change_subject(request: Request, subject_id: UUID, given: SubjectEdit) -> Response:
    """Changes what is given."""
    serving, version = serving_of(request), wanted_version(request)
    changes: dict[str, JsonValue] = given.model_dump(mode="json", include=given.model_fields_set)

    async def work(db: Connection) -> None:
        await _need_contacts(db, given.contacts())
        if await subjects.find(db, subject_id, await access_of(db, serving, viewer_of(request))) is None:
            raise Problem("not_found", "There is no such subject.")
        if not await subjects.set_fields(db, subject_id, changes, version):
            raise Problem("stale", "Somebody changed this subject since you read it; read it again.")
        touching(*changes)
        await feed.add(db, [feed.Change("subject.updated", subject_id)])

    await serving.database.in_transaction(work)
    async with serving.database.connection() as db:
        return await _answer(db, subject_id, await access_of(db, serving, viewer_of(request)))


async def _answer(db: Connection, subject_id: UUID, seen_by: Access) -> Response:
    found = await subjects.find(db, subject_id, seen_by)
    if found is None:
        raise Problem("not_found", "There is no such subject.")
    return JSONResponse(subject_json(found), 200, {"ETag": etag(found.version)})


async def _need_contacts(db: Connection, ids: set[UUID]) -> None:
    unknown = await edits.unknown_contacts(db, ids) if ids else set()
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        raise Problem("invalid", f"There is no contact {names}.", errors=[("contact_id", f"{names} is no contact")])


def subject_json(one: SubjectView) -> dict[str, JsonValue]:
    """A subject as programs see it."""
    return {
        "id": str(one.id),
        "number": one.number,
        "kind": one.kind,
        "title": one.title,
        "state": one.state,
        "responsible": named_json(one.responsible),
        "client": contact_brief(one.client),
        "participants": [{**participant_json(person), "origin": origin} for person, origin in one.participants],
        "due_at": time_json(one.due_at),
        "closed_at": time_json(one.closed_at),
        "external_ref": one.external_ref,
        "url": one.url,
        "extra": dict(one.extra),
        "created_at": time_json(one.created_at),
        "updated_at": time_json(one.updated_at),
    }
