"""What calendars said, folded: the same in any order, and whose word counts."""

from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest

from interactions.invites import read_invites
from interactions.meetings import Meeting, Told, fold, is_of_sender, key_of, organizer_of, participants_of
from interactions.records import Role
from tests.fakes.invites import ANNA, EVIL, IVAN, SENT_AT, calendar

OTHERS_ANSWER = {"ATTENDEE;CN=Иван;PARTSTAT=NEEDS-ACTION": ""}


def told(n: int, text: str, sender: str = ANNA) -> Told:
    (invite,) = read_invites(text)
    return Told(UUID(int=n), 0, SENT_AT + timedelta(minutes=n), sender, is_of_sender(invite, sender), invite)


def folded(*some: Told) -> Meeting:
    found = {fold(order) for order in permutations(some)}
    assert len(found) == 1
    (meeting,) = found
    assert meeting is not None
    return meeting


def answer(n: int, said: str, sender: str = IVAN, method: str = "REPLY", **changes: str) -> Told:
    lines = {**OTHERS_ANSWER, f"ATTENDEE;PARTSTAT={said}": f"mailto:{sender}", **changes}
    return told(n, calendar(method, **lines), sender)


@pytest.mark.parametrize(
    ("changes", "wins"),
    [
        ({"SEQUENCE": "1", "DTSTAMP": "20261120T080000Z"}, True),
        ({"SEQUENCE": "0", "DTSTAMP": "20261123T080001Z"}, True),
        ({"SEQUENCE": "0", "DTSTAMP": "20261122T080000Z"}, False),
        ({"SEQUENCE": "0"}, True),  # the same moment: the later mail
    ],
)
def test_the_latest_is_found_by_sequence_then_stamp_then_mail(changes: dict[str, str], wins: bool) -> None:
    meeting = folded(told(1, calendar()), told(2, calendar(LOCATION="Склад", **changes)))

    assert (meeting.said.location == "Склад") is wins
    assert meeting.mail_id == UUID(int=1)


def test_a_later_request_brings_back_what_was_called_off() -> None:
    asked, off = told(1, calendar()), told(2, calendar("CANCEL", SEQUENCE="1"))
    again = told(3, calendar(SEQUENCE="2"))

    assert folded(asked, off).is_cancelled
    assert not folded(asked, off, again).is_cancelled


def test_calling_off_says_little_and_the_request_is_remembered() -> None:
    bare = {"SUMMARY": "", "DTSTART": "", "DTEND": "", "LOCATION": ""}
    meeting = folded(told(1, calendar()), told(2, calendar("CANCEL", SEQUENCE="1", **bare)))

    assert (meeting.is_cancelled, meeting.said.summary) == (True, "Встреча")


def test_a_request_of_a_meeting_whose_status_is_cancelled_calls_it_off() -> None:
    assert folded(told(1, calendar()), told(2, calendar(SEQUENCE="1", STATUS="CANCELLED"))).is_cancelled


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([answer(2, "ACCEPTED")], "accepted"),
        ([answer(2, "ACCEPTED"), answer(3, "DECLINED", DTSTAMP="20261123T090000Z")], "declined"),
        ([answer(2, "ACCEPTED", method="COUNTER")], "counter"),
        ([answer(2, "ACCEPTED", SEQUENCE="3")], "accepted"),
        ([answer(2, "SHOUTING")], ""),
        ([answer(2, "ACCEPTED", sender=EVIL)], ""),
    ],
)
def test_an_answer_is_the_attendees_own_last_one(replies: list[Told], expected: str) -> None:
    (ivan,) = folded(told(1, calendar()), *replies).attendees

    assert (ivan.address, ivan.answer) == (IVAN, expected)


def test_an_answer_to_an_older_time_does_not_count_for_the_new_one() -> None:
    meeting = folded(
        told(1, calendar()), answer(2, "ACCEPTED"), told(3, calendar(SEQUENCE="1", DTSTART="20261203T100000Z"))
    )

    assert meeting.attendees[0].answer == ""


def test_an_answer_for_somebody_else_is_not_its_senders_to_give() -> None:
    forged = told(2, calendar("REPLY", **OTHERS_ANSWER, **{"ATTENDEE;PARTSTAT=DECLINED": f"mailto:{IVAN}"}), EVIL)

    assert not forged.is_proved
    assert folded(told(1, calendar()), forged).attendees[0].answer == ""


def test_a_forwarded_invite_beside_the_organizers_own_is_not_doubtful() -> None:
    assert folded(told(1, calendar()), told(2, calendar(), EVIL)).doubtful == ()


def test_a_forged_change_is_listed_and_not_followed() -> None:
    meeting = folded(told(1, calendar()), told(2, calendar(SEQUENCE="7", LOCATION="У нас"), EVIL))

    assert [one.sender for one in meeting.doubtful] == [EVIL]
    assert (meeting.said.location, meeting.is_claim) == ("Офис", False)


def test_only_a_strangers_word_makes_a_claim() -> None:
    assert folded(told(1, calendar(), EVIL)).is_claim


def test_one_start_of_a_series_is_moved_and_another_called_off() -> None:
    series = told(1, calendar(RRULE="FREQ=WEEKLY;COUNT=3"))
    moved = told(2, calendar(**{"RECURRENCE-ID": "20261208T100000Z"}, DTSTART="20261209T120000Z", DTEND=""))
    off = told(3, calendar("CANCEL", **{"RECURRENCE-ID": "20261215T100000Z"}))

    meeting = folded(series, moved, off)

    assert [f"{at:%d.%H}" for at in meeting.starts] == ["01.10", "09.12"]
    assert not meeting.is_cancelled


def test_moving_the_series_leaves_older_changes_behind() -> None:
    series, off = (
        told(1, calendar(RRULE="FREQ=WEEKLY;COUNT=2")),
        told(2, calendar("CANCEL", **{"RECURRENCE-ID": "20261208T100000Z"})),
    )
    moved = told(3, calendar(RRULE="FREQ=WEEKLY;COUNT=2", SEQUENCE="1"))

    assert len(folded(series, off, moved).starts) == 2


def test_nobody_has_asked_while_there_are_answers_only() -> None:
    assert fold([answer(1, "ACCEPTED")]) is None


def test_a_meeting_is_known_by_its_uid_and_organizer() -> None:
    (invite,) = read_invites(calendar())
    (bare,) = read_invites(calendar(**{"ORGANIZER;CN=Анна": ""}))

    assert key_of("u", "Anna@Romashka.Example") == key_of("u", ANNA) != key_of("u", EVIL)
    assert (organizer_of(invite, EVIL), organizer_of(bare, EVIL)) == (ANNA, EVIL)


def test_the_organizer_is_not_listed_twice() -> None:
    meeting = folded(told(1, calendar("REQUEST", f"ATTENDEE:mailto:{ANNA}")))

    assert [(one.role, one.address) for one in participants_of(meeting)] == [
        (Role.ORGANIZER, ANNA),
        (Role.ATTENDEE, IVAN),
    ]
