"""S9 to S16: a call, a mail-like meeting and an SMS in one chain; a deal made from it becomes the subject of all, with
all the participants; what comes later to the chain belongs to the deal too."""

from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.fakes.api import Api, add_contact, make_api

SHOP = 'Магазин "Бытовая техника (Москва)"'


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def record(api: Api, kind: str, topic: str, name: str, address: str = "", **more: object) -> dict[str, Any]:
    person = {"role": "attendee", "display_name": name, "address": address}
    answer = await api.post("/interactions", {"type": kind, "topic": topic, "participants": [person], **more})
    assert answer.status == 201, answer.body
    return dict(answer.json)


@pytest.fixture
async def chain(api: Api) -> list[dict[str, Any]]:
    """A client phones and asks for a catalogue, writes an SMS, and a meeting is held."""
    await add_contact(api, SHOP, phones=["+7 495 632-98-16"])
    call = await record(api, "phone_call", "Нужен каталог", SHOP, "(495) 6329816", direction="incoming")
    sms = await record(api, "sms", "Каталог", "Ольга", "+7 916 123-45-67", based_on_id=call["id"])
    meeting = await record(api, "meeting", "Встреча", "Иванов, по заявке", chain_id=call["chain"]["id"])
    return [call, sms, meeting]


async def subjects_of(api: Api, chain: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [(await api.get(f"/interactions/{one['id']}")).json["subject"] for one in chain]


async def test_a_chain_of_several_types_has_its_first_interaction_as_subject(
    api: Api, chain: list[dict[str, Any]]
) -> None:
    assert len({one["chain"]["id"] for one in chain}) == 1
    assert (
        await subjects_of(api, chain) == [{"kind": "interaction", "id": chain[0]["id"], "title": "Нужен каталог"}] * 3
    )


@pytest.mark.parametrize("origin", ["from_interaction_id", "from_chain_id"])
async def test_a_deal_takes_the_whole_chain(api: Api, chain: list[dict[str, Any]], origin: str) -> None:
    source = chain[1]["id"] if origin == "from_interaction_id" else chain[1]["chain"]["id"]

    answer = await api.post("/subjects", {"kind": "deal", "title": "Поставка", origin: source})

    assert answer.status == 201, answer.body
    deal = answer.json
    assert await subjects_of(api, chain) == [{"kind": "deal", "id": deal["id"], "title": "Поставка"}] * 3
    found = (await api.get(f"/interactions?subject={deal['id']}")).json["items"]
    assert {one["id"] for one in found} == {one["id"] for one in chain}
    names = [one["display_name"] for one in deal["participants"]]
    assert names == (["Ольга"] if origin == "from_interaction_id" else [SHOP, "Ольга", "Иванов, по заявке"])
    assert {one["origin"] for one in deal["participants"]} == {"copied"}
    if origin == "from_chain_id":
        assert deal["client"]["name"] == SHOP
        assert deal["participants"][0]["match"]["rule"] == "phone_exact"


async def test_what_comes_later_belongs_to_the_deal(api: Api, chain: list[dict[str, Any]]) -> None:
    deal = (await api.post("/subjects", {"kind": "deal", "title": "Поставка", "from_chain_id": chain[0]["chain"]["id"]})).json  # fmt: skip

    later = await record(api, "phone_call", "Ещё вопрос", "Ольга", based_on_id=chain[2]["id"])
    beside = await record(api, "meeting", "Другая цепочка", "Ольга", subject_id=deal["id"])

    assert later["subject"]["id"] == deal["id"]
    assert beside["chain"]["id"] != later["chain"]["id"]
    assert (await subjects_of(api, [beside]))[0]["id"] == deal["id"]


async def test_a_subject_set_on_any_member_moves_all_and_null_takes_it_away(
    api: Api, chain: list[dict[str, Any]]
) -> None:
    claim = (await api.post("/subjects", {"kind": "claim", "title": "Претензия"})).json

    assert (await api.patch(f"/interactions/{chain[2]['id']}", {"subject_id": claim["id"]})).status == 200
    assert {one["id"] for one in await subjects_of(api, chain)} == {claim["id"]}

    assert (await api.patch(f"/interactions/{chain[1]['id']}", {"subject_id": None})).status == 200
    assert {one["kind"] for one in await subjects_of(api, chain)} == {"interaction"}


async def test_a_claim_grows_into_a_deal_and_is_closed(api: Api, chain: list[dict[str, Any]]) -> None:
    claim = (await api.post("/subjects", {"kind": "claim", "title": "Брак", "external_ref": "1C-7"})).json

    changed = await api.patch(f"/subjects/{claim['id']}", {"kind": "deal", "state": "won"}, if_match='"1"')

    assert (changed.json["kind"], changed.json["state"]) == ("deal", "won")
    assert changed.json["closed_at"] is not None
    assert (await api.patch(f"/subjects/{claim['id']}", {"title": "x"}, if_match='"1"')).status == 412
    assert [one["id"] for one in (await api.get("/subjects?state=won")).json["items"]] == [claim["id"]]
    assert (await api.get("/subjects?state=open")).json["items"] == []


async def test_mistakes_are_told_with_their_paths(api: Api, chain: list[dict[str, Any]]) -> None:
    nobody = "00000000-0000-7000-8000-000000000000"
    for body, path in [
        ({"kind": "Сделка", "title": "x"}, "kind"),
        ({"kind": "interaction", "title": "x"}, "kind"),
        ({"kind": "deal"}, "title"),
        ({"kind": "deal", "title": ""}, "title"),
        ({"kind": "deal", "title": "x", "url": "javascript:alert(1)"}, "url"),
        ({"kind": "deal", "title": "x", "client_id": nobody}, "contact_id"),
        ({"kind": "deal", "title": "x", "state": "maybe"}, "state"),
    ]:
        answer = await api.post("/subjects", body)
        assert (answer.status, answer.json["code"]) == (422, "invalid"), body
        assert answer.json["errors"][0]["path"] == path

    assert (await api.post("/subjects", {"kind": "deal", "title": "x", "from_chain_id": nobody})).status == 404
    assert (await api.get(f"/subjects/{nobody}")).status == 404
    answer = await api.patch(f"/interactions/{chain[0]['id']}", {"subject_id": nobody})
    assert (answer.status, answer.json["errors"][0]["path"]) == (422, "subject_id")
    await api.post("/subjects", {"kind": "deal", "title": "x", "external_ref": "7"})
    assert (await api.post("/subjects", {"kind": "deal", "title": "y", "external_ref": "7"})).json["code"] == "conflict"
