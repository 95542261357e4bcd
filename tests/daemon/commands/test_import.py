"""`ringmail contacts import`: what goes in goes in, what is refused is said with its line, and it may be repeated."""

import pytest

from tests.fakes.command import Ringmail

LIST = """name;kind;email;phone;external_ref;colour
Бытовая техника;partner;info@bt.example;8 (495) 632-98-16;p-1;red
;partner;nobody@bt.example;;p-2;
Иван Петров;individual;ivan@home.example;none;p-3;
Олег Сидоров;individual;oleg@home.example;+7 916 123-45-67;p-4;
"""


@pytest.fixture
def file(ringmail: Ringmail) -> str:
    path = ringmail.folder / "contacts.csv"
    path.write_text(LIST, "utf-8")
    return str(path)


def test_rows_go_in_and_the_refused_ones_are_named(ringmail: Ringmail, file: str) -> None:
    said = ringmail("contacts", "import", file, "--json")

    assert said.code == 0
    assert (said.json["added"], said.json["changed"], said.json["unchanged"]) == (2, 0, 0)
    assert [one["line"] for one in said.json["refused"]] == [3, 4]
    assert said.json["ignored_columns"] == ["colour"]


def test_an_import_may_be_repeated(ringmail: Ringmail, file: str) -> None:
    ringmail("contacts", "import", file)

    said = ringmail("contacts", "import", file)

    assert said.out.startswith("0 added, 0 changed, 2 unchanged, 2 refused")
    assert f"{file}:3: refused: no name" in said.err
    assert "colour" in said.err


def test_a_dry_run_says_the_same_and_writes_nothing(ringmail: Ringmail, file: str) -> None:
    dry = ringmail("contacts", "import", file, "--dry-run", "--json")
    real = ringmail("contacts", "import", file, "--json")

    assert dry.json == {**real.json, "dry_run": True}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "save it there as CSV"),
        (b"colour;taste\nred;sweet\n", "must name the columns"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(ringmail: Ringmail, content: bytes | None, words: str) -> None:
    path = ringmail.folder / "list.csv"
    if content is not None:
        path.write_bytes(content)

    said = ringmail("contacts", "import", str(path))

    assert said.code == 1
    assert words in said.err
    assert len(said.err.splitlines()) == 1
