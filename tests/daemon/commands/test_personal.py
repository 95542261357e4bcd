"""`ringmail contacts erase` and `dossier`: said before it is done, done once, and refused in words."""

import asyncio
import stat
import zipfile
from uuid import UUID

import pytest

from tests.fakes.command import Ringmail, ask

LIST = "name;kind;email;external_ref\nОльга;individual;olga@x.example;c-1\nПётр;individual;petr@x.example;c-2\n"


def value(ringmail: Ringmail, query: str) -> object:
    return asyncio.run(ask(ringmail.dsn, lambda db: db.fetchval(query)))


@pytest.fixture
def olga(ringmail: Ringmail) -> str:
    """The id of a contact."""
    (ringmail.folder / "list.csv").write_text(LIST, "utf-8")
    ringmail("contacts", "import", str(ringmail.folder / "list.csv"))
    return str(value(ringmail, "SELECT id FROM contact WHERE external_ref = 'c-1'"))


def test_a_person_is_erased_after_a_dry_run_that_says_the_same(ringmail: Ringmail, olga: str) -> None:
    dry = ringmail("contacts", "erase", olga, "--reason", "asked", "--dry-run", "--json")
    real = ringmail("contacts", "erase", olga, "--reason", "asked", "--json")
    again = [
        ringmail("contacts", "dossier", olga, "--output", str(ringmail.folder / "d.zip")),
        ringmail("contacts", "erase", olga, "--reason", "asked"),
    ]

    assert (dry.code, real.code, [one.code for one in again]) == (0, 0, [1, 1])
    assert dry.json["counts"] == real.json["counts"]
    assert real.json["not_cleaned"] == []
    assert not (ringmail.folder / "d.zip").exists()
    names = value(ringmail, "SELECT array_agg(name ORDER BY name) FROM contact")
    assert names in (["—", "Пётр"], ["Пётр", "—"])  # by the collation of the server


def test_a_dossier_is_a_file_for_us_alone(ringmail: Ringmail, olga: str) -> None:
    path = ringmail.folder / "d.zip"

    said = ringmail("contacts", "dossier", olga, "--output", str(path), "--json")
    refused = ringmail("contacts", "dossier", olga, "--output", str(path))

    assert said.json == {"interactions": 0, "file": str(path)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as archive:
        assert "Ольга" in archive.read("contacts.json").decode()
    assert (refused.code, "is there already" in refused.err) == (1, True)


def test_who_is_not_there_is_said_in_a_sentence(ringmail: Ringmail, olga: str) -> None:
    nobody = str(UUID(int=7))

    answers = [
        ringmail("contacts", "erase", nobody, "--reason", "asked"),
        ringmail("contacts", "dossier", nobody, "--output", str(ringmail.folder / "n.zip")),
        ringmail("contacts", "erase", "Ольга", "--reason", "asked"),
        ringmail("contacts", "erase", olga),
    ]

    assert [one.code for one in answers] == [1, 1, 2, 2]
    assert all(len(one.err.strip().splitlines()) == 1 for one in answers[:3])
    assert not (ringmail.folder / "n.zip").exists()
