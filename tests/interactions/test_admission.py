"""What is decided of a mail: direction, time, identity, who answers for it, and whether somebody should look."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.addresses import Mailbox
from interactions.admission import (
    PARTICIPANTS_MAX,
    OurSide,
    ReadMail,
    decide_mail,
    in_chain,
    mail_identity,
    mail_participants,
    mail_time,
    read_mail,
    threadable,
)
from interactions.arrivals import Location, MailArrived
from interactions.chains import new_chain_id
from interactions.contacts import Employment
from interactions.mime import ParsedMail, parse
from interactions.mime_reports import Report
from interactions.records import Direction, Importance, Interaction, Kind, Participant, Role
from interactions.threads import REFERENCES_MAX, ref_of, subject_key_of
from tests.fakes.ourselves import ANNA, BORIS, CLARA, KNOWN, NOW, OURS, SHOP, customer, key_of, own


def boxes(*addresses: str) -> tuple[Mailbox, ...]:
    return tuple(Mailbox("", one) for one in addresses)


def read(mail: ParsedMail, **more: object) -> ReadMail:
    arrival = MailArrived("sales", Location("INBOX", 1, 1), b"raw", received_at=NOW)
    return read_mail(replace(arrival, **more), mail, NOW)  # type: ignore[arg-type]


def decide(mail: ParsedMail, ours: OurSide = OURS, **more: object) -> Interaction:
    return decide_mail(read(mail, **more), KNOWN, ours, NOW)


@pytest.mark.parametrize(
    ("sender", "recipients", "expected"),
    [
        ("ivan@customer.example", ["sales@example.org"], Direction.INCOMING),
        ("IVAN@Customer.example", ["Sales@Example.org"], Direction.INCOMING),
        ("stranger@x.example", ["sales@example.org"], Direction.INCOMING),
        ("stranger@x.example", [], Direction.INCOMING),
        ("stranger@x.example", ["other@x.example"], Direction.INCOMING),
        ("not an address", ["sales@example.org"], Direction.INCOMING),
        ("sales@example.org", ["ivan@customer.example"], Direction.OUTGOING),
        ("anna@example.org", ["ivan@customer.example"], Direction.OUTGOING),
        ("anna@example.org", ["boris@example.org", "ivan@customer.example"], Direction.OUTGOING),
        ("anna@example.org", ["boris@example.org", "stranger@x.example"], Direction.OUTGOING),
        ("anna@example.org", ["boris@example.org", "not an address"], Direction.OUTGOING),
        ("anna@example.org", ["not an address"], Direction.OUTGOING),
        ("anna@example.org", [], Direction.OUTGOING),
        ("anna@example.org", ["boris@example.org"], Direction.INTERNAL),
        ("anna@example.org", ["sales@example.org", "anna@example.org"], Direction.INTERNAL),
    ],
)
@pytest.mark.parametrize("role", ["to", "cc", "bcc"])
def test_a_mail_goes_where_its_addresses_say(
    sender: str, recipients: list[str], expected: Direction, role: str
) -> None:
    mail = ParsedMail(from_=boxes(sender))
    mail = replace(mail, **{role: boxes(*recipients)})

    assert decide(mail).direction is expected


def test_a_mail_without_a_sender_or_with_two_comes_in() -> None:
    assert decide(ParsedMail()).direction is Direction.INCOMING
    assert decide(ParsedMail(from_=boxes("anna@example.org", "x@x.example"))).direction is Direction.INCOMING


def test_reply_to_and_sender_do_not_make_a_mail_ours() -> None:
    mail = ParsedMail(
        from_=boxes("stranger@x.example"), sender=boxes("anna@example.org"), reply_to=boxes("anna@example.org")
    )

    assert decide(mail).direction is Direction.INCOMING


@pytest.mark.parametrize(
    ("sender", "marks", "reviewed"),
    [
        ("ivan@customer.example", (), False),
        ("ivan@customer.example", ("bulk",), False),
        ("ivan@customer.example", ("ambiguous",), False),
        ("ivan@customer.example", ("auto_reply",), True),
        ("ivan@customer.example", ("bounce",), True),
        ("anna@example.org", (), True),
    ],
)
def test_a_mail_is_to_review_unless_it_is_ours_or_automatic(
    sender: str, marks: tuple[str, ...], reviewed: bool
) -> None:
    decided = decide(ParsedMail(from_=boxes(sender), to=boxes("ivan@customer.example"), marks=marks))

    assert decided.reviewed is reviewed
    assert decided.reviewed_at == (NOW if reviewed else None)


def test_a_mail_among_us_is_to_review() -> None:
    assert not decide(ParsedMail(from_=boxes("anna@example.org"), to=boxes("boris@example.org"))).reviewed


@pytest.mark.parametrize(
    ("sender", "active", "responsible", "author"),
    [
        ("ivan@customer.example", {ANNA, BORIS, CLARA}, BORIS, None),
        ("ivan@customer.example", {ANNA, CLARA}, CLARA, None),
        ("ivan@customer.example", {ANNA}, None, None),
        ("stranger@x.example", {ANNA, BORIS, CLARA}, CLARA, None),
        ("anna@example.org", {ANNA, BORIS, CLARA}, ANNA, ANNA),
        ("anna@example.org", {CLARA}, CLARA, ANNA),
        ("sales@example.org", {ANNA, BORIS, CLARA}, CLARA, None),
    ],
)
def test_the_first_who_is_there_answers_for_a_mail(
    sender: str, active: set[UUID], responsible: UUID | None, author: UUID | None
) -> None:
    mail = ParsedMail(from_=boxes(sender), to=boxes("x@x.example"))
    decided = decide(mail, replace(OURS, active=frozenset(active)))

    assert (decided.responsible_id, decided.author_id) == (responsible, author)


def test_a_mail_keeps_what_it_says() -> None:
    raw = (
        "From: =?utf-8?b?0JjQstCw0L0=?= <Ivan@Customer.example>\r\nTo: sales@example.org\r\nReply-To: home@x.example\r\n"
        "Subject: =?utf-8?b?0JfQsNC60LDQtw==?= 33\r\nDate: Mon, 23 Nov 2026 12:00:00 +0300\r\nMessage-ID: <3@x>\r\n"
        "In-Reply-To: <2@x>\r\nReferences: <1@x> <2@x>\r\nX-Priority: 1\r\n\r\n> quoted\r\nЗдравствуйте!\r\n"
    ).encode()
    arrival = MailArrived("sales", Location("INBOX", 1, 1), raw, NOW, size=len(raw) + 1, folder_role="junk")

    decided = decide_mail(read_mail(arrival, parse(raw), NOW), KNOWN, OURS, NOW)

    assert (decided.kind, decided.source, decided.external_id) == (Kind.EMAIL, "sales", "3@x")
    assert decided.occurred_at == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert decided.topic == "Заказ 33"
    assert decided.importance is Importance.HIGH
    assert decided.excerpt == "Здравствуйте!"
    assert decided.body_text == "> quoted\nЗдравствуйте!"
    assert decided.block == {
        "message_id": "3@x",
        "in_reply_to": "2@x",
        "references": ["1@x", "2@x"],
        "has_html": False,
        "marks": ["truncated", "oversized", "from_junk"],
        "authenticated": "none",
    }
    assert decided.participants == (
        Participant(Role.FROM, "Иван", "Ivan@Customer.example", key_of("ivan@customer.example")),
        Participant(Role.TO, "", "sales@example.org", key_of("sales@example.org")),
        Participant(Role.REPLY_TO, "", "home@x.example", key_of("home@x.example")),
    )
    assert decided.chain_id == new_chain_id(decided.id, decided.occurred_at)


def test_the_line_of_preview_begins_with_the_new_words() -> None:
    body = "25.11.2026 15:32, Анна пишет:\nПосылаю счёт.\n\nСпасибо!"

    decided = decide(ParsedMail(body_text=body, reply_text="Спасибо!"))

    assert (decided.excerpt, decided.reply_text, decided.body_text) == ("Спасибо!", "Спасибо!", body)


def test_a_sender_is_proved_by_the_hosts_that_we_believe() -> None:
    mail = ParsedMail(
        from_=boxes("ivan@customer.example"), auth_results=("mx.example.org; dmarc=pass header.from=customer.example",)
    )

    believing = decide(mail, replace(OURS, auth_servers=frozenset({"mx.example.org"})))

    assert believing.block["authenticated"] == "pass"
    assert decide(mail).block["authenticated"] == "none"
    assert decide(replace(mail, from_=boxes("x@x.example", "y@x.example"))).block["authenticated"] == "none"


def test_a_sender_that_a_believed_host_calls_false_is_always_a_claim() -> None:
    results = ("mx.example.org; dmarc=fail header.from=example.org",)
    mail = ParsedMail(from_=boxes("anna@example.org"), to=boxes("x@x.example"), auth_results=results)

    decided = decide(mail, replace(OURS, auth_servers=frozenset({"mx.example.org"})))

    assert (decided.direction, decided.reviewed, decided.link.flags) == (Direction.INCOMING, False, ("claims",))


@pytest.mark.parametrize(
    ("sender", "proof", "folder_role", "direction", "flags"),
    [
        ("ivan@customer.example", "pass", "", Direction.INCOMING, ()),
        ("ivan@customer.example", "fail", "", Direction.INCOMING, ("claims",)),
        ("ivan@customer.example", "", "", Direction.INCOMING, ("claims",)),
        ("anna@example.org", "pass", "", Direction.OUTGOING, ()),
        ("anna@example.org", "", "", Direction.INCOMING, ("claims",)),  # anybody can write that
        ("anna@example.org", "", "sent", Direction.OUTGOING, ()),
    ],
)
def test_an_unproved_sender_is_a_claim_where_that_is_wanted(
    sender: str, proof: str, folder_role: str, direction: Direction, flags: tuple[str, ...]
) -> None:
    domain = sender.partition("@")[2]
    results = (f"mx.example.org; dmarc={proof} header.from={domain}",) if proof else ()
    mail = ParsedMail(from_=boxes(sender), to=boxes("x@x.example"), auth_results=results)
    ours = replace(OURS, auth_servers=frozenset({"mx.example.org"}), unproved_claims=True)

    decided = decide(mail, ours, folder_role=folder_role)

    assert (decided.direction, decided.reviewed, decided.link.flags) == (
        direction,
        direction is Direction.OUTGOING,
        flags,
    )


def test_a_bounce_refers_to_the_mail_that_did_not_arrive_and_says_who_did_not_get_it() -> None:
    mail = ParsedMail(marks=("bounce",), report=Report("offer@example.org", ("ivan@customer.example",)))

    assert threadable(read(mail)).parents == (ref_of("offer@example.org"),)
    assert decide(mail).block["bounced"] == {"message_id": "offer@example.org", "to": ["ivan@customer.example"]}


def test_a_doubtful_sender_leads_to_nobody() -> None:
    two = mail_participants(ParsedMail(from_=boxes("ivan@customer.example", "x@x.example")))
    odd = mail_participants(ParsedMail(from_=boxes("alice@example.org)bob@evil.example")))

    assert [one.key for one in (*two, *odd)] == [None, None, None]
    assert odd[0].address == "alice@example.org)bob@evil.example"


def test_the_participants_of_a_mail_are_bounded() -> None:
    mail = ParsedMail(from_=boxes("a@b.example"), to=boxes(*(f"{n}@b.example" for n in range(3000))))

    assert len(mail_participants(mail)) == PARTICIPANTS_MAX


@pytest.mark.parametrize(
    ("date_", "received", "expected"),
    [
        (NOW, NOW, NOW),
        (NOW - timedelta(hours=5), NOW, NOW - timedelta(hours=5)),
        (NOW - timedelta(days=7), NOW, NOW - timedelta(days=7)),
        (NOW - timedelta(days=8), NOW, NOW - timedelta(days=7)),
        (NOW - timedelta(days=9000), NOW, NOW - timedelta(days=7)),
        (NOW + timedelta(hours=1), NOW, NOW + timedelta(hours=1)),
        (NOW + timedelta(days=400), NOW - timedelta(days=100), NOW - timedelta(days=99)),
        (datetime(2020, 5, 5, tzinfo=UTC), datetime(2020, 5, 6, tzinfo=UTC), datetime(2020, 5, 5, tzinfo=UTC)),
        (datetime(1970, 1, 1, tzinfo=UTC), datetime(2020, 5, 6, tzinfo=UTC), datetime(2020, 5, 7, tzinfo=UTC)),
        (datetime(9999, 12, 31, tzinfo=UTC), datetime(2020, 5, 6, tzinfo=UTC), datetime(2020, 5, 7, tzinfo=UTC)),
        (None, datetime(2020, 5, 6, tzinfo=UTC), datetime(2020, 5, 6, tzinfo=UTC)),
        (None, None, NOW),
        (NOW - timedelta(days=3), None, NOW - timedelta(days=3)),
        (datetime(2020, 5, 5, tzinfo=UTC), None, NOW - timedelta(days=7)),
    ],
)
def test_the_time_of_a_mail_is_its_date_held_near_its_receipt(
    date_: datetime | None, received: datetime | None, expected: datetime
) -> None:
    assert mail_time(date_, received, NOW) == expected


FIRST = ParsedMail(
    message_id="1@x", from_=boxes("ivan@customer.example"), date=NOW, subject="Заказ", body_text="Здравствуйте!"
)


@pytest.mark.parametrize(
    "same",
    [
        FIRST,
        replace(FIRST, from_=boxes("Ivan@Customer.EXAMPLE")),
        replace(FIRST, subject="[list] Заказ"),
        replace(FIRST, subject="Заказ (fwd)"),
        replace(FIRST, body_text="Здравствуйте!\n-- \nlist footer"),
        replace(FIRST, to=boxes("somebody@else.example")),
        replace(FIRST, date=NOW.astimezone(UTC)),
    ],
)
def test_copies_of_a_mail_are_one(same: ParsedMail) -> None:
    assert mail_identity(same) == mail_identity(FIRST)
    assert read(same).interaction_id == read(FIRST).interaction_id


@pytest.mark.parametrize(
    "other",
    [
        replace(FIRST, message_id="2@x"),
        replace(FIRST, message_id=""),
        replace(FIRST, date=NOW + timedelta(seconds=1)),
        replace(FIRST, date=None),
        replace(FIRST, from_=boxes("petr@customer.example")),
        replace(FIRST, from_=()),
        replace(FIRST, subject="Другой заказ"),
    ],
)
def test_different_mails_are_two_even_with_one_id(other: ParsedMail) -> None:
    assert mail_identity(other) != mail_identity(FIRST)


def test_a_mail_without_an_id_is_known_by_its_text() -> None:
    bare = replace(FIRST, message_id="")

    assert mail_identity(replace(bare, body_text="x")) != mail_identity(replace(bare, body_text="y"))
    assert mail_identity(replace(bare, body_text="\udc80")) != mail_identity(bare)


def test_threading_takes_in_reply_to_first_and_the_newest_reference_next() -> None:
    mail = ParsedMail(
        message_id="5@x", in_reply_to=("4@x",), references=("1@x", "2@x", "4@x", "5@x"), subject="Re: [list] Заказ"
    )

    found = threadable(read(mail))

    assert found.ref == ref_of("5@x")
    assert found.parents == tuple(ref_of(one) for one in ("4@x", "2@x", "1@x"))
    assert found.replies_to == 1
    assert found.subject_key == subject_key_of("заказ")


def test_threading_is_bounded_and_keeps_the_nearest() -> None:
    mail = ParsedMail(references=tuple(f"{n}@x" for n in range(100)))

    found = threadable(read(mail))

    assert found.ref is None
    assert found.parents == tuple(ref_of(f"{n}@x") for n in range(99, 99 - REFERENCES_MAX, -1))


def test_the_partner_is_that_of_the_moment() -> None:
    known = replace(customer("ivan@customer.example"), employments=(Employment(SHOP, until=date(2026, 1, 1)),))

    assert known.partner_at(datetime(2025, 12, 31, tzinfo=UTC)) == SHOP
    assert known.partner_at(NOW) is None
    assert own("sales@example.org").partner_at(NOW) is None


def test_a_record_is_moved_to_another_chain_and_stays_the_same() -> None:
    decided = decide(FIRST)

    moved = in_chain(decided, SHOP)

    assert moved.chain_id == SHOP
    assert replace(moved, chain_id=decided.chain_id) == decided


@given(st.binary(max_size=300), st.none() | st.datetimes(timezones=st.just(UTC)))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_bytes_become_a_record(raw: bytes, received_at: datetime | None) -> None:
    arrival = MailArrived("sales", Location("INBOX", 1, 1), raw, received_at)

    decided = decide_mail(read_mail(arrival, parse(raw), NOW), KNOWN, OURS, NOW)

    assert decided.id.version == 7
    assert datetime(1989, 12, 1, tzinfo=UTC) < decided.occurred_at <= NOW + timedelta(days=2)
