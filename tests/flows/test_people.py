"""S1: the history survives the people. Users, departments, absences with deputies, extensions; a leaver's open work is
handed over in one act, and closed records keep their responsible."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.fakes.api import Api, add_contact, make_api

NOBODY = "00000000-0000-7000-8000-000000000000"
PAST = (datetime.now(UTC) - timedelta(days=1)).isoformat()
FUTURE = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path, scopes=("read", "write", "admin"))


async def user(api: Api, name: str, **fields: object) -> dict[str, Any]:
    answer = await api.post("/users", {"email": f"{name}@example.org", "name": name.title(), **fields})
    assert answer.status == 201, answer.body
    return dict(answer.json)


async def sms(api: Api, number: str = "89161234567") -> dict[str, Any]:
    """An SMS to the line whose responsible is anna@example.org."""
    count = len((await api.get("/interactions")).json["items"])
    event = {"event": "sms", "id": f"s{count}", "direction": "in", "from": number, "to": "+74951234567", "text": "?"}
    await api.hook(event)
    await api.work_off()
    return dict((await api.get("/interactions")).json["items"][0])


async def test_a_user_is_made_read_and_changed(api: Api) -> None:
    office = (await api.post("/departments", {"name": "Продажи"})).json
    anna = await user(api, "anna", role="admin", department_id=office["id"], timezone="Asia/Omsk", language="ru")
    assert (anna["name"], anna["role"], anna["department_id"], anna["timezone"]) == ("Anna", "admin", office["id"], "Asia/Omsk")  # fmt: skip

    numbers = [{"source": "main", "extension": "101", "since": "2026-01-01T00:00:00Z", "until": None}]
    changed = await api.patch(f"/users/{anna['id']}", {"name": "Анна", "extensions": numbers, "absent_from": FUTURE})
    assert changed.status == 200, changed.body
    assert (changed.json["name"], changed.json["extensions"]) == ("Анна", numbers)
    assert changed.json["absent_from"] is not None
    assert (await api.patch(f"/users/{anna['id']}", changed.json)).json == changed.json
    assert (await api.patch(f"/users/{anna['id']}", {"absent_from": None})).json["absent_from"] is None
    assert [one["email"] for one in (await api.get("/users")).json["items"]] == ["anna@example.org"]


async def test_a_user_who_left_still_has_a_name_in_the_history(api: Api) -> None:
    anna = await user(api, "anna")
    message = await sms(api)
    assert message["responsible"]["id"] == anna["id"]

    assert (await api.patch(f"/users/{anna['id']}", {"disabled": True})).json["disabled_at"] is not None

    assert (await api.get(f"/interactions/{message['id']}")).json["responsible"] == {"id": anna["id"], "name": "Anna"}
    assert (await sms(api, "89161234568"))["responsible"] is None


async def test_who_is_away_is_stood_in_for_by_the_deputy_else_by_the_head(api: Api) -> None:
    boris, clara = await user(api, "boris"), await user(api, "clara")
    office = (await api.post("/departments", {"name": "Продажи", "head_id": clara["id"]})).json
    anna = await user(api, "anna", department_id=office["id"], deputy_id=boris["id"])
    assert (await sms(api, "89161234561"))["responsible"]["id"] == anna["id"]

    await api.patch(f"/users/{anna['id']}", {"absent_from": PAST, "absent_until": FUTURE})
    assert (await sms(api, "89161234562"))["responsible"]["id"] == boris["id"]

    await api.patch(f"/users/{boris['id']}", {"disabled": True})
    assert (await sms(api, "89161234563"))["responsible"]["id"] == clara["id"]

    await api.patch(f"/users/{anna['id']}", {"absent_from": FUTURE, "absent_until": None})
    assert (await sms(api, "89161234564"))["responsible"]["id"] == anna["id"]


async def test_open_work_is_handed_over_and_closed_records_stay(api: Api) -> None:
    anna, boris = await user(api, "anna"), await user(api, "boris")
    partner = await add_contact(api, "Магазин", responsible_id=anna["id"])
    mine = {"type": "meeting", "responsible_id": anna["id"]}
    still_open = (await api.post("/interactions", {**mine, "topic": "открыто"})).json
    closed = (await api.post("/interactions", {**mine, "topic": "закрыто", "reviewed": True})).json
    deal = (await api.post("/subjects", {"kind": "deal", "title": "Д", "responsible_id": anna["id"]})).json
    won = (
        await api.post("/subjects", {"kind": "deal", "title": "В", "responsible_id": anna["id"], "state": "won"})
    ).json

    async def owners() -> list[str]:
        paths = [f"/interactions/{still_open['id']}", f"/interactions/{closed['id']}", f"/subjects/{deal['id']}", f"/subjects/{won['id']}"]  # fmt: skip
        found = [(await api.get(path)).json["responsible"]["name"] for path in paths]
        return [(await api.get(f"/contacts/{partner}")).json["responsible"]["name"], *found]

    answer = await api.post(f"/users/{anna['id']}/handover", {"to": boris["id"]})

    assert answer.status == 200, answer.body
    assert {name: answer.json[name] for name in ("contacts", "interactions", "subjects")} == {"contacts": 1, "interactions": 1, "subjects": 1}  # fmt: skip
    assert await owners() == ["Boris", "Boris", "Anna", "Boris", "Anna"]
    assert (await api.post(f"/undo/{answer.json['undo']}", {})).status == 200
    assert await owners() == ["Anna"] * 5


async def test_only_an_administrator_changes_users(api: Api, database: Database, tmp_path: Path) -> None:
    anna = await user(api, "anna")
    other = await make_api(database, tmp_path)
    for path, body in [
        ("/users", {"email": "x@example.org", "role": "admin"}),
        ("/departments", {"name": "x"}),
        (f"/users/{anna['id']}/handover", {"to": anna["id"]}),
    ]:
        assert (await other.post(path, body)).json["code"] == "forbidden"
    assert (await other.patch(f"/users/{anna['id']}", {"role": "admin"})).status == 403
    assert (await other.get("/users")).status == 200


async def test_mistakes_are_told_with_their_paths(api: Api) -> None:
    anna = await user(api, "anna")
    for method, path, body, status in [
        ("POST", "/users", {"email": "anna@example.org"}, 409),
        ("POST", "/users", {"email": "nobody"}, 422),
        ("POST", "/users", {"email": "x@example.org", "role": "king"}, 422),
        ("PATCH", f"/users/{anna['id']}", {"timezone": "Mars/Base"}, 422),
        ("PATCH", f"/users/{anna['id']}", {"deputy_id": anna["id"]}, 422),
        ("PATCH", f"/users/{anna['id']}", {"deputy_id": NOBODY}, 422),
        ("PATCH", f"/users/{anna['id']}", {"department_id": NOBODY}, 422),
        ("PATCH", f"/users/{anna['id']}", {"absent_from": FUTURE, "absent_until": PAST}, 422),
        ("PATCH", f"/users/{NOBODY}", {"name": "x"}, 404),
        ("GET", f"/users/{NOBODY}", None, 404),
        ("POST", f"/users/{anna['id']}/handover", {"to": anna["id"]}, 409),
        ("POST", f"/users/{anna['id']}/handover", {"to": NOBODY}, 404),
        ("POST", "/departments", {"name": "x", "parent_id": NOBODY}, 422),
        ("POST", "/departments", {"name": "x", "head_id": NOBODY}, 422),
        ("PATCH", f"/departments/{NOBODY}", {"name": "x"}, 404),
    ]:
        answer = await api.ask(method, path, body)
        assert answer.status == status, (path, body, answer.body)


async def test_a_department_is_not_its_own_ancestor(api: Api) -> None:
    one = (await api.post("/departments", {"name": "1"})).json
    two = (await api.post("/departments", {"name": "2", "parent_id": one["id"]})).json

    assert (await api.patch(f"/departments/{one['id']}", {"parent_id": two["id"]})).status == 422
    assert (await api.patch(f"/departments/{one['id']}", {"name": "Первый"})).json["name"] == "Первый"
