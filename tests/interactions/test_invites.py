"""Calendar parts of mails: what is read of them, by which clock, and that no calendar holds anything up."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.workers import Workers, is_quick
from interactions.invites import ATTENDEES_MAX, BYTES_MAX, EVENTS_MAX, Attendee, Invite, read_invites
from interactions.mime import parse
from tests.fakes.invites import ANNA, IVAN, calendar, invite_mail

OUTLOOK_ZONE = """BEGIN:VTIMEZONE
TZID:(UTC+01:00) Berlin
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def one(text: str) -> Invite:
    (found,) = read_invites(text)
    return found


def test_a_request_is_read_with_its_people_and_words() -> None:
    text = calendar(DESCRIPTION="Строка\\, первая\\nвторая", SUMMARY="Показ\\; склад")

    found = one(text)

    assert (found.method, found.uid, found.summary, found.location) == (
        "REQUEST",
        "u1@romashka.example",
        "Показ; склад",
        "Офис",
    )
    assert found.description == "Строка, первая\nвторая"
    assert found.organizer is not None
    assert (found.organizer.display_name, found.organizer.address) == ("Анна", ANNA)
    assert found.attendees == (Attendee(IVAN, "Иван", ""),)
    assert (found.starts_at, found.ends_at) == (
        datetime(2026, 12, 1, 10, tzinfo=UTC),
        datetime(2026, 12, 1, 11, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("start", "zone", "expected"),
    [
        ("DTSTART:20261201T100000Z", "", "2026-12-01T10:00"),
        ("DTSTART;TZID=Europe/Moscow:20261201T100000", "", "2026-12-01T07:00"),
        ("DTSTART;TZID=Russian Standard Time:20261201T100000", "", "2026-12-01T07:00"),
        ('DTSTART;TZID="W. Europe Standard Time":20260701T100000', "", "2026-07-01T08:00"),
        ("DTSTART;TZID=/freeassociation.sourceforge.net/Europe/Berlin:20260701T100000", "", "2026-07-01T08:00"),
        ("DTSTART;TZID=(UTC+01:00) Berlin:20261201T100000", OUTLOOK_ZONE, "2026-12-01T09:00"),
        ("DTSTART;TZID=(UTC+01:00) Berlin:20260701T100000", OUTLOOK_ZONE, "2026-07-01T08:00"),
        ("DTSTART;TZID=(UTC+01:00) Berlin:20261025T013000", OUTLOOK_ZONE, "2026-10-24T23:30"),
        ("DTSTART:20261201T100000", OUTLOOK_ZONE, "2026-12-01T09:00"),
        ("DTSTART:20261201T100000", "X-WR-TIMEZONE:Asia/Yekaterinburg\n", "2026-12-01T05:00"),
        ("DTSTART;TZID=Nowhere/At All:20261201T100000", "", "2026-12-01T10:00"),
        ("DTSTART;TZID=../../etc/passwd:20261201T100000", "", "2026-12-01T10:00"),
        ("DTSTART;VALUE=DATE:20261201", "X-WR-TIMEZONE:Asia/Yekaterinburg\n", "2026-12-01T00:00"),
    ],
)
def test_times_are_read_by_the_clock_they_name(start: str, zone: str, expected: str) -> None:
    text = calendar("REQUEST", start, DTSTART="", DTEND="").replace("BEGIN:VEVENT", f"{zone}BEGIN:VEVENT")

    found = one(text)

    assert found.starts_at == datetime.fromisoformat(f"{expected}+00:00")
    assert found.all_day is ("VALUE=DATE" in start)


def test_a_zone_of_one_mail_is_unknown_to_the_next() -> None:
    start = "DTSTART;TZID=(UTC+01:00) Berlin:20261201T100000"
    text = calendar("REQUEST", start, DTSTART="", DTEND="")
    one(text.replace("BEGIN:VEVENT", f"{OUTLOOK_ZONE}BEGIN:VEVENT"))

    assert one(text).starts_at == datetime(2026, 12, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lines", "ends"),
    [({"DTEND": "", "DURATION": "PT90M"}, 11.5), ({"DTEND": ""}, None), ({"DTEND": "20261130T100000Z"}, None)],
)
def test_an_end_is_given_lasts_or_is_none(lines: dict[str, str], ends: float | None) -> None:
    found = one(calendar(**lines)).ends_at

    assert (found and found.hour + found.minute / 60) == ends


def test_a_series_keeps_its_hour_when_the_clocks_change() -> None:
    text = calendar(
        "REQUEST", "DTSTART;TZID=Europe/Berlin:20261019T100000", "RRULE:FREQ=WEEKLY;COUNT=3", DTSTART="", DTEND=""
    )

    assert [at.isoformat()[:16] for at in one(text).occurrences] == [
        "2026-10-19T08:00",
        "2026-10-26T09:00",
        "2026-11-02T09:00",
    ]


def test_a_series_ends_on_the_day_it_names_without_what_was_left_out() -> None:
    text = calendar(RRULE="FREQ=DAILY;UNTIL=20261204T100000Z", EXDATE="20261202T100000Z", RDATE="20261203T150000Z")

    assert [f"{at:%d.%H}" for at in one(text).occurrences] == ["01.10", "03.10", "03.15", "04.10"]


@pytest.mark.parametrize(
    "text",
    [
        "", "garbage", "BEGIN:VCALENDAR", calendar("PUBLISH"), calendar("FOO"), calendar(UID=""), calendar(UID="x" * 1001),
        calendar().replace("METHOD:REQUEST", ""), calendar() + "x" * BYTES_MAX, "BEGIN:VEVENT\n" * 5000,
        calendar().replace("END:VEVENT", "END:VEVENT\nBEGIN:VEVENT\nUID:a\nEND:VEVENT" * (EVENTS_MAX + 1)),
    ],
)  # fmt: skip
def test_what_asks_nothing_or_too_much_is_no_invite(text: str) -> None:
    assert read_invites(text) == ()


def test_an_alarm_does_not_speak_for_its_event() -> None:
    found = one(calendar("REQUEST", "BEGIN:VALARM", "DESCRIPTION:Reminder", "SUMMARY:Alarm", "END:VALARM", SUMMARY=""))

    assert (found.summary, found.description) == ("", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DTSTART", "99999999T999999Z"), ("DTSTART", "20261301T100000Z"), ("SEQUENCE", "9" * 400), ("SEQUENCE", "-1"),
        ("RRULE", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), ("RRULE", "FREQ=SECONDLY"), ("RRULE", "FREQ=DAILY;INTERVAL=0"),
        ("RRULE", "COUNT=x"), ("RRULE", ";;;"), ("EXDATE", "x,y,z"), ("DURATION", "P99999999999W"), ("DTEND", "00010101T000000"),
        ("ORGANIZER", "mailto:"), ("ORGANIZER", "not an address"), ("DESCRIPTION", "x" * 200_000), ("DTSTAMP", "yesterday"),
        ("RECURRENCE-ID", "soon"), ("DTSTART;TZID=\x00", "20261201T100000"),
    ],
)  # fmt: skip
def test_an_odd_value_costs_no_more_than_itself(name: str, value: str) -> None:
    found = one(calendar(**({"ORGANIZER;CN=Анна": ""} if name == "ORGANIZER" else {}), **{name: value}))

    assert found.summary == "Встреча"
    assert len(found.description) <= 10_000
    assert 0 <= found.sequence < 2**31
    assert len(found.occurrences) <= 1


def test_of_very_many_who_are_asked_the_first_are_kept() -> None:
    crowd = [f"ATTENDEE:mailto:a{n}@romashka.example" for n in range(2 * ATTENDEES_MAX)]

    assert len(one(calendar("REQUEST", *crowd)).attendees) == ATTENDEES_MAX


PIECES = st.sampled_from(
    [*calendar("REQUEST", "RRULE:FREQ=WEEKLY;COUNT=3", *OUTLOOK_ZONE.splitlines()).splitlines(), "END:X", ":", ";"]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=30)), max_size=60).map("\r\n".join))
def test_any_lines_are_read_without_an_exception(text: str) -> None:
    read_invites(text)
    read_invites(f"BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:a\n{text}\nEND:VEVENT\nEND:VCALENDAR")


def test_a_mail_with_a_calendar_is_read_apart_and_lists_it_too() -> None:
    raw = invite_mail("1", calendar())

    mail = parse(raw)

    assert not is_quick(raw)
    assert [one.uid for one in mail.invites] == ["u1@romashka.example"]
    assert mail.body_text == "Вас приглашают."
    assert [one.content_type for one in mail.attachments] == ["text/calendar"]


async def test_a_process_that_reads_mails_brings_invites_back() -> None:
    raw = invite_mail("1", calendar(RRULE="FREQ=WEEKLY;COUNT=3"))
    workers = Workers(1)
    await workers.start()
    try:
        assert await workers.parse(raw) == parse(raw)
    finally:
        await workers.stop()
