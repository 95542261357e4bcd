"""Contact lists: whatever program wrote them, rows come out, and what can't be read is named."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interactions.contactfiles import (
    CELL_CHARS_MAX,
    FILE_BYTES_MAX,
    LABEL_CHARS_MAX,
    ROWS_MAX,
    ContactRow,
    UnreadableFile,
    Written,
    read,
    split_emails,
    split_phones,
)
from interactions.contacts import ContactKind

LIST = (
    "Вид;Наименование;Телефон;E-mail;ИНН;Код\r\n"
    'Партнер;"Магазин ""Бытовая техника (Москва)""";+7 495 632-98-16;info@shop.example;7701234567;П-1\r\n'
)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("cp1251", "windows-1251"), ("utf-16", "utf-16"),
     ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be")],
)  # fmt: skip
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_encoding_and_delimiter_are_guessed(encoding: str, named: str, delimiter: str) -> None:
    found = read(LIST.replace(";", delimiter).encode(encoding))

    assert (found.encoding, found.delimiter, found.refused, found.ignored) == (named, delimiter, (), ())
    assert found.rows == (
        ContactRow(
            2,
            'Магазин "Бытовая техника (Москва)"',
            ContactKind.PARTNER,
            (Written("info@shop.example"),),
            (Written("+7 495 632-98-16"),),
            inn="7701234567",
            external_ref="П-1",
        ),
    )


def test_the_first_line_of_excel_names_the_delimiter() -> None:
    found = read(b"sep=;\r\nname;phone\r\nIvan;1,2\r\n")

    assert (found.delimiter, found.rows[0].line, found.rows[0].name) == (";", 3, "Ivan")


def test_an_address_book_is_read_by_its_numbered_columns() -> None:
    text = (
        "First Name,Last Name,Organization Name,E-mail 1 - Value,E-mail 2 - Value,Phone 1 - Value,Mobile Phone,Photo\n"
        "Ivan,Petrov,Shop,ivan@x.example,i@y.example,(495) 632-98-16,+79161234567,none\n"
    )

    found = read(text.encode())

    assert found.ignored == ("Photo",)
    assert found.rows == (
        ContactRow(
            2,
            "Petrov Ivan",
            None,
            (Written("ivan@x.example"), Written("i@y.example")),
            (Written("(495) 632-98-16"), Written("+79161234567", "mobile")),
            partner="Shop",
        ),
    )


def test_russian_columns_in_any_order() -> None:
    text = (
        "Комментарий\tФИО\tТелефон 2\tМобильный\tКомпания\tМетки\tОтветственный\n"
        "«важный»\tПётр Иванов\t6329816\t89161234567\tООО Ромашка\tvip, опт\tanna@example.org\n"
    )

    [row] = read(text.encode()).rows

    assert (row.name, row.partner, row.tags, row.comment) == ("Пётр Иванов", "ООО Ромашка", ("vip", "опт"), "«важный»")
    assert row.phones == (Written("6329816"), Written("89161234567", "мобильный"))
    assert row.responsible == "anna@example.org"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("8(495)6329816, 6329817 (факс)", [("8(495)6329816", ""), ("8(495)6329817", "факс")]),
        ("89161234567 Иван", [("89161234567", "Иван")]),
        ("Иван: +7 916 123-45-67; Мария +79161234568", [("+7 916 123-45-67", "Иван"), ("+79161234568", "Мария")]),
        ("факс: (495) 632-98-16 доб. 12", [("(495) 632-98-16 доб. 12", "факс")]),
        ("+7 495 632-98-16, доб. 123", [("+7 495 632-98-16, доб. 123", "")]),
        ("495/632-98-16", [("495/632-98-16", "")]),
        ("6329816/6329817", [("6329816", ""), ("6329817", "")]),
        ("89161234567 89161234568", [("89161234567", ""), ("89161234568", "")]),
        ("89161234567 Иван 2", [("89161234567", "Иван 2")]),
        ("8 (812) 1234567\n(495) 6329816", [("8 (812) 1234567", ""), ("(495) 6329816", "")]),
        ("+49 30 901820, 6329816", [("+49 30 901820", ""), ("6329816", "")]),
        ("нет", [("нет", "")]),
        ("", []),
    ],
)
def test_numbers_of_a_cell_are_parted_with_their_labels(cell: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.address, one.label) for one in split_phones(cell)] == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a@x.example", [("a@x.example", "")]),
        ("Иван <a@x.example>; b@x.example", [("a@x.example", "Иван"), ("b@x.example", "")]),
        ("a@x.example b@x.example\nc@x.example", [("a@x.example", ""), ("b@x.example", ""), ("c@x.example", "")]),
        ("нет", [("нет", "")]),
        ("", []),
    ],
)
def test_emails_of_a_cell_are_parted(cell: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.address, one.label) for one in split_emails(cell)] == expected


def test_rows_that_can_not_be_read_are_named_and_the_rest_goes_in() -> None:
    long = "x" * (CELL_CHARS_MAX + 1)
    text = f"name,kind,comment\nIvan,,\n,,no name here\n\nPetr,alien,\nMaria,,{long}\nOlga,user,\n"

    found = read(text.encode())

    assert [(row.line, row.name) for row in found.rows] == [(2, "Ivan"), (7, "Olga")]
    assert [(one.line, one.reason.split(" ")[0]) for one in found.refused] == [(3, "no"), (5, "no"), (6, "a")]


def test_lines_are_those_of_the_file_where_a_cell_has_several() -> None:
    found = read(b'name,comment\n"Ivan","one\ntwo"\nPetr,\n')

    assert [(row.line, row.name) for row in found.rows] == [(2, "Ivan"), (4, "Petr")]


def test_a_quote_that_is_never_closed_does_not_take_the_list_with_it() -> None:
    text = 'name,comment\nIvan,"' + "x" * 140_000 + "\nPetr,\n"

    found = read(text.encode())

    assert [row.name for row in found.rows] == ["Petr"]
    assert [one.line for one in found.refused] == [2]


def test_an_unclosed_quote_costs_only_its_own_line() -> None:
    text = 'name;phone\n"First\nand more";1234567\n"Second;2345678\nThird;3456789\nFourth;\n'

    found = read(text.encode())

    assert [row.name for row in found.rows] == ["First and more", "Third", "Fourth"]
    assert [(one.line, one.reason) for one in found.refused] == [(4, "a quote is not closed")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "first line"),
        (b"PK\x03\x04....", "office program"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not text"),
        (b"phone,email\n1,2\n", "phone, email"),
        (b"x" * (FILE_BYTES_MAX + 1), "larger"),
        (b"name\n" + b"a\n" * (ROWS_MAX + 1), "rows"),
    ],
)
def test_a_file_that_is_no_list_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        read(data)


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=400).map(lambda tail: b"name;phone;email\n" + tail)))
@example(b'name,phone\n"\r\r,((((((((((1234 \x98\n')
@example(b"\xff\xfen\x00a")
def test_any_bytes_are_rows_or_that_one_error(data: bytes) -> None:
    with contextlib.suppress(UnreadableFile):
        assert all(row.name for row in read(data).rows)


@given(st.text(alphabet="+()-/,; 0123456789доб.xИ\n", max_size=300))
def test_any_cell_gives_bounded_numbers_and_labels(cell: str) -> None:
    found = split_phones(cell)

    assert bool(found) == bool(cell.strip())
    assert all(one.address and len(one.label) <= LABEL_CHARS_MAX for one in found)


def test_long_cells_take_linear_time() -> None:
    for cell in ("1 " * 5000, "(1" * 5000, "8(495)6329816," * 700, "доб" * 3000, "(" * 10_000):
        assert len(split_phones(cell)) <= 50
