"""The pages of one interaction, a chain, a contact; what all pages have in common: escaping, headers, languages, options."""

import re
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from daemon.web.language import COOKIE
from interactions.records import Attachment, Kind, Participant, Role
from storage.database import Database
from tests.fakes.api import CONFIG, add_contact
from tests.fakes.rows import ids, interaction
from tests.fakes.website import Site, line_of, make_site, order_of, page_of, stored, words_of

IVAN = "ivan@shop.example"
HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}</title><script>alert(2)</script>'


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> Site:
    made = await make_site(database, tmp_path)
    await made.sign_in()
    return made


# What all have in common


async def test_what_is_written_outside_is_never_markup(site: Site) -> None:
    one = interaction(1, IVAN, topic=HOSTILE, excerpt=HOSTILE, description=HOSTILE, comment=HOSTILE, body_text=HOSTILE,
        tags=(HOSTILE,), participants=(Participant(Role.FROM, HOSTILE, HOSTILE), Participant(Role.TO, HOSTILE, HOSTILE)),
        attachments=(Attachment(1, HOSTILE, "text/html", 5),), block={"marks": [HOSTILE], "location": HOSTILE},
    )  # fmt: skip
    await stored(site, one)
    person = await add_contact(site.api, HOSTILE, "individual", comment=HOSTILE, tags=[HOSTILE])

    for target in (
        "/", f"/interactions/{one.id}", f"/chains/{one.chain_id}", f"/contacts/{person}", f"/?q={quote(HOSTILE)}",
        f"/?tag={quote(HOSTILE)}", f"/?{quote(HOSTILE)}=1", f"/interactions/{quote(HOSTILE, safe='')}",
    ):  # fmt: skip
        shown = page_of(await site.get(target))
        assert "<img" not in shown, target
        assert "<script>alert" not in shown, target
        assert "49" not in words_of(await site.get(target)).split(), target
        assert HOSTILE not in shown


async def test_every_page_has_headers_that_allow_little(site: Site) -> None:
    await stored(site, interaction(1, IVAN))
    person = await add_contact(site.api, "Иван", "individual")

    for target in (
        "/",
        "/interactions/rows",
        f"/interactions/{ids(1)[0]}",
        f"/contacts/{person}",
        "/chains/x",
        "/login?once=x",
    ):
        answer = await site.get(target)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        page = page_of(answer)
        assert re.findall(r"<script(?! src=\"/static/)|\son\w+=|\sstyle=|javascript:|<style", page) == []


async def test_a_crm_may_show_the_pages_in_a_frame_when_the_configuration_says_so(
    database: Database, tmp_path: Path
) -> None:
    framed = CONFIG.replace("[[mailbox]]", '[http]\nframe_ancestors = ["https://erp.example.org"]\n[[mailbox]]', 1)
    site = await make_site(database, tmp_path, framed)
    await site.sign_in()

    assert "frame-ancestors https://erp.example.org" in (await site.get("/")).headers["content-security-policy"]


# One interaction, a chain, a contact


async def test_an_interaction_explains_why_its_participants_are_linked(site: Site) -> None:
    await add_contact(site.api, "Иван Петров", "individual", emails=[IVAN])
    for name in ("Ольга", "Пётр"):
        await add_contact(site.api, name, "individual", emails=["both@x.example"])
    await stored(site, interaction(1, IVAN, "sales@example.org", "both@x.example", "new@x.example"))

    shown = words_of(await site.get(f"/interactions/{ids(1)[0]}"))

    assert f"Иван Петров подобран по e-mail {IVAN}, точно, автоматически" in shown
    assert "sales@example.org наш собственный адрес" in shown
    assert re.search("Несколько возможных контактов: (Ольга|Пётр) Выбрать", shown)
    assert "new@x.example Контакт не подобран" in shown


async def test_a_person_says_which_of_the_candidates_it_is_and_that_it_is_not_this_one(site: Site) -> None:
    olga, _ = [await add_contact(site.api, name, "individual", emails=["both@x.example"]) for name in ("Ольга", "Пётр")]
    await stored(site, interaction(1, "both@x.example"), interaction(2, "both@x.example"))
    page, seat = f"/interactions/{ids(1)[0]}", f"/interactions/{ids(1)[0]}/participants/0"

    chosen = await site.post(seat, {"contact_id": str(olga), "remember": "address", "next": page})

    assert (chosen.status, chosen.headers["location"]) == (303, page)
    assert "Ольга" in line_of(await site.get("/"), 1)
    assert "Ольга" in line_of(await site.get("/"), 2)
    await site.post(seat, {"contact_id": ""})
    assert "Ольга" not in line_of(await site.get("/"), 1)
    assert "Ольга" in line_of(await site.get("/"), 2)


async def test_a_link_is_not_changed_by_nonsense(site: Site) -> None:
    await stored(site, interaction(1, IVAN))
    page = f"/interactions/{ids(1)[0]}/participants"

    answers = [
        await site.post(f"{page}/0", {}), await site.post(f"{page}/0", {"contact_id": "x"}),
        await site.post(f"{page}/0", {"contact_id": str(uuid4())}), await site.post(f"{page}/7", {"contact_id": ""}),
        await site.post(f"{page}/-1", {"contact_id": ""}), await site.post(f"{page}/²", {"contact_id": ""}),
    ]  # fmt: skip

    assert [answer.status for answer in answers] == [400, 400, 400, 404, 404, 404]


async def test_an_interaction_shows_its_words_its_files_and_its_formatted_form_in_a_cage(site: Site) -> None:
    one = interaction(
        1, IVAN, body_text="Да, берём.\n\nВчера вы писали:\n> Берёте?", block={"has_html": True, "marks": ["auto_reply"]},
        attachments=(Attachment(3, "Счёт № 1.pdf", "application/pdf", 52_300),),
    )  # fmt: skip
    await stored(site, one)

    answer = await site.get(f"/interactions/{one.id}")

    page, words = page_of(answer), words_of(answer)
    assert "Да, берём. Цитата Вчера вы писали: > Берёте?" in words
    assert f'href="/api/v1/interactions/{one.id}/attachments/3" download' in page
    assert "Счёт № 1.pdf 52 кБ" in words.replace("\u00a0", " ")
    assert (
        f'<iframe src="/api/v1/interactions/{one.id}/body" sandbox="allow-popups allow-popups-to-escape-sandbox"'
        in page
    )
    assert "автоответ" in words


async def test_a_chain_is_told_in_the_order_of_time_across_types(site: Site) -> None:
    await stored(
        site,
        interaction(1, IVAN, topic="Нужен каталог", kind=Kind.PHONE_CALL),
        interaction(2, IVAN, topic="Каталог", chain=1, body_text="Во вложении."),
        interaction(3, IVAN, topic="Встреча в офисе", chain=1, kind=Kind.MEETING, description="В среду в 12"),
    )

    shown = words_of(await site.get(f"/chains/{ids(1)[1]}"))
    beside = words_of(await site.get(f"/interactions/{ids(2)[0]}"))

    assert "Цепочка · 3 взаимодействия" in shown
    assert shown.index("Нужен каталог") < shown.index("Во вложении.") < shown.index("В среду в 12")
    assert beside.index("Нужен каталог") < beside.index("Встреча в офисе")


async def test_a_contact_has_a_card_and_all_that_was_with_its_people(site: Site) -> None:
    shop = await add_contact(
        site.api, "Ромашка", phones=["8 (495) 632-98-16"], domains=["shop.example"], inn="7701234567"
    )
    ivan = await add_contact(site.api, "Иван Петров", "contact_person", emails=[IVAN], partner_id=str(shop))
    await stored(site, interaction(1, IVAN, topic="Заказ"))

    card = await site.get(f"/contacts/{shop}")
    person = words_of(await site.get(f"/contacts/{ivan}"))

    words = words_of(card)
    assert "Партнер Ромашка" in words
    assert "Телефон +7 495 632-98-16" in words
    assert "7701234567" in words
    assert f'href="/contacts/{ivan}"' in page_of(card)
    assert order_of(card) == [str(ids(1)[0])]
    assert "Контактное лицо Иван Петров" in person
    assert "Партнер Ромашка" in person


@pytest.mark.parametrize(
    "target",
    [
        "/interactions/{}",
        "/chains/{}",
        "/contacts/{}",
        "/subjects/{}",
        "/interactions/x",
        "/chains/%20",
        "/contacts/нет",
        "/нет",
    ],
)
async def test_what_does_not_exist_is_said_in_words(site: Site, target: str) -> None:
    answer = await site.get(quote(target.format(uuid4()), safe="/%"))

    assert answer.status == 404
    assert "Здесь ничего нет" in words_of(answer)


async def test_a_deleted_contact_keeps_its_page_and_a_merged_one_leads_on(site: Site) -> None:
    gone = await add_contact(site.api, "Иван", "individual")
    merged = await add_contact(site.api, "Ваня", "individual")
    async with site.database.connection() as db:
        await db.execute("UPDATE contact SET merged_into = $1 WHERE id = $2", gone, merged)
    assert (await site.get(f"/contacts/{merged}")).headers["location"] == f"/contacts/{gone}"

    await site.api.ask("DELETE", f"/contacts/{gone}")

    assert "Контакт удален" in words_of(await site.get(f"/contacts/{gone}"))


async def test_a_deleted_interaction_is_gone_from_everywhere(site: Site) -> None:
    await stored(site, interaction(1, IVAN))

    await site.api.ask("DELETE", f"/interactions/{ids(1)[0]}")

    assert order_of(await site.get("/")) == []
    assert (await site.get(f"/interactions/{ids(1)[0]}")).status == 404
    assert (await site.get(f"/chains/{ids(1)[1]}")).status == 404


# Languages and options


async def test_the_language_that_was_asked_for_is_remembered(site: Site) -> None:
    english = await site.get("/?lang=en&status=to_review")

    assert (english.headers["content-language"], 'lang="en"' in page_of(english)) == ("en", True)
    assert "Everything is reviewed" in words_of(english)
    assert english.headers["set-cookie"].startswith(f"{COOKIE}=en;")
    site.cookies[COOKIE] = "en"
    assert "Nothing here" in words_of(await site.get("/?type=sms"))
    assert 'href="/?status=to_review&amp;lang=ru"' in page_of(english)


async def test_a_user_has_a_language_of_his_own(site: Site) -> None:
    async with site.database.connection() as db:
        await db.execute("UPDATE login SET language = 'en'")

    assert (await site.get("/")).headers["content-language"] == "en"


async def test_without_the_review_flags_nothing_is_bold_and_nothing_can_be_marked(
    database: Database, tmp_path: Path
) -> None:
    site = await make_site(database, tmp_path, CONFIG.replace("[[mailbox]]", "[features]\nreview_flags = false\n[[mailbox]]", 1))  # fmt: skip
    await site.sign_in()
    await stored(site, interaction(1, IVAN))

    shown = await site.get("/")

    assert "bold" not in line_of(shown, 1)
    assert "К рассмотрению" not in words_of(shown)
    assert (await site.post(f"/interactions/{ids(1)[0]}/reviewed", {"reviewed": "1"})).status == 403


@pytest.mark.parametrize(("option", "kept"), [("mail_client", [2]), ("other_interactions", [1])])
async def test_an_option_that_is_off_hides_its_types(
    database: Database, tmp_path: Path, option: str, kept: list[int]
) -> None:
    site = await make_site(database, tmp_path, CONFIG.replace("[[mailbox]]", f"[features]\n{option} = false\n[[mailbox]]", 1))  # fmt: skip
    await site.sign_in()
    await stored(site, interaction(1, IVAN), interaction(2, IVAN, kind=Kind.SMS))

    assert order_of(await site.get("/")) == [str(ids(n)[0]) for n in kept]
    statuses = [(await site.get(f"/interactions/{ids(n)[0]}")).status for n in (1, 2)]
    assert statuses == [200 if n in kept else 404 for n in (1, 2)]


async def test_one_who_may_only_read_reads_and_changes_nothing(site: Site) -> None:
    await stored(site, interaction(1, IVAN))
    async with site.database.connection() as db:
        await db.execute("UPDATE login SET role = 'reader'")

    assert 'class="row bold"' in line_of(await site.get("/"), 1)
    assert "<button" not in line_of(await site.get("/"), 1)
    assert (await site.post(f"/interactions/{ids(1)[0]}/reviewed", {"reviewed": "1"})).status == 403
