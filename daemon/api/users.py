"""Users and departments over HTTP. Everybody may read who there is; only an administrator, or a token with the scope
`admin`, changes anything here: a role must not be given by somebody who does not have it.

    POST /users                  {"email", "name", "role", …}
    PATCH /users/{id}            a merge patch; "disabled": true (or a disabled_at) locks out at once, the history stays
    POST /users/{id}/handover    {"to"}: contacts, open interactions and plans, open subjects; with a token that takes it back
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from daemon import handover
from daemon.api.blocks import Line, Moment
from daemon.api.problems import Problem
from daemon.api.repeats import once
from daemon.api.shapes import time_json
from daemon.auth import serving_of, viewer_of
from daemon.staff import ROLE_DEFAULT, add_user
from interactions.addresses import clean_name, email_key
from interactions.records import JsonValue
from storage import contacts, edits, staff
from storage.audit import touching
from storage.database import Connection
from storage.staff import Department, Extension, StaffMember

router = APIRouter(tags=["users"])
EXTENSIONS_MAX = 100
OURS = frozenset({"id", "url", "disabled_at", "email"})
Role = Literal["admin", "member", "reader"]
Name = Annotated[Line, Field(min_length=1, max_length=200)]


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone; one looks like Europe/Moscow") from None
    return text


class ExtensionIn(BaseModel):
    """A number of a PBX, and from when to when it is the user's."""

    model_config = ConfigDict(extra="forbid")

    source: Annotated[Line, Field(min_length=1, max_length=100)]
    extension: Annotated[Line, Field(min_length=1, max_length=64)]
    since: Moment | None = None
    until: Moment | None = None


class UserEdit(BaseModel):
    """What may change of a user; null takes a value away."""

    model_config = ConfigDict(extra="forbid")

    name: Name = "-"
    role: Role = "member"
    department_id: UUID | None = None
    timezone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] | None = None
    language: Literal["ru", "en"] | None = None
    disabled: bool = False
    absent_from: Moment | None = None
    absent_until: Moment | None = None
    deputy_id: UUID | None = None
    extensions: Annotated[list[ExtensionIn], Field(max_length=EXTENSIONS_MAX)] = []

    @model_validator(mode="before")
    @classmethod
    def _without_ours(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        ours = OURS if cls is UserEdit else OURS - {"email"}
        if "disabled_at" in given and "disabled" not in given:
            given = {**given, "disabled": given["disabled_at"] is not None}
        return {name: value for name, value in given.items() if name not in ours}

    @model_validator(mode="after")
    def _comes_back_after_leaving(self) -> "UserEdit":
        if self.absent_until is not None and self.absent_from is not None and self.absent_until <= self.absent_from:
            raise ValueError("absent_until must be later than absent_from")
        return self


class UserIn(UserEdit):
    """A new user."""

    email: Annotated[str, Field(max_length=320)]


class DepartmentIn(BaseModel):
    """A department."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    parent_id: UUID | None = None
    head_id: UUID | None = None


class HandoverIn(BaseModel):
    """Who takes over."""

    model_config = ConfigDict(extra="forbid")

    to: UUID


@router.get("/users")
async def list_users(request: Request) -> JSONResponse:
    """All users, those who left too."""
    async with serving_of(request).database.connection() as db:
        found = await staff.list_all(db)
    return JSONResponse({"items": [user_json(one) for one in found], "next": None})


@router.get("/users/{user_id}")
async def read_user(request: Request, user_id: UUID) -> JSONResponse:
    """One user."""
    async with serving_of(request).database.connection() as db:
        return JSONResponse(await _user(db, user_id))


@router.post("/users", status_code=201)
async def add(request: Request, given: UserIn) -> Response:
    """A new user. Nobody has a password at first: `ringmail user link` and `user password` let them in."""
    _need_admin(request)
    serving = serving_of(request)
    key = email_key(given.email)
    if key is None:
        raise Problem("invalid", "This is no e-mail address.", errors=[("email", "is no e-mail address")])
    name = clean_name(given.name) if "name" in given.model_fields_set else key.value
    role = given.role if "role" in given.model_fields_set else ROLE_DEFAULT

    async def make(db: Connection) -> dict[str, JsonValue]:
        new = await add_user(db, serving.settings, key, name, role, None, datetime.now(UTC))
        await _change(db, new, given)
        return await _user(db, new)

    body = await once(request, make)
    return JSONResponse(body, 201, {"Location": f"/api/v1/users/{body['id']}"})


@router.patch("/users/{user_id}")
async def change(request: Request, user_id: UUID, given: UserEdit) -> JSONResponse:
    """Changes what is given."""
    _need_admin(request)
    if given.disabled and user_id == viewer_of(request).user_id:
        raise Problem("conflict", "Nobody can lock themselves out; another administrator has to do it.")

    async def work(db: Connection) -> dict[str, JsonValue]:
        touching(*given.model_fields_set)
        await _change(db, user_id, given)
        return await _user(db, user_id)

    return JSONResponse(await serving_of(request).database.in_transaction(work))


@router.post("/users/{user_id}/handover")
async def hand_over(request: Request, user_id: UUID, given: HandoverIn) -> JSONResponse:
    """Gives all that is open to somebody else. What the configuration names (mailboxes, lines) stays to be changed there."""
    _need_admin(request)
    by = viewer_of(request).user_id
    moved, token = await serving_of(request).database.in_transaction(
        lambda db: handover.hand_over(db, user_id, given.to, by)
    )
    return JSONResponse({**moved, "undo": token})


@router.get("/departments")
async def list_departments(request: Request) -> JSONResponse:
    """All departments."""
    async with serving_of(request).database.connection() as db:
        found = await staff.departments(db)
    return JSONResponse({"items": [department_json(one) for one in found], "next": None})


@router.post("/departments", status_code=201)
async def add_department(request: Request, given: DepartmentIn) -> Response:
    """A new department."""
    _need_admin(request)
    new = Department(uuid4(), given.name, given.parent_id, given.head_id)
    body = await once(request, _department_writer(new))
    return JSONResponse(body, 201)


@router.patch("/departments/{department_id}")
async def change_department(request: Request, department_id: UUID, given: dict[str, Any]) -> JSONResponse:
    """Changes what is given."""
    _need_admin(request)
    async with serving_of(request).database.connection() as db:
        found = next((one for one in await staff.departments(db) if one.id == department_id), None)
    if found is None:
        raise Problem("not_found", "There is no such department.")
    merged = {**department_json(found), **given}
    merged.pop("id")
    try:
        wanted = DepartmentIn.model_validate(merged)
    except ValueError as error:
        raise Problem("invalid", f"The department can't be like this: {str(error)[:300]}.") from None
    new = Department(department_id, wanted.name, wanted.parent_id, wanted.head_id)
    return JSONResponse(await serving_of(request).database.in_transaction(_department_writer(new)))


def _department_writer(new: Department) -> Callable[[Connection], Awaitable[dict[str, JsonValue]]]:
    async def write(db: Connection) -> dict[str, JsonValue]:
        known = {one.id: one for one in await staff.departments(db)}
        above, seen = new.parent_id, {new.id}
        while above is not None:
            if above in seen or above not in known:
                raise Problem(
                    "invalid", "The parent can't be this one.", errors=[("parent_id", "leads nowhere, or back")]
                )
            seen.add(above)
            above = known[above].parent_id
        await _need_users(db, "head_id", new.head_id)
        await staff.save_department(db, new)
        return department_json(new)

    return write


async def _change(db: Connection, user_id: UUID, given: UserEdit) -> None:
    """Writes what is given of a user. Raises Problem."""
    changes: dict[str, JsonValue] = given.model_dump(
        mode="json",
        include=given.model_fields_set
        & {"name", "role", "department_id", "timezone", "language", "deputy_id", "disabled"},
    )
    if given.deputy_id == user_id:
        raise Problem("invalid", "Nobody stands in for themselves.", errors=[("deputy_id", "is the user")])
    await _need_users(db, "deputy_id", given.deputy_id)
    if given.department_id and given.department_id not in {one.id for one in await staff.departments(db)}:
        raise Problem("invalid", "There is no such department.", errors=[("department_id", "is no department")])
    if not await staff.change(db, user_id, changes, contacts.name_key(given.name) if "name" in changes else None):
        raise Problem("not_found", "There is no such user.")
    if {"absent_from", "absent_until"} & given.model_fields_set:
        since = given.absent_from or (datetime.now(UTC) if given.absent_until else None)
        await staff.set_absence(db, user_id, since, given.absent_until)
    if "extensions" in given.model_fields_set:
        numbers = [Extension(one.source, one.extension, one.since, one.until) for one in given.extensions]
        await staff.set_extensions(db, user_id, numbers)


async def _need_users(db: Connection, path: str, user_id: UUID | None) -> None:
    if user_id is None:
        return
    if await edits.unknown_contacts(db, [user_id]) or not await staff.list_all(db, [user_id]):
        raise Problem("invalid", f"There is no user {user_id}.", errors=[(path, "is no user")])


def _need_admin(request: Request) -> None:
    if viewer_of(request).role != "admin":
        raise Problem("forbidden", "Only an administrator, or a token with the scope admin, may change users.")


async def _user(db: Connection, user_id: UUID) -> dict[str, JsonValue]:
    found = await staff.list_all(db, [user_id])
    if not found:
        raise Problem("not_found", "There is no such user.")
    return user_json(found[0])


def user_json(one: StaffMember) -> dict[str, JsonValue]:
    """A user as programs see one."""
    return {
        "id": str(one.id),
        "name": one.name,
        "email": one.email,
        "role": one.role,
        "department_id": str(one.department_id) if one.department_id else None,
        "timezone": one.timezone,
        "language": one.language,
        "disabled_at": time_json(one.disabled_at),
        "absent_from": time_json(one.absent_from),
        "absent_until": time_json(one.absent_until),
        "deputy_id": str(one.deputy_id) if one.deputy_id else None,
        "extensions": [
            {
                "source": number.source,
                "extension": number.extension,
                "since": time_json(number.since),
                "until": time_json(number.until),
            }
            for number in one.extensions
        ],
    }


def department_json(one: Department) -> dict[str, JsonValue]:
    """A department as programs see it."""
    return {
        "id": str(one.id),
        "name": one.name,
        "parent_id": str(one.parent_id) if one.parent_id else None,
        "head_id": str(one.head_id) if one.head_id else None,
    }
