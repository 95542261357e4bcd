"""The documentation is kept true: dependencies, settings, tables, routes and commands are named, names and links exist."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.sources import FLOORS, ROOT, dependencies, ours

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
OF_TODAY = [page for page in PAGES if page.name != "next.md"]  # that one names what is to come
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
ROUTES_IN = ("daemon/server.py", "daemon/webhooks.py", "daemon/auth.py", "daemon/api/", "daemon/web/")
METHODS = {"get", "post", "put", "patch", "delete", "head", "route", "api_route", "add_route", "Route", "websocket"}


def text_of(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def names_in(page: Path) -> Iterator[tuple[str, str]]:
    """What a page says is code: dotted names of ours, and paths of files."""
    text = page.read_text("utf-8")
    floors = "|".join(FLOORS)
    for found in re.finditer(rf"(?<![\w./-])(?:{floors})(?:\.[A-Za-z_]\w*)+(?![\w/])(?!\.\w)", text):
        yield "name", found.group()
        beside = re.match(r"(?: · (\w+)(?=[ \n]))+", text[found.end() :])  # `chains.extend · merge`
        for sibling in re.findall(r"\w+", beside.group()) if beside else ():
            yield "name", f"{found.group().rpartition('.')[0]}.{sibling}"
    for found in re.finditer(rf"(?<![\w./<-])(?:{floors}|tests|docs|typings)/[\w./-]*[\w/](?![\w<*])", text):
        yield "path", found.group()


def is_there(name: str) -> bool:
    """Whether a dotted name leads to something: a module, or what one holds."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


# Decisions


@pytest.mark.parametrize("dependency", sorted(dependencies()))
def test_a_dependency_has_its_page(dependency: str) -> None:
    assert any(f"`{dependency}`" in page.read_text("utf-8") for page in DECISIONS)


def test_decisions_are_numbered_without_gaps_and_say_what_was_given_up() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    texts = {page.name: page.read_text("utf-8") for page in DECISIONS}

    assert numbers == list(range(1, len(numbers) + 1))
    assert [name for name, text in texts.items() if not text.startswith(f"# {int(name[:4])}. ")] == []
    assert [name for name, text in texts.items() if "**Chosen.**" not in text or "**Given up.**" not in text] == []


# Settings and tables


def test_every_key_of_the_example_is_documented() -> None:
    example = (ROOT / "config/example.toml").read_text("utf-8")
    keys = set(re.findall(r"^#?([a-z_]+) = ", example, re.MULTILINE))
    told = text_of("configuration.md")

    assert keys
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", told)] == []


def tables() -> set[str]:
    sources = [*(ROOT / "storage/migrations").glob("*.sql"), ROOT / "storage/migrate.py"]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    return set(re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", text, re.MULTILINE))


def test_every_table_is_in_the_data_model_with_the_module_that_writes_it() -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text_of("data-model.md").splitlines()
        if "|" in line
    ]
    documented = {name: row[-1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}

    assert documented.keys() == tables()
    for name, modules in documented.items():
        for module in [] if modules == "later" else modules.split(", "):
            assert re.search(rf"\b{name}\b", (ROOT / f"storage/{module}.py").read_text("utf-8")), (name, module)


# Names and links


@pytest.mark.parametrize("page", OF_TODAY, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    missing = [
        name for kind, name in names_in(page) if not (is_there(name) if kind == "name" else (ROOT / name).exists())
    ]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    assert [one for one in targets if "://" not in one and not (page.parent / one).exists()] == []


# Routes and commands, as soon as there are pages for them


def routes() -> set[str]:
    """Every path that a route is declared with, by reading the sources."""
    found = set()
    for module in ours():
        for node in ast.walk(module.tree) if module.path.startswith(ROUTES_IN) else ():
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                path = node.args[0].value
                if name in METHODS and isinstance(path, str) and path.startswith("/"):
                    found.add(path)
    return found


def shape(path: str) -> str:
    """A path whatever its parameters are called."""
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


@pytest.mark.skipif(not (DOCS / "http-api.md").exists(), reason="the HTTP interface has no page yet")
def test_every_route_is_documented() -> None:
    told = shape(text_of("http-api.md"))

    assert [path for path in sorted(routes()) if shape(path) not in told] == []


def commands() -> set[str]:
    """Every command that is declared, by reading the sources."""
    found = set()
    for module in ours():
        if not module.path.startswith(("daemon/cli.py", "daemon/commands/")):
            continue
        for node in ast.walk(module.tree):
            for mark in getattr(node, "decorator_list", ()):
                if isinstance(mark, ast.Call) and getattr(mark.func, "attr", "") == "command":
                    named = [one.value for one in mark.args if isinstance(one, ast.Constant)]
                    found.add(str(named[0]) if named else node.name.replace("_", "-"))  # type: ignore[attr-defined]
    return found


@pytest.mark.skipif(not (DOCS / "operations.md").exists(), reason="the commands have no page yet")
def test_every_command_is_documented() -> None:
    told = text_of("operations.md")

    assert [name for name in sorted(commands()) if not re.search(rf"\b{re.escape(name)}\b", told)] == []
