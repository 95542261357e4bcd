"""The examples of docs/http-api.md, run in their order on one database: what the page says is what happens."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from storage import feed
from storage.database import Database
from tests.fakes.api import Api, make_api, signed
from tests.fakes.asgi import Answer, ask
from tests.fakes.sources import ROOT

PAGE = ROOT / "docs/http-api.md"
NAME = re.compile(r"\b[A-Z]{4,}\b")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Example:
    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int
    expected: str


def examples() -> list[Example]:
    """Indented blocks that have an answer."""
    found = []
    for block in re.findall(r"(?:^    .*\n)+", PAGE.read_text("utf-8"), re.MULTILINE):
        lines = [line[4:] for line in block.splitlines()]
        at = next((n for n, line in enumerate(lines) if line.startswith("→")), None)
        if at is None:
            continue
        method, _, path = lines[0].partition(" ")
        assert method in METHODS, lines[0]
        headers = dict(re.findall(r"(?m)^([A-Z][\w-]+): (.+)$", "\n".join(lines[1:at])))
        body = "\n".join(line for line in lines[1:at] if line.partition(":")[0] not in headers)
        _, status, expected = [*"\n".join(lines[at:]).split(" ", 2), ""][:3]
        found.append(Example(method, path, headers, body, int(status), expected))
    return found


def filled(text: str, names: dict[str, str]) -> str:
    return NAME.sub(lambda found: names.get(found.group(), found.group()), text)


def differs(expected: Any, given: Any, names: dict[str, str], path: str = "") -> list[str]:
    """Where an answer is not what the page says. Names in capitals that are new are learnt."""
    if expected == "…":
        return []
    if isinstance(expected, str) and NAME.fullmatch(expected):
        return [] if names.setdefault(expected, str(given)) == str(given) else [f"{path} is {given!r}, not {expected}"]
    if isinstance(expected, dict) and isinstance(given, dict):
        return [w for name in expected for w in differs(expected[name], given.get(name, "nothing"), names, f"{path}.{name}")]  # fmt: skip
    if isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        return [w for n, (one, other) in enumerate(zip(expected, given, strict=True)) for w in differs(one, other, names, f"{path}.{n}")]  # fmt: skip
    return [] if expected == given else [f"{path} is {given!r}, not {expected!r}"]


async def answer_to(api: Api, one: Example, names: dict[str, str]) -> Answer:
    path, raw = quote(filled(one.path, names), safe="/?=&%"), filled(one.body, names).encode()
    proof = signed(raw, "m1") if path.startswith("/hooks/") else {"authorization": f"Bearer {api.token}"}
    headers = {name.lower(): value for name, value in one.headers.items()}
    return await ask(api.app, one.method, path, raw, **proof, **headers)


async def test_the_examples_of_the_page_are_true(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path)
    names: dict[str, str] = {}
    wrong: list[str] = []

    for one in examples():
        await api.index()
        await database.in_transaction(feed.number)
        given = await answer_to(api, one, names)
        what = f"{one.method} {one.path}"
        if given.status != one.status:
            wrong.append(f"{what}: {given.status}, not {one.status}: {given.body.decode()}")
        elif one.expected:
            wrong += [f"{what}: {w}" for w in differs(json.loads(one.expected), given.json, names)]

    assert wrong == []
    assert len(examples()) > 25
