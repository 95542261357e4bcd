"""A contact list in whatever form: workbook, vCard or CSV, known by its first bytes."""

from collections.abc import Mapping

from interactions.contactfiles import ContactFile, headings, read
from interactions.vcards import is_vcard, read_cards
from interactions.workbooks import is_workbook, read_workbook


def read_list(data: bytes, columns: Mapping[str, str] | None = None) -> ContactFile:
    """Reads a list; `columns` adds to the headings that are known. Raises UnreadableFile, and nothing else."""
    fields = headings(columns or {})
    if is_workbook(data):
        return read_workbook(data, fields)
    return read_cards(data) if is_vcard(data) else read(data, fields)
