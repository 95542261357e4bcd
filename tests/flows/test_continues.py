"""A call or SMS for a chain that is over begins a new one, which says what it continues; an open one is joined instead."""

from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.fakes.api import Api, make_api


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path, scopes=("read", "write", "admin"))


async def call(api: Api, name: str, at: str, number: str = "84956329816") -> dict[str, Any]:
    """An answered call to our line, and its record."""
    for event in ("newCall", "answer", "hangup"):
        body = {"event": event, "callId": name, "direction": "in", "from": number, "to": "+74951234567", "at": at}
        assert (await api.hook({**body, "cause": "normal"})).status == 200
    await api.work_off()
    items = (await api.get("/interactions?type=phone_call&order=newest")).json["items"]
    return dict(next(one for one in items if one["source"]["external_id"] == name))


async def test_a_call_after_all_is_over_continues_the_last_chain_of_its_party(api: Api) -> None:
    first = await call(api, "a", "2026-03-02T09:00:00Z")
    other = await call(api, "x", "2026-03-03T09:00:00Z", number="84950000001")
    second = await call(api, "b", "2026-06-02T09:00:00Z")

    chain = (await api.get(f"/chains/{second['chain']['id']}")).json

    assert (first["chain"]["continues"], other["chain"]["continues"]) == (None, None)
    assert second["chain"]["id"] != first["chain"]["id"]
    assert second["chain"]["continues"] == chain["continues"] == first["chain"]["id"]


async def test_an_open_chain_is_joined_and_of_several_none_is_named(api: Api) -> None:
    first = await call(api, "a", "2026-03-02T09:00:00Z")
    await api.patch(f"/interactions/{first['id']}", {"on_control": {}})
    joined = await call(api, "b", "2026-03-02T10:00:00Z")
    people = [{"role": "subscriber", "address": "84956329816"}]
    for topic in ("One", "Two"):
        note = {"type": "phone_call", "topic": topic, "participants": people, "occurred_at": "2026-03-02T11:00:00Z"}
        assert (await api.post("/interactions", note)).status == 201
    alone = await call(api, "c", "2026-03-02T12:00:00Z")

    assert joined["chain"]["id"] == first["chain"]["id"]
    assert (alone["chain"]["size"], alone["chain"]["continues"]) == (1, None)


async def test_a_chain_that_was_merged_is_continued_where_it_went(api: Api) -> None:
    first = await call(api, "a", "2026-03-02T09:00:00Z")
    second = await call(api, "b", "2026-06-02T09:00:00Z")
    other = await call(api, "x", "2026-01-03T09:00:00Z", number="84950000001")

    merged = await api.post(f"/chains/{first['chain']['id']}/merge", {"into": other["chain"]["id"]})
    again = (await api.get(f"/interactions/{second['id']}")).json

    assert merged.status == 200
    assert again["chain"]["continues"] == other["chain"]["id"]
