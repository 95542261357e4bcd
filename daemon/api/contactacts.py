"""Larger changes of contacts over HTTP: a contact that is two, and what a change would do to history before it is made."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from daemon import contacts as acts
from daemon import matching, merging
from daemon.api.contacts import ContactIn, contact_json, names_of, need_right_to_users, problems, spelling_of
from daemon.api.problems import Problem
from daemon.auth import serving_of, viewer_of
from daemon.contacts import Invalid, Spelling, number_key
from daemon.preview import effects_of
from daemon.splitting import split
from interactions.addresses import email_key
from interactions.contacts import ContactKind
from interactions.records import Key
from storage.database import Connection

router = APIRouter(tags=["contacts"])
Addresses = Annotated[list[str], Field(max_length=acts.ADDRESSES_MAX)]


class SplitIn(BaseModel):
    """Which addresses go, in any spelling, and who they belong to; more may be said as when a contact is entered."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    kind: ContactKind | None = None
    emails: Addresses = []
    phones: Addresses = []

    def keys(self, spelling: Spelling) -> set[Key]:
        """The addresses that go. Raises Invalid."""
        given = [(f"emails.{n}", one, email_key(one)) for n, one in enumerate(self.emails)]
        given += [(f"phones.{n}", one, number_key(one, spelling)) for n, one in enumerate(self.phones)]
        wrong = [(path, f"{one[:80]!r} is no address") for path, one, key in given if key is None]
        if wrong:
            raise Invalid(wrong)
        return {key for _, _, key in given if key is not None}

    def fields(self) -> acts.Fields:
        return {"name": self.name} if self.kind is None else {"name": self.name, "kind": self.kind}


class PreviewIn(BaseModel):
    """The change: one of these."""

    model_config = ConfigDict(extra="forbid")

    set: ContactIn | None = None
    merge_into: UUID | None = None
    split: SplitIn | None = None
    delete: bool = False


@router.post("/contacts/{contact_id}/split")
async def split_contact(request: Request, contact_id: UUID, given: SplitIn) -> JSONResponse:
    """Makes a contact of some addresses of another; all that came from them goes along. Answers `contact` and `undo`."""
    serving, by, now = serving_of(request), viewer_of(request).user_id, datetime.now(UTC)
    spelling = spelling_of(request)

    async def work(db: Connection) -> dict[str, Any]:
        new, token = await split(db, contact_id, keys, given.fields(), spelling, by, now)
        return {"contact": contact_json(new, await names_of(db, [new]), serving.public_url, now), "undo": token}

    async with problems():
        need_right_to_users(request, given.kind)
        keys = given.keys(spelling)
        return JSONResponse(await serving.database.in_transaction(work))


@router.post("/contacts/{contact_id}/preview")
async def preview_change(request: Request, contact_id: UUID, given: PreviewIn) -> JSONResponse:
    """What a change, a merge, a split or a deletion would do to history. Nothing is changed, nobody is told."""
    serving, by, now = serving_of(request), viewer_of(request).user_id, datetime.now(UTC)
    spelling = spelling_of(request)
    if sum((given.set is not None, given.merge_into is not None, given.split is not None, given.delete)) != 1:
        raise Problem(
            "invalid", "Give one of set, merge_into, split and delete.", errors=[("set", "or another is needed")]
        )

    async def work(db: Connection) -> None:
        if given.set is not None:
            await matching.change(db, contact_id, given.set.fields(), spelling, by, now)
        elif given.merge_into is not None:
            await merging.merge(db, contact_id, given.merge_into, by, now)
        elif given.split is not None:
            await split(db, contact_id, given.split.keys(spelling), given.split.fields(), spelling, by, now)
        else:
            await matching.delete(db, contact_id, by, now)

    async with problems():
        return JSONResponse((await effects_of(serving.database, work)).as_json())
