"""Asking for the whole of a mail that came in part: when it can be had, when not, and how it stands."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from connectors.base import Batch
from storage import completions, leases, locations
from storage.database import Database
from tests.fakes.api import CONFIG, Api, make_api
from tests.fakes.arrivals import mail, raw_mail

LARGE = 100_000_000
NOWHERE = UUID(int=7)


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def brought(api: Api, size: int = LARGE) -> str:
    """A mail of so many bytes, of which we have fewer; the path that completes it."""
    database = api.serving.database
    async with database.connection() as db:
        [lease] = await leases.acquire(db, "test", ["sales"], 1, 60)
        await api.serving.desk.accept(lease, Batch([replace(mail(raw_mail("1"), uid=5), size=size)]))
        await leases.release(db, [lease])
        return f"/interactions/{await db.fetchval('SELECT id FROM interaction')}/complete"


async def test_a_mail_that_came_in_part_can_be_asked_for_more_than_once(api: Api) -> None:
    where = await brought(api)
    assert (await api.get(where)).json == {"state": "part", "asked_at": None, "reason": ""}

    first, second = await api.post(where, {}), await api.post(where, {})

    assert (first.status, first.json["state"], second.status) == (202, "asked", 202)
    assert (await api.get(where)).json["state"] == "asked"


async def test_why_it_could_not_be_had_is_told_until_somebody_asks_again(api: Api) -> None:
    where = await brought(api)
    await api.post(where, {})
    async with api.serving.database.connection() as db:
        await completions.fail(db, UUID(where.split("/")[2]), "it is too large")

    told = (await api.get(where)).json

    assert (told["state"], told["reason"]) == ("failed", "it is too large")
    again = (await api.post(where, {})).json
    assert (again["state"], again["reason"]) == ("asked", "")


async def test_what_is_whole_or_on_no_server_any_more_is_refused(api: Api) -> None:
    where = await brought(api)
    async with api.serving.database.connection() as db:
        [source_id] = await db.fetchrow("SELECT id FROM source WHERE name = 'sales'")
        await locations.mark_gone(db, source_id, "INBOX", 1, [5])

    gone = await api.post(where, {})
    call = (await api.post("/interactions", {"type": "phone_call", "topic": "x"})).json["id"]
    whole = await api.post(f"/interactions/{call}/complete", {})

    assert (gone.status, gone.json["code"]) == (409, "conflict")
    assert (whole.status, whole.json["code"]) == (409, "conflict")
    assert (await api.get(f"/interactions/{call}/complete")).json["state"] == "whole"
    assert (await api.post(f"/interactions/{NOWHERE}/complete", {})).status == 404


async def test_of_a_mailbox_of_headers_no_more_is_asked_for(database: Database, tmp_path: Path) -> None:
    config = CONFIG.replace('password = "x"', 'password = "x"\nprivacy = "headers_only"', 1)
    api = await make_api(database, tmp_path, config)

    answer = await api.post(await brought(api), {})

    assert (answer.status, answer.json["code"]) == (403, "forbidden")
