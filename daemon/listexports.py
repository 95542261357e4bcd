"""A list of interactions as a sheet: one row each, with the names that people know, in the order of the list."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from daemon.sheets import csv_of, plain
from interactions.access import Access
from interactions.views import InteractionView, ParticipantView
from interactions.workbooks import write_workbook
from storage import lists
from storage.database import Connection
from storage.lists import Filter

ROWS_MAX = 50_000
ROWS_AT_ONCE = 500
COLUMNS = (
    "number", "occurred_at", "type", "direction", "topic", "party", "address", "contact", "partner", "responsible",
    "department", "author", "subject", "importance", "reviewed", "review_after", "tags", "source", "result",
    "talk_seconds", "description", "comment", "external_ref", "chain", "id", "url",
)  # fmt: skip
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class TooMany(Exception):
    """More rows than a sheet is made of; the message says what to do."""


async def found(db: Connection, wanted: Filter, access: Access, form: str, public_url: str) -> list[list[str]]:
    """The cells of all that a filter finds; no more than these are kept. Raises TooMany."""
    some: list[list[str]] = []
    guard = str if form == "xlsx" else plain
    wanted = replace(wanted, limit=ROWS_AT_ONCE)
    while page := await lists.page(db, wanted, access):
        some += [row_of(one, public_url, guard) for one in page]
        if len(some) > ROWS_MAX:
            raise TooMany(
                f"These are more than {ROWS_MAX} interactions; narrow the list, for instance with since and until."
            )
        wanted = replace(wanted, after=(page[-1].occurred_at, page[-1].id))
    return some


def sheet(rows: Sequence[Sequence[str]], form: str) -> bytes:
    """The file. To be called away from the loop."""
    return write_workbook(COLUMNS, rows, "interactions") if form == "xlsx" else csv_of(COLUMNS, rows)


def row_of(one: InteractionView, public_url: str, guard: Callable[[str], str]) -> list[str]:
    """The cells of an interaction, in the order of `COLUMNS`. `guard` sees what a person has written freely."""
    party, contact = one.party, one.contact
    partner = contact.partner if contact else None
    return [
        str(one.number),
        one.occurred_at.isoformat().replace("+00:00", "Z"),
        one.kind,
        one.direction or "",
        guard(one.topic),
        guard(party.display_name) if party else "",
        _address(party, guard) if party else "",
        guard(contact.name) if contact else "",
        guard(partner.name) if partner else "",
        guard(one.responsible.name) if one.responsible else "",
        guard(one.department.name) if one.department else "",
        guard(one.author.name) if one.author else "",
        guard(one.subject[2] if one.subject else one.root_topic),
        one.importance,
        "yes" if one.reviewed else "no",
        one.review_after.isoformat().replace("+00:00", "Z") if one.review_after else "",
        guard(", ".join(one.tags)),
        one.source.name if one.source else "",
        str(one.block.get("result") or one.block.get("state") or ""),
        str(one.block.get("talk_seconds") or ""),
        guard(one.description),
        guard(one.comment or ""),
        guard(one.external_ref or ""),
        str(one.chain_id),
        str(one.id),
        f"{public_url}/interactions/{one.id}",
    ]


def _address(party: ParticipantView, guard: Callable[[str], str]) -> str:
    """A number begins with "+" and is no formula; an e-mail address may be one."""
    is_number = party.address_kind == "phone" and party.key is not None
    return str(party.key) if is_number else guard(party.key or party.address)
