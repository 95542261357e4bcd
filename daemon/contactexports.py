"""Contacts as a list that `daemon.contactimports` takes back, in the form that the name of the file asks for:

    .csv     UTF-8 with semicolons. What a spreadsheet would take for a formula gets an apostrophe in front
    .xlsx    a workbook in which every cell is text
    .vcf     cards for telephones, of partners and persons; colleagues, who sign in, are left out

An import of what was exported changes nothing.

Limits: of the partners of a person only the present one is written. Labels of numbers that hold digits or separators are
left out of cells, which could not be read back with them. In CSV a contact without a reference whose name looks like a
formula comes back under the name with the apostrophe.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from daemon.contacts import present_partner
from daemon.sheets import csv_of, plain
from interactions.contacts import Contact, ContactKind, Coordinate
from interactions.records import AddressKind
from interactions.vcards import written
from interactions.workbooks import write_workbook
from storage import contacts, people
from storage.contacts import Filter
from storage.database import Connection

COLUMNS = (
    "external_ref", "kind", "name", "email", "phone", "partner", "partner_ref", "inn", "kpp", "domains", "tags",
    "responsible", "comment",
)  # fmt: skip
ROWS_AT_ONCE = 500
_SEPARATORS = re.compile(r"[,;|\n]")


class Serving(NamedTuple):
    """A contact and the partner that it serves now."""

    contact: Contact
    partner: Contact | None


async def batches(db: Connection, now: datetime) -> AsyncIterator[list[Serving]]:
    """All contacts, by name."""
    after = None
    while True:
        found = await contacts.page(db, Filter(after=after, limit=ROWS_AT_ONCE), now.date())
        if not found:
            return
        serves = {one.id: present_partner(one.employments, now) for one in found}
        partners = await contacts.find_all(db, {one for one in serves.values() if one is not None})
        yield [Serving(one, partners.get(serves[one.id] or one.id)) for one in found]
        after = (contacts.name_key(found[-1].name), found[-1].id)


async def emails_of_users(db: Connection) -> dict[UUID, str]:
    """By which a row names the responsible."""
    return {user.id: user.email for user in await people.list_all(db)}


def row_of(serving: Serving, users: Mapping[UUID, str], guard: Callable[[str], str]) -> list[str]:
    """The cells of a contact, in the order of `COLUMNS`. `guard` sees what a person has written freely."""
    one, partner = serving
    return [
        guard(one.external_ref or ""),
        one.kind.value,
        guard(one.name),
        ", ".join(email_cell(address, guard) for address in one.emails),
        ", ".join(phone_cell(address) for address in one.phones),
        guard(partner.name) if partner is not None else "",
        guard(partner.external_ref or "") if partner is not None else "",
        guard(one.inn or ""),
        guard(one.kpp or ""),
        ", ".join(one.domains),
        guard(", ".join(one.tags)),
        users.get(one.responsible_id, "") if one.responsible_id else "",
        guard(one.comment or ""),
    ]


def email_cell(address: Coordinate, guard: Callable[[str], str]) -> str:
    """An e-mail with its label."""
    if not address.label:
        return guard(address.raw)
    label = address.label.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{label}" <{address.raw}>'


def phone_cell(address: Coordinate) -> str:
    """A number with its label, as far as they can be told apart again."""
    is_one = address.key.kind is not AddressKind.PHONE or not _SEPARATORS.search(address.raw)
    number = address.raw if is_one else address.key.value
    readable = address.label and not re.search(r"[\d()]", address.label) and not _SEPARATORS.search(address.label)
    return f"{number} ({address.label})" if readable else number


def as_csv(some: Iterable[Serving], users: Mapping[UUID, str]) -> bytes:
    """A list for spreadsheets, and for programs."""
    return csv_of(COLUMNS, (row_of(one, users, plain) for one in some))


def as_workbook(some: Iterable[Serving], users: Mapping[UUID, str]) -> bytes:
    """A list for spreadsheets."""
    return write_workbook(COLUMNS, (row_of(one, users, str) for one in some), "contacts")


def as_cards(some: Iterable[Serving], _: Mapping[UUID, str]) -> bytes:
    """A list for telephones."""
    known = (one for one in some if one.contact.kind is not ContactKind.USER)
    return "".join(written(one.contact, one.partner.name if one.partner else "") for one in known).encode()


Form = Callable[[Iterable[Serving], Mapping[UUID, str]], bytes]
FORMS: Mapping[str, Form] = {".csv": as_csv, ".xlsx": as_workbook, ".vcf": as_cards}
