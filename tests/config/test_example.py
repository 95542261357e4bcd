"""The example file and the documentation name every key of the models, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest

from config.load import loads
from config.not_built import not_built_yet
from config.settings import Settings
from config.tables import Table

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config" / "example.toml").read_text(encoding="utf-8")
DOCUMENTED = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
SECRETS = dict.fromkeys(re.findall(r'"env:([A-Z_]+)"', EXAMPLE), "a-long-enough-secret-text")


def tables_in(annotation: Any) -> Iterator[type[Table]]:
    if isinstance(annotation, type) and issubclass(annotation, Table):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from tables_in(get_args(annotation)[0])
    else:
        for part in get_args(annotation):
            yield from tables_in(part)


def keys_of(model: type[Table], above: str = "") -> Iterator[str]:
    for key, name in model.keys().items():
        below = list(tables_in(model.model_fields[name].annotation))
        if below:
            yield from keys_of(below[0], f"{above}{key}.")
        else:
            yield above + key


def keys_in(value: Any, above: str = "") -> Iterator[str]:
    known = set(keys_of(Settings))
    if above[:-1] in known:
        yield above[:-1]
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from keys_in(below, f"{above}{key}.")
    elif isinstance(value, list):
        for item in value:
            yield from keys_in(item, above)
    else:
        yield above[:-1]


@pytest.fixture
def uncommented(tmp_path: Path) -> str:
    (tmp_path / "provider.pem").write_text("key")
    (tmp_path / "own.pem").write_text("key")
    (tmp_path / "secret.key").write_text("0123456789abcdef")
    return re.sub(r"^#(?! |$)", "", EXAMPLE, flags=re.MULTILINE)


def test_every_line_of_the_example_is_a_comment() -> None:
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []


def test_the_example_as_it_is_gives_the_defaults(tmp_path: Path) -> None:
    environ = {"HOME": "/home/anna"}

    assert loads(EXAMPLE, tmp_path, environ).settings == loads("", tmp_path, environ).settings


def test_the_example_uncommented_loads_without_mistakes(uncommented: str, tmp_path: Path) -> None:
    settings = loads(uncommented, tmp_path, {"HOME": "/home/anna", **SECRETS}).settings

    assert [mailbox.name for mailbox in settings.mailboxes] == ["sales", "info"]
    assert settings.login.secret_key is not None


def test_the_example_names_every_key_of_the_models(uncommented: str) -> None:
    import tomllib

    assert set(keys_in(tomllib.loads(uncommented))) == set(keys_of(Settings))


def test_the_example_shows_defaults_where_a_default_is_shown() -> None:
    shown = re.sub(r"^#(?! |$)", "", EXAMPLE.split("#[login.oidc]")[0], flags=re.MULTILINE)
    settings = loads(shown, Path("/nowhere"), {"HOME": "/home/anna"}).settings
    default = loads("", Path("/nowhere"), {"HOME": "/home/anna"}).settings

    for table in ("features", "hours", "retention", "database", "chains"):
        assert getattr(settings, table) == getattr(default, table), table


def test_the_documentation_has_one_row_for_every_key() -> None:
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \|", DOCUMENTED, flags=re.MULTILINE)

    assert sorted(rows) == sorted(keys_of(Settings))


def test_every_documented_row_has_a_type_and_a_meaning() -> None:
    for row in re.findall(r"^\| `[a-z0-9_.]+` \|.*$", DOCUMENTED, flags=re.MULTILINE):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert len(cells) == 4, row
        assert cells[1], row
        assert cells[3], row


def test_what_is_not_built_yet_is_said_with_its_path(uncommented: str, tmp_path: Path) -> None:
    said = not_built_yet(loads(uncommented, tmp_path, {"HOME": "/home/anna", **SECRETS}).settings)

    paths = [sentence.split(":")[0] for sentence in said]
    for path in ("login.oidc", "subscriber[0] (crm)", "directory[0] (erp)"):
        assert path in paths
    assert all(sentence.endswith("this is not built yet and has no effect") for sentence in said)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[retention]\ninteractions = 30", "retention.interactions"),
        ("[hours]\nholidays = 'days.ics'", "hours.holidays"),
        ("[[telephony]]\nname='a'\ntype='generic'\nsecret='x'\nmode='poll'", "telephony[0].mode (a)"),
    ],
)
def test_one_used_setting_gives_one_sentence(text: str, path: str, tmp_path: Path) -> None:
    (said,) = not_built_yet(loads(text, tmp_path, {"HOME": "/home/anna"}).settings)

    assert said.startswith(f"{path}: ")


def test_the_defaults_use_nothing_that_is_not_built(tmp_path: Path) -> None:
    assert not_built_yet(loads("", tmp_path, {"HOME": "/home/anna"}).settings) == []
