"""Changes of many records at once, each answered with the token that takes it back.

POST /interactions/bulk     {"ids": […] or "filter": {…}, "set": {…}}
POST /chains/{id}/merge     {"into": id}
POST /chains/{id}/split     {"interaction_id": id}
"""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon import bulk, planning, regroup
from daemon.access import access_of, need_chain, need_whole, need_whole_chain, only_whole
from daemon.api.drafts import InteractionEdit, InteractionIn
from daemon.api.problems import Problem
from daemon.api.records import need_features
from daemon.api.repeats import once
from daemon.api.shapes import etag, interaction_json
from daemon.auth import serving_of, viewer_of
from daemon.filters import WrongFilter, read_filter
from daemon.intake.manual import Draft
from interactions.records import JsonValue
from interactions.views import InteractionView
from storage import bulk as storage_bulk
from storage import edits, lists
from storage.audit import touching
from storage.bulk import FIELDS
from storage.database import Connection

router = APIRouter(tags=["acts"])
NOT_A_FILTER = frozenset({"cursor", "limit", "order"})


class BulkIn(BaseModel):
    """What to change, in which interactions."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[UUID], Field(max_length=bulk.AT_ONCE_MAX)] | None = None
    filter: Annotated[dict[str, Any], Field(max_length=50)] | None = None
    set: InteractionEdit


class MergeIn(BaseModel):
    """Where a chain shall go."""

    model_config = ConfigDict(extra="forbid")

    into: UUID


class SplitIn(BaseModel):
    """Which member shall have a chain of its own."""

    model_config = ConfigDict(extra="forbid")

    interaction_id: UUID


@router.post("/interactions/bulk")
async def change_many(request: Request, given: BulkIn) -> JSONResponse:
    """Changes a selection, or all that a filter shows."""
    serving, viewer = serving_of(request), viewer_of(request)
    changes = _changes(given.set)
    if given.set.flags and not serving.settings.features.review_flags:
        raise Problem("feature_off", "The flags of review are switched off here (review_flags).")
    if (given.ids is None) == (given.filter is None):
        raise Problem("invalid", "Give ids or filter, one of the two.", errors=[("ids", "or filter is needed")])
    wanted = _filter(given.filter, serving.settings.default_region) if given.filter is not None else None

    async def work(db: Connection) -> tuple[int, str]:
        seen_by = await access_of(db, serving, viewer)
        ids = list(given.ids or ())
        if wanted is not None:
            ids = await storage_bulk.select(db, replace(wanted, limit=bulk.AT_ONCE_MAX + 1), seen_by)
            if len(ids) > bulk.AT_ONCE_MAX:
                raise Problem("too_large", f"This filter shows more than {bulk.AT_ONCE_MAX}; narrow it down.")
        unknown = await edits.unknown_contacts(db, given.set.contacts())
        if unknown:
            names = ", ".join(sorted(map(str, unknown)))
            raise Problem("invalid", f"There is no contact {names}.", errors=[("set.responsible_id", "is no contact")])
        touching(*changes)
        return await bulk.change(db, await only_whole(db, ids, seen_by), changes, viewer.user_id)

    changed, token = await serving.database.in_transaction(work)
    return JSONResponse({"changed": changed, "undo": token})


def _changes(given: InteractionEdit) -> dict[str, JsonValue]:
    changes: dict[str, JsonValue] = given.model_dump(mode="json", include=given.model_fields_set)
    wrong = sorted(changes.keys() - set(FIELDS))
    if wrong or not changes:
        errors = [(f"set.{name}", "can't be changed in many at once") for name in wrong] or [("set", "is empty")]
        raise Problem("invalid", f"Many at once can be given {', '.join(FIELDS)}.", errors=errors)
    if changes.get("tags", []) is None:
        changes["tags"] = []
    return changes


def _filter(given: dict[str, Any], region: str) -> lists.Filter:
    pairs = [
        (name, str(int(one) if isinstance(one, bool) else one))
        for name, value in given.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    wrong = [(f"filter.{name}", "is no filter here") for name in given if name in NOT_A_FILTER]
    try:
        found = read_filter(pairs, region)
    except WrongFilter as error:
        wrong += [(f"filter.{name}", message) for name, message in error.errors]
        raise Problem("invalid", f"This filter can't be used: {error}.", errors=wrong) from None
    if wrong:
        raise Problem("invalid", "This filter can't be used.", errors=wrong)
    return found


@router.post("/interactions/{interaction_id}/carry-out", status_code=201)
async def carry_out(request: Request, interaction_id: UUID, given: dict[str, Any]) -> Response:
    """Carries out a plan: the new interaction is in its chain, with its participants and topic where none are given."""
    serving, viewer = serving_of(request), viewer_of(request)

    async def make(db: Connection) -> dict[str, JsonValue]:
        seen_by = await access_of(db, serving, viewer)
        await need_whole(db, interaction_id, seen_by)
        plan = await lists.find(db, interaction_id, seen_by)
        if plan is None:
            raise Problem("not_found", "There is no such interaction.")
        draft = _carried_out(plan, given)
        need_features(serving, draft.kind, draft.reviewed)
        new_id = await planning.carry_out(
            db, plan, draft, serving.desk.settings, serving.settings.timezone, viewer.user_id
        )
        found = await lists.find(db, new_id, seen_by)
        assert found is not None
        return interaction_json(found, serving.public_url)

    body = await once(request, make)
    return JSONResponse(body, 201, {"Location": f"/api/v1/interactions/{body['id']}", "ETag": etag(1)})


def _carried_out(plan: InteractionView, given: dict[str, Any]) -> Draft:
    """What is given, with the plan's own words where there are none. Raises Problem."""
    people = [
        {
            "role": one.role,
            "display_name": one.display_name,
            "address": one.address,
            "contact_id": one.contact.id if one.contact and one.origin == "manual" else None,
        }
        for one in plan.participants
    ]
    intended = plan.block.get("intended_type")
    filled = {"topic": plan.topic, "description": plan.description, "participants": people, "type": intended, **given}
    wrong: list[tuple[str, str]] = [
        (name, "comes from the plan") for name in ("chain_id", "based_on_id", "subject_id") if name in given
    ]
    if filled["type"] == "planned":
        wrong.append(("type", "must be phone_call, meeting or sms"))
    if wrong:
        raise Problem("invalid", "A plan is carried out in its own chain.", errors=wrong)
    try:
        return InteractionIn.model_validate(filled).draft(None)
    except ValidationError as error:
        found = [(".".join(map(str, one["loc"])), str(one["msg"])) for one in error.errors()]
        raise Problem("invalid", "The plan can't be carried out like this.", errors=found) from None


@router.post("/chains/{chain_id}/merge")
async def merge_chains(request: Request, chain_id: UUID, given: MergeIn) -> JSONResponse:
    """Puts a chain into another one; its id leads there from then on."""
    serving, viewer = serving_of(request), viewer_of(request)

    async def work(db: Connection) -> tuple[UUID, str]:
        seen_by = await access_of(db, serving, viewer)
        await need_chain(db, given.into, seen_by)
        await need_whole_chain(db, chain_id, seen_by)
        return await regroup.merge(db, chain_id, given.into, viewer.user_id)

    target, token = await serving.database.in_transaction(work)
    return JSONResponse({"chain_id": str(target), "undo": token})


@router.post("/chains/{chain_id}/split")
async def split_chain(request: Request, chain_id: UUID, given: SplitIn) -> JSONResponse:
    """Gives one member a chain of its own."""
    serving, viewer = serving_of(request), viewer_of(request)

    async def work(db: Connection) -> tuple[UUID, str]:
        await need_whole(db, given.interaction_id, await access_of(db, serving, viewer))
        return await regroup.split(db, chain_id, given.interaction_id, viewer.user_id)

    new, token = await serving.database.in_transaction(work)
    return JSONResponse({"chain_id": str(new), "undo": token})
