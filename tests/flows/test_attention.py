"""На контроле and отложенные: what is marked wakes at its time or with an answer, once, and is told to the feed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.attention import remind
from storage import feed
from storage.database import Database
from tests.fakes.api import Api, add_contact, make_api

PAST = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
FUTURE = "2030-01-01T09:00:00Z"


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def read(api: Api, one: dict[str, Any]) -> dict[str, Any]:
    return dict((await api.get(f"/interactions/{one['id']}")).json)


async def call(api: Api, **more: object) -> dict[str, Any]:
    person = {"role": "subscriber", "display_name": "Иван", "address": "+7 916 123-45-67"}
    answer = await api.post("/interactions", {"type": "phone_call", "direction": "outgoing", "topic": "Цена", "participants": [person], **more})  # fmt: skip
    assert answer.status == 201, answer.body
    return dict(answer.json)


async def sms_comes_in(api: Api) -> None:
    event = {"event": "sms", "id": "s1", "direction": "in", "from": "89161234567", "to": "+74951234567", "text": "Да"}
    assert (await api.hook(event)).status == 200
    await api.work_off()


async def pass_time(api: Api) -> int:
    return await api.serving.database.in_transaction(remind)


async def told(api: Api) -> list[str]:
    await api.serving.database.in_transaction(feed.number)
    return [one["type"] for one in (await api.get("/events?limit=200")).json["items"]]


async def test_a_mark_is_set_read_and_taken_away(api: Api) -> None:
    one = await call(api)
    assert one["on_control"] is None

    marked = await api.patch(f"/interactions/{one['id']}", {"on_control": {"wake_at": FUTURE, "until_reply": True}})
    assert marked.json["on_control"] == {"wake_at": FUTURE, "until_reply": True}

    assert (await api.patch(f"/interactions/{one['id']}", {"on_control": None})).json["on_control"] is None


async def test_what_is_marked_wakes_at_its_time_exactly_once(api: Api) -> None:
    one, later = await call(api, reviewed=True), await call(api, reviewed=True)
    await api.patch(f"/interactions/{one['id']}", {"on_control": {"wake_at": PAST}})
    await api.patch(f"/interactions/{later['id']}", {"on_control": {"wake_at": FUTURE}})

    assert [await pass_time(api), await pass_time(api)] == [1, 0]

    woken = await read(api, one)
    assert (woken["reviewed"], woken["on_control"]) == (False, None)
    assert (await read(api, later))["on_control"] is not None
    assert (await told(api)).count("reminder.due") == 1


async def test_an_answer_ends_waiting_for_it(api: Api) -> None:
    await add_contact(api, "Иван", "individual", phones=["+7 916 123-45-67"])
    offer = await call(api)
    await api.patch(f"/interactions/{offer['id']}", {"on_control": {"wake_at": FUTURE, "until_reply": True}})

    await sms_comes_in(api)

    answered = await read(api, offer)
    assert answered["on_control"] is None
    assert answered["chain"]["size"] == 2
    assert await pass_time(api) == 0


async def test_a_new_event_in_the_chain_wakes_what_was_put_off(api: Api) -> None:
    await add_contact(api, "Иван", "individual", phones=["+7 916 123-45-67"])
    one = await call(api)
    await api.patch(f"/interactions/{one['id']}", {"review_after": FUTURE})
    assert (await api.get("/interactions?status=to_review")).json["items"] == []

    await sms_comes_in(api)

    shown = (await api.get("/interactions?status=to_review")).json["items"]
    assert {record["type"] for record in shown} == {"phone_call", "sms"}


async def test_a_plan_that_comes_due_is_announced_once(api: Api) -> None:
    for due, state in [(PAST, "open"), (PAST, "cancelled"), (FUTURE, "open")]:
        body = {"type": "planned", "topic": due, "planned": {"due_at": due, "state": state}}
        assert (await api.post("/interactions", body)).status == 201

    assert [await pass_time(api), await pass_time(api)] == [1, 0]
    assert (await told(api)).count("reminder.due") == 1


@pytest.mark.parametrize("mark", [{"wake_at": "завтра"}, {"colour": 1}, {"wake_at": "2027-01-01T09:00:00"}, True])
async def test_a_mark_that_can_not_be_is_refused(api: Api, mark: object) -> None:
    one = await call(api)

    assert (await api.patch(f"/interactions/{one['id']}", {"on_control": mark})).status == 422
