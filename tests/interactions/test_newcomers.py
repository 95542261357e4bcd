"""Whom a mail makes known: people, by the policy; never machines, lists, forgeries, or ourselves."""

import pytest

from interactions.newcomers import is_person, newcomers
from interactions.records import AddressKind, Direction, Kind
from tests.fakes.rows import interaction


@pytest.mark.parametrize(
    ("policy", "direction", "marks", "proof", "expected"),
    [
        ("never", Direction.OUTGOING, [], "none", []),
        ("sent", Direction.OUTGOING, [], "none", ["b@x.example", "c@x.example"]),
        ("sent", Direction.INCOMING, [], "pass", []),
        ("sent_and_received", Direction.INCOMING, [], "pass", ["a@x.example"]),
        ("sent_and_received", Direction.INCOMING, [], "none", ["a@x.example"]),
        ("sent_and_received", Direction.INCOMING, [], "fail", []),
        ("sent_and_received", Direction.INTERNAL, [], "pass", []),
        ("sent_and_received", Direction.INCOMING, ["bulk"], "pass", []),
        ("sent_and_received", Direction.INCOMING, ["auto_reply"], "pass", []),
        ("sent_and_received", Direction.INCOMING, ["from_junk"], "pass", []),
        ("sent", Direction.OUTGOING, ["auto_reply"], "none", []),
    ],
)
def test_who_becomes_known(
    policy: str, direction: Direction, marks: list[str], proof: str, expected: list[str]
) -> None:
    block = {"marks": marks, "authenticated": proof}
    one = interaction(1, "a@x.example", "b@x.example", "c@x.example", kind=Kind.EMAIL, direction=direction, block=block)

    assert [person.address for person in newcomers(one, policy)] == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ivan@x.example", True), ("n.reply@x.example", True), ("newsman@x.example", True), ("info@x.example", True),
        ("noreply@x.example", False), ("No-Reply@x.example", False), ("do_not_reply@x.example", False),
        ("mailer-daemon@x.example", False), ("postmaster@x.example", False), ("bounces@x.example", False),
        ("shop-noreply@x.example", False), ("list-request@x.example", False), ("news@x.example", False),
    ],
)  # fmt: skip
def test_an_address_of_a_machine_is_no_person(address: str, expected: bool) -> None:
    assert is_person(address, AddressKind.EMAIL) is expected


def test_a_number_is_no_person() -> None:
    assert not is_person("+74951234567", AddressKind.PHONE)
