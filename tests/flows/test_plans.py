"""S7 and S8: a plan has goal, subject and rough participants but no kind; it is carried out as any other type and keeps
chain and participants. And what meetings, calls and messages entered by hand hold."""

from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.fakes.api import Api, add_contact, make_api


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def add(api: Api, **fields: object) -> dict[str, Any]:
    answer = await api.post("/interactions", fields)
    assert answer.status == 201, answer.body
    return dict(answer.json)


async def read(api: Api, one: dict[str, Any]) -> dict[str, Any]:
    return dict((await api.get(f"/interactions/{one['id']}")).json)


@pytest.fixture
async def plan(api: Api) -> dict[str, Any]:
    await add_contact(api, "Магазин", phones=["+7 495 632-98-16"])
    return await add(
        api,
        type="planned",
        topic="Показать каталог",
        description="Весна",
        participants=[{"role": "attendee", "display_name": "Магазин", "address": "(495) 6329816"}],
        planned={"due_at": "2027-01-15T10:00:00+03:00", "repeats": "FREQ=WEEKLY;COUNT=3", "intended_type": "meeting"},
    )


async def test_a_plan_has_no_kind_yet(plan: dict[str, Any]) -> None:
    assert plan["planned"] == {
        "due_at": "2027-01-15T07:00:00Z",
        "repeats": "FREQ=WEEKLY;COUNT=3",
        "intended_type": "meeting",
        "state": "open",
        "carried_out_as": [],
    }
    assert plan["direction"] is None


async def test_a_plan_becomes_what_it_was_meant_to_be_with_chain_and_participants(
    api: Api, plan: dict[str, Any]
) -> None:
    answer = await api.post(f"/interactions/{plan['id']}/carry-out", {})

    assert answer.status == 201, answer.body
    meeting = answer.json
    assert (meeting["type"], meeting["topic"], meeting["description"]) == ("meeting", "Показать каталог", "Весна")
    assert meeting["chain"]["id"] == plan["chain"]["id"]
    assert meeting["contact"]["name"] == "Магазин"
    done = await read(api, plan)
    assert (done["planned"]["state"], done["planned"]["carried_out_as"]) == ("done", [meeting["id"]])
    assert done["reviewed"] is True


async def test_a_plan_may_become_several_interactions_of_any_type(api: Api, plan: dict[str, Any]) -> None:
    call = await api.post(f"/interactions/{plan['id']}/carry-out", {"type": "phone_call", "direction": "outgoing", "topic": "Звонок"})  # fmt: skip
    sms = await api.post(f"/interactions/{plan['id']}/carry-out", {"type": "sms", "sms": {"text": "Каталог выслан"}})

    assert (call.status, sms.status) == (201, 201)
    assert (await read(api, plan))["planned"]["carried_out_as"] == [call.json["id"], sms.json["id"]]
    members = (await api.get(f"/chains/{plan['chain']['id']}")).json["items"]
    assert {one["type"] for one in members} == {"planned", "phone_call", "sms"}


async def test_a_repeat_of_carrying_out_makes_nothing_twice(api: Api, plan: dict[str, Any]) -> None:
    answers = [await api.post(f"/interactions/{plan['id']}/carry-out", {}, idempotency_key="k") for _ in range(2)]

    assert answers[0].json == answers[1].json
    assert len((await read(api, plan))["planned"]["carried_out_as"]) == 1


async def test_what_is_no_open_plan_is_not_carried_out(api: Api, plan: dict[str, Any]) -> None:
    other = await add(api, type="meeting", topic="x")
    for body, status in [
        ({"type": "planned"}, 422),
        ({"chain_id": other["chain"]["id"]}, 422),
        ({"type": "email"}, 422),
    ]:
        assert (await api.post(f"/interactions/{plan['id']}/carry-out", body)).status == status
    assert (await api.post(f"/interactions/{other['id']}/carry-out", {"type": "sms"})).status == 409
    assert (await api.patch(f"/interactions/{plan['id']}", {"planned": {"state": "cancelled"}})).status == 200
    assert (await api.post(f"/interactions/{plan['id']}/carry-out", {})).status == 409
    assert (await read(api, plan))["planned"]["carried_out_as"] == []


async def test_facts_entered_by_hand_are_kept_and_changed(api: Api) -> None:
    meeting = await add(
        api, type="meeting", topic="x", meeting={"starts_at": "2027-01-15T10:00:00Z", "ends_at": "2027-01-15T11:00:00Z", "location": "Офис"}
    )  # fmt: skip
    call = await add(api, type="phone_call", topic="x", call={"result": "missed", "talk_seconds": 0})

    await api.patch(f"/interactions/{meeting['id']}", {"meeting": {"status": "held", "location": None}})

    changed = (await read(api, meeting))["meeting"]
    assert (changed["status"], changed["location"], changed["starts_at"]) == ("held", None, "2027-01-15T10:00:00Z")
    assert (call["call"]["result"], call["call"]["state"]) == ("missed", "ended")
    assert [one["id"] for one in (await api.get("/interactions?call_result=missed")).json["items"]] == [call["id"]]


async def test_facts_of_another_type_change_nothing(api: Api) -> None:
    meeting = await add(api, type="meeting", topic="x")

    await api.patch(f"/interactions/{meeting['id']}", {"planned": {"state": "done"}})

    assert (await read(api, meeting))["meeting"] == meeting["meeting"]
    assert meeting["meeting"] == {
        "starts_at": None,
        "ends_at": None,
        "location": None,
        "ical_uid": None,
        "status": "planned",
    }


async def test_a_record_can_be_sent_back_as_it_was_read(api: Api, plan: dict[str, Any]) -> None:
    assert (await api.patch(f"/interactions/{plan['id']}", plan)).status == 200

    now = await read(api, plan)
    assert now["planned"] == plan["planned"]
    assert now["participants"] == plan["participants"]


@pytest.mark.parametrize(
    "facts",
    [
        {"type": "meeting", "meeting": {"starts_at": "2027-01-15T10:00:00Z", "ends_at": "2027-01-14T10:00:00Z"}},
        {"type": "meeting", "meeting": {"starts_at": "завтра"}},
        {"type": "meeting", "meeting": {"starts_at": "2027-01-15T10:00:00"}},
        {"type": "meeting", "meeting": {"colour": "red"}},
        {"type": "meeting", "planned": {"due_at": "2027-01-15T10:00:00Z"}},
        {"type": "planned", "planned": {"repeats": "FREQ=SOMETIMES"}},
        {"type": "planned", "planned": {"repeats": "FREQ=DAILY\nDTSTART:20200101"}},
        {"type": "planned", "planned": {"intended_type": "fax"}},
        {"type": "phone_call", "call": {"result": "great"}},
        {"type": "phone_call", "call": {"talk_seconds": -1}},
        {"type": "sms", "sms": {"text": "x" * 10_001}},
        {"type": "sms", "sms": {"text": "a\x00b"}},
    ],
)
async def test_facts_that_can_not_be_are_refused(api: Api, facts: dict[str, Any]) -> None:
    answer = await api.post("/interactions", {"topic": "x", **facts})

    assert (answer.status, answer.json["code"]) == (422, "invalid")


async def plans_of(api: Api, chain_id: str) -> list[tuple[str, str | None, str]]:
    """When each plan of a chain is due, its rule and its state."""
    items = (await api.get(f"/interactions?chain={chain_id}&type=planned&order=oldest")).json["items"]
    return [(one["planned"]["due_at"], one["planned"]["repeats"], one["planned"]["state"]) for one in items]


async def test_a_plan_that_repeats_is_followed_by_the_next_one_once(api: Api, plan: dict[str, Any]) -> None:
    chain = plan["chain"]["id"]
    for _ in range(2):  # carried out as two things, done once
        assert (await api.post(f"/interactions/{plan['id']}/carry-out", {})).status == 201

    after_first = await plans_of(api, chain)
    second = (await api.get(f"/interactions?chain={chain}&type=planned&status=to_review")).json["items"][0]
    await api.patch(f"/interactions/{second['id']}", {"planned": {"state": "done"}})
    await api.patch(f"/interactions/{second['id']}", {"planned": {"state": "done"}})
    after_second = await plans_of(api, chain)

    assert after_first == [
        ("2027-01-15T07:00:00Z", "FREQ=WEEKLY;COUNT=3", "done"),
        ("2027-01-22T07:00:00Z", "FREQ=WEEKLY;COUNT=2", "open"),
    ]
    assert after_second[1:] == [
        ("2027-01-22T07:00:00Z", "FREQ=WEEKLY;COUNT=2", "done"),
        ("2027-01-29T07:00:00Z", None, "open"),
    ]
    assert (second["topic"], second["participants"][0]["address"]) == ("Показать каталог", "(495) 6329816")
    assert second["planned"]["intended_type"] == "meeting"


async def test_a_series_that_is_cancelled_ends(api: Api, plan: dict[str, Any]) -> None:
    await api.patch(f"/interactions/{plan['id']}", {"planned": {"state": "cancelled"}})

    assert [state for _, _, state in await plans_of(api, plan["chain"]["id"])] == ["cancelled"]


@pytest.mark.parametrize("rule", ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY", "FREQ=WEEKLY;BYDAY=XX", "x"])
async def test_a_rule_that_never_comes_or_too_often_is_refused(api: Api, rule: str) -> None:
    answer = await api.post(
        "/interactions",
        {"type": "planned", "topic": "x", "planned": {"due_at": "2027-01-15T10:00:00Z", "repeats": rule}},
    )

    assert (answer.status, answer.json["code"]) == (422, "invalid")
