"""Delivery reports in any order, and how many messages a text takes."""

from itertools import permutations

import pytest

from interactions.sms import merge_status, segments


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], "queued"),
        (["sent"], "sent"),
        (["queued", "sent", "delivered"], "delivered"),
        (["accepted", "sending"], "queued"),
        (["sent", "undelivered"], "failed"),
        (["rejected"], "failed"),
        (["expired", "sent"], "failed"),
        (["failed", "delivered"], "delivered"),
        (["delivered", "read"], "delivered"),
        (["sent", "unknown"], "sent"),
        (["unknown"], "queued"),
        (["DELIVERED"], "delivered"),
        (["nonsense", ""], "queued"),
    ],
)
def test_reports_in_any_order_give_one_state(reports: list[str], expected: str) -> None:
    for order in permutations([*reports, *reports[:1]]):
        assert merge_status(order, "queued") == expected


def test_a_received_message_stays_received_without_reports() -> None:
    assert merge_status([], "received") == "received"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("[{}]" * 40, 3),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("a" * 70 + "я", 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("ё" * 268, 4),
        ("a" * 612, 4),
        ("\udc80", 1),
    ],
)
def test_a_text_takes_as_many_messages_as_its_alphabet_needs(text: str, expected: int) -> None:
    assert segments(text) == expected
