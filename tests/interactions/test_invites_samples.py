"""Calendars as the large programs write them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from interactions.addresses import Mailbox
from interactions.invites import Attendee, Invite, read_invites
from interactions.mime import parse
from tests.fakes.invites import calendar

FOLDER = Path(__file__).parent.parent / "data" / "invites"
AT = datetime(2026, 12, 1, 7, 0, tzinfo=UTC)
STAMP = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ANNA = Mailbox("Анна Соколова", "anna@romashka.example")
ANNA_LATIN = Mailbox("Anna Sokolova", "anna@romashka.example")

EXPECTED = {
    "outlook": Invite(
        method="REQUEST", uid="040000008200E00074C5B7101A82E00800000000B0E5D2A1", stamp=STAMP, organizer=ANNA,
        attendees=(Attendee("ivan@vasilek.example", "Петров, Иван"), Attendee("sales@example.org", "sales@example.org")),
        summary="Поставка: планёрка", description="Добрый день!\n\nОбсудим поставку, сроки и цены.", location="Переговорная 1",
        starts_at=AT, ends_at=AT.replace(hour=8), rule="FREQ=WEEKLY;UNTIL=20261222T070000Z;INTERVAL=1;BYDAY=TU;WKST=MO",
        occurrences=tuple(AT.replace(day=day) for day in (1, 8, 15, 22)),
    ),
    "google": Invite(
        method="REQUEST", uid="4k1v2c8q9example@google.com", sequence=1, stamp=STAMP, organizer=ANNA_LATIN,
        attendees=(Attendee("anna@romashka.example", "Anna Sokolova", "accepted"), Attendee("ivan@vasilek.example", "ivan@vasilek.example")),
        summary="Demo", starts_at=AT, ends_at=AT.replace(hour=8),
        description="-::~:~::~:~:~:~:~:~\nJoin with Google Meet: https://meet.google.com/abc-defg-hij\n-::~:~::~:~:~:~:~:~",
    ),
    "yandex": Invite(
        method="CANCEL", uid="7wJ3example@yandex.ru", sequence=2, stamp=STAMP, organizer=ANNA,
        attendees=(Attendee("ivan@vasilek.example", "Иван Петров", "accepted"),), summary="Показ склада",
        starts_at=AT, ends_at=AT.replace(minute=30), is_called_off=True,
    ),
    "apple-reply": Invite(
        method="REPLY", uid="4k1v2c8q9example@google.com", sequence=1, stamp=STAMP.replace(minute=10), organizer=ANNA_LATIN,
        attendees=(Attendee("ivan@vasilek.example", "Иван Петров", "accepted"),), summary="Demo",
        starts_at=AT, ends_at=AT.replace(hour=8),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXPECTED))
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_calendar_says_what_its_program_meant(name: str, line_end: str) -> None:
    text = (FOLDER / f"{name}.ics").read_text(encoding="utf-8")

    assert read_invites(text.replace("\n", line_end)) == (EXPECTED[name],)


def test_every_sample_has_its_expectation() -> None:
    assert {path.stem for path in FOLDER.glob("*.ics")} == EXPECTED.keys()


def test_a_line_that_is_folded_within_a_character_is_whole() -> None:
    text = calendar(SUMMARY="Показ").encode().replace("По".encode(), "П".encode() + b"\xd0\r\n \xbe")
    raw = b"From: a@b.example\r\nContent-Type: text/calendar; charset=utf-8\r\n\r\n" + text

    assert [one.summary for one in parse(raw).invites] == ["Показ"]
