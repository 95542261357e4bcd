"""Calendars and the mails that bring them, and a mailbox that admits mails in any order."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import Any

from connectors.base import Batch
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from interactions.arrivals import Location, MailArrived
from interactions.mime import ParsedMail, parse
from storage import leases, sources
from storage.blobs import Blobs
from storage.database import Database

SENT_AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ANNA, IVAN, EVIL = "anna@romashka.example", "ivan@vasilek.example", "mallory@evil.example"
MEETINGS = """
SELECT i.id, i.topic, i.description, i.chain_id, i.based_on_id, i.occurred_at, i.link_flags, i.block, i.reviewed
FROM interaction i WHERE kind = 'meeting' AND deleted_at IS NULL ORDER BY i.external_id
"""
PEOPLE = "SELECT role, display_name, address FROM participant WHERE interaction_id = $1 ORDER BY n"


def calendar(method: str = "REQUEST", *lines: str, **changes: str) -> str:
    """A calendar with one event; `changes` are properties of it, empty ones are left out."""
    event = {
        "UID": "u1@romashka.example", "SEQUENCE": "0", "DTSTAMP": "20261123T080000Z", "SUMMARY": "Встреча",
        "DTSTART": "20261201T100000Z", "DTEND": "20261201T110000Z", "LOCATION": "Офис",
        "ORGANIZER;CN=Анна": f"mailto:{ANNA}", "ATTENDEE;CN=Иван;PARTSTAT=NEEDS-ACTION": f"mailto:{IVAN}", **changes,
    }  # fmt: skip
    said = [f"{name}:{value}" for name, value in event.items() if value]
    whole = [
        "BEGIN:VCALENDAR",
        f"METHOD:{method}",
        "VERSION:2.0",
        "BEGIN:VEVENT",
        *said,
        *lines,
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "\r\n".join([*whole, ""])


def invite_mail(number: str, text: str, sender: str = ANNA, minutes: int = 0, **headers: str) -> bytes:
    """A mail with a calendar beside its words, as mail programs send it."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, IVAN, "Приглашение"
    message["Message-ID"] = f"<{number}@test.example>"
    message["Date"] = format_datetime(SENT_AT + timedelta(minutes=minutes))
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Вас приглашают.")
    message.add_alternative(text, subtype="calendar")
    return message.as_bytes()


class Post:
    """A mailbox without a server: mails go straight to the intake, one batch each."""

    def __init__(self, database: Database, folder: Path, now: datetime, settings: IntakeSettings) -> None:
        self.database = database
        self._desk = Desk(database, Blobs(folder), settings, _parse, lambda: now)
        self.uids = count(1)
        self.lease: leases.Lease | None = None

    async def bring(self, *mails: bytes) -> None:
        if self.lease is None:
            async with self.database.connection() as db:
                await sources.save_all(db, [("sales", "mailbox", "imap")])
                (self.lease,) = await leases.acquire(db, "test", ["sales"], 1, 3600)
        for raw in mails:
            where = Location("INBOX", 1, next(self.uids))
            arrival = MailArrived("sales", where, raw, received_at=SENT_AT + timedelta(hours=1), size=len(raw))
            await self._desk.accept(self.lease, Batch([arrival]))

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        async with self.database.connection() as db:
            return [dict(row) for row in await db.fetch(query, *values)]

    async def meetings(self) -> list[dict[str, Any]]:
        """All meetings, with who takes part."""
        found = await self.rows(MEETINGS)
        for one in found:
            one["people"] = [tuple(row.values()) for row in await self.rows(PEOPLE, one["id"])]
        return found

    async def meeting(self) -> dict[str, Any]:
        """The only one."""
        (one,) = await self.meetings()
        return one


async def _parse(raw: bytes) -> ParsedMail:
    return parse(raw)


def what_is_said(meetings: Iterable[dict[str, Any]]) -> list[Any]:
    """What of meetings must not depend on the order in which mails came: all but the ids, which hold the first one's time."""
    return [[one["topic"], one["description"], one["occurred_at"], one["based_on_id"], one["link_flags"], one["block"],
             one["people"]] for one in meetings]  # fmt: skip
