"""What a rule leaves out is not kept at all: no record, no bytes, nobody made known; and what comes again stays out."""

from pathlib import Path

import pytest

from storage.database import Database
from tests.fakes.api import CONFIG, Api, make_api
from tests.fakes.arrivals import raw_mail

RULES = """
[[rule]]
when = { from = "boss@bank.example" }
set = { tags = ["boss"] }
[[rule]]
when = { domain = "bank.example" }
set = { skip = true }
[[rule]]
when = { type = "sms" }
set = { skip = true }
[[rule]]
when = { from = "+74950000000" }
set = { skip = true }
"""


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path, CONFIG + RULES, scopes=("read", "write", "admin"))


async def test_mails_that_a_rule_leaves_out_leave_nothing_but_their_place(api: Api, tmp_path: Path) -> None:
    first = [raw_mail("1", "news@mail.bank.example"), raw_mail("2", "boss@bank.example"), raw_mail("3")]

    await api.mails(*first)
    again = await api.mails(first[0])

    items = (await api.get("/interactions?order=oldest")).json["items"]
    async with api.serving.database.connection() as db:
        places = await db.fetch("SELECT interaction_id IS NULL AS is_out FROM mail_location")
        known = await db.fetchval("SELECT count(*) FROM address WHERE value LIKE '%mail.bank.example'")
    kept = b"".join(pack.read_bytes() for pack in tmp_path.rglob("*.pack"))
    assert sorted(one["participants"][0]["address"] for one in items) == ["boss@bank.example", "ivan@customer.example"]
    assert len(again) == 2
    assert sorted(row["is_out"] for row in places) == [False, False, True, True]
    assert (known, b"news@mail.bank.example" in kept) == (0, False)


async def test_calls_and_messages_make_no_record(api: Api) -> None:
    for number in ("+74950000000", "+74950000001"):
        body = {
            "event": "newCall",
            "direction": "in",
            "from": number,
            "to": "+74951234567",
            "at": "2026-11-23T09:30:00Z",
        }
        for event in ("newCall", "hangup"):
            assert (await api.hook({**body, "event": event, "callId": number})).status == 200
    await api.hook(
        {"event": "sms", "id": "s", "direction": "in", "from": "+74950000001", "to": "+74951234567", "text": "x"}
    )
    await api.work_off()

    items = (await api.get("/interactions")).json["items"]

    assert [(one["type"], one["source"]["external_id"]) for one in items] == [("phone_call", "+74950000001")]


async def test_a_mail_that_a_person_brings_is_taken_all_the_same(api: Api) -> None:
    answer = await api.post("/interactions", raw_mail("1", "news@bank.example"), content_type="message/rfc822")

    assert answer.status == 201
