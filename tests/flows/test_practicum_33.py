"""The owner's own example: an incoming call from a shop that asks for advice, entered in each of the three ways."""

from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from storage.database import Database
from tests.fakes.api import Api, add_contact, make_api

SHOP = 'Магазин "Бытовая техника (Москва)"'
TEXTS = {
    "topic": "Консультация",
    "description": "Консультация по поводу покупки бытовой техники",
    "importance": "normal",
    "reviewed": True,
}
SUBSCRIBER = {"role": "subscriber", "display_name": SHOP, "address": "(495) 6329816"}
SEARCHES = ["6329816", "495 632-98-16", "бытовая техника", "консультации"]


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


@pytest.fixture
async def shop(api: Api) -> UUID:
    return await add_contact(api, SHOP, phones=["+7 495 632-98-16"])


async def from_form(api: Api, shop: UUID) -> str:
    """Route A: a person chose the contact."""
    body = {"type": "phone_call", "direction": "incoming", **TEXTS, "participants": [{**SUBSCRIBER, "contact_id": str(shop)}]}  # fmt: skip
    answer = await api.post("/interactions", body)
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


async def from_webhook(api: Api, _: UUID) -> str:
    """Route B: the exchange tells of the call, a person writes the rest."""
    event = {"event": "newCall", "callId": "33", "direction": "in", "from": "84956329816", "to": "+74951234567"}
    assert (await api.hook(event)).status == 200
    await api.work_off()
    [call] = (await api.get("/interactions?type=phone_call")).json["items"]
    answer = await api.patch(f"/interactions/{call['id']}", {**TEXTS, "participants": [SUBSCRIBER]})
    assert answer.status == 200, answer.body
    await api.hook({**event, "event": "answer"})
    await api.hook({**event, "event": "hangup", "cause": "normalClearing"})
    await api.work_off()  # what comes later of the call takes nothing back that a person wrote
    return str(call["id"])


async def from_program(api: Api, _: UUID) -> str:
    """Route C: the contact is left to us."""
    body = {"type": "phone_call", "direction": "incoming", **TEXTS, "participants": [SUBSCRIBER]}
    answer = await api.post("/interactions", body)
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


ROUTES = {"A": from_form, "B": from_webhook, "C": from_program}


@pytest.fixture(params=ROUTES)
async def record(request: pytest.FixtureRequest, api: Api, shop: UUID) -> dict[str, Any]:
    call_id = await ROUTES[request.param](api, shop)
    found: dict[str, Any] = (await api.get(f"/interactions/{call_id}")).json
    return {**found, "route": request.param}


async def test_all_fields_are_there_byte_for_byte(record: dict[str, Any]) -> None:
    assert record["type"] == "phone_call"
    assert record["direction"] == "incoming"
    assert {name: record[name] for name in TEXTS} == TEXTS
    subscriber = record["participants"][0]
    assert {name: subscriber[name] for name in SUBSCRIBER} == SUBSCRIBER
    assert subscriber["key"] == "+74956329816"


async def test_the_contact_is_the_shop_and_it_is_said_why(record: dict[str, Any], shop: UUID) -> None:
    [subscriber] = [one for one in record["participants"] if one["role"] == "subscriber"]

    assert record["contact"] == {"id": str(shop), "kind": "partner", "name": SHOP, "partner_id": None}
    assert record["partner"] == {"id": str(shop), "name": SHOP}
    chosen = record["route"] == "A"
    assert subscriber["match"]["rule"] == ("manual" if chosen else "phone_exact")
    assert subscriber["match"]["origin"] == ("manual" if chosen else "automatic")


async def test_it_is_its_own_subject_in_a_chain_of_its_own(record: dict[str, Any]) -> None:
    assert record["subject"] == {"kind": "interaction", "id": record["id"], "title": "Консультация"}
    assert record["chain"]["root_id"] == record["id"]


@pytest.mark.parametrize("q", SEARCHES)
async def test_it_is_found(api: Api, record: dict[str, Any], q: str) -> None:
    found = (await api.get(f"/interactions?q={quote(q)}")).json["items"]

    assert [one["id"] for one in found] == [record["id"]]


async def test_other_words_and_numbers_do_not_find_it(api: Api, record: dict[str, Any]) -> None:
    for q in ("6329817", "холодильник", "ivan@example.org"):
        assert (await api.get(f"/interactions?q={quote(q)}")).json["items"] == []
