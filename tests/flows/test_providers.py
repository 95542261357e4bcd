"""Every provider through the door of the daemon: its recorded requests are answered as it expects, stored byte for byte,
and become records; a repeat changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from connectors.registry import RECEIVERS
from storage.database import Database
from tests.fakes.api import Api, make_api
from tests.fakes.asgi import ask
from tests.fakes.webhooks import expected, recorded, samples

KEYS: dict[str, dict[str, object]] = {
    "generic": {"secret": "hush-hush-hush-hush", "allow_unsigned": True},
    "mango": {"api_key": "mc0ffee5afe", "api_salt": "saltandpepper"},
    "megafon": {"secret": "hush-hush-hush"},
    "plivo": {"auth_id": "x", "auth_token": "hush-hush-hush"},
    "sms_ru": {"api_id": "11111111-2222-3333-4444-555555555555"},
    "twilio": {"account_sid": "AC" + "0" * 32, "auth_token": "hush-hush-hush"},
    "uis": {"secret": "hush-hush-hush", "allow_unsigned": True, "timezone": "Europe/Moscow"},
    "zadarma": {"api_key": "x", "secret": "6f6ebd6dff4157498150"},
}
XML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
ANSWERS = {"plivo": XML, "sms_ru": b"100", "twilio": XML}


def config(provider: str) -> str:
    lines = [
        f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
        for name, value in KEYS[provider].items()
    ]
    head = ['public_url = "https://crm.example.org"', "[[telephony]]", "name = 'main'", f"type = '{provider}'"]
    return "\n".join([*head, *lines])


async def rows(database: Database, query: str) -> list[dict[str, Any]]:
    async with database.connection() as db:
        return [dict(row) for row in await db.fetch(query)]


async def post_all(api: Api, provider: str) -> None:
    for sample in samples(provider):
        one = recorded(sample)
        path = "/hooks/main" + (f"/{one.rest}" if one.rest else "") + (f"?{one.query}" if one.query else "")
        headers = {name: value for name, value in one.headers.items() if name not in ("host", "content-length")}
        answer = await ask(api.app, "POST", path, one.body, **headers)
        assert (answer.status, answer.body) == (200, ANSWERS.get(provider, b"{}")), sample.stem


@pytest.mark.parametrize("provider", sorted(RECEIVERS))
async def test_recorded_requests_become_records_and_repeats_change_nothing(
    provider: str, database: Database, tmp_path: Path
) -> None:
    api = await make_api(database, tmp_path, config(provider))
    wanted = [arrival for sample in samples(provider) for arrival in expected(sample)]
    calls = {arrival["call_key"] for arrival in wanted if "call_key" in arrival}
    messages = {arrival["sms_key"] for arrival in wanted if "text" in arrival}

    await post_all(api, provider)
    await api.work_off()

    events = await rows(database, "SELECT state, body FROM inbound")
    assert {row["state"] for row in events} == {"done"}
    assert {bytes(row["body"]) for row in events} <= {recorded(sample).body for sample in samples(provider)}
    records = await rows(
        database, "SELECT id, kind, external_id, block FROM interaction WHERE deleted_at IS NULL ORDER BY id"
    )
    assert {row["external_id"] for row in records if row["kind"] == "phone_call"} == calls
    assert {row["external_id"] for row in records if row["kind"] == "sms"} == messages

    await post_all(api, provider)
    await api.work_off()

    assert (
        await rows(
            database, "SELECT id, kind, external_id, block FROM interaction WHERE deleted_at IS NULL ORDER BY id"
        )
        == records
    )
    assert len(await rows(database, "SELECT 1 FROM inbound")) == len(events)


async def test_the_question_of_a_cabinet_is_answered_through_the_door(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path, config("zadarma"))

    answer = await ask(api.app, "GET", "/hooks/main?zd_echo=a1b2")

    assert (answer.status, answer.body) == (200, b"a1b2")
    await api.work_off()
    assert [row["state"] for row in await rows(database, "SELECT state FROM inbound")] == ["done"]
