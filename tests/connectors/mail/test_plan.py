"""What to read next: the cursor moves only over what is finished, and portions keep their bounds."""

from array import array
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import BATCH_BYTES_MAX
from connectors.mail.answers import Fetched, FolderState
from connectors.mail.arguments import UID_MAX
from connectors.mail.plan import (
    CUT_BYTES,
    EARLIEST,
    STRIKES_CUT,
    STRIKES_NOTHING,
    Cursor,
    Portion,
    after_new,
    after_old,
    begin,
    holds,
    load,
    may_have_new,
    new_uids,
    old_uids,
    portions,
)
from interactions.records import Json

DAY = date(2026, 1, 1)
CURSOR = Cursor(7, 100, 51, False, DAY, 80, 5)


def sizes(found: dict[int, int | None]) -> list[Fetched]:
    return [Fetched(uid, size) for uid, size in found.items()]


def test_a_checkpoint_comes_back_as_the_cursor_it_was() -> None:
    assert load(CURSOR.saved()) == CURSOR


def test_a_checkpoint_of_an_older_version_has_followed_nothing() -> None:
    saved = {key: value for key, value in CURSOR.saved().items() if key not in ("first_uid", "modseq", "flags")}

    assert load(saved) == Cursor(7, 100, 51, False, DAY, first_uid=100, modseq=0, flags=False)


def test_changes_are_followed_from_the_first_sight_of_a_folder() -> None:
    state = FolderState(7, 121, 50, highestmodseq=900)

    first, renumbered = begin(None, state, 120, DAY), begin(Cursor(6, 1, 2, True, DAY), state, 120, DAY)

    assert (first.modseq, first.flags) == (900, True)
    assert (renumbered.modseq, renumbered.flags) == (0, False)


@pytest.mark.parametrize(("uid", "expected"), [(1, False), (2, True), (5, True), (6, False)])
def test_whether_a_list_holds_a_uid(uid: int, expected: bool) -> None:
    assert holds([2, 3, 5], uid) is expected
    assert not holds([], uid)


@pytest.mark.parametrize(
    "changed",
    [
        {"uidvalidity": 0},
        {"uidvalidity": "7"},
        {"uidvalidity": True},
        {"live_uid": -1},
        {"live_uid": UID_MAX + 2},
        {"backfill_uid": None},
        {"done": 1},
        {"since": "yesterday"},
        {"since": None},
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_none(changed: Json) -> None:
    assert load({**CURSOR.saved(), **changed}) is None
    assert load({}) is None
    assert load(None) is None


@pytest.mark.parametrize(
    ("before", "uidvalidity", "since", "after"),
    [
        (None, 7, DAY, Cursor(7, 120, 121, False, DAY, 120)),
        (None, 7, None, Cursor(7, 120, 121, False, EARLIEST, 120)),
        (CURSOR, 7, DAY, CURSOR),
        (CURSOR, 8, DAY, Cursor(8, 120, 121, False, DAY, 120)),
        (CURSOR, 6, DAY, Cursor(6, 120, 121, False, DAY, 120)),
        (CURSOR, 7, date(2026, 5, 1), CURSOR),  # a later day: what is read is read
        (CURSOR, 7, date(2025, 1, 1), Cursor(7, 100, 101, False, date(2025, 1, 1), 80, 5)),
        (Cursor(7, 100, 1, True, DAY), 7, None, Cursor(7, 100, 101, False, EARLIEST)),
    ],
)
def test_where_a_folder_is_taken_up(before: Cursor | None, uidvalidity: int, since: date | None, after: Cursor) -> None:
    assert begin(before, FolderState(uidvalidity, 121, 50), 120, since) == after


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (FolderState(7, 101, 50), False),
        (FolderState(7, 102, 50), True),
        (FolderState(7, 102, 0), False),
        (FolderState(7, None, 50), True),
        (FolderState(7, 5, 50), False),
    ],
)
def test_whether_to_look_for_new_mail(state: FolderState, expected: bool) -> None:
    assert may_have_new(CURSOR, state) is expected


def test_the_last_mail_that_a_star_brings_is_not_new() -> None:
    assert new_uids(CURSOR, array("I", [100, 101, 103])).tolist() == [101, 103]
    assert old_uids(CURSOR, array("I", [3, 50, 51, 100])).tolist() == [3, 50]
    assert new_uids(CURSOR, array("I", [100])).tolist() == []


def test_the_cursor_never_goes_back() -> None:
    assert after_new(CURSOR, 90) == CURSOR
    assert after_new(CURSOR, 130).live_uid == 130
    assert after_old(CURSOR, 60) == CURSOR
    assert after_old(CURSOR, 40).backfill_uid == 40
    assert after_old(CURSOR, None).done


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        ([], {}, []),
        ([1, 2], {}, [Portion((), 2)]),
        ([1, 2, 3], {1: 10, 3: 10}, [Portion((1, 3), 3)]),
        ([1, 2, 3], {1: 60, 2: 60, 3: 40}, [Portion((1,), 1), Portion((2, 3), 3)]),
        ([3, 2, 1], {1: 10, 2: 10, 3: 10}, [Portion((3, 2), 2), Portion((1,), 1)]),
        ([1, 2, 3, 4], {2: 100}, [Portion((2,), 4)]),
        ([1, 2, 3], {1: 1, 2: 1001, 3: 1}, [Portion((1,), 1), Portion((2,), 2, 1000), Portion((3,), 3)]),
        ([1, 2], {1: None, 2: 1}, [Portion((1,), 1, 1000), Portion((2,), 2)]),
        ([1], {1: 900}, [Portion((1,), 1)]),
    ],
)
def test_portions(wanted: list[int], there: dict[int, int | None], expected: list[Portion]) -> None:
    assert portions(wanted, sizes(there), 1000, bytes_max=100, count_max=2) == expected


@pytest.mark.parametrize(
    ("strikes", "limit"),
    [(1, None), (STRIKES_CUT - 1, None), (STRIKES_CUT, 1000), (STRIKES_NOTHING - 1, 1000), (STRIKES_NOTHING, 0)],
)
def test_a_mail_that_breaks_the_connection_stands_alone_then_is_cut_then_left_out(
    strikes: int, limit: int | None
) -> None:
    found = portions([1, 2, 3], sizes({1: 5, 2: 5, 3: 5}), 1000, {2: strikes})

    assert found == [Portion((1,), 1), Portion((2,), 2, limit), Portion((3,), 3)]


def test_of_a_mail_above_the_limit_the_beginning_is_fetched() -> None:
    assert portions([1], sizes({1: 90_000_000}), 50_000_000) == [Portion((1,), 1, CUT_BYTES)]


@given(
    st.dictionaries(st.integers(1, 500), st.none() | st.integers(0, 3_000), max_size=80),
    st.lists(st.integers(1, 500), unique=True, max_size=80),
    st.dictionaries(st.integers(1, 500), st.integers(1, 8), max_size=10),
    st.booleans(),
)
def test_portions_keep_their_bounds_and_lose_nothing(
    there: dict[int, int | None], wanted: list[int], strikes: dict[int, int], downwards: bool
) -> None:
    wanted.sort(reverse=downwards)

    found = portions(wanted, sizes(there), 1500, strikes, bytes_max=2000, count_max=7)

    assert [uid for portion in found for uid in portion.uids] == [uid for uid in wanted if uid in there]
    assert [portion.last for portion in found] == sorted((portion.last for portion in found), reverse=downwards)
    assert not wanted or found[-1].last == wanted[-1]
    for portion in found:
        assert len(portion.uids) <= 7
        assert len(portion.uids) < 2 or sum(there[uid] or 0 for uid in portion.uids) <= 2000
        assert portion.bytes_max is None or (len(portion.uids) == 1 and portion.bytes_max <= 1500)


def test_a_batch_is_bounded_by_the_door() -> None:
    found = portions(range(1, 1001), sizes(dict.fromkeys(range(1, 1001), 100_000)), 50_000_000)

    assert max(len(portion.uids) for portion in found) * 100_000 <= BATCH_BYTES_MAX
