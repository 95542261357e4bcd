"""The audit log as a page: for administrators, narrowed by its links, page by page."""

import re
from pathlib import Path

import pytest

from daemon.web.audit import PAGE_SIZE
from storage import audit
from storage.audit import Act, Actor
from storage.database import Database
from tests.fakes.arrivals import START
from tests.fakes.office import Office, make_office
from tests.fakes.website import page_of, words_of


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> Office:
    return await make_office(database, tmp_path)


async def test_an_administrator_sees_who_did_what_and_follows_the_links(office: Office) -> None:
    made = (await office.anna.ask("POST", "/interactions", {"type": "meeting", "topic": "secret"})).json
    await office.boris.ask("PATCH", f"/interactions/{made['id']}", {"comment": "hidden"})

    shown = await office.admin.page("/audit?lang=en")
    words = words_of(shown)
    assert re.search(r"Boris Interaction changed comment · 127\.0\.0\.1", words)
    assert re.search(r"Anna Interaction entered · 127\.0\.0\.1", words)
    assert "hidden" not in words
    assert f'href="/interactions/{made["id"]}"' in page_of(shown)
    narrow = words_of(await office.admin.page(f"/audit?lang=en&user={office.anna.user_id}&object={made['id']}"))
    assert ("Anna" in narrow, "Boris" in narrow) == (True, False)
    assert "Взаимодействие изменено" in words_of(await office.admin.page("/audit?lang=ru"))


async def test_others_are_told_that_it_is_not_for_them(office: Office) -> None:
    assert (await office.anna.page("/audit")).status == 403
    assert "/audit" not in page_of(await office.anna.page("/"))
    assert 'href="/audit"' in page_of(await office.admin.page("/"))


async def test_older_lines_are_on_the_next_page(office: Office) -> None:
    async with office.api.serving.database.connection() as db:
        await audit.add(db, [Act(START, Actor("program", f"p{n}."), "x") for n in range(PAGE_SIZE + 1)])

    first = await office.admin.page("/audit")
    [older] = re.findall(r'rel="next" href="([^"]+)"', page_of(first))

    assert (f"p{PAGE_SIZE}." in words_of(first), "p0." in words_of(first)) == (True, False)
    assert "p0." in words_of(await office.admin.page(older.replace("&amp;", "&")))


@pytest.mark.parametrize("query", ["user=anna", "object=1", "since=never", "cursor=x"])
async def test_an_address_that_is_none_is_said_to_be_none(office: Office, query: str) -> None:
    assert (await office.admin.page(f"/audit?{query}")).status == 404
