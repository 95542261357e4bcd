"""Flags on links: strangers and changed topics, as tables and as a property."""

from uuid import UUID

import pytest

from interactions.guards import CLAIMS, STRANGER, TOPIC_CHANGED, Member, Person, flags_of

IVAN = Person("ivan@firm.example", contact_id=UUID(int=1), partner_id=UUID(int=9))
OLGA = Person("olga@home.example", contact_id=UUID(int=2), partner_id=UUID(int=9))
PETER = Person("peter@firm.example")
MALLORY = Person("mallory@evil.example")
ANNA = Person("anna@example.org", is_ours=True)
FREE_A, FREE_B = Person("a@mail.ru"), Person("b@mail.ru")


def member(
    n: int,
    sender: Person | None,
    *others: Person,
    topic: str = "Re: Order",
    is_incoming: bool = True,
    is_manual: bool = False,
    is_mail: bool = True,
    flags: tuple[str, ...] = (),
) -> Member:
    people = (*([sender] if sender else []), *others)
    return Member(UUID(int=n), topic, is_mail, is_incoming, is_manual, sender, people, flags)


@pytest.mark.parametrize(
    ("root", "sender", "expected"),
    [
        (member(1, IVAN, ANNA), IVAN, ()),
        (member(1, ANNA, IVAN, is_incoming=False), IVAN, ()),
        (member(1, IVAN, ANNA), PETER, ()),  # of the same firm by the domain
        (member(1, IVAN, ANNA), OLGA, ()),  # of the same partner
        (member(1, IVAN, ANNA), ANNA, ()),  # ours
        (member(1, IVAN, ANNA), MALLORY, (STRANGER,)),
        (member(1, IVAN, MALLORY), MALLORY, ()),  # was written to
        (member(1, FREE_A, ANNA), FREE_B, (STRANGER,)),  # a provider's domain proves nothing
        (member(1, IVAN, ANNA), None, (STRANGER,)),  # two senders, or none
        (member(1, ANNA, ANNA), MALLORY, ()),  # nobody of another side was there before
        (member(1, None, IVAN, is_mail=False), IVAN, ()),  # a call or a meeting counts too
    ],
)
def test_a_sender_who_was_in_no_earlier_mail_is_a_stranger(
    root: Member, sender: Person | None, expected: tuple[str, ...]
) -> None:
    assert flags_of([root, member(2, sender)]) == {UUID(int=1): (), UUID(int=2): expected}


def test_a_mail_of_ours_has_no_stranger_and_a_link_made_by_hand_no_flag() -> None:
    root = member(1, IVAN, ANNA)

    assert flags_of([root, member(2, MALLORY, is_incoming=False)])[UUID(int=2)] == ()
    assert flags_of([root, member(2, MALLORY, is_manual=True, topic="Other")])[UUID(int=2)] == ()


def test_who_was_written_to_later_is_a_stranger_no_more() -> None:
    chain = [member(1, IVAN), member(2, MALLORY), member(3, ANNA, MALLORY, is_incoming=False), member(4, MALLORY)]

    assert [flags_of(chain)[one.id] for one in chain] == [(), (STRANGER,), (), ()]


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("Order", ()),
        ("RE: order", ()),
        ("Ответ: Order", ()),
        ("Another thing", (TOPIC_CHANGED,)),
        ("Re: Another thing", ()),
        ("Fwd: Another thing", ()),
    ],
)
def test_a_new_topic_without_a_reply_mark_is_a_changed_one(topic: str, expected: tuple[str, ...]) -> None:
    chain = [member(1, IVAN, topic="Order"), member(2, IVAN, topic=topic)]

    assert flags_of(chain)[UUID(int=2)] == expected


def test_an_answer_under_a_changed_topic_has_it_no_more() -> None:
    chain = [member(1, IVAN, topic="Order"), member(2, IVAN, topic="Invoice"), member(3, IVAN, topic="Invoice")]

    assert [flags_of(chain)[one.id] for one in chain] == [(), (TOPIC_CHANGED,), ()]


def test_flags_are_found_anew_and_others_stay() -> None:
    chain = [member(1, IVAN, flags=(STRANGER, CLAIMS)), member(2, IVAN, flags=(TOPIC_CHANGED, "provisional"))]

    assert flags_of(chain) == {UUID(int=1): (CLAIMS,), UUID(int=2): ("provisional",)}
