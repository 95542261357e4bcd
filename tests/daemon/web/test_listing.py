"""The list: lines, filters, pages by key, the flag, and how a page keeps itself fresh."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from interactions.records import Attachment, Direction, Importance, Kind, Participant, Role
from storage import sources
from storage.database import Database
from tests.fakes.api import add_contact
from tests.fakes.rows import ids, interaction, key
from tests.fakes.website import Site, line_of, make_site, order_of, page_of, stored, words_of

IVAN = "ivan@shop.example"
HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}</title><script>alert(2)</script>'


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> Site:
    made = await make_site(database, tmp_path)
    await made.sign_in()
    return made


async def test_the_list_shows_the_newest_first_and_bold_until_it_is_reviewed(site: Site) -> None:
    await stored(site, interaction(1, IVAN, topic="Первое"), interaction(2, IVAN, topic="Второе", reviewed=True))

    shown = await site.get("/")

    assert order_of(shown) == [str(ids(2)[0]), str(ids(1)[0])]
    assert 'class="row bold"' in line_of(shown, 1)
    assert 'class="row"' in line_of(shown, 2)
    assert "К рассмотрению 1" in words_of(shown)


async def test_the_flag_is_set_and_taken_back_by_a_form_without_script(site: Site) -> None:
    await stored(site, interaction(1, IVAN))
    address = f"/interactions/{ids(1)[0]}/reviewed"
    assert f'formaction="{address}" name="reviewed" value="1"' in page_of(await site.get("/"))

    done = await site.post(address, {"reviewed": "1", "next": "/interactions?status=to_review"})

    assert (done.status, done.headers["location"]) == (303, "/interactions?status=to_review")
    assert "bold" not in line_of(await site.get("/"), 1)
    assert "Рассмотрено Анна Соколова" in words_of(await site.get(f"/interactions/{ids(1)[0]}"))
    await site.post(address, {"reviewed": "0"})
    assert 'class="row bold"' in line_of(await site.get("/"), 1)


async def test_a_script_is_answered_shortly_and_the_feed_is_told(site: Site) -> None:
    await stored(site, interaction(1, IVAN))

    done = await site.post(f"/interactions/{ids(1)[0]}/reviewed", {"reviewed": "1"}, accept="*/*")

    assert (done.status, done.body) == (204, b"")
    async with site.database.connection() as db:
        told = await db.fetch("SELECT type, ref FROM feed")
    assert ("interaction.updated", ids(1)[0]) in [tuple(row) for row in told]


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [({"reviewed": "yes"}, {}, 400), ({}, {}, 400), ({"reviewed": "1"}, {"sec_fetch_site": "cross-site"}, 403)],
)
async def test_the_flag_is_not_set_by_nonsense_or_another_site(
    site: Site, fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    await stored(site, interaction(1, IVAN))

    assert (await site.post(f"/interactions/{ids(1)[0]}/reviewed", fields, **headers)).status == status
    assert 'class="row bold"' in line_of(await site.get("/"), 1)


async def test_a_party_is_linked_and_one_that_is_nobody_yet_is_dashed(site: Site) -> None:
    ivan = await add_contact(site.api, "Иван Петров", "individual", emails=[IVAN])
    await stored(site, interaction(1, IVAN, "a@x.example", "b@x.example"), interaction(2, "new@x.example"))

    shown = await site.get("/")

    assert f'href="/contacts/{ivan}">Иван Петров</a>' in line_of(shown, 1)
    assert ">+2</span>" in line_of(shown, 1)
    assert 'title="Контакт не подобран">new@x.example</span>' in line_of(shown, 2)


async def test_a_line_tells_of_files_importance_the_chain_and_who_answers_for_it(site: Site) -> None:
    first = interaction(
        1, IVAN, attachments=(Attachment(1, "a.pdf", "application/pdf", 5),), responsible_id=site.user_id
    )
    await stored(site, first, interaction(2, IVAN, chain=1, importance=Importance.HIGH))

    shown = await site.get("/")

    assert "1 файл" in line_of(shown, 1)
    assert 'title="Ответственный: Анна Соколова"' in line_of(shown, 1)
    assert "2 взаимодействия в цепочке" in line_of(shown, 2)
    assert "Высокая важность" in line_of(shown, 2)


async def test_a_call_says_what_became_of_it(site: Site) -> None:
    who = (Participant(Role.SUBSCRIBER, "", "+74956329816", key("+74956329816")),)
    call = interaction(
        1, kind=Kind.PHONE_CALL, topic="", participants=who, block={"result": "answered", "talk_seconds": 63}
    )
    missed = replace(interaction(2), kind=Kind.PHONE_CALL, topic="", participants=who, block={"result": "missed"})
    await stored(site, call, missed)

    shown = await site.get("/")

    assert "+7 495 632-98-16" in line_of(shown, 1)
    assert "отвечен, 1:03" in line_of(shown, 1)
    assert "Пропущенный звонок</a>" in line_of(shown, 2)


async def test_older_pages_follow_by_key(site: Site) -> None:
    await stored(site, *(interaction(n, IVAN) for n in range(55)))

    first = await site.get("/interactions?status=to_review")
    older = re.search(r'id="older" rel="next" href="([^"]+)"', page_of(first))
    assert older is not None
    second = await site.get(older.group(1).replace("&amp;", "&"))

    assert len(order_of(first)) == 50
    assert order_of(second) == [str(ids(n)[0]) for n in range(4, -1, -1)]
    assert "К самым новым" in words_of(second)
    assert 'id="older"' not in page_of(second)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [4, 3, 2, 1]), ("status=reviewed", [2]), ("status=to_review", [4, 3, 1]), ("type=sms", [3]),
        ("q=%D0%BA%D0%BE%D0%BD%D1%81%D1%83%D0%BB%D1%8C%D1%82%D0%B0%D1%86%D0%B8%D0%B8", [1]),
        ("q=495%20632-98-16", [3]), ("unmatched=1&type=sms", [3]), ("direction=outgoing", [4]),
        ("since=2026-11-24", []), ("has=attachment", []), ("type=sms&type=meeting", [3]),
    ],
)  # fmt: skip
async def test_filters_stand_in_the_address(site: Site, query: str, numbers: list[int]) -> None:
    await stored(
        site,
        interaction(1, IVAN, topic="Консультация"),
        interaction(2, IVAN, reviewed=True),
        interaction(3, "8 (495) 632-98-16", kind=Kind.SMS),
        interaction(4, IVAN, direction=Direction.OUTGOING),
    )

    assert order_of(await site.get(f"/interactions?{query}")) == [str(ids(n)[0]) for n in numbers]


async def test_a_filter_is_a_chip_that_takes_it_away(site: Site) -> None:
    shown = await site.get(f"/interactions?type=email&responsible={site.user_id}&has=attachment&cursor=")

    page = page_of(shown)
    assert f'href="/interactions?responsible={site.user_id}&amp;has=attachment"' in page
    assert "Тип: Электронное письмо" in words_of(shown)
    assert "Ответственный: Анна Соколова" in words_of(shown)


async def test_a_wrong_filter_is_told_in_words(site: Site) -> None:
    for query in ("colour=red", "status=new", "contact=1", "cursor=zzz", "since=soon"):
        answer = await site.get(f"/?{query}")
        assert answer.status == 400
        assert "Такой отбор невозможен" in words_of(answer)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "Взаимодействий пока нет"), ("?status=to_review", "Все рассмотрено"), ("?q=слон", "Ничего нет по запросу «слон»"),
        ("?type=sms", "Нет взаимодействий с такими отборами"),
    ],
)  # fmt: skip
async def test_an_empty_list_says_why(site: Site, query: str, words: str) -> None:
    shown = await site.get("/" + quote(query, safe="?=_"))

    assert words in words_of(shown)


async def test_sources_stand_beside_the_list_with_their_true_state(site: Site) -> None:
    async with site.database.connection() as db:
        await sources.report(db, "sales", "needs_reauth", "the password was refused")
        await sources.report(db, "main", "catching_up", done=1200, total=5000)

    shown = await site.get("/")

    assert "sales нужно войти заново" in words_of(shown)
    assert "1 200 из 5 000" in words_of(shown).replace("\u00a0", " ")
    assert "the password was refused" in page_of(shown)


# Keeping fresh


async def test_a_page_that_asks_again_hears_only_what_has_changed(site: Site) -> None:
    await stored(site, interaction(1, IVAN))
    target = f"/interactions/rows?top={ids(1)[0]}"
    first = await site.get(target)
    assert (first.status, 'data-newer="0"' in page_of(first)) == (200, True)

    same = await site.get(target, if_none_match=first.headers["etag"])
    await stored(site, interaction(2, IVAN), interaction(3, IVAN))
    changed = await site.get(target, if_none_match=first.headers["etag"])

    assert (same.status, same.body) == (304, b"")
    assert (changed.status, 'data-newer="2" data-pill="2 новых"' in page_of(changed)) == (200, True)
    assert "<html" not in page_of(changed)


async def test_a_script_without_a_session_is_told_so_and_not_sent_to_a_form(site: Site) -> None:
    site.cookies.clear()

    assert (await site.get("/interactions/rows", accept="*/*")).status == 401
