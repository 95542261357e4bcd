"""The project as text: its modules read by AST, its imports resolved, everything that we write ourselves."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parent.parent.parent
FLOORS = ("interactions", "config", "storage", "connectors", "daemon")


@dataclass(frozen=True)
class Module:
    """One file of Python, read."""

    path: str
    name: str
    text: str
    tree: ast.Module

    @property
    def floor(self) -> str:
        return self.path.partition("/")[0]

    def imports(self) -> Iterator[tuple[ast.AST, str]]:
        """Every import with the module it names; `from storage import chains` names storage.chains."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield from ((node, self._named(node.module or "", alias.name)) for alias in node.names)

    @staticmethod
    def _named(package: str, name: str) -> str:
        inner = ROOT / package.replace(".", "/") / name
        is_module = inner.with_suffix(".py").exists() or (inner / "__init__.py").exists()
        return f"{package}.{name}" if is_module else package


def read(path: Path) -> Module:
    """Reads one file."""
    relative = path.relative_to(ROOT)
    name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
    text = path.read_text("utf-8")
    return Module(relative.as_posix(), name, text, ast.parse(text))


@cache
def ours() -> tuple[Module, ...]:
    """The modules of the five floors."""
    return tuple(read(path) for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py")))


@cache
def all_python() -> tuple[Module, ...]:
    """Those, the tests and the benchmarks."""
    rest = [path for folder in ("tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]
    return (*ours(), *(read(path) for path in rest))


def written() -> Iterator[tuple[str, str]]:
    """Every text that we write ourselves, with its path."""
    kinds = {".py", ".pyi", ".sql", ".md", ".toml", ".html", ".css", ".js", ".sh", ".po", ".txt", ".yml", ".service"}
    folders = [*FLOORS, "tests", "benchmarks", "docs", "typings", "packaging", ".ci"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    files += [path for path in ROOT.iterdir() if path.is_file() and path.name != "LICENSE"] + [ROOT / ".ci/run"]
    for path in sorted(files):
        yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8", "replace")


def project() -> dict[str, Any]:
    """The table `[project]` of pyproject.toml."""
    return cast("dict[str, Any]", tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"])


def dependencies(extra: str = "") -> set[str]:
    """The declared dependencies, by name."""
    declared = project()
    lines = declared["optional-dependencies"][extra] if extra else declared["dependencies"]
    return {re.split(r"[^\w.-]", line)[0].lower() for line in lines}


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def distributions_of(package: str) -> set[str]:
    """Which installed distributions own a top-level package."""
    return {name.lower() for name in _distributions().get(package, ())}


def third_parties() -> Iterator[tuple[Module, str]]:
    """Every import of a library, by its top-level package."""
    for module in ours():
        for _, name in module.imports():
            top = name.partition(".")[0]
            if top not in FLOORS and top not in sys.stdlib_module_names:
                yield module, top


_SQL = re.compile(
    r"\s*(?:--.*\n\s*)*(?:SELECT\s|INSERT INTO\s|UPDATE \w+ SET\s|DELETE FROM\s|WITH \w+ AS\s|CREATE (?:TABLE|DATABASE"
    r"|INDEX|ROLE)\s|ALTER TABLE\s|DROP \w+\s)"
)


def statements(module: Module) -> Iterator[ast.expr]:
    """The texts of a module that are SQL."""
    for node in ast.walk(module.tree):
        text = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
        if (
            isinstance(node, ast.expr)
            and isinstance(text, ast.Constant)
            and isinstance(text.value, str)
            and _SQL.match(text.value)
        ):
            yield node


def constants(module: Module) -> dict[str, ast.expr]:
    """The upper-case names of a module, with what they are set to."""
    return {
        target.id: node.value
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }
