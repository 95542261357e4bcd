"""Interactions as they are read: each filter, pages that neither skip nor repeat, and every name of a view."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from interactions.access import Access
from interactions.records import Attachment, Direction, Importance, Kind, Link, Participant, Role
from storage import lists, sources
from storage.database import Connection, Database
from storage.lists import Filter
from tests.fakes.rows import START, contact, ids, interaction, key, user, write

IVAN, OLGA, SALES = "ivan@customer.example", "olga@other.example", "sales@example.org"
SECOND = timedelta(seconds=1)


async def numbers(db: Connection, wanted: Filter) -> list[int]:
    """The minutes of the interactions on a page."""
    return [(one.occurred_at - START) // timedelta(minutes=1) for one in await lists.page(db, wanted)]


async def test_the_newest_come_first_unless_the_oldest_are_asked_for(database: Database) -> None:
    async with database.connection() as db:
        await write(db, *(interaction(n) for n in (2, 1, 3)))

        assert await numbers(db, Filter()) == [3, 2, 1]
        assert await numbers(db, Filter(oldest_first=True, limit=2)) == [1, 2]


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_pages_neither_skip_nor_repeat_even_within_one_second(database: Database, oldest_first: bool) -> None:
    async with database.connection() as db:
        await write(db, *(interaction(n, occurred_at=START + SECOND * (n // 4)) for n in range(20)))
        wanted, seen = Filter(limit=3, oldest_first=oldest_first), []
        while some := await lists.page(db, wanted):
            seen += [one.id for one in some]
            wanted = replace(wanted, after=(some[-1].occurred_at, some[-1].id))

    expected = sorted((ids(n)[0] for n in range(20)), key=lambda one: (order_of(one) // 4, one))
    assert seen == (expected if oldest_first else expected[::-1])


def order_of(one: UUID) -> int:
    return [ids(n)[0] for n in range(20)].index(one)


@pytest.fixture
async def filters(database: Database) -> dict[str, Any]:
    """Six interactions of every sort, and filters by what only some of them have."""
    async with database.connection() as db:
        anna, boris = await user(db, "anna"), await user(db, "boris")
        ivan = await contact(db, "Иван", IVAN, kind="contact_person")
        olga = await contact(db, "Ольга")
        partner = await contact(db, "Ромашка", kind="partner")
        await db.execute("INSERT INTO employment VALUES ($1, $2)", ivan, partner)
        await contact(db, "Первый", "shared@customer.example")
        await contact(db, "Второй", "shared@customer.example")
        await write(
            db,
            interaction(1, IVAN, responsible_id=anna, author_id=boris, source="sales"),
            interaction(2, OLGA, kind=Kind.PHONE_CALL, block={"result": "missed"}, direction=Direction.OUTGOING),
            interaction(3, reviewed=True, chain=1, tags=("vip", "b"), importance=Importance.HIGH),
            interaction(4, "shared@customer.example", review_after=START + timedelta(days=9999), external_ref="1C-7"),
            interaction(5, IVAN, review_after=START - timedelta(days=9999),
                        attachments=(Attachment(0, "a", "b", 1, False, "1"),)),
            interaction(6, OLGA, kind=Kind.SMS, block={"result": "missed"}),
        )  # fmt: skip
        await db.execute("UPDATE participant SET contact_id = $1 WHERE interaction_id = $2", olga, ids(6)[0])
        await write(db, interaction(7, IVAN))
        await db.execute("UPDATE interaction SET deleted_at = now() WHERE id = $1", ids(7)[0])
        number = await db.fetchval("SELECT number FROM interaction WHERE id = $1", ids(2)[0])
    return {
        "kinds": (Filter(types=("sms", "phone_call")), [6, 2]),
        "direction": (Filter(direction="outgoing"), [2]),
        "to review": (Filter(status="to_review"), [6, 5, 2, 1]),
        "postponed": (Filter(status="postponed"), [5, 4]),
        "reviewed": (Filter(status="reviewed"), [3]),
        "all": (Filter(status="all"), [6, 5, 4, 3, 2, 1]),
        "responsible": (Filter(responsible_id=anna), [1]),
        "author": (Filter(author_id=boris), [1]),
        "contact": (Filter(contact_id=ivan), [5, 1]),
        "contact by choice": (Filter(contact_id=olga), [6]),
        "partner": (Filter(partner_id=partner), [5, 1]),
        "nobody": (Filter(contact_id=uuid4()), []),
        "chain": (Filter(chain_id=ids(1)[1], oldest_first=True), [1, 3]),
        "source": (Filter(source="sales"), [1]),
        "since": (Filter(since=START + timedelta(minutes=5)), [6, 5]),
        "until": (Filter(until=START + timedelta(minutes=2)), [1]),
        "importance": (Filter(importance="high"), [3]),
        "call result": (Filter(call_result="missed"), [2]),
        "tag": (Filter(tag="vip"), [3]),
        "attachment": (Filter(has_attachment=True), [5]),
        "unmatched": (Filter(unmatched=True), [4, 2]),
        "ambiguous": (Filter(ambiguous=True), [4]),
        "reference": (Filter(external_ref="1C-7"), [4]),
        "number": (Filter(number=number), [2]),
        "several": (Filter(contact_id=ivan, status="to_review", types=("email",), limit=1), [5]),
    }


async def test_each_filter_shows_what_it_says(database: Database, filters: dict[str, Any]) -> None:
    async with database.connection() as db:
        found = {name: await numbers(db, wanted) for name, (wanted, _) in filters.items()}

    assert found == {name: expected for name, (_, expected) in filters.items()}


async def test_a_view_has_the_names_behind_its_ids(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        anna = await user(db, "anna")
        ivan = await contact(db, "Иван", IVAN, kind="contact_person")
        partner = await contact(db, "Ромашка", kind="partner")
        await db.execute("INSERT INTO employment VALUES ($1, $2)", ivan, partner)
        await db.execute("INSERT INTO subject (id, kind, title) VALUES ($1, 'deal', 'Сделка')", ids(9)[0])
        await write(db, interaction(1, IVAN, topic="Корень"))
        await write(
            db,
            interaction(
                2, chain=1, source="sales", author_id=anna, responsible_id=anna, reviewed=True, reviewed_by=anna,
                body_text="Текст", reply_text="Те", attachments=(Attachment(0, "a", "b", 1, True, "1"),),
                link=Link("in_reply_to", flags=("stranger",)), tags=("a",), extra={"x": 1}, block={"marks": []},
                participants=(
                    Participant(Role.FROM, "И. Иванов", "IVAN@customer.example", key(IVAN)),
                    Participant(Role.TO, "", SALES, key(SALES)),
                    Participant(Role.CC, "", "нечто"),
                ),
            ),
        )  # fmt: skip
        await db.execute("UPDATE chain SET subject_id = $1", ids(9)[0])
        await db.execute("UPDATE address SET own = true WHERE value = $1", SALES)

        view = await lists.find(db, ids(2)[0])
        [short, _] = await lists.page(db, Filter())

    assert view is not None
    assert view.source is not None
    assert view.author is not None
    assert (view.author.name, view.source.name, view.source_type) == ("anna", "sales", "imap")
    assert (view.responsible, view.reviewed_by) == (view.author, view.author)
    assert (view.root_id, view.chain_size, view.root_topic) == (ids(1)[0], 2, "Корень")
    assert (view.link_rule, view.link_flags, view.tags, view.extra) == ("in_reply_to", ("stranger",), ("a",), {"x": 1})
    assert view.subject == ("deal", ids(9)[0], "Сделка")
    assert (view.body_text, view.reply_text, short.body_text) == ("Текст", "Те", None)
    assert view.attachments == (Attachment(0, "a", "b", 1, True, "1"),)
    sender, ours, odd = view.participants
    assert view.contact == sender.contact
    assert sender.contact is not None
    assert sender.contact.partner is not None
    assert (sender.address, sender.key, sender.display_name) == ("IVAN@customer.example", IVAN, "И. Иванов")
    assert (sender.contact.name, sender.contact.kind, sender.contact.partner.name) == (
        "Иван",
        "contact_person",
        "Ромашка",
    )
    assert (sender.rule, sender.origin, sender.confidence) == ("email_exact", "automatic", "exact")
    assert (ours.own, ours.contact, ours.rule) == (True, None, "none")
    assert (odd.key, odd.address_kind, odd.rule, odd.confidence) == (None, "other", "none", "none")


async def test_a_choice_is_manual_and_what_is_unclear_has_its_candidates(database: Database) -> None:
    async with database.connection() as db:
        one, other = await contact(db, "Первый", IVAN), await contact(db, "Второй", IVAN)
        await write(db, interaction(1, IVAN), interaction(2, IVAN))
        await db.execute("UPDATE participant SET contact_id = $1 WHERE interaction_id = $2", other, ids(2)[0])

        [chosen, unclear] = await lists.page(db, Filter())

    [first] = chosen.participants
    assert first.contact is not None
    assert (first.contact.id, first.rule, first.origin, first.confidence) == (other, "manual", "manual", "manual")
    assert first.candidates == ()
    [second] = unclear.participants
    assert (second.contact, second.origin, second.candidates) == (None, "automatic", tuple(sorted([one, other])))


async def test_who_answered_by_extension_is_ours_and_was_chosen_by_nobody(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "anna")
        people = (Participant(Role.SUBSCRIBER, "", "84956329816", key("84956329816")),
                  Participant(Role.EMPLOYEE, "", "101", None, anna))  # fmt: skip
        await write(db, interaction(1, kind=Kind.PHONE_CALL, participants=people))

        [view] = await lists.page(db, Filter())

    employee = view.participants[1]
    assert employee.contact is not None
    assert (employee.contact.id, employee.rule, employee.origin, employee.confidence) == (
        anna,
        "own",
        "automatic",
        "exact",
    )
    assert view.contact is None


async def test_what_is_gone_is_left_out_and_what_never_was_is_none(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2))
        await db.execute("UPDATE interaction SET deleted_at = now() WHERE id = $1", ids(1)[0])

        assert [one.id for one in await lists.views(db, [ids(1)[0], uuid4(), ids(2)[0]])] == [ids(2)[0]]
        assert await lists.find(db, ids(1)[0]) is None
        assert await lists.views(db, []) == []


async def test_of_a_mail_that_may_not_be_read_nobody_hears_whose_mail_it_sends_on(database: Database) -> None:
    letter = interaction(1, source="ceo", block={"message_id": "1@x", "forwarded_from": {"address": "a@b.example"}})
    async with database.connection() as db:
        await write(db, letter)

        seen = await lists.find(db, letter.id, Access((), ("ceo",)))

    assert seen is not None
    assert dict(seen.block) == {"message_id": "1@x", "has_html": False}
