"""Chains, sources, users, quarantine and the feed over HTTP."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from storage import feed, quarantine, sources
from storage.database import Database
from storage.quarantine import Kept
from tests.fakes.api import CONFIG, Api, add_contact, make_api
from tests.fakes.arrivals import raw_mail
from tests.fakes.rows import user


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def numbered(api: Api) -> None:
    while await api.serving.database.in_transaction(feed.number):
        pass


# Chains


async def test_a_chain_is_its_members_in_time_order(api: Api) -> None:
    at = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    second, first = raw_mail("2", reply_to="1", at=at + timedelta(hours=1)), raw_mail("1", at=at)
    ids = await api.mails(second, first)
    record = (await api.get(f"/interactions/{ids[1]}")).json

    chain = (await api.get(f"/chains/{record['chain']['id']}")).json

    assert [one["id"] for one in chain["items"]] == [str(one) for one in ids]
    assert (chain["id"], chain["root_id"], chain["next"]) == (record["chain"]["id"], str(ids[0]), None)
    assert chain["url"] == f"https://crm.example.org/chains/{chain['id']}"
    assert all("excerpt" in one and "body_text" not in one["email"] for one in chain["items"])


async def test_a_long_chain_comes_in_pages(api: Api) -> None:
    first = (await api.post("/interactions", {"type": "sms", "topic": "0"})).json
    for n in range(1, 5):
        await api.post("/interactions", {"type": "sms", "topic": str(n), "based_on_id": first["id"]})
    path = f"/chains/{first['chain']['id']}?limit=2"

    seen: list[str] = []
    page = (await api.get(path)).json
    while True:
        seen += [one["topic"] for one in page["items"]]
        if page["next"] is None:
            break
        page = (await api.get(f"{path}&cursor={page['next']}")).json

    assert seen == ["0", "1", "2", "3", "4"]
    assert (await api.get(f"{path}&cursor=x")).status == 422


async def test_the_id_of_a_merged_chain_leads_to_where_it_went(api: Api) -> None:
    second, third = raw_mail("2", reply_to="1"), raw_mail("3", reply_to="2")
    [one] = await api.mails(third)
    old = (await api.get(f"/interactions/{one}")).json["chain"]["id"]
    await api.mails(raw_mail("1"))
    await api.mails(second)  # the missing link

    chain = (await api.get(f"/chains/{old}")).json

    assert len(chain["items"]) == 3


async def test_a_chain_that_is_not_there_is_not_found(api: Api) -> None:
    assert (await api.get(f"/chains/{uuid4()}")).json["code"] == "not_found"
    assert (await api.get("/chains/x")).json["code"] == "invalid"


# Sources, users, quarantine


async def test_sources_tell_how_they_are(api: Api) -> None:
    again = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    async with api.serving.database.connection() as db:
        await sources.report(db, "sales", "needs_reauth", "the password is wrong", again, 20, 100)

    sales, main = (await api.get("/sources")).json["items"]

    assert {name: sales[name] for name in ("name", "kind", "type", "state", "detail", "next_try", "progress")} == {
        "name": "sales", "kind": "mailbox", "type": "imap", "state": "needs_reauth", "detail": "the password is wrong",
        "next_try": "2026-11-23T09:30:00Z",
        "progress": {"done": 20, "total": 100, "per_second": None, "seconds_left": None},
    }  # fmt: skip
    assert sales["since"].endswith("Z")
    assert (main["name"], main["type"], main["last_success"], main["audited_at"]) == ("main", "generic", None, None)


async def test_a_source_that_catches_up_tells_its_rate_and_how_long_it_will_take(api: Api) -> None:
    async with api.serving.database.connection() as db:
        await sources.report(db, "sales", "catching_up", "", None, 0, 1000)
        await sources.report(db, "sales", "catching_up", "", None, 400, 1000)
        await db.execute("UPDATE source SET counted_since = counted_at - interval '20 s'")

    sales, _ = (await api.get("/sources")).json["items"]

    assert sales["progress"] == {"done": 400, "total": 1000, "per_second": 20.0, "seconds_left": 30}


async def test_users_are_named_without_anything_secret(api: Api) -> None:
    async with api.serving.database.connection() as db:
        anna = await user(db, "Anna")
        await db.execute("UPDATE login SET password_hash = 'canary', disabled_at = now()")

    answer = await api.get("/users")

    [found] = answer.json["items"]
    assert (found["id"], found["name"], found["email"], found["role"]) == (str(anna), "Anna", "anna@example.org", "member")  # fmt: skip
    assert found["disabled_at"].endswith("Z")
    assert b"canary" not in answer.body


async def test_the_quarantine_tells_its_reasons(api: Api) -> None:
    async with api.serving.database.connection() as db:
        await quarantine.add_mails(db, "sales", [Kept(uuid4(), "it is too deep", {"folder": "INBOX", "uid": 7}, b"x" * 32)])  # fmt: skip

    [found] = (await api.get("/quarantine")).json["items"]

    assert (found["source"], found["kind"], found["reason"], found["locator"]) == ("sales", "mail", "it is too deep", {"folder": "INBOX", "uid": 7})  # fmt: skip


# The feed


async def test_every_change_is_told_once_and_in_order(api: Api) -> None:
    call = (await api.post("/interactions", {"type": "phone_call", "topic": "Первый"})).json["id"]
    await api.patch(f"/interactions/{call}", {"topic": "Второй"})
    shop = await add_contact(api, "Магазин")
    await api.ask("DELETE", f"/interactions/{call}")
    await numbered(api)

    events = (await api.get("/events")).json["items"]

    assert [one["type"] for one in events] == ["interaction.created", "interaction.updated", "contact.created", "interaction.deleted"]  # fmt: skip
    assert [one["data"]["seq"] for one in events] == [1, 2, 3, 4]
    assert [one["data"]["object"]["id"] for one in events] == [call, call, str(shop), call]
    assert all(one["timestamp"].endswith("Z") for one in events)


async def test_an_event_brings_its_object_as_a_line_of_the_list(api: Api) -> None:
    await api.post("/interactions", {"type": "phone_call", "topic": "Первый"})
    await numbered(api)

    [event] = (await api.get("/events")).json["items"]

    assert event["data"]["object"] == (await api.get("/interactions")).json["items"][0]


async def test_of_what_is_switched_off_an_event_tells_no_more_than_its_id(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path)
    call = (await api.post("/interactions", {"type": "phone_call", "topic": "Первый"})).json["id"]
    await numbered(api)
    off = await make_api(database, tmp_path, CONFIG + "\n[features]\nother_interactions = false\n")

    [event] = (await off.get("/events")).json["items"]

    assert event["data"] == {"seq": 1, "object": {"id": call}}


async def test_the_feed_is_read_on_from_any_number(api: Api) -> None:
    for n in range(5):
        await api.post("/interactions", {"type": "sms", "topic": str(n)})
    await numbered(api)

    seen: list[int] = []
    after = 0
    while page := (await api.get(f"/events?after={after}&limit=2")).json["items"]:
        seen += [one["data"]["seq"] for one in page]
        after = seen[-1]

    assert seen == [1, 2, 3, 4, 5]
    assert (await api.get(f"/events?after={2**62}")).json == {"items": [], "next": None}


async def test_what_is_not_committed_yet_is_not_told(api: Api) -> None:
    async with api.serving.database.connection() as db, db.transaction():
        await feed.add(db, [feed.Change("source.state_changed", None, {"name": "sales"})])
        await numbered(api)
        assert (await api.get("/events")).json["items"] == []
    await numbered(api)

    [event] = (await api.get("/events")).json["items"]
    assert event["data"]["object"] == {"id": None, "name": "sales"}


@pytest.mark.parametrize("query", ["after=-1", "after=x", f"after={2**63}", "limit=0", "limit=201"])
async def test_odd_numbers_are_refused(api: Api, query: str) -> None:
    assert (await api.get(f"/events?{query}")).json["code"] == "invalid"
