"""One contact that was two: its addresses part, history follows, and all of it can be taken back or looked at before."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.fakes.api import Api, add_contact, make_api
from tests.fakes.arrivals import START, raw_mail


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path, scopes=("read", "write", "admin"))


async def main_contacts(api: Api) -> list[tuple[str, str | None]]:
    """The sender of each interaction by topic, and the contact that it shows."""
    items = (await api.get("/interactions?order=oldest")).json["items"]
    return [(one["topic"], one["contact"] and one["contact"]["name"]) for one in items]


async def two_in_one(api: Api) -> str:
    partner = await add_contact(api, "Shop")
    person = await add_contact(
        api, "Olga", "contact_person", emails=["olga@x.example", "petr@x.example"], phones=["8 916 123-45-67"],
        partner_id=str(partner),
    )  # fmt: skip
    await api.mails(
        raw_mail("1", "olga@x.example", subject="One"),
        raw_mail("2", "petr@x.example", subject="Two", at=START + timedelta(minutes=1)),
    )
    return str(person)


async def test_addresses_go_with_their_history_and_come_back(api: Api) -> None:
    person = await two_in_one(api)
    wanted: dict[str, Any] = {"name": "Petr", "emails": ["Petr@X.example"], "phones": ["+7 (916) 123 45 67"]}

    preview = await api.post(f"/contacts/{person}/preview", {"split": wanted})
    before = await main_contacts(api)
    done = await api.post(f"/contacts/{person}/split", wanted)
    after = await main_contacts(api)
    undone = await api.post(f"/undo/{done.json['undo']}", {})

    assert (preview.json["interactions"], preview.json["dry_run"]) == (1, True)
    assert before == [("One", "Olga"), ("Two", "Olga")]
    assert after == [("One", "Olga"), ("Two", "Petr")]
    new = done.json["contact"]
    assert ([one["address"] for one in new["emails"]], new["kind"]) == (["petr@x.example"], "contact_person")
    assert [one["name"] for one in new["partners"]] == ["Shop"]
    assert undone.status == 200
    assert await main_contacts(api) == before
    assert (await api.get(f"/contacts/{new['id']}")).json["code"] == "gone"


async def test_what_was_remembered_for_an_address_goes_along(api: Api) -> None:
    person = await two_in_one(api)
    other = await add_contact(api, "Second owner", "individual", emails=["petr@x.example"])
    ambiguous = (await api.get("/interactions?ambiguous=1")).json["items"]
    path = f"/interactions/{ambiguous[0]['id']}/participants/0/contact"
    assert (await api.ask("PUT", path, {"contact_id": person, "remember": "address"})).status == 200

    await api.post(f"/contacts/{person}/split", {"name": "Petr", "emails": ["petr@x.example"]})
    await api.mails(raw_mail("3", "petr@x.example", subject="Three", at=START + timedelta(minutes=2)))

    assert (await main_contacts(api))[-1] == ("Three", "Petr")
    assert other


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "Petr"}, "invalid"),
        ({"name": "Petr", "emails": ["stranger@x.example"]}, "invalid"),
        ({"name": "Petr", "emails": ["no address"]}, "invalid"),
        ({"name": "", "emails": ["petr@x.example"]}, "invalid"),
        ({"emails": ["petr@x.example"]}, "invalid"),
        ({"name": "Petr", "emails": ["petr@x.example"], "kind": "robot"}, "invalid"),
    ],
)
async def test_what_can_not_be_split_changes_nothing(api: Api, body: dict[str, Any], code: str) -> None:
    person = await two_in_one(api)

    refused = await api.post(f"/contacts/{person}/split", body)

    assert refused.json["code"] == code
    assert await main_contacts(api) == [("One", "Olga"), ("Two", "Olga")]


async def test_a_preview_counts_what_the_change_then_does_and_tells_nobody(api: Api) -> None:
    person = await two_in_one(api)
    stranger = await add_contact(api, "Stranger", "individual")
    feed = (await api.get("/events?after=0")).json["items"]

    previews = [
        await api.post(f"/contacts/{person}/preview", {"set": {"emails": ["olga@x.example"]}}),
        await api.post(f"/contacts/{person}/preview", {"delete": True}),
        await api.post(f"/contacts/{person}/preview", {"merge_into": str(stranger)}),
        await api.post(f"/contacts/{stranger}/preview", {"set": {"name": "Nobody"}}),
    ]
    wrong = [
        await api.post(f"/contacts/{person}/preview", {}),
        await api.post(f"/contacts/{person}/preview", {"delete": True, "merge_into": str(stranger)}),
        await api.post(f"/contacts/{person}/preview", {"set": {"emails": ["no address"]}}),
    ]

    assert [one.json["interactions"] for one in previews] == [1, 2, 2, 0]
    assert [one.json["code"] for one in wrong] == ["invalid"] * 3
    assert await main_contacts(api) == [("One", "Olga"), ("Two", "Olga")]
    assert (await api.get("/events?after=0")).json["items"] == feed


async def test_who_is_no_administrator_makes_no_colleague_of_a_customer(
    api: Api, database: Database, tmp_path: Path
) -> None:
    person = await two_in_one(api)
    member = await make_api(database, tmp_path / "member", scopes=("read", "write"))
    user = {"kind": "user", "name": "Petr", "emails": ["petr@x.example"]}
    colleague = (await api.post("/users", {"name": "Anna", "email": "anna@example.org", "role": "member"})).json["id"]

    refused = [
        await member.post("/contacts", user),
        await member.post(f"/contacts/{person}/split", user),
        await member.patch(f"/contacts/{person}", {"kind": "user"}),
        await member.patch(f"/contacts/{colleague}", {"emails": ["anna@example.org", "petr@x.example"]}),
    ]
    allowed = await member.patch(f"/contacts/{colleague}", {"comment": "kind"})

    assert [answer.json["code"] for answer in refused] == ["forbidden"] * 4
    assert allowed.status == 200
    assert await main_contacts(api) == [("One", "Olga"), ("Two", "Olga")]
