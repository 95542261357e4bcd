"""Chains follow from the set of mails: any order of arrival and any batches give the same ones."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise, permutations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.chains import chain_id_of, new_chain_id, place
from interactions.records import Link, uuid7
from interactions.threads import Shared, Threadable, ref_of, series_of, subject_key_of
from interactions.weaving import Known
from tests.fakes.chains import Store

START = datetime(2026, 11, 23, 9, tzinfo=UTC)


def mail(
    name: str,
    *parents: str,
    topic: str = "order",
    replies_to: int = 1,
    minute: int = 0,
    ref: str | None = "",
    **more: object,
) -> Threadable:
    """The mail `<name>`, which refers to `parents`: to the first of them by In-Reply-To."""
    at = START + timedelta(minutes=minute)
    own = ref_of(name if ref == "" else ref) if ref is not None else None
    refs = tuple(ref_of(one) for one in parents)
    interaction_id = uuid7(at, sha256(name.encode()).digest())
    common = series_of(name, parents[0]) if parents else None
    shared = (Shared("in_reply_to", refs[0], common),) if common else ()
    fields: dict[str, object] = {
        "replies_to": min(replies_to, len(refs)), "subject_key": subject_key_of(topic), "shared": shared, **more,
    }  # fmt: skip
    return Threadable(interaction_id, at, own, refs, **fields)  # type: ignore[arg-type]


def grouped(batches: Iterable[Sequence[Threadable]]) -> frozenset[frozenset[UUID]]:
    store = Store()
    for batch in batches:
        store.add(batch)
    return store.groups()


def splits(mails: Sequence[Threadable]) -> Iterable[list[Sequence[Threadable]]]:
    """A sequence in every way of cutting it into batches."""
    for bits in range(2 ** max(len(mails) - 1, 0)):
        cuts = [0, *(n + 1 for n in range(len(mails) - 1) if bits >> n & 1), len(mails)]
        yield [mails[a:b] for a, b in pairwise(cuts)]


def named(*groups: str) -> frozenset[frozenset[UUID]]:
    return frozenset(frozenset(mail(name).interaction_id for name in group.split()) for group in groups)


@pytest.mark.parametrize(
    ("mails", "expected"),
    [
        ([mail("a"), mail("b")], ["a", "b"]),
        ([mail("a"), mail("b", "a")], ["a b"]),
        ([mail("a"), mail("b", "a"), mail("c", "b")], ["a b c"]),
        ([mail("a"), mail("b", "a"), mail("c", "a")], ["a b c"]),
        # By References alone.
        ([mail("a"), mail("b", "a", replies_to=0)], ["a b"]),
        # The middle one never comes, but References name the first.
        ([mail("a"), mail("c", "x", "a")], ["a c"]),
        # An edited subject does not split what In-Reply-To joins.
        ([mail("a", topic="order"), mail("b", "a", topic="invoice")], ["a b"]),
        # Two answers to a mail we lack: one topic, one chain.
        ([mail("b", "x"), mail("c", "x")], ["b c"]),
        # … a constant id in the References of a shop glues no orders together.
        ([mail("b", "x", topic="order 1"), mail("c", "x", topic="order 2")], ["b", "c"]),
        # A late mail joins what waited for it.
        ([mail("b", "a", topic="order 1"), mail("c", "a", topic="order 2"), mail("a")], ["a b c"]),
        # One mail joins two chains.
        ([mail("a"), mail("b"), mail("c", "a", "b")], ["a b c"]),
        ([mail("b", "a"), mail("d", "c", topic="other"), mail("e", "b", "d")], ["b d e"]),
        # Loops, and a mail that names itself.
        ([mail("a", "b"), mail("b", "a")], ["a b"]),
        ([mail("a", "a"), mail("b")], ["a", "b"]),
        ([mail("a", "b"), mail("b", "c"), mail("c", "a")], ["a b c"]),
        # Without an id nobody can answer it, but it answers.
        ([mail("a"), mail("b", "a", ref=None), mail("c", ref=None)], ["a b", "c"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and isinstance(value[0], str) else "",
)
def test_mails_that_refer_to_each_other_are_one_chain(mails: list[Threadable], expected: list[str]) -> None:
    for order in permutations(mails):
        for batches in splits(order):
            assert grouped(batches) == named(*expected)


FIRST = "20261123090000.4711-1-ivan@customer.example"
PART = "20261123090000.4711-{}-ivan@customer.example"


def test_the_parts_of_a_series_are_one_chain_without_the_first() -> None:
    mails = [mail(PART.format(n), FIRST, topic=f"part {n}") for n in (2, 3, 11)]
    stranger = mail("20261123090000.4712-2-ivan@customer.example", FIRST, topic="other")

    for order in permutations([*mails, stranger]):
        together = {one.interaction_id for one in mails}
        assert grouped([[one] for one in order]) == {frozenset(together), frozenset({stranger.interaction_id})}


def test_a_series_goes_to_its_first_part_when_it_comes() -> None:
    mails = [mail(FIRST, topic="all"), *(mail(PART.format(n), FIRST, topic=f"part {n}") for n in (2, 3))]

    for order in permutations(mails):
        assert grouped([[one] for one in order]) == {frozenset(one.interaction_id for one in mails)}


@pytest.mark.parametrize(
    ("own", "first"),
    [
        ("order-1234@shop.example", "order@shop.example"),  # a constant id
        ("order-1234@shop.example", "order-1@shop.example"),
        ("2026112309-12@shop.example", "2026112309-12@shop.example"),
        ("2026112309-12@shop.example", "2026112310-11@shop.example"),
        ("2026112309-a@shop.example", "2026112309-b@shop.example"),
        ("1" * 300 + "@x", "2@x"),
        ("", "2026112309-12@shop.example"),
        ("1-" * 100 + "2@x", "1-" * 100 + "3@x"),
    ],
)
def test_ids_that_differ_otherwise_are_no_series(own: str, first: str) -> None:
    assert series_of(own, first) is None


@st.composite
def mailboxes(draw: st.DrawFn) -> list[Threadable]:
    """Mails that refer to each other and to some that never come, with a few topics."""
    count = draw(st.integers(2, 9))
    names = [PART.format(n) if n % 2 else f"m{n}" for n in range(count)]
    mails = []
    for n, name in enumerate(names):
        parents = draw(st.lists(st.sampled_from([*names, "x1", "x2", PART.format(99)]), max_size=3, unique=True))
        topic = draw(st.sampled_from(["one", "two"]))
        mails.append(mail(name, *parents, topic=topic, minute=draw(st.integers(0, 5)), replies_to=n % 2))
    return mails


@given(mailboxes(), st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_order_and_any_batches_give_the_same_chains(mails: list[Threadable], chance: Random, size: int) -> None:
    expected = grouped([mails])
    shuffled = list(mails)
    chance.shuffle(shuffled)

    assert grouped([one] for one in mails) == expected
    assert grouped(shuffled[n : n + size] for n in range(0, len(shuffled), size)) == expected


@given(mailboxes())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_placement_is_complete_and_its_redirects_end(mails: list[Threadable]) -> None:
    store = Store()
    for one in mails:
        stored = set(store.chain_of.values())
        placement = store.add([one])

        assert set(placement.chain_of) == set(placement.link_of) == {one.interaction_id}
        assert set(placement.merged) <= stored
        assert not set(placement.merged) & set(placement.merged.values())
        assert placement.new_chains.isdisjoint(stored)
        assert set(placement.chain_of.values()) <= stored | placement.new_chains


def test_the_chain_that_began_first_stays_and_the_other_leads_to_it() -> None:
    store = Store()
    store.add([mail("late", minute=5)])
    store.add([mail("early", minute=1)])

    placement = store.add([mail("both", "late", "early", minute=9)])

    early, late = chain_id_of(mail("early", minute=1)), chain_id_of(mail("late", minute=5))
    assert placement.merged == {late: early}
    assert placement.chain_of[mail("both", minute=9).interaction_id] == early
    assert placement.new_chains == frozenset()


def test_of_two_chains_that_began_together_the_smaller_id_stays() -> None:
    store = Store()
    store.add([mail("a"), mail("b")])

    placement = store.add([mail("c", "a", "b")])

    small, large = sorted([chain_id_of(mail("a")), chain_id_of(mail("b"))])
    assert placement.merged == {large: small}


def test_a_stored_chain_stays_although_an_earlier_mail_comes() -> None:
    store = Store()
    store.add([mail("reply", "first", minute=5)])

    placement = store.add([mail("first", minute=1)])

    assert placement.chain_of[mail("first", minute=1).interaction_id] == chain_id_of(mail("reply", minute=5))
    assert placement.merged == {}


def test_a_new_chain_has_the_id_of_its_earliest_mail() -> None:
    placement = place([mail("reply", "first", minute=5), mail("first", minute=1)], Known())

    assert placement.new_chains == frozenset({chain_id_of(mail("first", minute=1))})


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ([mail("a")], Link("root")),
        ([mail("b"), mail("a", "b")], Link("in_reply_to", ref_of("b").hex())),
        ([mail("b"), mail("a", "b", replies_to=0)], Link("references", ref_of("b").hex())),
        ([mail("b"), mail("a", "x", "b")], Link("references", ref_of("b").hex())),
        ([mail("b", "x"), mail("a", "x", minute=1)], Link("in_reply_to", ref_of("x").hex())),
    ],
)
def test_a_link_says_why(batch: list[Threadable], expected: Link) -> None:
    assert place(batch, Known()).link_of[batch[-1].interaction_id] == expected


def test_a_mail_waits_for_what_it_names_and_nobody_has() -> None:
    placement = place([mail("a"), mail("b", "a", "x")], Known())

    assert placement.awaits == {(ref_of("x"), subject_key_of("order")): mail("b").interaction_id}


def test_an_answer_that_comes_before_what_it_answers_takes_it_in() -> None:
    store = Store()
    store.add([mail("b", "a")])

    placement = store.add([mail("a")])

    assert placement.link_of == {mail("a").interaction_id: Link("child_first", ref_of("a").hex())}


def test_of_two_mails_with_one_id_the_second_is_a_chain_of_its_own() -> None:
    mails = [mail("a"), mail("copy", ref="a"), mail("b", "a")]

    for batches in splits(mails):
        assert grouped(batches) == named("a b", "copy")


def test_very_many_answers_to_one_mail_are_placed() -> None:
    mails = [mail(f"m{n}", f"m{n - 1}", *(f"x{k}" for k in range(30))) for n in range(2000)]

    placement = place(mails[::-1], Known())

    assert len(set(placement.chain_of.values())) == 1


def test_ids_are_compared_letter_by_letter_and_hold_anything() -> None:
    assert ref_of("A@x") != ref_of("a@x")
    assert len(ref_of("\udc80\x00")) == 16
    assert len(subject_key_of("\udc80")) == 8
    assert new_chain_id(mail("a").interaction_id, START).version == 7
