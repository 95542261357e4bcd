"""Signing in: by password, by a link that works once, and nothing else."""

from pathlib import Path
from urllib.parse import quote

import pytest

from daemon.auth import COOKIE
from daemon.passwords import hash_password
from daemon.web.entry import TRIES_MAX
from storage.database import Database
from tests.fakes.api import CONFIG
from tests.fakes.asgi import Answer
from tests.fakes.website import ANNA, Site, make_site, page_of, words_of

PASSWORD = "пароль из слов"
HTTP = CONFIG.replace("https://crm.example.org", "http://127.0.0.1:8025")


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> Site:
    return await make_site(database, tmp_path, password=hash_password(PASSWORD))


async def sign_in(site: Site, email: str = ANNA, password: str = PASSWORD, **more: str) -> Answer:
    return await site.post("/login", {"email": email, "password": password, **more})


def keep_cookie(site: Site, answer: Answer) -> str:
    name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
    assert name == COOKIE
    site.cookies[name] = value
    return answer.headers["set-cookie"]


async def test_a_page_sends_a_stranger_to_the_form_and_back(site: Site) -> None:
    asked = await site.get("/interactions?status=to_review")

    assert asked.status == 303
    form = await site.get(asked.headers["location"])
    assert (form.status, form.headers["content-language"]) == (200, "ru")
    assert 'name="next" value="/interactions?status=to_review"' in page_of(form)
    entered = await sign_in(site, next="/interactions?status=to_review")
    assert (entered.status, entered.headers["location"]) == (303, "/interactions?status=to_review")


async def test_the_password_opens_a_session_that_scripts_and_other_sites_do_not_get(site: Site) -> None:
    entered = await sign_in(site, email="  Anna@Example.org ")

    cookie = keep_cookie(site, entered)
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= {part.strip() for part in cookie.split(";")}
    assert (await site.get("/")).status == 200
    assert (await site.get("/login?next=/chains/1")).headers["location"] == "/chains/1"


async def test_over_plain_http_the_cookie_is_not_secure(database: Database, tmp_path: Path) -> None:
    site = await make_site(database, tmp_path, HTTP, hash_password(PASSWORD))

    assert "Secure" not in keep_cookie(site, await sign_in(site))


@pytest.mark.parametrize(
    ("email", "password"), [(ANNA, "wrong"), ("nobody@example.org", PASSWORD), ("", ""), ("\ud83dx", PASSWORD)]
)
async def test_a_wrong_password_and_an_unknown_account_are_told_in_the_same_words(
    site: Site, email: str, password: str
) -> None:
    answer = await site.post("/login", {"email": email.encode("utf-8", "replace").decode(), "password": password})

    assert (answer.status, "set-cookie" in answer.headers) == (401, False)
    assert "Неверный e-mail или пароль." in words_of(answer)
    assert password == "" or password not in page_of(answer)


async def test_one_who_left_does_not_come_in(site: Site) -> None:
    once = await site.once_link()
    async with site.database.connection() as db:
        await db.execute("UPDATE login SET disabled_at = now()")

    assert (await sign_in(site)).status == 401
    assert (await site.post("/login", {"once": once})).status == 401


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "/login"])
async def test_nobody_is_sent_on_to_another_site(site: Site, wanted: str) -> None:
    assert (await sign_in(site, next=wanted)).headers["location"] == "/"
    assert 'name="next" value="/"' in page_of(await site.get(f"/login?next={quote(wanted, safe='')}"))


async def test_a_form_of_another_site_signs_nobody_in(site: Site) -> None:
    fields = {"email": ANNA, "password": PASSWORD}

    foreign = await site.post("/login", fields, sec_fetch_site="cross-site")

    assert (foreign.status, "set-cookie" in foreign.headers) == (403, False)


async def test_what_is_no_form_is_refused(site: Site) -> None:
    assert (await site.post("/login", {}, content_type="application/json")).status == 400


async def test_guessing_is_bounded(site: Site) -> None:
    for _ in range(TRIES_MAX):
        assert (await sign_in(site, password="wrong")).status == 401

    locked = await sign_in(site)

    assert locked.status == 429
    assert 0 < int(locked.headers["retry-after"]) <= 600
    assert "Попробуйте через 10 минут." in words_of(locked)
    assert (await sign_in(site, email="boris@example.org")).status == 401


async def test_looking_at_a_link_does_not_use_it_up_and_pressing_the_button_does(site: Site) -> None:
    once = await site.once_link()
    for _ in range(3):
        seen = await site.get(f"/login?once={once}")
        assert (seen.status, "set-cookie" in seen.headers) == (200, False)

    entered = await site.post("/login", {"once": once, "next": "/interactions"})

    assert (entered.status, entered.headers["location"]) == (303, "/interactions")
    keep_cookie(site, entered)
    assert (await site.get("/")).status == 200
    again = await site.post("/login", {"once": once})
    assert (again.status, "set-cookie" in again.headers) == (401, False)
    assert "Ссылка уже использована или устарела" in words_of(again)


@pytest.mark.parametrize("minutes", [-1, None])
async def test_an_old_or_invented_link_opens_nothing(site: Site, minutes: int | None) -> None:
    once = "invented" if minutes is None else await site.once_link(minutes)

    assert (await site.post("/login", {"once": once})).status == 401


async def test_signing_out_ends_the_session_everywhere(site: Site) -> None:
    keep_cookie(site, await sign_in(site))

    out = await site.post("/logout", {})

    assert (out.status, out.headers["location"]) == (303, "/login")
    assert f'{COOKIE}=""' in out.headers["set-cookie"]
    assert (await site.get("/")).status == 303


async def test_what_was_typed_comes_back_escaped_and_never_the_password(site: Site) -> None:
    answer = await sign_in(site, email='"><script>alert(1)</script>', password="secret words")

    assert "<script>alert" not in page_of(answer)
    assert "secret words" not in page_of(answer)
