"""The search index: words in any form in both languages, numbers in any spelling and by fragment, addresses."""

import asyncio

import pytest

from interactions.access import Access
from interactions.records import Attachment, Interaction, Participant, Role
from interactions.search import parse_query
from storage import lists, records, search
from storage.database import Connection, Database
from tests.fakes.rows import ids, interaction, key, write

LETTER = interaction(
    1,
    topic="Поставка холодильников", description="Перезвонить", body_text="We are waiting for the invoices. Ёлки",
    participants=(
        Participant(Role.FROM, 'Магазин "Бытовая техника"', "ivan.petrov@customer.example", key("ivan.petrov@customer.example")),
        Participant(Role.TO, "", "(495) 632-98-16", key("+74956329816")),
    ),
    attachments=(
        Attachment(0, "договор.pdf", "application/pdf", 1, False, "1"),
        Attachment(1, "price_list-2026.xlsx", "application/octet-stream", 1, False, "2"),
        Attachment(2, "Счёт_на_оплату_№28922_от_25.11.2026.pdf", "application/pdf", 1, False, "3"),
    ),
)  # fmt: skip
OTHER = interaction(2, "olga@other.example", topic="Отпуск", body_text="Nothing to see")

QUERIES = [
    ("холодильник", True), ("ХОЛОДИЛЬНИКИ", True), ("invoice waiting", True), ("елка", True), ("Ёлка", True),
    ("бытовая техника", True), ("договор", True), ("перезвонить", True), ("отпуск", False), ("самолёт", False),
    ("632-98-16", True), ("8 (495) 632-98-16", True), ("+7 495 6329816", True), ("9816", True), ("9817", False),
    ("ivan.petrov@customer.example", True), ("Ivan.Petrov@", True), ("petrov@customer.example", False),
    ("price", True), ("price_list-2026.xlsx", True), ("list xlsx", True), ("оплата", True), ("28922", True), ("№28922", True),
    ("#28922", True), ("28923", False), ("2892", False), ("' OR 1=1 --", False), ("холодильников & (", True), ("\"", False),
]  # fmt: skip


async def found(db: Connection, q: str) -> list[Interaction]:
    return [one.id for one in await lists.page(db, lists.Filter(query=parse_query(q, "RU")))]  # type: ignore[misc]


@pytest.mark.parametrize("beside", [False, True])
async def test_a_record_is_found_by_all_that_people_type(database: Database, beside: bool) -> None:
    async with database.connection() as db:
        await write(db, LETTER, OTHER)
        if beside:
            await db.execute("DELETE FROM search_index")
            await records.reindex(db, [LETTER.id, OTHER.id])
            assert await database.in_transaction(lambda db: search.index_some(db, 10)) == 2

        wrong = [q for q, wanted in QUERIES if (LETTER.id in await found(db, q)) != wanted]

    assert wrong == []


async def test_large_batches_are_indexed_beside_the_intake(database: Database) -> None:
    many = [interaction(n, topic="Заказ") for n in range(records.SEARCH_NOW_MAX + 1)]
    async with database.connection() as db:
        await write(db, *many)
        assert await found(db, "заказ") == []
        assert await search.lag(db) == len(many)

        assert await database.in_transaction(lambda db: search.index_some(db, 20)) == 20
        assert await database.in_transaction(lambda db: search.index_some(db, 20)) == 1
        assert await database.in_transaction(lambda db: search.index_some(db, 20)) == 0

        assert len(await found(db, "заказы")) == len(many)


async def test_two_indexers_share_what_waits_and_a_crash_leaves_it_waiting(database: Database) -> None:
    async with database.connection() as db:
        await write(db, *(interaction(n) for n in range(records.SEARCH_NOW_MAX + 10)))

    async def work(db: Connection) -> None:
        assert await search.index_some(db, 10) == 10
        async with asyncio.timeout(10):
            assert await database.in_transaction(lambda other: search.index_some(other, 100)) == 20
        raise LookupError

    with pytest.raises(LookupError):
        await database.in_transaction(work)

    async with database.connection() as db:
        assert await search.lag(db) == 10


async def test_a_changed_record_is_found_by_its_new_words_only(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, topic="Заказ"))
        await records.set_fields(db, ids(1)[0], {"topic": "Возврат"}, None, None)
        await records.reindex(db, [ids(1)[0]])
        await records.reindex(db, [ids(1)[0]])

        await database.in_transaction(lambda db: search.index_some(db, 10))

        assert (await found(db, "заказ"), await found(db, "возвраты")) == ([], [ids(1)[0]])


async def test_a_text_beyond_the_bounds_of_an_index_does_not_fail(database: Database) -> None:
    words = " ".join(f"w{n}" for n in range(300_000))
    async with database.connection() as db:
        await write(db, interaction(1, body_text=words + "x" * 3_000_000))
        await records.reindex(db, [ids(1)[0]])

        assert await database.in_transaction(lambda db: search.index_some(db, 10)) == 1

        assert await found(db, "w77") == [ids(1)[0]]


async def test_a_thousand_odd_recipients_do_not_fail_either(database: Database) -> None:
    people = [f"{'ж' * 95}{n}@{'x' * 40}.example" for n in range(1000)]
    async with database.connection() as db:
        await write(
            db,
            interaction(
                1,
                "ivan@customer.example",
                *people,
                body_text=" ".join(f"{chr(0x1D400 + n % 52) * 4}{n}" for n in range(20_000)),
            ),
        )

        assert await found(db, "ivan@customer.example") == [ids(1)[0]]


async def test_a_number_in_a_closed_text_is_found_by_who_may_read_it_only(database: Database) -> None:
    letters = [
        interaction(1, topic="Заказ 28922", source="ceo"),
        interaction(2, topic="Заказ", body_text="см. 28922", source="ceo"),
        interaction(3, topic="Заказ", body_text="см. 28922", source="sales"),
    ]
    async with database.connection() as db:
        await write(db, *letters)

        seen = await lists.page(db, lists.Filter(query=parse_query("28922", "RU")), Access((), ("ceo",)))

    assert {one.id for one in seen} == {letters[0].id, letters[2].id}
    assert len(await _all_of(database, "28922")) == 3


async def _all_of(database: Database, q: str) -> list[Interaction]:
    async with database.connection() as db:
        return await found(db, q)
