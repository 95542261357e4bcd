"""Contact lists in workbooks (.xlsx): the cells of a sheet, read as the records of `contactfiles`; and lists written so.

The headings may stand below a title: the first of `HEADING_ROWS` rows that names the columns counts, in the first sheet
that has one. Numbers come as they were typed as far as the program that saved them kept it (an INN of 7701234567, not
7701234567.0); dates as days. Of a formula its last result counts; a row with one that was never calculated is refused.

A workbook is a packed folder, and a small one may hold gigabytes: it is refused by the sizes it states, which unpacking
holds it to, and by its rows and the cells of one row, before any of it is read. Entities are bounded by the XML parser.
"""

import datetime
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell, WriteOnlyCell
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from interactions.contactfiles import (
    COLUMNS_MAX,
    FILE_BYTES_MAX,
    ContactFile,
    UnreadableFile,
    names_columns,
    read_table,
)

UNPACKED_BYTES_MAX = 200_000_000
PARTS_MAX = 1000
LINES_MAX = 1_048_576  # of a sheet, as Excel has it
ROW_CELLS_MAX = 16_384
HEADING_ROWS = 20
CELL_WRITTEN_MAX = 32_767  # Excel cuts there too
CHUNK_BYTES = 1 << 20
NEVER_CALCULATED = "a formula that was never calculated; open the list in its program, save it there and give me that"

_MARK = re.compile(rb"<(?:\w{1,20}:)?(row|c)[\s/>]")
_FORMULA = re.compile(rb"<(?:\w{1,20}:)?f[\s/>]")


def is_workbook(data: bytes) -> bool:
    """Whether a file is packed as workbooks are."""
    return data.startswith(b"PK\x03\x04")


def read_workbook(data: bytes, fields: Mapping[str, str]) -> ContactFile:
    """Reads a workbook; `fields` as in `contactfiles.read`. Raises UnreadableFile, and nothing else."""
    if len(data) > FILE_BYTES_MAX:
        raise UnreadableFile(f"The file is larger than {FILE_BYTES_MAX // 1_000_000} MB; cut it into several.")
    try:
        has_formulas = _look_over(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and the like, which mean nothing here
            return _read(data, fields, has_formulas)
    except UnreadableFile:
        raise
    except Exception as error:  # whatever a broken workbook makes of its reader
        raise UnreadableFile(
            f"This is no workbook that I can read ({type(error).__name__}); save the list as .xlsx or CSV and give me that."
        ) from error


def _look_over(data: bytes) -> bool:
    """Refuses what would grow too large; whether there are formulas."""
    has_formulas = False
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        parts = packed.infolist()
        if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
            raise UnreadableFile(
                f"The workbook unpacks to more than {UNPACKED_BYTES_MAX // 1_000_000} MB or {PARTS_MAX} parts; "
                "save the list alone, as CSV."
            )
        for part in parts:
            if part.filename.startswith("xl/worksheets/"):
                has_formulas |= _look_over_sheet(packed, part)
    return has_formulas


def _look_over_sheet(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    has_formulas, cells, rest = False, 0, b""
    with packed.open(part) as sheet:
        while chunk := sheet.read(CHUNK_BYTES):
            whole = rest + chunk
            end = whole.rfind(b"<")  # a mark that is cut belongs to the next piece
            piece, rest = (whole[:end], whole[end:]) if end > 0 else (b"", whole)
            has_formulas = has_formulas or _FORMULA.search(piece) is not None
            for mark in _MARK.finditer(piece):
                cells = 0 if mark.group(1) == b"row" else cells + 1
                if cells > ROW_CELLS_MAX:
                    raise UnreadableFile(f"A row of the workbook has more than {ROW_CELLS_MAX} cells.")
            if len(rest) > CHUNK_BYTES:
                rest = b""
    return has_formulas


def _read(data: bytes, fields: Mapping[str, str], has_formulas: bool) -> ContactFile:
    seen: list[str] = []
    with closing(openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)) as book:
        for number, sheet in enumerate(book.worksheets):
            lines = _lines(sheet)
            header = next((one for one in _first(lines) if names_columns(one[1], fields)), None)
            if header is None:
                seen.append(sheet.title[:30])
                continue
            if not has_formulas:
                return read_table(header[1], lines, fields, "xlsx", "")
            with closing(openpyxl.load_workbook(io.BytesIO(data), read_only=True)) as unread:
                written = _lines(unread.worksheets[number])
                for line, _ in written:
                    if line == header[0]:
                        break
                return read_table(header[1], _calculated(lines, written), fields, "xlsx", "")
    raise UnreadableFile(
        f"No sheet has a row, among its first {HEADING_ROWS}, that names the columns, one of them the name "
        f"(name, Наименование, ФИО; beside it kind, email, phone, partner, external_ref …). Sheets: {', '.join(seen[:10])}"
    )


def _first(lines: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    for one in lines:
        yield one
        if one[0] >= HEADING_ROWS:
            return


def _lines(sheet: Any) -> Iterator[tuple[int, list[str]]]:  # of a class that is not to be named
    """The rows of a sheet with their numbers."""
    sheet.reset_dimensions()  # they are what the file says, not what it has
    for line, cells in enumerate(sheet.iter_rows(max_col=COLUMNS_MAX + 1, values_only=True), 1):
        if line > LINES_MAX:
            raise UnreadableFile(f"The sheet {sheet.title[:30]!r} has more than {LINES_MAX} rows.")
        yield line, _texts(cells)


def _texts(cells: Sequence[object]) -> list[str]:
    if cells.count(None) == len(cells):  # of empty rows there may be a million
        return []
    found = [_text(cell) for cell in cells]
    while found and not found[-1]:
        found.pop()
    return found


def _calculated(
    lines: Iterable[tuple[int, list[str]]], written: Iterable[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str] | str]]:
    """Rows with the results of their formulas, or why there are none."""
    for (line, cells), (_, formulas) in zip(lines, written, strict=False):
        results = cells + [""] * (len(formulas) - len(cells))
        unknown = any(one.startswith("=") and not result for one, result in zip(formulas, results, strict=False))
        yield line, NEVER_CALCULATED if unknown else cells


def _text(cell: object) -> str:
    """What a cell says. A whole number has no point, whatever it was saved as."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(" ")
    return str(cell)


def _cell(sheet: WriteOnlyWorksheet, text: str) -> Cell:
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", text[:CELL_WRITTEN_MAX]))
    cell.data_type = "s"
    return cell


def write_workbook(header: Sequence[str], rows: Iterable[Sequence[str]], title: str) -> bytes:
    """A workbook of one sheet, all of it text: what looks like a formula is none."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in (header, *rows):
        sheet.append([_cell(sheet, text) for text in row])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()
