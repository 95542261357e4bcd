"""Contact lists in workbooks: what a person sees in the sheet comes out, and what is broken or a bomb is refused in words."""

import datetime
import io
import re
import zipfile
from collections.abc import Sequence

import openpyxl
import pytest

from interactions.contactfiles import ContactRow, RefusedRow, UnreadableFile, Written
from interactions.contactlists import read_list
from interactions.contacts import ContactKind
from interactions.workbooks import NEVER_CALCULATED, PARTS_MAX, UNPACKED_BYTES_MAX, write_workbook

HEADER = ("Наименование", "Вид", "Телефон", "E-mail", "ИНН")


def workbook(*sheets: Sequence[Sequence[object]]) -> bytes:
    """A workbook with these sheets."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(list(row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def with_sheet(xml: bytes) -> bytes:
    """A workbook whose only sheet is this."""
    old, new = zipfile.ZipFile(io.BytesIO(workbook([HEADER]))), io.BytesIO()
    with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in old.namelist():
            packed.writestr(name, xml if name == "xl/worksheets/sheet1.xml" else old.read(name))
    return new.getvalue()


def sheet(rows: bytes) -> bytes:
    head = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    return head + rows + b"</sheetData></worksheet>"


def test_the_list_of_a_sheet_is_read_with_its_numbers_as_they_were_typed() -> None:
    found = read_list(workbook([HEADER, ("Магазин", "Партнер", 84956329816.0, "info@shop.example", 7701234567)]))

    assert (found.encoding, found.refused, found.ignored) == ("xlsx", (), ())
    assert found.rows == (
        ContactRow(
            2,
            "Магазин",
            ContactKind.PARTNER,
            (Written("info@shop.example"),),
            (Written("84956329816"),),
            inn="7701234567",
        ),
    )


def test_a_title_above_the_headings_and_a_sheet_without_any_are_passed_over() -> None:
    cover = [("Отчет за 2026 год",), (datetime.date(2026, 11, 25),)]
    rows = [("Контакты компании",), (), HEADER, ("Иван Петров", None, "8 916 123-45-67"), (None,), ("", "Партнер", 1)]

    found = read_list(workbook(cover, rows))

    assert [(row.line, row.name) for row in found.rows] == [(4, "Иван Петров")]
    assert found.refused == (RefusedRow(6, "no name"),)


def test_a_formula_counts_by_its_result_and_without_one_its_row_is_refused() -> None:
    head = b'<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c><c r="B1" t="inlineStr"><is><t>phone</t></is></c></row>'
    cell = b'<c r="A%d" t="inlineStr"><is><t>Olga</t></is></c>'
    known = b'<row r="2">' + cell % 2 + b'<c r="B2" t="str"><f>C1&amp;"7"</f><v>89161234567</v></c></row>'
    unknown = b'<row r="3">' + cell % 3 + b'<c r="B3"><f>C1&amp;"7"</f></c></row>'

    found = read_list(with_sheet(sheet(head + known + unknown)))

    assert [(row.name, row.phones) for row in found.rows] == [("Olga", (Written("89161234567"),))]
    assert found.refused == (RefusedRow(3, NEVER_CALCULATED),)


def test_columns_of_ones_own_are_told() -> None:
    data = workbook([("Кто", "Моб. менеджера", "E-mail"), ("Иван", "89161234567", "i@x.example")])

    found = read_list(data, {"Кто": "name", "Моб. менеджера": "phone:mobile", "E-mail": ""})

    assert [(row.name, row.phones, row.emails) for row in found.rows] == [
        ("Иван", (Written("89161234567", "mobile"),), ())
    ]
    with pytest.raises(UnreadableFile, match="there are"):
        read_list(data, {"Кто": "colour"})


def test_what_was_written_is_read_again_and_no_text_is_a_formula() -> None:
    rows = [["=HYPERLINK(1)", "individual", "+7 916 123-45-67 (моб)", "i@x.example", ""], ["Bell\x07", "", "", "", ""]]

    data = write_workbook(HEADER, rows, "contacts")

    found = read_list(data)
    cells = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]["A2"]
    assert [row.name for row in found.rows] == ["=HYPERLINK(1)", "Bell"]
    assert found.rows[0].phones == (Written("+7 916 123-45-67", "моб"),)
    assert (cells.data_type, cells.value) == ("s", "=HYPERLINK(1)")


def bomb() -> bytes:
    """A little file that states a sheet of gigabytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b" " * (UNPACKED_BYTES_MAX + 1))
    return content.getvalue()


def parts() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for n in range(PARTS_MAX + 1):
            packed.writestr(str(n), b"")
    return content.getvalue()


def liar() -> bytes:
    """A bomb that states another size than it has."""
    return bomb().replace((UNPACKED_BYTES_MAX + 1).to_bytes(4, "little"), (100).to_bytes(4, "little"))


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "' + b"ha" * 5000 + b'"><!ENTITY b "' + b"&a;" * 5000 + b'">]>'
ROWS_APART = (
    b'<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c></row>'
    b'<row r="99999999999"><c r="A99999999999" t="inlineStr"><is><t>Ivan</t></is></c></row>'
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"PK\x03\x04 and the rest is missing", "no workbook that I can read", id="cut off"),
        pytest.param(workbook([("colour", "taste"), ("red", "sweet")]), "names the columns", id="no list"),
        pytest.param(workbook([]), "names the columns", id="empty"),
        pytest.param(bomb(), "unpacks to more than", id="bomb"),
        pytest.param(liar(), "no workbook that I can read", id="bomb that lies"),
        pytest.param(parts(), "unpacks to more than", id="many parts"),
        pytest.param(with_sheet(sheet(b'<row r="1">' + b"<c/>" * 20_000 + b"</row>")), "more than 16384 cells", id="wide"),
        pytest.param(with_sheet(sheet(ROWS_APART)), "more than 1048576 rows", id="rows far apart"),
        pytest.param(
            with_sheet(ENTITIES + sheet(b'<row r="1"><c r="A1" t="inlineStr"><is><t>&b;&b;</t></is></c></row>')),
            "no workbook that I can read|names the columns",
            id="entities",
        ),
        pytest.param(b"\xd0\xcf\x11\xe0" + b"\0" * 100, "save the list there as .xlsx", id="old office"),
    ],
)  # fmt: skip
def test_a_workbook_that_is_no_list_or_a_bomb_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words) as refusal:
        read_list(data)

    assert not re.search(r"\n", str(refusal.value))
