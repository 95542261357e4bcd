"""Rows for spreadsheets: CSV (UTF-8 with a mark, semicolons, what they would take for a formula guarded) and .xlsx."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

BYTE_ORDER_MARK = "\ufeff"  # by which Excel knows UTF-8
_FORMULA = re.compile(r"[=+\-@\t\r]")


def plain(text: str) -> str:
    """A cell of CSV that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def csv_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as CSV. Cells that are free text are to be guarded by `plain` before."""
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([header, *rows])
    return (BYTE_ORDER_MARK + text.getvalue()).encode()
