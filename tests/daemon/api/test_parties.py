"""Links that are wrong or missing, over HTTP: decided by a person, remembered, and taken back."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from storage.database import Database
from tests.fakes.api import Api, add_contact, make_api

PHONE = "(495) 6329816"


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def call(api: Api, address: str = PHONE, **more: object) -> str:
    """A call from this number; the id of its record."""
    people = [{"role": "subscriber", "display_name": "Магазин", "address": address}]
    answer = await api.post("/interactions", {"type": "phone_call", "topic": "x", "participants": people, **more})
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


async def decide(api: Api, interaction: str, contact: object, remember: str = "no", n: int = 0) -> Any:
    body = {"contact_id": str(contact) if contact else None, "remember": remember}
    return await api.ask("PUT", f"/interactions/{interaction}/participants/{n}/contact", body)


async def link(api: Api, interaction: str) -> tuple[str | None, str, str]:
    """Whom the first participant leads to, by which rule, of which origin."""
    one = (await api.get(f"/interactions/{interaction}")).json["participants"][0]
    return one["contact"] and one["contact"]["name"], one["match"]["rule"], one["match"]["origin"]


async def events(api: Api) -> list[tuple[str, str]]:
    async with api.serving.database.connection() as db:
        return [
            (row["type"], str(row["ref"])) for row in await db.fetch("SELECT type, ref FROM feed ORDER BY position")
        ]


async def take_back(api: Api, token: str) -> None:
    answer = await api.post(f"/undo/{token}", {})
    assert (answer.status, answer.json) == (200, {"undone": "contacts"})


async def test_a_link_by_hand_stands_above_the_address_and_can_be_taken_back(api: Api) -> None:
    owner, other = await add_contact(api, "Хозяин", phones=[PHONE]), await add_contact(api, "Другой")
    first, second = await call(api), await call(api)

    answer = await decide(api, first, other)

    assert (answer.status, answer.json["contact"]["name"]) == (200, "Другой")
    assert answer.headers["etag"] == '"2"'
    assert await link(api, first) == ("Другой", "manual", "manual")
    assert await link(api, second) == ("Хозяин", "phone_exact", "automatic")
    assert (await events(api))[-1] == ("interaction.updated", first)

    await api.patch(f"/contacts/{owner}", {"phones": []})
    assert (await link(api, first))[0] == "Другой"
    await api.patch(f"/contacts/{owner}", {"phones": [PHONE]})

    await take_back(api, answer.json["undo"])
    assert await link(api, first) == ("Хозяин", "phone_exact", "automatic")


async def test_a_decision_is_remembered_for_the_address_everywhere(api: Api) -> None:
    await add_contact(api, "Один", phones=[PHONE])
    other = await add_contact(api, "Другой", phones=[PHONE])
    first, second = await call(api), await call(api)
    assert await link(api, second) == (None, "none", "automatic")

    answer = await decide(api, first, other, "address")

    assert await link(api, second) == ("Другой", "remembered", "automatic")
    assert await link(api, await call(api)) == ("Другой", "remembered", "automatic")
    assert (await api.get(f"/contacts/lookup?phone={PHONE[6:]}")).status == 200

    await take_back(api, answer.json["undo"])
    assert [await link(api, one) for one in (first, second)] == [(None, "none", "automatic")] * 2


async def test_nobody_we_know_is_remembered_for_the_chain(api: Api) -> None:
    await add_contact(api, "Хозяин", phones=[PHONE])
    first, elsewhere = await call(api), await call(api)
    chain = (await api.get(f"/interactions/{first}")).json["chain"]["id"]
    before = await call(api, chain_id=chain)

    answer = await decide(api, first, None, "chain")
    later = await call(api, chain_id=chain)

    assert await link(api, first) == (None, "manual", "manual")
    assert [await link(api, one) for one in (before, later)] == [(None, "remembered", "automatic")] * 2
    assert (await link(api, elsewhere))[0] == "Хозяин"

    await take_back(api, answer.json["undo"])
    assert [(await link(api, one))[0] for one in (first, before)] == ["Хозяин"] * 2


async def test_what_cannot_be_decided_is_refused_with_its_place(api: Api) -> None:
    first, nameless = await call(api), await call(api, "")
    wrong = [
        (await decide(api, first, uuid4()), 422, "contact_id"),
        (await decide(api, first, "no uuid"), 422, "contact_id"),
        (await decide(api, nameless, None, "address"), 422, "remember"),
        (await decide(api, first, None, "for ever"), 422, "remember"),
    ]

    assert [(answer.status, answer.json["errors"][0]["path"]) for answer, _, _ in wrong] == [
        (status, path) for _, status, path in wrong
    ]
    assert (await decide(api, first, None, n=7)).status == 404
    assert (await decide(api, str(uuid4()), None)).status == 404
    assert (await api.post("/undo/nothing", {})).status == 404


async def parties(api: Api, query: str = "") -> list[tuple[str, int]]:
    """The keys of the list, with their counts."""
    answer = await api.get(f"/parties{query}")
    assert answer.status == 200, answer.body
    return [(one["key"], one["count"]) for one in answer.json["items"]]


async def party_of(api: Api, key: str) -> str:
    return str(next(one["id"] for one in (await api.get("/parties")).json["items"] if one["key"] == key))


async def test_who_is_nobody_yet_is_listed_with_all_it_said(api: Api) -> None:
    await add_contact(api, "Известный", phones=["+7 916 123-45-67"])
    await call(api, "+7 916 123-45-67")
    await call(api, occurred_at="2026-11-20T10:00:00Z")
    await call(api, "8 495 632 98 16", occurred_at="2026-11-21T10:00:00Z")
    gone = await call(api, "someone@x.example")
    await api.ask("DELETE", f"/interactions/{gone}")

    [one] = (await api.get("/parties")).json["items"]

    assert {name: one[name] for name in ("kind", "key", "address", "display_name", "count", "last_at", "candidates")} == {
        "kind": "phone", "key": "+74956329816", "address": "8 495 632 98 16", "display_name": "Магазин", "count": 2,
        "last_at": "2026-11-21T10:00:00Z", "candidates": [],
    }  # fmt: skip
    assert await parties(api, "?kind=email") == []
    timeline = (await api.get(f"/parties/{one['id']}/timeline?limit=1")).json
    assert len(timeline["items"]) == 1
    rest = (await api.get(f"/parties/{one['id']}/timeline?cursor={timeline['next']}")).json
    assert [len(rest["items"]), rest["next"]] == [1, None]


async def test_pages_of_parties_miss_nobody(api: Api) -> None:
    for n in range(5):
        await call(api, f"a{n}@x.example")

    seen, cursor = [], ""
    while True:
        page = (await api.get(f"/parties?limit=2{cursor}")).json
        seen += [one["key"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert seen == [f"a{n}@x.example" for n in (4, 3, 2, 1, 0)]


async def test_a_party_that_nobody_wants_to_see_is_ignored_and_comes_back(api: Api) -> None:
    await call(api)
    party = await party_of(api, "+74956329816")

    assert (await api.patch(f"/parties/{party}", {"ignored": True})).json["ignored"] is True
    assert (await parties(api), await parties(api, "?ignored=true")) == ([], [("+74956329816", 1)])

    await api.patch(f"/parties/{party}", {"ignored": False})
    assert await parties(api) == [("+74956329816", 1)]


async def test_a_party_becomes_the_address_of_a_contact_with_its_whole_history(api: Api) -> None:
    first, second = await call(api), await call(api, "8 (495) 632-98-16")
    shop = await add_contact(api, "Магазин")

    answer = await api.post(f"/parties/{await party_of(api, '+74956329816')}/attach", {"contact_id": str(shop)})

    assert answer.status == 200, answer.body
    assert [await link(api, one) for one in (first, second)] == [("Магазин", "phone_exact", "automatic")] * 2
    assert {("interaction.updated", one) for one in (first, second)} <= set(await events(api))
    assert (await api.get(f"/contacts/{shop}")).json["phones"][0]["address"] == "8 (495) 632-98-16"
    assert await parties(api) == []

    await take_back(api, answer.json["undo"])
    assert [await link(api, one) for one in (first, second)] == [(None, "none", "automatic")] * 2
    assert (await api.get(f"/contacts/{shop}")).json["phones"] == []


async def test_a_party_becomes_a_contact_of_its_own(api: Api) -> None:
    first = await call(api, "ivan@shop.example")
    shop = await add_contact(api, "Магазин")
    body = {"kind": "contact_person", "name": "Иван", "partner_id": str(shop)}

    answer = await api.post(f"/parties/{await party_of(api, 'ivan@shop.example')}/promote", body)

    assert (answer.status, answer.json["contact"]["emails"][0]["key"]) == (201, "ivan@shop.example"), answer.body
    found = (await api.get(f"/interactions/{first}")).json
    assert (found["contact"]["name"], found["partner"]["name"]) == ("Иван", "Магазин")

    await take_back(api, answer.json["undo"])
    assert await link(api, first) == (None, "none", "automatic")
    assert (await api.get(f"/contacts/{answer.json['contact']['id']}")).status == 410


async def test_attaching_one_of_several_owners_is_remembered(api: Api) -> None:
    await add_contact(api, "Один", phones=[PHONE])
    other = await add_contact(api, "Другой", phones=[PHONE])
    first = await call(api)
    assert await parties(api, "?ambiguous=true") == [("+74956329816", 1)]

    answer = await api.post(f"/parties/{await party_of(api, '+74956329816')}/attach", {"contact_id": str(other)})

    assert await link(api, first) == ("Другой", "remembered", "automatic")
    await take_back(api, answer.json["undo"])
    assert await link(api, first) == (None, "none", "automatic")


async def test_what_is_somebody_already_is_no_party(api: Api) -> None:
    await call(api)
    party = await party_of(api, "+74956329816")
    shop = await add_contact(api, "Магазин", phones=[PHONE])
    own = await call(api, "sales@example.org")
    async with api.serving.database.connection() as db:
        ours = await db.fetchval("SELECT id FROM address WHERE value = 'sales@example.org'")

    attach = {"contact_id": str(shop)}
    assert (await api.post(f"/parties/{party}/attach", attach)).status == 409
    assert (await api.post(f"/parties/{ours}/attach", attach)).status == 409
    assert (await api.post(f"/parties/{uuid4()}/attach", attach)).status == 404
    assert (await api.get(f"/parties/{uuid4()}")).status == 404
    assert own


async def test_a_change_taken_back_after_another_change_is_refused(api: Api) -> None:
    await call(api)
    shop = await add_contact(api, "Магазин")
    answer = await api.post(f"/parties/{await party_of(api, '+74956329816')}/attach", {"contact_id": str(shop)})
    await api.patch(f"/contacts/{shop}", {"name": "Магазин 2"})

    refused = await api.post(f"/undo/{answer.json['undo']}", {})

    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert (await api.get(f"/contacts/{shop}")).json["phones"]


async def test_many_addresses_are_decided_at_once_and_taken_back(api: Api) -> None:
    others = ("+7 916 123-45-67", "nobody@x.example")
    first = await add_contact(api, "Один", phones=[PHONE, others[0]])
    second = await add_contact(api, "Другой", phones=[PHONE, others[0]])
    calls = [await call(api, address) for address in (PHONE, *others)]
    listed = {one["key"]: one["id"] for one in (await api.get("/parties")).json["items"]}
    choices = [
        {"party_id": listed["+74956329816"], "contact_id": str(first)},
        {"party_id": listed["+79161234567"], "contact_id": str(second)},
        {"party_id": listed["nobody@x.example"], "contact_id": None},
    ]

    answer = await api.post("/parties/resolve", {"choices": choices})

    assert (answer.status, answer.json["resolved"]) == (200, 3), answer.body
    assert [await link(api, one) for one in calls] == [
        ("Один", "remembered", "automatic"), ("Другой", "remembered", "automatic"), (None, "remembered", "automatic"),
    ]  # fmt: skip
    assert await parties(api, "?ambiguous=true") == []

    await take_back(api, answer.json["undo"])
    assert [await link(api, one) for one in calls] == [(None, "none", "automatic")] * 3

    wrong = [*choices, {"party_id": listed["nobody@x.example"], "contact_id": str(uuid4())}]
    assert (await api.post("/parties/resolve", {"choices": wrong})).status == 422
    assert (await api.post("/parties/resolve", {"choices": [{**choices[0], "party_id": str(uuid4())}]})).status == 404
    assert len(await parties(api, "?ambiguous=true")) == 2
