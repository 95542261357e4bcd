"""A list may be brought in again and again: what is new is added, what changed is changed, what is wrong is named."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import pytest

from daemon.contactimports import ROWS_AT_ONCE, import_contacts
from daemon.contacts import Fields, Spelling, add, delete
from daemon.merging import merge
from interactions.contactfiles import Written, read
from interactions.contacts import Contact, ContactKind
from storage import contacts, people
from storage.contacts import Filter
from storage.database import Connection, Database

RU = Spelling("RU", "495")
LIST = """external_ref;kind;name;phone;email;partner;partner_ref;tags
2;contact_person;Иван Петров;8 (916) 123-45-67 моб;ivan@shop.example;;1;vip
1;partner;Магазин "Техника";632-98-16, 632-98-17 (факс);info@shop.example;;;опт
;;Мария;;maria@shop.example;Магазин "Техника";;
;;Без всего;;;;;
"""


class Lists:
    """Lists that are brought in, and what is there afterwards."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database, self.now = database, now
        self.steps: list[int] = []

    async def bring(self, text: str, *, dry_run: bool = False) -> dict[str, object]:
        rows = read(text.encode()).rows
        done = await import_contacts(
            self.database, rows, RU, self.now, dry_run=dry_run, progress=self.steps.append
        )  # fmt: skip
        return dict(done.as_json())

    async def all(self) -> dict[str, Contact]:
        async with self.database.connection() as db:
            found = await contacts.page(db, Filter(limit=200), self.now.date())
        return {one.name: one for one in found}

    async def feed(self) -> int:
        async with self.database.connection() as db:
            return int(await db.fetchval("SELECT count(*) FROM feed"))


@pytest.fixture
def lists(database: Database, now: datetime) -> Lists:
    return Lists(database, now)


def result(
    added: int = 0, changed: int = 0, unchanged: int = 0, partners: int = 0, refused: Sequence[int] = ()
) -> object:
    return {"added": added, "changed": changed, "unchanged": unchanged, "partners": partners, "refused": list(refused)}


def short(found: dict[str, object]) -> object:
    """A result with the lines of the refused rows only."""
    refused = found["refused"]
    assert isinstance(refused, list)
    return {**found, "refused": [one["line"] for one in refused]}


async def test_a_list_is_brought_in_whatever_the_order_of_its_rows(lists: Lists) -> None:
    assert await lists.bring(LIST) == result(added=4)

    found = await lists.all()
    shop, ivan, maria = found['Магазин "Техника"'], found["Иван Петров"], found["Мария"]
    assert [(one.key.value, one.label) for one in shop.phones] == [("+74956329816", ""), ("+74956329817", "факс")]
    assert [(one.key.value, one.label) for one in ivan.phones] == [("+79161234567", "моб")]
    assert [one.kind.value for one in (shop, ivan, maria, found["Без всего"])] == [
        "partner", "contact_person", "contact_person", "individual",
    ]  # fmt: skip
    assert {job.partner_id for one in (ivan, maria) for job in one.employments} == {shop.id}
    assert lists.steps == [4]


async def test_the_same_list_again_changes_nothing(lists: Lists) -> None:
    await lists.bring(LIST)
    told = await lists.feed()

    assert await lists.bring(LIST) == result(unchanged=4)
    assert await lists.feed() == told


async def test_an_import_adds_and_never_takes_away(lists: Lists) -> None:
    await lists.bring(LIST)

    again = await lists.bring(
        "external_ref;name;phone;email;tags;comment\n1;Магазин Техника;;new@shop.example;vip;Ждать\n2;Иван Петров;;;;\n"
    )

    assert again == result(changed=1, unchanged=1)
    shop = (await lists.all())["Магазин Техника"]
    assert [one.raw for one in shop.emails] == ["info@shop.example", "new@shop.example"]
    assert (len(shop.phones), shop.tags, shop.comment, shop.version) == (2, ("опт", "vip"), "Ждать", 2)


async def test_a_dry_run_says_the_same_and_writes_nothing(lists: Lists) -> None:
    tail = "".join(f";;Иван {n};;i{n}@x.example;ООО Ромашка;;\n" for n in range(ROWS_AT_ONCE + 1))
    text = LIST + tail + "1;;Ещё раз;;;;;\n"

    dreamt = await lists.bring(text, dry_run=True)
    assert await lists.all() == {}
    assert await lists.feed() == 0

    assert await lists.bring(text) == dreamt
    assert short(dreamt) == result(added=ROWS_AT_ONCE + 5, partners=1, refused=[ROWS_AT_ONCE + 7])


async def test_what_is_wrong_is_refused_by_line_and_the_rest_goes_in(lists: Lists) -> None:
    found = await lists.bring(
        "external_ref,kind,name,email,phone,partner_ref,responsible\n"
        "1,,Ivan,ivan@,,,\n"
        "2,,Petr,petr@x.example,,,\n"
        "2,,Petr again,,,,\n"
        "3,,Maria,,,no-such,\n"
        "4,,Olga,,,2,\n"
        "5,,Anna,,,,nobody@example.org\n"
        "6,,Fedor,,none,,\n"
        "7,,Good,,,,\n"
    )

    assert short(found) == result(added=2, refused=[2, 4, 5, 6, 7, 8])
    reasons = {one["line"]: one["reason"] for one in found["refused"]}  # type: ignore[attr-defined]
    assert "no e-mail address" in reasons[2]
    assert reasons[4] == "line 3 has the same reference"
    assert "'no-such'" in reasons[5]
    assert "no partner" in reasons[6]
    assert "nobody@example.org" in reasons[7]
    assert "no telephone number" in reasons[8]


async def test_a_partner_that_a_row_names_is_made_once(lists: Lists) -> None:
    text = "name,partner\nIvan,ООО Ромашка\nMaria,ооо ромашка\n"

    assert await lists.bring(text) == result(added=2, partners=1)
    assert await lists.bring(text) == result(unchanged=2)


async def test_namesakes_are_told_apart_by_their_addresses(lists: Lists) -> None:
    assert await lists.bring("name,email\nIvan,a@x.example\nIvan,b@x.example\n") == result(added=2)

    found = await lists.bring("name,email\nIvan,b@x.example\nIvan,\n")

    assert short(found) == result(unchanged=1, refused=[3])


async def test_a_deleted_contact_does_not_come_back(lists: Lists) -> None:
    await lists.bring("external_ref,name\n1,Ivan\n")
    ivan = (await lists.all())["Ivan"]
    await lists.database.in_transaction(lambda db: delete(db, ivan.id, lists.now))

    assert short(await lists.bring("external_ref,name\n1,Ivan\n")) == result(refused=[2])


async def test_a_responsible_is_named_by_e_mail_or_name(lists: Lists) -> None:
    async def work(db: Connection) -> UUID:
        anna = await add(
            db, Fields(kind=ContactKind.USER, name="Анна", emails=[Written("anna@example.org")]), RU, lists.now
        )
        await people.add_login(db, anna.id, "anna@example.org", None, "member")
        return anna.id

    anna_id = await lists.database.in_transaction(work)

    await lists.bring("ФИО;Ответственный\nИван;Anna@example.org\nПётр;анна\n")

    found = await lists.all()
    assert {found["Иван"].responsible_id, found["Пётр"].responsible_id} == {anna_id}


@pytest.mark.parametrize(
    ("row", "kind"),
    [("ООО «Ромашка»;;", "partner"), ("Иванов;;7701234567", "partner"), ("Иванов;;770123456789", "individual"),
     ("Иванов;ООО Ромашка;", "contact_person")],
)  # fmt: skip
async def test_the_kind_is_what_a_row_shows(lists: Lists, row: str, kind: str) -> None:
    await lists.bring(f"name;partner;inn\n{row}\n")

    assert (await lists.all())[row.partition(";")[0]].kind == kind


async def test_a_row_of_a_merged_contact_only_adds_to_the_one_it_went_into(lists: Lists) -> None:
    await lists.bring("external_ref;kind;name;phone\n1;partner;Ромашка;\n2;partner;ООО Ромашка;84956329816\n")
    some = await lists.all()
    await lists.database.in_transaction(
        lambda db: merge(db, some["ООО Ромашка"].id, some["Ромашка"].id, None, lists.now)
    )

    again = "external_ref;kind;name;phone\n1;partner;Ромашка;\n2;partner;ООО Ромашка;84956329816, 84956329817\n"

    assert await lists.bring(again) == result(changed=1, unchanged=1)
    assert await lists.bring(again) == result(unchanged=2)
    [one] = (await lists.all()).values()
    assert (one.name, one.external_ref, len(one.phones)) == ("Ромашка", "1", 2)
