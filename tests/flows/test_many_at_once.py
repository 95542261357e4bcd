"""Bulk changes, and chains merged and split by hand: what changes, what is left alone, and the way back."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from daemon import regroup, subjects
from storage.database import Database
from tests.fakes.api import Api, add_contact, make_api

NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def meeting(api: Api, topic: str, **more: object) -> dict[str, Any]:
    answer = await api.post("/interactions", {"type": "meeting", "topic": topic, **more})
    assert answer.status == 201, answer.body
    return dict(answer.json)


async def shown(api: Api, *some: dict[str, Any]) -> list[dict[str, Any]]:
    return [(await api.get(f"/interactions/{one['id']}")).json for one in some]


async def undo(api: Api, token: str) -> int:
    return (await api.post(f"/undo/{token}", {})).status


async def test_a_selection_is_reviewed_and_taken_back(api: Api) -> None:
    done = await meeting(api, "была", reviewed=True)
    one, two = await meeting(api, "a", tags=["x"]), await meeting(api, "b")
    before = await shown(api, done, one, two)

    answer = await api.post("/interactions/bulk", {"ids": [one["id"], two["id"], done["id"], NOBODY], "set": {"reviewed": True}})  # fmt: skip

    assert (answer.status, answer.json["changed"]) == (200, 2)
    assert all(one["reviewed"] for one in await shown(api, one, two))
    assert await undo(api, answer.json["undo"]) == 200
    after = await shown(api, done, one, two)
    for was, now in zip(before, after, strict=True):
        for name in ("reviewed", "reviewed_at", "reviewed_by", "review_after", "tags", "topic"):
            assert was[name] == now[name]
    assert await undo(api, answer.json["undo"]) == 409


async def test_all_that_a_filter_shows_is_changed_and_nothing_else(api: Api) -> None:
    for n in range(5):
        await meeting(api, f"m{n}", importance="high" if n < 3 else "low")

    answer = await api.post("/interactions/bulk", {"filter": {"importance": "high", "type": ["meeting"]}, "set": {"tags": ["vip"]}})  # fmt: skip

    assert answer.json["changed"] == 3
    tagged = (await api.get("/interactions?tag=vip")).json["items"]
    assert {one["topic"] for one in tagged} == {"m0", "m1", "m2"}


async def test_what_was_changed_in_between_stays(api: Api) -> None:
    one, two = await meeting(api, "a"), await meeting(api, "b")
    answer = await api.post("/interactions/bulk", {"ids": [one["id"], two["id"]], "set": {"importance": "high"}})
    await api.patch(f"/interactions/{one['id']}", {"importance": "low"})

    assert await undo(api, answer.json["undo"]) == 200

    assert [record["importance"] for record in await shown(api, one, two)] == ["low", "normal"]


async def test_only_what_is_not_reviewed_is_put_off(api: Api) -> None:
    done, one = await meeting(api, "была", reviewed=True), await meeting(api, "a")

    answer = await api.post("/interactions/bulk", {"ids": [done["id"], one["id"]], "set": {"review_after": "2030-01-01T09:00:00Z"}})  # fmt: skip

    assert answer.json["changed"] == 1
    assert [record["review_after"] for record in await shown(api, done, one)] == [None, "2030-01-01T09:00:00Z"]
    assert [one["topic"] for one in (await api.get("/interactions?status=postponed")).json["items"]] == ["a"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"set": {"reviewed": True}}, "ids"),
        ({"ids": [], "filter": {}, "set": {"reviewed": True}}, "ids"),
        ({"ids": [NOBODY], "set": {}}, "set"),
        ({"ids": [NOBODY], "set": {"topic": "x"}}, "set.topic"),
        ({"ids": [NOBODY], "set": {"reviewed": "perhaps"}}, "set.reviewed"),
        ({"filter": {"colour": "red"}, "set": {"reviewed": True}}, "filter.colour"),
        ({"filter": {"limit": 5}, "set": {"reviewed": True}}, "filter.limit"),
        ({"ids": [NOBODY], "set": {"responsible_id": NOBODY}}, "set.responsible_id"),
    ],
)
async def test_mistakes_change_nothing_and_are_told(api: Api, body: dict[str, Any], path: str) -> None:
    await meeting(api, "a")

    answer = await api.post("/interactions/bulk", body)

    assert (answer.status, answer.json["code"]) == (422, "invalid")
    assert answer.json["errors"][0]["path"] == path
    assert len((await api.get("/interactions?status=to_review")).json["items"]) == 1


async def test_two_chains_become_one_and_two_again(api: Api) -> None:
    await add_contact(api, "Магазин", phones=["+7 495 632-98-16"])
    first = await meeting(api, "первая", occurred_at="2026-11-01T09:00:00Z")
    second = await meeting(api, "вторая", occurred_at="2026-11-02T09:00:00Z")
    third = await meeting(api, "третья", based_on_id=second["id"], occurred_at="2026-11-03T09:00:00Z")
    deal = (await api.post("/subjects", {"kind": "deal", "title": "Д", "from_chain_id": second["chain"]["id"]})).json

    answer = await api.post(f"/chains/{second['chain']['id']}/merge", {"into": first["chain"]["id"]})

    assert answer.status == 200, answer.body
    merged = await shown(api, first, second, third)
    assert {one["chain"]["id"] for one in merged} == {first["chain"]["id"]}
    assert {one["chain"]["root_id"] for one in merged} == {first["id"]}
    assert {one["subject"]["id"] for one in merged} == {deal["id"]}
    members = (await api.get(f"/chains/{second['chain']['id']}")).json  # the old id leads to the chain
    assert [one["topic"] for one in members["items"]] == ["первая", "вторая", "третья"]

    assert await undo(api, answer.json["undo"]) == 200
    apart = await shown(api, first, second, third)
    assert [one["chain"]["id"] for one in apart] == [first["chain"]["id"], *[second["chain"]["id"]] * 2]
    assert [one["chain"]["size"] for one in apart] == [1, 2, 2]
    assert [one["subject"]["id"] for one in apart] == [first["id"], deal["id"], deal["id"]]


async def test_a_member_gets_a_chain_of_its_own_and_comes_back(api: Api) -> None:
    first = await meeting(api, "первая", occurred_at="2026-11-01T09:00:00Z")
    second = await meeting(api, "вторая", based_on_id=first["id"], occurred_at="2026-11-02T09:00:00Z")
    third = await meeting(api, "третья", based_on_id=first["id"], occurred_at="2026-11-03T09:00:00Z")

    answer = await api.post(f"/chains/{first['chain']['id']}/split", {"interaction_id": first["id"]})

    assert answer.status == 200, answer.body
    apart = await shown(api, first, second, third)
    assert apart[0]["chain"]["id"] == answer.json["chain_id"] != first["chain"]["id"]
    assert apart[0]["chain"]["link"]["origin"] == "manual"
    assert [one["chain"]["root_id"] for one in apart] == [first["id"], second["id"], second["id"]]
    later = await meeting(api, "ответ", based_on_id=first["id"])
    assert later["chain"]["id"] == answer.json["chain_id"]

    assert await undo(api, answer.json["undo"]) == 200
    together = await shown(api, first, second, third, later)
    assert {one["chain"]["id"] for one in together} == {first["chain"]["id"]}
    assert {one["chain"]["root_id"] for one in together} == {first["id"]}


async def test_what_can_not_be_put_together_or_taken_apart_is_said(api: Api) -> None:
    one, two = await meeting(api, "a"), await meeting(api, "b")
    for path, body, status in [
        (f"/chains/{one['chain']['id']}/merge", {"into": NOBODY}, 404),
        (f"/chains/{one['chain']['id']}/merge", {"into": one["chain"]["id"]}, 409),
        (f"/chains/{one['chain']['id']}/split", {"interaction_id": one["id"]}, 409),
        (f"/chains/{one['chain']['id']}/split", {"interaction_id": two["id"]}, 404),
        (f"/chains/{NOBODY}/split", {"interaction_id": two["id"]}, 404),
        ("/undo/nothing", {}, 404),
    ]:
        assert (await api.post(path, body)).status == status, path


async def test_a_subject_given_after_a_merge_stays_when_the_merge_is_taken_back(api: Api) -> None:
    one, two = await meeting(api, "a"), await meeting(api, "b")
    token = (await api.post(f"/chains/{two['chain']['id']}/merge", {"into": one["chain"]["id"]})).json["undo"]
    deal = await api.post("/subjects", {"kind": "deal", "title": "d", "from_chain_id": one["chain"]["id"]})

    assert await undo(api, token) == 200

    assert [record["subject"]["id"] for record in await shown(api, one)] == [deal.json["id"]]


async def test_a_later_date_to_review_after_stays_when_the_first_is_taken_back(api: Api) -> None:
    one, two = await meeting(api, "a"), await meeting(api, "b")
    first = {"ids": [one["id"], two["id"]], "set": {"review_after": "2030-01-01T12:00:00.500+03:00"}}
    token = (await api.post("/interactions/bulk", first)).json["undo"]
    await api.patch(f"/interactions/{one['id']}", {"review_after": "2031-01-01T09:00:00Z"})

    assert await undo(api, token) == 200

    assert [record["review_after"] for record in await shown(api, one, two)] == ["2031-01-01T09:00:00Z", None]


async def test_a_subject_goes_to_a_member_that_is_split_off_at_that_moment(api: Api, database: Database) -> None:
    first = await meeting(api, "a")
    second = await meeting(api, "b", based_on_id=first["id"])
    one, chain = UUID(second["id"]), UUID(first["chain"]["id"])
    async with database.connection() as db, db.transaction():
        new, _ = await regroup.split(db, chain, one, None)
        held = asyncio.create_task(database.in_transaction(lambda other: subjects.hold_chain_of(other, one)))
        while not await db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await db.fetchval("SELECT pg_sleep(0.01)")

    assert await held == new


async def test_what_was_merged_before_leads_back_with_its_chain(api: Api) -> None:
    one, two, three = [await meeting(api, topic) for topic in "abc"]
    first, second, third = (record["chain"]["id"] for record in (one, two, three))
    await api.post(f"/chains/{first}/merge", {"into": second})
    answer = await api.post(f"/chains/{second}/merge", {"into": third})
    assert (await api.get(f"/chains/{first}")).json["id"] == third

    assert await undo(api, answer.json["undo"]) == 200

    assert [(await api.get(f"/chains/{chain}")).json["id"] for chain in (first, second, third)] == [
        second,
        second,
        third,
    ]
