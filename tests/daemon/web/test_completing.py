"""The button that fetches the rest of a very large mail, and what the page says meanwhile."""

from pathlib import Path
from uuid import UUID

import pytest

from interactions.arrivals import Location
from storage import completions, locations, sources
from storage.database import Database
from storage.locations import Placed
from tests.fakes.rows import ids, interaction
from tests.fakes.website import Site, make_site, stored, words_of

IVAN = "ivan@customer.example"
MAIL = ids(1)[0]
PAGE = f"/interactions/{MAIL}"


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> Site:
    site = await make_site(database, tmp_path)
    await site.sign_in()
    return site


async def part_of_a_mail(site: Site, marks: tuple[str, ...] = ("oversized",)) -> None:
    await stored(site, interaction(1, IVAN, block={"marks": list(marks)}, source="sales"))
    async with site.database.connection() as db:
        source_id = await sources.find_id(db, "sales")
        assert source_id is not None
        await locations.add_all(db, source_id, [Placed(Location("INBOX", 1, 1), MAIL)])


async def test_a_large_mail_is_fetched_at_the_press_of_a_button(site: Site) -> None:
    await part_of_a_mail(site)
    assert "Это только начало очень большого письма. Загрузить письмо целиком" in words_of(await site.get(PAGE))

    pressed = await site.post(f"{PAGE}/complete", {})

    assert (pressed.status, pressed.headers["location"]) == (303, PAGE)
    shown = words_of(await site.get(PAGE))
    assert "Письмо загружается целиком." in shown
    assert "Загрузить письмо целиком" not in shown


async def test_why_it_failed_is_shown_with_the_button(site: Site) -> None:
    await part_of_a_mail(site)
    await site.post(f"{PAGE}/complete", {})
    async with site.database.connection() as db:
        await completions.fail(db, MAIL, "it has <b>9</b> bytes")

    shown = words_of(await site.get(PAGE))

    assert "Загрузить письмо целиком не удалось: it has <b>9</b> bytes Загрузить письмо целиком" in shown


async def test_there_is_no_button_where_nothing_is_missing(site: Site) -> None:
    await part_of_a_mail(site, marks=("bulk",))

    assert "целиком" not in words_of(await site.get(PAGE))
    assert (await site.post(f"{PAGE}/complete", {})).status == 409
    assert (await site.post(f"/interactions/{UUID(int=9)}/complete", {})).status == 404
    assert (await site.post("/interactions/x/complete", {})).status == 404
