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
