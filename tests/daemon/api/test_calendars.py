"""A person's calendar: his meetings and open plans under an address that only he knows, until he makes another."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from storage.database import Database
from tests.fakes.asgi import Answer
from tests.fakes.website import SAME_ORIGIN, Site, make_site


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> Site:
    found = await make_site(database, tmp_path)
    await found.sign_in()
    return found


async def link(site: Site) -> str:
    """A new address, without the host."""
    answer = await site.post("/api/v1/me/calendar", {}, accept="application/json", content_type="application/json")
    assert answer.status == 200, answer.body
    return str(answer.json["url"]).removeprefix("https://crm.example.org")


async def read(site: Site, address: str) -> Answer:
    """As a telephone reads it: without a cookie."""
    cookies, site.cookies = site.cookies, {}
    try:
        return await site.get(address, accept="text/calendar")
    finally:
        site.cookies = cookies


async def add(site: Site, **fields: Any) -> None:
    answer = await site.api.post("/interactions", fields)
    assert answer.status == 201, answer.body


async def test_meetings_and_open_plans_of_this_person_are_in_it(site: Site) -> None:
    mine = {"responsible_id": str(site.user_id)}
    hostile = "Demo\r\nBEGIN:VALARM"
    await add(
        site, type="meeting", topic="Demo; of all, that", description=hostile.replace("\r\n", "\n"), **mine,
        participants=[{"role": "attendee", "display_name": "Olga"}],
        meeting={"starts_at": "2030-05-01T09:00:00+03:00", "ends_at": "2030-05-01T10:00:00+03:00", "location": "Room 1"},
    )  # fmt: skip
    await add(site, type="planned", topic="Call", planned={"due_at": "2030-05-02T07:00:00Z"}, **mine)
    await add(site, type="planned", topic="Done", planned={"due_at": "2030-05-02T07:00:00Z", "state": "done"}, **mine)
    await add(site, type="meeting", topic="Old", meeting={"starts_at": "2020-05-02T07:00:00Z"}, **mine)
    await add(site, type="meeting", topic="Of others", meeting={"starts_at": "2030-05-02T07:00:00Z"})
    await add(
        site, type="meeting", topic="Takes part", meeting={"starts_at": "2030-05-03T07:00:00Z"},
        participants=[{"role": "attendee", "contact_id": str(site.user_id)}],
    )  # fmt: skip

    answer = await read(site, await link(site))

    entries = Calendar.from_ical(answer.body.decode()).walk("VEVENT")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert [str(one["summary"]) for one in entries] == ["Demo; of all, that", "Call", "Takes part"]
    assert entries[0].decoded("dtstart") == datetime(2030, 5, 1, 6, tzinfo=UTC)
    assert (str(entries[0]["location"]), "Olga" in str(entries[0]["description"])) == ("Room 1", True)
    assert b"\nBEGIN:VALARM" not in answer.body


async def test_another_address_stops_the_one_before_and_none_stops_all(site: Site) -> None:
    first, second = await link(site), await link(site)

    before = [(await read(site, one)).status for one in (first, second, "/calendar/guess.ics", "/calendar/.ics")]
    await site.api.serving.database.in_transaction(lambda db: db.execute("UPDATE login SET disabled_at = now()"))
    disabled = (await read(site, second)).status
    await site.api.serving.database.in_transaction(lambda db: db.execute("UPDATE login SET disabled_at = NULL"))
    async with site.database.connection() as db:
        kept = bytes(await db.fetchval("SELECT secret_hash FROM calendar_link"))

    assert before == [404, 200, 404, 404]
    assert disabled == 404
    assert second.encode() not in kept


async def test_a_token_has_no_calendar(site: Site) -> None:
    answer = await site.api.post("/me/calendar", {}, **SAME_ORIGIN)

    assert answer.json["code"] == "invalid"
