"""What is decided of calls and SMS: the two sides, who answers for them, and whether somebody should look."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from interactions.admission import (
    OurSide,
    call_id_of,
    call_participants,
    decide_call,
    decide_sms,
    sms_id_of,
)
from interactions.arrivals import CallChanged, SmsArrived
from interactions.calls import merge
from interactions.records import Direction, Interaction, Kind, Participant, Role
from tests.fakes.ourselves import ANNA, BORIS, CLARA, KNOWN, NOW, OURS, key_of


def events(*names: str, **more: object) -> list[CallChanged]:
    made = []
    for n, event in enumerate(names):
        moment = NOW + timedelta(seconds=10 * n)
        first = CallChanged(
            "main", "k1", event, event, moment, moment, Direction.INCOMING, "84956329816", "74951234567"
        )
        made.append(replace(first, **more))  # type: ignore[arg-type]
    return made


def decide_events(found: list[CallChanged], ours: OurSide = OURS) -> Interaction:
    return decide_call(call_id_of("main", "k1", NOW), "main", "k1", merge(found), KNOWN, ours, NOW)


def test_a_missed_call_is_to_review_and_goes_to_the_contacts_own_responsible() -> None:
    decided = decide_events(events("ringing", "ended"))

    assert (decided.kind, decided.direction, decided.occurred_at) == (Kind.PHONE_CALL, Direction.INCOMING, NOW)
    assert (decided.source, decided.external_id) == ("main", "k1")
    assert (decided.reviewed, decided.reviewed_at) == (False, None)
    assert decided.responsible_id == BORIS
    assert decided.block["result"] == "missed"
    assert decided.participants == (
        Participant(Role.SUBSCRIBER, "", "84956329816", key_of("84956329816")),
        Participant(Role.EMPLOYEE, "", "74951234567", key_of("+74951234567")),
    )


@pytest.mark.parametrize(
    ("names", "review_answered", "reviewed"),
    [
        (("ringing",), True, False),
        (("ringing", "answered"), True, False),
        (("ringing", "answered", "ended"), True, True),
        (("ringing", "answered", "ended"), False, False),
        (("ringing", "ended"), True, False),
    ],
)
def test_an_answered_call_is_born_reviewed_where_the_source_says_so(
    names: tuple[str, ...], review_answered: bool, reviewed: bool
) -> None:
    decided = decide_events(events(*names), replace(OURS, review_answered=review_answered))

    assert decided.reviewed is reviewed


@pytest.mark.parametrize(
    ("more", "active", "expected"),
    [
        # Who answered, who was rung, the contact's own, the line's, the source's, nobody.
        ({"answered_by": "101", "users": ("102",)}, {ANNA, BORIS, CLARA}, ANNA),
        ({"answered_by": "ANNA@example.org"}, {ANNA, BORIS, CLARA}, ANNA),
        ({"answered_by": "999", "users": ("999", "101")}, {ANNA, BORIS, CLARA}, ANNA),
        ({"answered_by": "101", "users": ("102",)}, {BORIS, CLARA}, BORIS),
        ({"users": ("999",)}, {ANNA, BORIS, CLARA}, BORIS),
        ({"users": ("999",)}, {ANNA, CLARA}, CLARA),
        ({"from_number": "anonymous", "to_number": "999"}, {ANNA, BORIS, CLARA}, CLARA),
        ({}, {ANNA}, None),
    ],
)
def test_the_first_who_is_there_answers_for_a_call(
    more: dict[str, object], active: set[UUID], expected: UUID | None
) -> None:
    decided = decide_events(events("ringing", "answered", **more), replace(OURS, active=frozenset(active)))

    assert decided.responsible_id == expected


def test_the_line_answers_before_the_default() -> None:
    ours = replace(OURS, lines={key_of("+74951234567"): ANNA})

    assert decide_events(events("ringing", from_number="anonymous"), ours).responsible_id == ANNA


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"answered_by": "101", "users": ("101", "102")}, [("101", ANNA)]),
        ({"users": ("102", "101", "101")}, [("101", ANNA), ("102", BORIS)]),
        ({"users": ("999",)}, [("999", None)]),
        ({}, [("74951234567", None)]),
        ({"to_number": ""}, []),
    ],
)
def test_our_side_of_a_call_is_who_answered_or_was_rung_or_the_line(
    more: dict[str, object], expected: list[tuple[str, UUID | None]]
) -> None:
    found = call_participants(merge(events("ringing", "answered", **more)), OURS)

    assert [(one.address, one.contact_id) for one in found[1:]] == expected
    assert {one.role for one in found[1:]} <= {Role.EMPLOYEE}


def test_the_other_side_of_an_outgoing_call_is_whom_we_called() -> None:
    made = events("ringing", direction=Direction.OUTGOING, from_number="74951234567", to_number="8 (495) 632-98-16")

    decided = decide_events(made)

    assert decided.participants[0] == Participant(Role.SUBSCRIBER, "", "8 (495) 632-98-16", key_of("84956329816"))


def test_a_hidden_caller_is_a_subscriber_without_a_key() -> None:
    assert decide_events(events("ringing", from_number="anonymous")).participants[0] == Participant(
        Role.SUBSCRIBER, "", "anonymous", None
    )


def test_who_answered_is_named_in_the_block() -> None:
    assert decide_events(events("ringing", "answered", answered_by="101")).block["answered_by_id"] == str(ANNA)
    assert decide_events(events("ringing", "answered", answered_by="999")).block["answered_by_id"] is None


def test_a_call_keeps_its_id_however_much_is_known_of_it() -> None:
    assert call_id_of("main", "k1", NOW) == call_id_of("main", "k1", NOW)
    assert len({call_id_of(*one, NOW) for one in (("main", "k1"), ("main", "k2"), ("other", "k1"))}) == 3


SMS = SmsArrived(
    "main", "s1", NOW, Direction.INCOMING, "+7 (495) 632-98-16", "+74951234567", "Перезвоните мне,  пожалуйста", NOW
)


def test_an_sms_comes_in_with_its_first_words_as_topic() -> None:
    decided = decide_sms(SMS, "received", 1, KNOWN, OURS, NOW)

    assert (decided.kind, decided.direction, decided.occurred_at) == (Kind.SMS, Direction.INCOMING, NOW)
    assert (decided.source, decided.external_id) == ("main", "s1")
    assert decided.topic == "Перезвоните мне, пожалуйста"
    assert decided.excerpt == "Перезвоните мне, пожалуйста"
    assert decided.body_text == SMS.text
    assert decided.block == {"text": SMS.text, "state": "received", "segments": 1, "service": "sms"}
    assert (decided.reviewed, decided.reviewed_at) == (False, None)
    assert decided.responsible_id == BORIS
    assert decided.participants == (
        Participant(Role.FROM, "", "+7 (495) 632-98-16", key_of("84956329816")),
        Participant(Role.TO, "", "+74951234567", key_of("+74951234567")),
    )


def test_an_sms_of_ours_is_born_reviewed_and_belongs_to_whom_it_went_to() -> None:
    sent = replace(SMS, direction=Direction.OUTGOING, from_number="+74951234567", to_number="84956329816")

    decided = decide_sms(sent, "sent", 1, KNOWN, OURS, NOW)

    assert (decided.reviewed, decided.reviewed_at) == (True, NOW)
    assert decided.responsible_id == BORIS


@pytest.mark.parametrize(
    ("sender", "active", "expected"),
    [
        ("84956329816", {BORIS, CLARA}, BORIS),
        ("84956329816", {CLARA}, CLARA),
        ("Beeline", {BORIS, CLARA}, CLARA),
        ("anonymous", {BORIS}, None),
    ],
)
def test_the_first_who_is_there_answers_for_an_sms(sender: str, active: set[UUID], expected: UUID | None) -> None:
    decided = decide_sms(
        replace(SMS, from_number=sender), "received", 1, KNOWN, replace(OURS, active=frozenset(active)), NOW
    )

    assert decided.responsible_id == expected


@pytest.mark.parametrize(
    ("text", "topic"),
    [("", ""), ("  \n ", ""), ("один два три четыре", "один два три"), ("a" * 5000, "a" * 200)],
)
def test_the_topic_of_an_sms_is_short(text: str, topic: str) -> None:
    assert decide_sms(replace(SMS, text=text), "received", 1, KNOWN, OURS, NOW).topic == topic


def test_an_sms_has_the_time_of_its_sending_where_that_can_be_believed() -> None:
    early = NOW - timedelta(hours=2)

    assert decide_sms(replace(SMS, at=early), "received", 1, {}, OURS, NOW).occurred_at == early
    assert decide_sms(replace(SMS, at=None, received_at=early), "received", 1, {}, OURS, NOW).occurred_at == early
    assert (
        decide_sms(replace(SMS, at=datetime(2099, 1, 1, tzinfo=UTC)), "received", 1, {}, OURS, NOW).occurred_at == NOW
    )


def test_an_sms_has_one_id_and_another_has_another() -> None:
    assert sms_id_of(SMS, NOW) == sms_id_of(replace(SMS, text="x"), NOW)
    assert sms_id_of(SMS, NOW) != sms_id_of(replace(SMS, sms_key="s2"), NOW)
