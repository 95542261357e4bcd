"""Contacts as a list that a spreadsheet opens and `daemon.contactimports` takes back: CSV, UTF-8, with semicolons.

An import of what was exported changes nothing. A cell that a spreadsheet would take for a formula gets an apostrophe in
front; numbers begin with "+" and are none.

Limits: of the partners of a person only the present one is written. Labels of numbers that hold digits or separators are
left out, since the cell could not be read back with them. A contact without a reference whose name looks like a formula
comes back under the name with the apostrophe.
"""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from daemon.contacts import present_partner
from interactions.contacts import Contact, Coordinate
from interactions.records import AddressKind
from storage import contacts, people
from storage.contacts import Filter
from storage.database import Connection

COLUMNS = (
    "external_ref", "kind", "name", "email", "phone", "partner", "partner_ref", "inn", "kpp", "domains", "tags",
    "responsible", "comment",
)  # fmt: skip
ROWS_AT_ONCE = 500
BYTE_ORDER_MARK = "\ufeff"  # by which Excel knows UTF-8
_FORMULA = re.compile(r"[=+\-@\t\r]")
_SEPARATORS = re.compile(r"[,;|\n]")


async def batches(db: Connection, now: datetime) -> AsyncIterator[list[list[str]]]:
    """The rows of all contacts, by name."""
    users = {user.id: user.email for user in await people.list_all(db)}
    after = None
    while True:
        found = await contacts.page(db, Filter(after=after, limit=ROWS_AT_ONCE), now.date())
        if not found:
            return
        serves = {one.id: present_partner(one.employments, now) for one in found}
        partners = await contacts.find_all(db, {one for one in serves.values() if one is not None})
        yield [row_of(one, partners.get(serves[one.id] or one.id), users) for one in found]
        after = (contacts.name_key(found[-1].name), found[-1].id)


def row_of(one: Contact, partner: Contact | None, users: Mapping[UUID, str]) -> list[str]:
    """The cells of a contact, in the order of `COLUMNS`."""
    return [
        plain(one.external_ref or ""),
        one.kind.value,
        plain(one.name),
        ", ".join(email_cell(address) for address in one.emails),
        ", ".join(phone_cell(address) for address in one.phones),
        plain(partner.name) if partner is not None else "",
        plain(partner.external_ref or "") if partner is not None else "",
        plain(one.inn or ""),
        plain(one.kpp or ""),
        ", ".join(one.domains),
        plain(", ".join(one.tags)),
        users.get(one.responsible_id, "") if one.responsible_id else "",
        plain(one.comment or ""),
    ]


def plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def email_cell(address: Coordinate) -> str:
    """An e-mail with its label."""
    if not address.label:
        return plain(address.raw)
    label = address.label.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{label}" <{address.raw}>'


def phone_cell(address: Coordinate) -> str:
    """A number with its label, as far as they can be told apart again."""
    is_one = address.key.kind is not AddressKind.PHONE or not _SEPARATORS.search(address.raw)
    number = address.raw if is_one else address.key.value
    readable = address.label and not re.search(r"[\d()]", address.label) and not _SEPARATORS.search(address.label)
    return f"{number} ({address.label})" if readable else number


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV."""
    written = io.StringIO()
    csv.writer(written, delimiter=";").writerows(rows)
    return written.getvalue()
