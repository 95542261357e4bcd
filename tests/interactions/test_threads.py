"""What threading takes from a mail, and when two mails are related."""

from base64 import b64encode
from dataclasses import replace
from datetime import timedelta

import pytest

from interactions.admission import read_mail, threadable
from interactions.arrivals import Location, MailArrived
from interactions.mime import parse
from interactions.reply_tokens import message_id, new_token, plus_address, signing_key
from interactions.threads import House, Shared, Threadable, are_related, hashed, is_likely, provider_thread, ref_of
from tests.fakes.arrivals import START, raw_mail

SALES, IVAN, OLGA = "sales@example.org", "ivan@customer.example", "olga@customer.example"
KEY = signing_key("a secret")
HOUSE = House(frozenset({SALES, "anna@example.org"}), KEY)
NOW = START + timedelta(days=100)


def facts(raw: bytes, house: House = HOUSE, thread_id: str | None = None) -> Threadable:
    arrival = MailArrived("sales", Location("INBOX", 1, 1), raw, received_at=None, thread_id=thread_id)
    read = read_mail(replace(arrival, received_at=parse(raw).date), parse(raw), NOW)
    return threadable(read, house)


def with_header(raw: bytes, *lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode() + raw


def person(address: str) -> bytes:
    return hashed(address.encode())


def test_people_are_told_apart_by_side_and_firm() -> None:
    found = facts(raw_mail("1", IVAN, f"{SALES}, {OLGA}, petr@mail.ru"))

    assert found.sender == found.party == person(IVAN)
    assert found.others == {person(SALES), person(OLGA), person("petr@mail.ru")}
    assert found.outside == {person(IVAN), person(OLGA), person("petr@mail.ru")}
    assert found.firms == {hashed(b"@customer.example")}
    assert found.firm == hashed(b"@customer.example")
    assert not (found.is_mass)
    assert not (found.is_robot)
    assert not (found.is_guarded)


@pytest.mark.parametrize("sender", [f"{IVAN}, {OLGA}", "", f"{IVAN})olga@evil.example"])
def test_a_doubtful_sender_is_nobody(sender: str) -> None:
    raw = raw_mail("1", IVAN).replace(f"From: {IVAN}".encode(), f"From: {sender}".encode())

    assert (facts(raw).sender, facts(raw).party) == (None, None)
    assert person(IVAN) not in facts(raw).people


def test_whom_answers_are_wanted_by_is_not_taken_for_a_person_of_the_mail() -> None:
    assert person(OLGA) not in facts(with_header(raw_mail("1"), f"Reply-To: {OLGA}")).people


def test_a_list_is_nobody_but_what_it_is() -> None:
    raw = with_header(raw_mail("1", IVAN, "build@lists.example, anna@example.org", "Re: a topic that is long enough"),
                      "List-Id: The builders <build.lists.example>")  # fmt: skip
    found = facts(raw)

    assert found.people == {person(IVAN), person("anna@example.org")}
    assert found.list_key is not None
    assert found.may_guess
    assert facts(raw.replace(b"a topic that is long enough", b"kitchen")).list_key is None


def test_a_mail_of_ours_to_many_is_one() -> None:
    many = ", ".join(f"p{n}@many.example" for n in range(11))

    assert facts(raw_mail("1", SALES, many)).is_mass
    assert not facts(raw_mail("1", SALES, f"{many[:-20]}, {SALES}")).is_mass
    assert not facts(raw_mail("1", IVAN, many)).is_mass
    assert facts(raw_mail("1", SALES, IVAN)).party == person(IVAN)


@pytest.mark.parametrize(
    ("subject", "lines", "may", "days"),
    [
        ("Re: Кухня на дачу", [], True, 45),
        ("Отв: Кухня на дачу", [], True, 45),
        ("ODP: Kuchnia do domku", [], True, 45),
        ("AW: Küche fürs Wochenendhaus", [], True, 45),
        ("R: Cucina nuova", [], True, 45),
        ("Automatic reply: Кухня на дачу", [], True, 45),
        ("Re: Кухня", [], True, 7),
        ("Re: Заказ", [], True, 0),
        ("Re: Cats", [], True, 7),
        ("Re: ab", [], True, 0),
        ("Re: builders Digest, Vol 106, Issue 21", [], True, 0),
        ("Re: Счет на оплату 12", [], True, 0),
        ("Re: Счет на оплату 4711", [], True, 45),
        ("Кухня на дачу", [], False, 45),
        ("Fwd: Кухня на дачу", [], False, 45),
        ("Re: Кухня на дачу", ["Precedence: bulk"], False, 45),
        ("Re: Кухня на дачу", ["Return-Path: <>"], False, 45),
    ],
)
def test_an_answer_may_be_guessed_if_its_topic_says_something(
    subject: str, lines: list[str], may: bool, days: int
) -> None:
    found = facts(with_header(raw_mail("1", subject=subject), *lines))

    assert (found.may_guess, found.guess_days, found.guess_key is not None) == (may, days, days > 0)


def test_a_letter_before_a_colon_is_a_mark_for_guesses_alone() -> None:
    letter, word = facts(raw_mail("1", subject="R: Cucina nuova")), facts(raw_mail("2", subject="Cucina nuova"))

    assert letter.guess_key == word.guess_key
    assert letter.subject_key != word.subject_key


TOKEN = new_token(KEY, START, b"12345678")
OWN_ID = message_id(TOKEN, "example.org")
SENT = raw_mail("1", SALES, IVAN).replace(b"<1@test.example>", f"<{OWN_ID}>".encode())


@pytest.mark.parametrize(
    "raw",
    [
        raw_mail("2", IVAN, plus_address(TOKEN, SALES), "anything"),
        raw_mail("2", IVAN, text=f"> From: {plus_address(TOKEN, SALES)}\n> Здравствуйте"),
        with_header(raw_mail("2", IVAN), f"References: <x@y> <{TOKEN}@relay.example>"),
        with_header(raw_mail("2", IVAN), f"In-Reply-To: <{OWN_ID}>"),
    ],
)
def test_a_token_of_ours_is_found_anywhere_and_leads_to_the_mail_that_has_it(raw: bytes) -> None:
    sent, found = facts(SENT), facts(raw)

    assert found.tokens == (sent.ref,)
    assert are_related(found, sent, "token")


def test_a_token_in_the_hands_of_somebody_else_opens_nothing() -> None:
    found = facts(raw_mail("2", "mallory@evil.example", f"{plus_address(TOKEN, SALES)}, anna@example.org"))

    assert found.tokens
    assert not are_related(found, facts(SENT), "token")


def test_an_id_of_our_shape_that_we_did_not_make_leads_nowhere() -> None:
    forged = "rm-" + "a" * 42 + "@example.org"
    raw = with_header(raw_mail("2"), f"In-Reply-To: <{forged}>", f"References: <x@y> <{forged}>")

    assert facts(raw).parents == (ref_of("x@y"),)
    assert facts(raw, House()).parents == (ref_of(forged), ref_of("x@y"))
    assert facts(raw_mail("2").replace(b"2@test.example", forged.encode())).ref is None


def test_conversations_of_servers_and_outlook_are_kept() -> None:
    index = b64encode(bytes(6) + b"c" * 16 + bytes(5)).decode()
    raw = with_header(raw_mail("1", IVAN), f"Thread-Index: {index}")
    here, there = facts(raw, thread_id="t1"), facts(with_header(raw_mail("2", SALES, IVAN), f"Thread-Index: {index}"))

    assert here.shared[0] == provider_thread(MailArrived("sales", Location("x", 1, 1), b"", thread_id="t1"))
    assert here.shared[0] != provider_thread(MailArrived("other", Location("x", 1, 1), b"", thread_id="t1"))
    assert set(here.shared) & set(there.shared)
    other = facts(with_header(raw_mail("2", SALES, "petr@else.example"), f"Thread-Index: {index}"))
    assert not set(here.shared) & set(other.shared)
    changed = facts(with_header(raw_mail("2", IVAN, subject="Другое"), f"Thread-Index: {index}"))
    assert not set(here.shared) & set(changed.shared)


def test_the_parts_of_a_series_share_its_first() -> None:
    raw = raw_mail("x").replace(b"<x@test.example>", b"<20261123090000.4711-2-ivan@customer.example>")
    first = "20261123090000.4711-1-ivan@customer.example"

    [shared] = facts(with_header(raw, f"In-Reply-To: <{first}>")).shared

    assert shared == Shared("in_reply_to", ref_of(first), shared.key)


def pair(child: bytes, parent: bytes, rule: str = "in_reply_to", house: House = HOUSE) -> bool:
    return are_related(facts(child, house), facts(parent, house), rule)


OLD = raw_mail("1", IVAN)


@pytest.mark.parametrize(
    ("child", "rule", "expected"),
    [
        (raw_mail("2", subject="Рекламация", reply_to="1", at=START + timedelta(days=29)), "in_reply_to", True),
        (raw_mail("2", subject="Рекламация", reply_to="1", at=START + timedelta(days=31)), "in_reply_to", False),
        (raw_mail("2", subject="Re: Рекламация", reply_to="1", at=START + timedelta(days=31)), "in_reply_to", True),
        (raw_mail("2", subject="Заказ", reply_to="1", at=START + timedelta(days=31)), "in_reply_to", True),
        (with_header(raw_mail("2", subject="Заказ 2"), "Precedence: bulk"), "references", False),
        (with_header(raw_mail("2", subject="Заказ 2"), "Precedence: bulk"), "in_reply_to", True),
        (with_header(raw_mail("2", subject="Заказ"), "Precedence: bulk"), "references", True),
    ],
)
def test_a_new_matter_in_an_answer_is_seen_by_topic_mark_and_time(child: bytes, rule: str, expected: bool) -> None:
    assert pair(child, OLD, rule) == expected


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        (IVAN, True),
        (OLGA, True),
        (SALES, True),
        ("mallory@evil.example", False),
        (f"{IVAN}, mallory@evil.example", False),
    ],
)
def test_strangers_are_kept_out_where_that_is_wanted(sender: str, expected: bool) -> None:
    house = replace(HOUSE, strangers_apart=True)

    assert pair(raw_mail("2", sender, subject="Re: Заказ", reply_to="1"), OLD, house=house) == expected
    assert pair(raw_mail("2", sender, subject="Re: Заказ", reply_to="1"), OLD)


def test_nobody_is_a_stranger_where_nobody_from_outside_was() -> None:
    inside = raw_mail("1", "anna@example.org", SALES)

    assert pair(raw_mail("2", IVAN, reply_to="1"), inside, house=replace(HOUSE, strangers_apart=True))


def test_an_answer_is_likely_between_the_same_people_only() -> None:
    asked = facts(raw_mail("1", IVAN, SALES, "Кухня на дачу"))
    later = START + timedelta(days=1)

    def answer(sender: str, to: str) -> Threadable:
        return facts(raw_mail("2", sender, to, "Re: Кухня на дачу", at=later))

    assert is_likely(answer(SALES, IVAN), asked)
    assert is_likely(answer(IVAN, SALES), asked)
    assert is_likely(answer(IVAN, f"{SALES}, {OLGA}"), asked)
    assert not is_likely(answer(OLGA, SALES), asked)
    assert not is_likely(answer(SALES, OLGA), asked)
    assert not is_likely(answer(IVAN, OLGA), asked)
