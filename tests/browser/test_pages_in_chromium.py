"""The pages in a real browser: sign-in, keys, the flag, a list that moves by itself, and all of it without script."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from interactions.records import Participant, Role
from storage.database import Database
from tests.fakes.api import CONFIG, add_contact
from tests.fakes.browser import launched, served
from tests.fakes.rows import ids, interaction
from tests.fakes.website import Site, make_site, stored

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(120)]
expect.set_options(timeout=20_000)
HTTP = CONFIG.replace("https://crm.example.org", "http://127.0.0.1:8025")
IVAN = "ivan@shop.example"
NARROW = {"width": 320, "height": 640}
HOSTILE = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"


@dataclass
class Window:
    """A browser in front of the running site. `troubles` are errors of scripts and breaches of the policy."""

    site: Site
    browser: Browser
    address: str
    troubles: list[str]

    async def page(self, **options: object) -> Page:
        """A page of a new person, not signed in."""
        context: BrowserContext = await self.browser.new_context(**options)  # type: ignore[arg-type]
        page = await context.new_page()
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda told: self.troubles.append(told.text) if told.type == "error" else None)
        return page

    async def signed_in(self, **options: object) -> Page:
        """A page of Anna's, at the list."""
        page = await self.page(**options)
        await page.goto(f"{self.address}/login?once={await self.site.once_link()}")
        await page.wait_for_url(f"{self.address}/")
        return page


@pytest.fixture
async def window(database: Database, tmp_path: Path) -> AsyncIterator[Window]:
    site = await make_site(database, tmp_path, HTTP)
    async with launched() as browser, served(site.api.app) as address:
        made = Window(site, browser, address, [])
        yield made
        assert made.troubles == []


def row(page: Page, n: int) -> str:
    return f"#i-{ids(n)[0]}"


async def is_bold(page: Page, n: int) -> bool:
    weight = await page.eval_on_selector(f"{row(page, n)} .open", "one => getComputedStyle(one).fontWeight")
    return int(weight) >= 600


async def test_a_link_signs_in_and_the_list_is_there_in_two_languages(window: Window) -> None:
    await add_contact(window.site.api, "Иван Петров", "individual", emails=[IVAN])
    await stored(window.site, interaction(1, IVAN, topic="Счёт на оплату"))

    page = await window.signed_in()

    await expect(page.locator("html")).to_have_attribute("lang", "ru")
    await expect(page.locator("#rows .row")).to_contain_text(["Счёт на оплату"])
    await expect(page.locator("#rows .who")).to_have_text("Иван Петров")
    await expect(page.locator("#side")).to_contain_text("К рассмотрению")
    await page.click("[data-language=en]")
    await expect(page.locator("#side")).to_contain_text("To review")
    await page.goto(window.address + "/interactions?status=postponed")
    await expect(page.locator("#empty")).to_contain_text("Nothing here")


async def test_a_line_is_bold_until_r_is_pressed_and_again_after_u(window: Window) -> None:
    await stored(window.site, interaction(1, IVAN), interaction(2, IVAN))
    page = await window.signed_in()
    assert [await is_bold(page, n) for n in (1, 2)] == [True, True]

    await page.keyboard.press("j")
    async with page.expect_response(lambda answer: answer.url.endswith("/reviewed") and answer.status == 204):
        await page.keyboard.press("r")

    assert [await is_bold(page, n) for n in (1, 2)] == [True, False]
    await expect(page.locator(".views .count")).to_have_text("1")
    await page.reload()
    assert [await is_bold(page, n) for n in (1, 2)] == [True, False]
    await page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'о', bubbles: true}))"
    )  # where j is
    async with page.expect_response(lambda answer: answer.url.endswith("/reviewed")):
        await page.keyboard.press("u")
    assert await is_bold(page, 2)


async def test_keys_open_search_and_lead_back(window: Window) -> None:
    await stored(window.site, interaction(1, IVAN), interaction(2, IVAN, topic="Второе"))
    page = await window.signed_in()

    await page.keyboard.press("j")
    await page.keyboard.press("Enter")

    await expect(page.locator("h1")).to_have_text("Второе")
    await page.keyboard.press("Escape")
    await expect(page.locator("#rows .row")).to_have_count(2)
    await page.keyboard.press("/")
    await page.keyboard.type("второго")
    await page.keyboard.press("Enter")
    await expect(page.locator("#rows .row")).to_have_count(1)
    await page.keyboard.press("Escape")
    await page.locator("body").press("?")
    await expect(page.locator("#keys")).to_be_visible()


async def test_what_arrives_appears_by_itself_and_never_under_the_eyes_of_one_who_reads_below(window: Window) -> None:
    await stored(window.site, *(interaction(n, IVAN) for n in range(40)))
    page = await window.signed_in()

    await stored(window.site, interaction(100, IVAN, topic="Само"))
    await expect(page.locator("#rows .row").first).to_contain_text("Само")
    await page.evaluate("window.scrollTo(0, 700)")
    await stored(window.site, interaction(101, IVAN), interaction(102, IVAN))

    pill = page.locator("#pill")
    await expect(pill).to_have_text("2 новых")
    await expect(page.locator("#rows .row").first).to_contain_text("Само")
    await pill.click()
    await expect(page.locator("#rows .row").first).to_have_id(f"i-{ids(102)[0]}")
    await expect(pill).to_be_hidden()


async def test_without_script_everything_can_be_read_and_the_flag_set(window: Window) -> None:
    await stored(window.site, interaction(1, IVAN, topic="Тема", body_text="Слова письма"))
    page = await window.page(java_script_enabled=False)
    await page.goto(f"{window.address}/login?once={await window.site.once_link()}")
    await page.click("button.main")
    await page.wait_for_url(f"{window.address}/")

    await page.click(f"{row(page, 1)} .flag")

    await expect(page.locator(row(page, 1))).not_to_have_class("row bold")
    await page.click(f"{row(page, 1)} .open")
    await expect(page.locator(".text")).to_have_text("Слова письма")
    await page.click("#unreview")
    await expect(page.locator("#reviewed")).to_be_visible()


async def test_hostile_texts_stay_texts(window: Window) -> None:
    who = (Participant(Role.FROM, HOSTILE, HOSTILE),)
    await stored(window.site, interaction(1, topic=HOSTILE, excerpt=HOSTILE, body_text=HOSTILE, participants=who))
    page = await window.signed_in()

    await expect(page.locator("#rows .open")).to_contain_text(HOSTILE)
    for target in (f"/interactions/{ids(1)[0]}", f"/chains/{ids(1)[1]}"):
        await page.goto(window.address + target)
        await expect(page.locator("h1")).to_have_text(HOSTILE)
        assert await page.title() != "broken"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_narrow_screen_nothing_sticks_out(window: Window, scheme: str) -> None:
    long = "Очень-длинное-слово-без-пробелов" * 8
    shop = await add_contact(window.site.api, long, emails=[IVAN], comment=long)
    await stored(
        window.site, interaction(1, IVAN, "b@x.example", topic=long, body_text=long), interaction(2, IVAN, chain=1)
    )
    page = await window.signed_in(viewport=NARROW, color_scheme=scheme)

    for target in ("/", f"/interactions/{ids(1)[0]}", f"/chains/{ids(1)[1]}", f"/contacts/{shop}"):
        await page.goto(window.address + target)
        await page.keyboard.press("b")  # opens the choice of pauses where there is one
        assert await page.evaluate("document.documentElement.scrollWidth") == NARROW["width"], target


async def test_everything_that_can_be_pressed_has_a_name(window: Window) -> None:
    await stored(window.site, interaction(1, IVAN), interaction(2, IVAN, chain=1))
    page = await window.signed_in()

    for target in ("/", f"/interactions/{ids(1)[0]}", f"/chains/{ids(1)[1]}"):
        await page.goto(window.address + target)
        tree = await page.locator("body").aria_snapshot()
        nameless = [
            line for line in tree.splitlines() if line.strip() in ("- link", "- button", "- textbox", "- combobox")
        ]
        assert nameless == [], target
        assert await page.locator("h1").count() == 1
