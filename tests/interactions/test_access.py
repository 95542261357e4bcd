"""Who sees what: doors by e-mail and department, private and not, for people and programs."""

from uuid import UUID

import pytest

from interactions.access import EVERYTHING, Access, Asker, Door, decide

ME = UUID(int=1)
ANNA = Asker("anna@example.org", frozenset({"Sales", "board"}), frozenset({ME}))
CEO, CLAIMS = Door("ceo", True, ("boss@example.org",)), Door("claims", False, ("boss@example.org",))


@pytest.mark.parametrize(
    ("members", "is_in"),
    [
        (("anna@example.org",), True),
        (("Anna@EXAMPLE.org",), True),
        (("boris@example.org", " anna@example.org"), True),
        (("dept:sales",), True),
        (("dept: Board ",), True),
        (("dept:sale",), False),
        (("anna@example.org.evil",), False),
        (("no address",), False),
        (("dept:",), False),
    ],
)
def test_a_member_is_named_by_e_mail_or_by_department(members: tuple[str, ...], is_in: bool) -> None:
    found = decide([Door("x", True, members)], ANNA)

    assert found == (EVERYTHING if is_in else Access(("x",), (), (ME,)))


def test_a_source_without_members_is_open_unless_it_is_private() -> None:
    assert decide([Door("open")], ANNA) == decide([Door("open")], None) == EVERYTHING
    assert decide([Door("own", True)], ANNA) == Access(("own",), (), (ME,))


def test_others_see_nothing_of_a_private_source_and_the_header_of_one_with_members() -> None:
    found = decide([CLAIMS, CEO], ANNA)

    assert (found.hidden, found.closed, found.mine) == (("ceo",), ("claims",), (ME,))
    assert (found.unseen, found.unread, found.is_whole) == (["ceo"], ["ceo", "claims"], False)


def test_a_program_is_a_member_of_nothing() -> None:
    assert decide([CEO, CLAIMS], None) == Access(("ceo",), ("claims",), ())


def test_who_sees_everything_is_asked_nothing() -> None:
    boss = Asker("boss@example.org", frozenset(), frozenset({ME}))

    assert decide([CEO, CLAIMS], boss) == EVERYTHING
    assert (EVERYTHING.is_whole, EVERYTHING.unseen, EVERYTHING.unread) == (True, None, None)
