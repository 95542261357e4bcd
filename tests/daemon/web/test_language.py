"""Both languages: nothing that people read is missing in either, and nothing is said past the catalogues."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import extract
from jinja2.ext import babel_extract
from starlette.requests import Request

from daemon.web.language import COOKIE, LANGUAGES, choose, read_catalogue, speak
from daemon.web.render import environment
from tests.fakes.sources import ROOT

WEB = ROOT / "daemon/web"
TEMPLATES = sorted(path.name for path in (WEB / "templates").glob("*.html"))
OPTIONS = {"silent": "false", "extensions": "jinja2.ext.i18n", "trim_blocks": "true", "lstrip_blocks": "true"}
MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
NOT_WORDS = {"Ringmail", "b", "j", "k", "r", "u", "Enter"}  # a name, and keys


def keys_of(found: object) -> Iterator[str]:
    """The keys that a call of gettext was written with; none where it has no text of its own."""
    parts = (found,) if isinstance(found, str) else found if isinstance(found, tuple | list) else ()
    yield from [part for part in parts if isinstance(part, str) and part]


def said() -> set[str]:
    """Every message of the templates and modules, plural forms too."""
    found: set[str] = set()
    for path in (WEB / "templates").glob("*.html"):
        with path.open("rb") as file:
            for _, _, message, _ in babel_extract(file, ("_", "ngettext"), [], OPTIONS):
                found.update(keys_of(message))
    for path in WEB.glob("*.py"):
        with path.open("rb") as file:
            keywords = {"msgid": None, "say": None, "gettext": None, "ngettext": (1, 2)}
            for _, message, _, _ in extract("python", file, keywords=keywords):
                found.update(keys_of(message))
    return found


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_catalogue_has_all_that_is_said_and_nothing_else(code: str) -> None:
    catalogue = read_catalogue(code)
    known = {key for message in catalogue if message.id for key in keys_of(message.id)}
    forms = {message.id: message.string if isinstance(message.string, tuple) else (message.string,) for message in catalogue if message.id}  # fmt: skip

    assert known == said()
    assert [key for key, texts in forms.items() if not all(texts)] == []
    assert [key for key, texts in forms.items() if isinstance(key, tuple) and len(texts) != catalogue.num_plurals] == []
    assert [message.id for message in catalogue if message.fuzzy and message.id] == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_translation_names_what_its_message_names(code: str) -> None:
    names = re.compile(r"%\(\w+\)[sd]")
    odd = []
    for message in read_catalogue(code):
        wanted = set(names.findall(" ".join(keys_of(message.id))))
        texts = message.string if isinstance(message.string, tuple | list) else (message.string,)
        odd += [message.id for text in texts if message.id and set(names.findall(text)) != wanted]

    assert odd == []


def test_russian_is_written_in_russian() -> None:
    foreign = {"SMS", "%(done)s of %(total)s", "E-mail address"}
    latin = [m.id for m in read_catalogue("ru") if isinstance(m.string, str) and m.id and not re.search("[а-я]", m.string, re.I)]  # fmt: skip

    assert set(latin) <= foreign


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_word_stands_in_a_template_past_the_catalogue(name: str) -> None:
    text = (WEB / "templates" / name).read_text("utf-8")
    text = re.sub(r"\{% block look %\}.*?\{% endblock %\}", "", text)  # a class
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.DOTALL)
    shown = re.sub(r"<svg.*?</svg>", " ", text, flags=re.DOTALL)
    attributes = re.findall(r'(?:title|placeholder|aria-label|alt)="([^"]*)"', shown)
    words = re.findall(r"[^\W\d_]+", " ".join([re.sub(r"<[^>]*>", " ", shown), *attributes]))

    assert set(words) <= NOT_WORDS


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_compiles_in_both_languages(name: str, code: str) -> None:
    assert environment(code).get_template(name)


@pytest.mark.parametrize(
    ("count", "russian", "english"),
    [(1, "1 файл", "1 file"), (2, "2 файла", "2 files"), (5, "5 файлов", "5 files"), (11, "11 файлов", "11 files"),
     (21, "21 файл", "21 files"), (112, "112 файлов", "112 files")],
)  # fmt: skip
def test_plural_forms_are_those_of_the_language(count: int, russian: str, english: str) -> None:
    said = [speak(code).words.ngettext("%(num)d file", "%(num)d files", count) % {"num": count} for code in LANGUAGES]

    assert said == [russian, english]


@pytest.mark.parametrize(
    ("ago", "russian", "english"),
    [
        (timedelta(seconds=20), "только что", "just now"),
        (timedelta(minutes=5, seconds=50), "5 мин. назад", "5 min. ago"),
        (timedelta(minutes=59, seconds=59), "59 мин. назад", "59 min. ago"),
        (timedelta(hours=2), "13:00", "13:00"),
        (timedelta(hours=20), "вчера, 19:00", "yesterday, 19:00"),
        (timedelta(days=9), "16 нояб.", "Nov 16"),
        (timedelta(days=400), "21 окт. 2025 г.", "Oct 21, 2025"),
        (timedelta(days=-3), "28 нояб.", "Nov 28"),
    ],
)
def test_a_list_tells_how_long_ago_in_the_time_of_the_company(ago: timedelta, russian: str, english: str) -> None:
    shown = [
        speak(code).ago(NOW - ago, NOW, MOSCOW).replace("\u202f", " ").replace("\u00a0", " ") for code in LANGUAGES
    ]

    assert shown == [russian, english]


@pytest.mark.parametrize(
    ("count", "russian", "english"),
    [(0, "0 Б", "0 B"), (999, "999 Б", "999 B"), (1400, "1,4 кБ", "1.4 kB"), (999_600, "1 МБ", "1 MB"),
     (52_000_000, "52 МБ", "52 MB"), (9_000_000_000_000, "9 000 ГБ", "9,000 GB")],
)  # fmt: skip
def test_sizes_are_for_people(count: int, russian: str, english: str) -> None:
    assert [speak(code).size(count).replace("\u00a0", " ") for code in LANGUAGES] == [russian, english]


@pytest.mark.parametrize(
    ("query", "cookie", "of_user", "chosen"),
    [
        (b"lang=en", "ru", "ru", "en"), (b"", "en", "ru", "en"), (b"", "", "en", "en"), (b"", "", None, "ru"),
        (b"lang=de", "xx", "", "ru"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_that_was_asked_for_last(
    query: bytes, cookie: str, of_user: str | None, chosen: str
) -> None:
    sent = [(b"cookie", f"{COOKIE}={cookie}".encode())] if cookie else []
    request = Request({"type": "http", "query_string": query, "headers": sent, "path": "/"})

    assert choose(request, of_user, "ru").code == chosen


def test_the_catalogues_lie_where_gettext_looks_for_them() -> None:
    found = {path.relative_to(WEB) for path in WEB.rglob("*.po")}

    assert found == {Path("locale") / code / "LC_MESSAGES/ringmail.po" for code in LANGUAGES}
