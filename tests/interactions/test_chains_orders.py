"""Guesses, tokens, conversations of servers and Outlook, mails to many, hand-made decisions: in any order, the same chains."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import permutations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.chains import GUESS
from interactions.records import Link, uuid7
from interactions.threads import Shared, Threadable, hashed, ref_of, subject_key_of
from tests.fakes.chains import Store

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
US, IVAN, OLGA, PETR = (hashed(name.encode()) for name in ("us", "ivan", "olga", "petr"))
FIRM = hashed(b"@customer.example")


def mail(
    name: str,
    *parents: str,
    day: float = 0,
    topic: str = "kitchen for the summer house",
    prefix: str = "",
    sender: bytes | None = IVAN,
    to: Iterable[bytes] = (US,),
    **more: object,
) -> Threadable:
    """The mail `<name>`, of this day, in answer to `parents`; from Ivan to us, if nothing else is said."""
    at = START + timedelta(days=day)
    others = frozenset(to)
    people = others | {sender} if sender else others
    fields: dict[str, object] = {
        "replies_to": min(1, len(parents)), "prefix": prefix, "sender": sender, "people": people,
        "outside": people - {US}, "party": sender, "guess_key": hashed(topic.encode()), "guess_days": 45,
        "may_guess": prefix in ("reply", "auto"), "is_answer": bool(parents or prefix), **more,
    }  # fmt: skip
    return Threadable(
        uuid7(at, sha256(name.encode()).digest()), at, ref_of(name), tuple(map(ref_of, parents)),
        subject_key=subject_key_of(topic), **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def groups(store: Store, mails: Sequence[Threadable], names: Sequence[str]) -> list[str]:
    """The chains, by names of mails."""
    found: dict[UUID, str] = {}
    for name, one in sorted(zip(names, mails, strict=True)):
        chain_id = store.chain_of[one.interaction_id]
        found[chain_id] = f"{found.get(chain_id, '')} {name}".strip()
    return sorted(found.values())


def assert_always(named: dict[str, Threadable], expected: list[str]) -> None:
    """Every order of these mails, one by one and in pairs, gives these chains."""
    for order in permutations(named):
        for size in (1, 2):
            store = Store()
            for n in range(0, len(order), size):
                store.add([named[name] for name in order[n : n + size]])
            assert groups(store, [named[name] for name in order], order) == sorted(expected), (order, size)


ASKED = mail("asked")
ANSWER = mail("answer", "asked", day=1, prefix="reply", sender=US, to=(IVAN,))
WEB = mail("web", day=2, prefix="reply")  # a web front end leaves out all ids


def test_an_answer_without_ids_is_guessed_to_the_nearest_older_mail_between_the_same_people() -> None:
    assert_always({"asked": ASKED, "answer": ANSWER, "web": WEB}, ["answer asked web"])


def test_what_answers_a_guessed_mail_stays_with_it() -> None:
    more = mail("more", "web", day=3, prefix="reply", sender=US, to=(IVAN,))

    assert_always({"asked": ASKED, "answer": ANSWER, "web": WEB, "more": more}, ["answer asked more web"])


@pytest.mark.parametrize(
    "other",
    [
        mail("web", day=2),  # no mark of an answer
        mail("web", day=2, prefix="forward", may_guess=False),
        mail("web", day=-1, prefix="reply"),  # before the mail it would answer
        mail("web", day=47, prefix="reply"),
        mail("web", day=9, prefix="reply", guess_days=7),
        mail("web", day=2, prefix="reply", sender=OLGA),  # somebody else
        mail("web", day=2, prefix="reply", sender=None),
        mail("web", day=2, prefix="reply", to=(OLGA,)),
        mail("web", day=2, prefix="reply", sender=US, to=(OLGA,)),  # ours, to somebody else
        mail("web", day=2, prefix="reply", sender=US, to=(OLGA, PETR)),
        mail("web", day=2, prefix="reply", topic="other"),
        mail("web", day=2, prefix="reply", guess_key=None, guess_days=0),  # a topic that says nothing
    ],
)
def test_what_may_be_another_matter_is_not_guessed(other: Threadable) -> None:
    assert_always({"asked": ASKED, "answer": ANSWER, "web": other}, ["answer asked", "web"])


def test_on_a_list_the_topic_will_do() -> None:
    asked = mail("asked", sender=IVAN, to=(), list_key=b"list....")
    web = mail("web", day=2, prefix="reply", sender=OLGA, to=(), list_key=b"list....")
    elsewhere = mail("elsewhere", day=2, prefix="reply", sender=PETR, to=(), list_key=b"other...")

    assert_always({"asked": asked, "web": web, "elsewhere": elsewhere}, ["asked web", "elsewhere"])


def test_a_guess_is_void_as_soon_as_an_id_of_the_mail_leads_somewhere() -> None:
    lost = mail("lost", day=1.5, topic="the other kitchen")
    web = mail("web", "lost", day=2, prefix="reply")

    assert_always({"asked": ASKED, "answer": ANSWER, "web": web, "lost": lost}, ["answer asked", "lost web"])


def test_a_guess_moves_to_a_nearer_mail() -> None:
    nearer = mail("nearer", day=1.5)

    assert_always({"asked": ASKED, "nearer": nearer, "web": WEB}, ["asked", "nearer web"])


def test_a_guess_joins_no_two_chains_of_several_mails() -> None:
    first = {"a": mail("a"), "b": mail("b", "a", day=1, sender=US, to=(IVAN,))}
    second = {"c": mail("c", day=3), "d": mail("d", "c", day=4, prefix="reply", sender=US, to=(IVAN,))}
    web = {"w": mail("w", day=5, prefix="reply")}

    assert_always({**first, **second, **web}, ["a b", "c d w"])


def test_who_is_not_the_first_of_his_strand_is_not_guessed() -> None:
    older = mail("older", "web", day=1.5, topic="quite another", prefix="reply")

    assert_always({"asked": ASKED, "web": WEB, "older": older}, ["asked", "older web"])


def test_guesses_lead_on_to_guesses() -> None:
    webs = {f"w{n}": mail(f"w{n}", day=2 + n, prefix="reply") for n in range(4)}

    assert_always({"asked": ASKED, **webs}, ["asked w0 w1 w2 w3"])


def test_an_outlook_conversation_is_found_by_topic_and_people() -> None:
    shared = (Shared("thread_index", b"conversation....", hashed(b"topic ivan")),)
    mails = {"a": mail("a", shared=shared), "b": mail("b", day=60, shared=shared), "c": mail("c", day=60)}

    assert_always(mails, ["a b", "c"])


def test_a_conversation_of_the_server_is_one_chain_and_its_guesses_are_void() -> None:
    thread = (Shared("provider_thread", b"thread 1........"),)
    lost = mail("lost", day=1, topic="quite another", shared=thread)
    web = mail("web", day=2, prefix="reply", shared=thread)

    assert_always({"asked": ASKED, "lost": lost, "web": web}, ["asked", "lost web"])


def test_a_token_opens_a_chain_to_who_has_a_person_in_common() -> None:
    sent = mail("sent", sender=US, to=(IVAN,))
    known = mail("known", day=100, topic="other", tokens=(ref_of("sent"),))
    unknown = mail("unknown", day=1, topic="else", sender=PETR, tokens=(ref_of("sent"),))

    assert_always({"sent": sent, "known": known, "unknown": unknown}, ["known sent", "unknown"])


def test_a_new_matter_in_an_old_answer_is_a_chain_that_continues_the_old_one() -> None:
    old = mail("old", topic="one")
    new = mail("new", "old", day=40, topic="two")
    again = mail("again", "old", day=41, topic="two")
    answer = mail("answer", "old", day=42, topic="one", prefix="reply")

    mails = {"old": old, "new": new, "again": again, "answer": answer}
    assert_always(mails, ["again new", "answer old"])

    for order in (["old", "new"], ["new", "old"]):
        store = Store()
        placements = [store.add([mails[name]]) for name in order]
        chains = (store.chain_of[new.interaction_id], store.chain_of[old.interaction_id])
        assert placements[-1].continues == {chains[0]: chains[1]}


def test_each_party_that_answers_a_mail_to_many_has_a_chain_of_its_own() -> None:
    many = mail("many", sender=US, to=(IVAN, OLGA, PETR), is_mass=True)
    answers = {
        "i1": mail("i1", "many", day=1, prefix="reply"), "i2": mail("i2", "many", day=2, prefix="reply"),
        "o1": mail("o1", "many", day=1, prefix="reply", sender=OLGA),
        "back": mail("back", "i1", "many", day=3, prefix="reply", sender=US, to=(IVAN,), party=IVAN),
    }  # fmt: skip

    assert_always({"many": many, **answers}, ["back i1 i2", "many", "o1"])


def test_a_robots_notices_do_not_follow_the_first_of_them() -> None:
    first = mail("first", topic="order 1", is_robot=True)
    second = mail("second", "first", day=1, topic="order 2", is_robot=True, replies_to=0, is_answer=False)

    assert_always({"first": first, "second": second}, ["first", "second"])


def test_a_stranger_kept_out_has_a_chain_of_his_own_and_a_colleague_has_not() -> None:
    firms = frozenset({FIRM})

    def guarded(name: str, day: float, sender: bytes, firm: bytes | None = None) -> Threadable:
        return mail(name, "answer", day=day, prefix="reply", sender=sender, firm=firm, is_guarded=True)

    mails = {
        "asked": mail("asked", firms=firms, firm=FIRM),
        "answer": mail("answer", "asked", day=1, prefix="reply", sender=US, to=(IVAN,), firms=firms),
        "olga": guarded("olga", 2, OLGA, FIRM),
        "petr": guarded("petr", 2, PETR),
        "again": guarded("again", 3, PETR),
    }

    assert_always(mails, ["again petr", "answer asked olga"])


def test_the_oldest_of_several_mails_with_one_id_has_it() -> None:
    original = mail("a", topic="one")
    copy = mail("a", day=1, topic="two")
    answer = mail("b", "a", day=2, topic="one", prefix="reply")

    assert_always({"original": original, "copy": copy, "answer": answer}, ["answer original", "copy"])


LATER = {
    "x2": mail("x2", "x", day=5, prefix="reply"),
    "both": mail("both", "x", "a", day=6, prefix="reply"),
    "other": mail("other", "b", "x2", day=7, prefix="reply"),
    "first": mail("first", day=-1),
}


def test_what_was_split_by_hand_is_never_put_together_by_a_rule() -> None:
    a, b = mail("a"), mail("b", "a", day=1, sender=US, to=(IVAN,))
    x = mail("x", "b", day=2, prefix="reply")
    found = set()
    for order in permutations(LATER):
        store = Store()
        store.add([a, b, x])
        store.split(x)
        for name in order:
            store.add([LATER[name]])
        mails = {"a": a, "b": b, "x": x, **LATER}
        found.add(tuple(groups(store, list(mails.values()), list(mails))))

    assert found == {("a b other", "both x x2", "first")}


def test_a_guess_says_so_and_what_it_rests_on() -> None:
    store = Store()

    placement = store.add([ASKED, WEB])

    assert placement.link_of[WEB.interaction_id] == Link(GUESS, str(ASKED.interaction_id), ("provisional",))
    assert placement.loose == {store.chain_of[WEB.interaction_id]: True}


def test_what_leaves_a_chain_leaves_it_its_id_and_gets_a_new_one() -> None:
    web = mail("web", "lost", day=2, prefix="reply")
    store = Store()
    store.add([ASKED, web])
    held = store.chain_of[ASKED.interaction_id]

    placement = store.add([mail("lost", day=1.5, topic="the other kitchen")])

    assert store.chain_of[ASKED.interaction_id] == held
    assert placement.moved == {web.interaction_id: store.chain_of[web.interaction_id]}
    assert placement.link_of[web.interaction_id] == Link("in_reply_to", ref_of("lost").hex())
    assert placement.loose == {held: False}


def test_a_very_long_strand_takes_no_guesses() -> None:
    long = [mail("m0"), *(mail(f"m{n}", f"m{n - 1}", day=0.001 * n, prefix="reply") for n in range(1, 502))]
    for order in ([*long, WEB], [WEB, *long]):
        store = Store()
        for n in range(0, len(order), 251):
            store.add(order[n : n + 251])

        assert len(store.groups()) == 2


def test_another_copy_of_a_mail_brings_its_conversation_whenever_it_comes() -> None:
    thread = Shared("provider_thread", b"thread 1........")
    here, there = mail("here", topic="one"), mail("there", topic="two", shared=(thread,))
    first, second = Store(), Store()

    first.add([here])
    first.add([there])
    first.add([], [(here.interaction_id, thread)])
    second.add([here])
    second.add([], [(here.interaction_id, thread)])
    second.add([there])

    assert len(first.groups()) == len(second.groups()) == 1


PEOPLE = [US, IVAN, OLGA]


@st.composite
def mixed(draw: st.DrawFn, least: int = 2, most: int = 6) -> list[Threadable]:
    """Mails in which everything comes together: ids that lead somewhere and nowhere, equal ids, guesses, conversations."""
    count = draw(st.integers(least, most))
    names = [f"m{n % max(count - 1, 1)}" for n in range(count)]  # the last one has the id of the first
    found = []
    for n, name in enumerate(names):
        parents = draw(st.lists(st.sampled_from([*names, "x1", "x2"]), max_size=2, unique=True))
        sender = draw(st.sampled_from(PEOPLE))
        to = draw(st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=2))
        shared = draw(
            st.sampled_from([(), (), (Shared("provider_thread", b"p" * 16),), (Shared("thread_index", b"i" * 16),)])
        )
        found.append(
            mail(
                name, *parents, day=n * 0.01 + draw(st.sampled_from([0, 1, 2, 20, 40, 60])),
                topic=draw(st.sampled_from(["kitchen", "garden"])), sender=sender, to=to, shared=shared,
                prefix=draw(st.sampled_from(["", "reply", "reply"])), replies_to=draw(st.integers(0, len(parents))),
                tokens=draw(st.sampled_from([(), (), (ref_of("m0"),)])), is_mass=names.count(name) == 1 and draw(st.integers(0, 5)) == 0,
                is_robot=draw(st.integers(0, 3)) == 0, is_guarded=draw(st.integers(0, 3)) == 0,
            )
        )  # fmt: skip
    return found


def in_order(mails: Sequence[Threadable], size: int = 1) -> frozenset[frozenset[UUID]]:
    store = Store()
    for n in range(0, len(mails), size):
        store.add(mails[n : n + size])
    return store.groups()


@given(mixed())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_order_of_up_to_six_mails_gives_the_same_chains(mails: list[Threadable]) -> None:
    expected = in_order(mails, len(mails))

    for order in permutations(mails):
        assert in_order(order) == expected


@given(mixed(7, 14), st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_orders_and_batches_of_more_mails_give_the_same_chains(
    mails: list[Threadable], chance: Random, size: int
) -> None:
    expected = in_order(mails, len(mails))
    for _ in range(4):
        chance.shuffle(mails)
        assert in_order(mails, size) == expected


def conversation_of_200(chance: Random) -> list[Threadable]:
    """200 mails of some people about a few things: half of the answers have lost their ids."""
    found: list[Threadable] = []
    for n in range(200):
        older = chance.choice(found) if found and chance.random() < 0.8 else None
        sender, other = chance.sample([US, IVAN, OLGA, PETR], 2)
        parents = [f"m{chance.randrange(n)}"] if older and chance.random() < 0.5 else []
        topic = chance.choice(["kitchen for ivan", "garden for olga", "garage for petr"])
        found.append(
            mail(
                f"m{n}", *parents, day=n * 0.7, topic=topic, prefix="reply" if older else "", sender=sender, to=(other,)
            )
        )
    return found


@pytest.mark.parametrize("seed", range(4))
def test_random_orders_of_200_mails_give_the_same_chains(seed: int) -> None:
    chance = Random(seed)
    mails = conversation_of_200(chance)
    expected = in_order(mails, 200)
    chance.shuffle(mails)

    assert 1 < len(expected) < 200
    assert in_order(mails, 10) == expected
