"""A POST that comes twice: one key, one change, one answer."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.fakes.api import Api, make_api

CALL: dict[str, Any] = {"type": "phone_call", "direction": "incoming", "topic": "Консультация"}


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def count(api: Api) -> int:
    async with api.serving.database.connection() as db:
        return int(await db.fetchval("SELECT count(*) FROM interaction"))


async def test_a_repeat_with_its_key_hears_the_same_and_makes_nothing(api: Api) -> None:
    first = await api.post("/interactions", CALL, idempotency_key="k1")
    await api.patch(f"/interactions/{first.json['id']}", {"topic": "другая"})
    again = await api.post("/interactions", CALL, idempotency_key="k1")
    other = await api.post("/interactions", CALL, idempotency_key="k2")

    assert (again.status, again.json, again.headers["location"]) == (201, first.json, first.headers["location"])
    assert other.json["id"] != first.json["id"]
    assert await count(api) == 2


async def test_a_key_is_for_one_request(api: Api) -> None:
    await api.post("/interactions", CALL, idempotency_key="k")

    for path, body in [("/interactions", {**CALL, "topic": "x"}), ("/contacts", {"kind": "partner", "name": "x"})]:
        answer = await api.post(path, body, idempotency_key="k")
        assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert await count(api) == 1


async def test_two_with_one_key_at_once_make_one(api: Api) -> None:
    answers = await asyncio.gather(*[api.post("/interactions", CALL, idempotency_key="k") for _ in range(8)])

    assert {one.status for one in answers} == {201}
    assert len({one.json["id"] for one in answers}) == 1
    assert await count(api) == 1


async def test_what_failed_may_be_tried_again_under_its_key(api: Api) -> None:
    taken = {**CALL, "external_ref": "7"}
    await api.post("/interactions", taken)
    refused = await api.post("/interactions", taken, idempotency_key="k")
    async with api.serving.database.connection() as db:
        await db.execute("UPDATE interaction SET external_ref = NULL")

    again = await api.post("/interactions", taken, idempotency_key="k")

    assert (refused.status, refused.json["code"], again.status) == (409, "conflict", 201)


async def test_a_contact_too_is_made_once(api: Api) -> None:
    body = {"kind": "partner", "name": "Магазин"}

    first, again = [await api.post("/contacts", body, idempotency_key="k") for _ in range(2)]

    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert len((await api.get("/contacts")).json["items"]) == 1


async def test_a_key_has_its_bounds(api: Api) -> None:
    assert (await api.post("/interactions", CALL, idempotency_key="k" * 255)).status == 201
    assert (await api.post("/interactions", CALL, idempotency_key="k" * 256)).status == 422
    assert (await api.post("/interactions", CALL, idempotency_key="k\x00")).status == 422
