"""`ringmail contacts`: what goes in goes in, what is refused is said with its line; what goes out comes in again."""

import stat

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
        (b"PK\x03\x04rest", "save the list as .xlsx or CSV"),
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


MANY = """external_ref;kind;name;email;phone;partner;partner_ref;inn;domains;tags;responsible;comment
p-1;partner;Бытовая техника;"Отдел продаж <sales@bt.example>, info@bt.example";632-98-16 (факс);;;7701234567;bt.example;опт, vip;;"Две
строки"
c-1;contact_person;Иван Петров;ivan@bt.example;"8 (916) 123-45-67 (моб), 8 495 111-22-33 доб. 12";;p-1;;;;anna@example.org;
;individual;=HYPERLINK(1);evil@x.example;;;;;;;;
;individual;Olga;olga@x.example;+1 212 555 0100;;;;;;;
"""


def test_what_was_exported_comes_in_again_and_changes_nothing(ringmail: Ringmail) -> None:
    source, target = ringmail.folder / "many.csv", ringmail.folder / "out.csv"
    source.write_text(MANY, "utf-8")
    ringmail.configure(contacts={"default_area_code": "495"})
    ringmail("user", "add", "anna@example.org")
    assert ringmail("contacts", "import", str(source), "--json").json["refused"] == []

    said = ringmail("contacts", "export", str(target), "--json")

    text = target.read_text("utf-8-sig")
    again = ringmail("contacts", "import", str(target), "--json").json
    assert said.json == {"contacts": 5, "file": str(target)}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "'=HYPERLINK(1)" in text
    assert "(моб)" in text
    assert (again["changed"], again["refused"], again["partners"]) == (0, [], 0)
    assert (again["unchanged"], again["added"]) == (4, 1)  # the name that was no formula is another one now


@pytest.mark.parametrize(("name", "contacts"), [("out.xlsx", 5), ("out.vcf", 4)])
def test_workbooks_and_cards_come_in_again_too(ringmail: Ringmail, name: str, contacts: int) -> None:
    source, target = ringmail.folder / "many.csv", ringmail.folder / name
    source.write_text(MANY.replace("632-98-16", "8 495 632-98-16"), "utf-8")
    ringmail("user", "add", "anna@example.org")
    ringmail("contacts", "import", str(source))

    said = ringmail("contacts", "export", str(target), "--json")

    again = ringmail("contacts", "import", str(target), "--json").json
    assert said.json == {"contacts": contacts, "file": str(target)}
    assert (again["added"], again["changed"], again["refused"], again["partners"]) == (0, 0, [], 0)
    assert again["unchanged"] == contacts


def test_columns_of_ones_own_are_named_in_a_file(ringmail: Ringmail) -> None:
    file, columns = ringmail.folder / "list.csv", ringmail.folder / "columns.toml"
    file.write_text("Кто;Куда звонить\nОлег;89161234567\n", "utf-8")
    columns.write_text('"Кто" = "name"\n"Куда звонить" = "phone:mobile"\n', "utf-8")

    said = ringmail("contacts", "import", str(file), "--columns", str(columns), "--json")
    columns.write_text('"Кто" = 5\n', "utf-8")
    refused = ringmail("contacts", "import", str(file), "--columns", str(columns))

    assert said.json["added"] == 1
    assert (refused.code, refused.err.count("\n")) == (1, 1)


def test_a_list_of_unknown_form_is_not_written(ringmail: Ringmail) -> None:
    said = ringmail("contacts", "export", str(ringmail.folder / "out.pdf"))

    assert said.code == 1
    assert ".csv, .xlsx, .vcf" in said.err


def test_an_export_writes_over_nothing_unasked(ringmail: Ringmail, file: str) -> None:
    refused, forced = ringmail("contacts", "export", file), ringmail("contacts", "export", file, "--force")

    assert (refused.code, forced.code) == (1, 0)
    assert "--force" in refused.err
