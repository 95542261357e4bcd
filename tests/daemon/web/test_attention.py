"""Reviewed, or later: what a person says about an interaction that waits for a look."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from daemon.web.attention import Nonsense, wanted_time
from storage.database import Database
from tests.fakes.rows import ids, interaction
from tests.fakes.website import Site, make_site, order_of, page_of, stored, words_of

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ADDRESS = f"/interactions/{ids(1)[0]}"


@pytest.mark.parametrize(
    ("form", "until"),
    [
        ({"minutes": "15"}, NOW + timedelta(minutes=15)),
        ({"minutes": "1440", "at": "nonsense"}, NOW + timedelta(days=1)),
        ({"at": "2026-11-27T09:00"}, datetime(2026, 11, 27, 6, 0, tzinfo=UTC)),
        ({"at": "2026-11-27T09:00:00Z"}, datetime(2026, 11, 27, 9, 0, tzinfo=UTC)),
        ({"minutes": "", "at": ""}, None),
        ({}, None),
    ],
)
def test_the_time_is_a_pause_or_a_moment_of_the_company(form: dict[str, str], until: datetime | None) -> None:
    assert wanted_time(form, MOSCOW, NOW) == until


@pytest.mark.parametrize(
    "form",
    [
        {"minutes": "7"}, {"minutes": "-15"}, {"minutes": "x"}, {"at": "tomorrow"}, {"at": "2026-11-25T12:00"},
        {"at": "2099-01-01T00:00"}, {"at": "0001-01-01T00:00"}, {"at": "9999-12-31T23:59:59-23:59"},
    ],
)  # fmt: skip
def test_what_the_page_would_not_send_is_nonsense(form: dict[str, str]) -> None:
    with pytest.raises(Nonsense):
        wanted_time(form, MOSCOW, NOW)


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> Site:
    made = await make_site(database, tmp_path)
    await made.sign_in()
    await stored(made, interaction(1, "ivan@shop.example"))
    return made


async def test_what_is_put_off_waits_in_its_own_list_and_comes_back(site: Site) -> None:
    put_off = await site.post(f"{ADDRESS}/postponed", {"minutes": "60", "next": ADDRESS})

    assert (put_off.status, put_off.headers["location"]) == (303, ADDRESS)
    assert order_of(await site.get("/?status=to_review")) == []
    postponed = await site.get("/?status=postponed")
    assert order_of(postponed) == [str(ids(1)[0])]
    assert "Отложенные 1" in words_of(postponed)
    assert "Рассмотреть после" in words_of(await site.get(ADDRESS))
    await site.post(f"{ADDRESS}/postponed", {"minutes": ""})
    assert order_of(await site.get("/?status=to_review")) == [str(ids(1)[0])]


async def test_reviewing_ends_the_postponement(site: Site) -> None:
    await site.post(f"{ADDRESS}/postponed", {"minutes": "60"})

    await site.post(f"{ADDRESS}/reviewed", {"reviewed": "1"})

    assert order_of(await site.get("/?status=postponed")) == []
    assert "/postponed" not in page_of(await site.get(ADDRESS))


@pytest.mark.parametrize("what", ["reviewed", "postponed"])
async def test_what_is_not_there_can_not_be_marked(site: Site, what: str) -> None:
    for unknown in (ids(9)[0], "x"):
        assert (await site.post(f"/interactions/{unknown}/{what}", {"reviewed": "1"})).status == 404


async def test_nonsense_changes_nothing(site: Site) -> None:
    assert (await site.post(f"{ADDRESS}/postponed", {"at": "soon"})).status == 400
    assert (await site.post(f"{ADDRESS}/postponed", {}, content_type="text/plain")).status == 400

    assert order_of(await site.get("/?status=to_review")) == [str(ids(1)[0])]
