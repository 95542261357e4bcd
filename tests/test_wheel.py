"""The wheel carries all that the program reads at run time, and nothing that it does not."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent
PACKAGES = ("daemon", "connectors", "storage", "config", "interactions")
CODE = {".py", ".pyc"}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_everything_beside_the_code_is_in_the_wheel(names: set[str]) -> None:
    beside = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in CODE
    }

    assert {Path(name).suffix for name in beside} >= {".sql", ".html", ".css", ".js", ".po", ".txt", ".toml"}
    assert beside - names == set()


def test_only_our_packages_are_in_the_wheel(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}

    assert tops - set(PACKAGES) == {top for top in tops if top.startswith("ringmail-")}
