"""Two contacts that are one: everything of the one is the other's, and comes back if that was wrong."""

from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest

from daemon import merging, undo
from daemon.contacts import Gone, Invalid, find
from interactions.contacts import Contact, ContactKind, Employment
from storage import contacts, decisions, lists
from storage.database import Connection, Database
from storage.errors import Conflict, NotFound
from tests.fakes.links import differences, everything
from tests.fakes.rows import TODAY, contact, ids, interaction, user, write

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


async def merge(db: Connection, source: UUID, target: UUID) -> str:
    async with db.transaction():
        return await merging.merge(db, source, target, None, NOW)


async def take_back(db: Connection, token: str) -> None:
    async with db.transaction():
        await undo.take_back(db, token, None)


async def link(db: Connection, n: int) -> tuple[str | None, str | None]:
    """Whom the sender of interaction `n` leads to, and the partner."""
    [view] = await lists.views(db, [ids(n)[0]])
    found = view.participants[0].contact
    return (found.name, found.partner.name if found.partner else None) if found else (None, None)


async def test_all_history_of_a_partner_and_its_persons_goes_over_and_comes_back(database: Database) -> None:
    async with database.connection() as db:
        old, new = (
            await contact(db, "ООО Ромашка", "a@x.example", kind="partner"),
            await contact(db, "Ромашка", "a@x.example", "b@x.example", kind="partner"),
        )
        branch = await contact(db, "Филиал", kind="partner")
        await db.execute("UPDATE contact SET parent_id = $1 WHERE id = $2", old, branch)
        ivan = await contact(db, "Иван", "i@x.example")
        await db.execute("INSERT INTO employment (person_id, partner_id) VALUES ($1, $2)", ivan, old)
        senders = ("a@x.example", "i@x.example", "z@x.example")
        await write(db, *(interaction(n, sender) for n, sender in enumerate(senders)))
        await decisions.decide(db, ids(2)[0], 0, old)
        subject = uuid4()
        await db.execute("INSERT INTO subject (id, kind, title, client_id) VALUES ($1, 'deal', 'x', $2)", subject, old)
        await db.execute(
            "INSERT INTO subject_participant (subject_id, n, role, contact_id, partner_id) VALUES ($1, 0, 'to', $2, $2)",
            subject, old,
        )  # fmt: skip
        before = await everything(db)

        token = await merge(db, old, new)

        assert [await link(db, n) for n in range(3)] == [
            ("Ромашка", "Ромашка"), ("Иван", "Ромашка"), ("Ромашка", "Ромашка"),
        ]  # fmt: skip
        assert await db.fetchval("SELECT client_id FROM subject") == new
        assert await db.fetchval("SELECT parent_id FROM contact WHERE id = $1", branch) == new
        with pytest.raises(Gone) as gone:
            await find(db, old)
        assert gone.value.merged_into == new
        told = await db.fetch("SELECT data FROM feed WHERE type = 'contact.merged' AND ref = $1", old)
        assert [row["data"] for row in told] == [{"merged_into": str(new)}]

        await take_back(db, token)
        assert differences(before, await everything(db)) == []


async def test_an_old_redirect_leads_to_the_end_in_one_step(database: Database) -> None:
    async with database.connection() as db:
        first, second, third = [await contact(db, name) for name in ("A", "B", "C")]
        await merge(db, first, second)
        token = await merge(db, second, third)

        assert {await db.fetchval("SELECT merged_into FROM contact WHERE id = $1", one) for one in (first, second)} == {
            third
        }

        await take_back(db, token)
        assert await db.fetchval("SELECT merged_into FROM contact WHERE id = $1", first) == second


async def test_the_reference_goes_over_where_the_other_has_none(database: Database) -> None:
    async with database.connection() as db:
        old, new = await contact(db, "A"), await contact(db, "B")
        await db.execute("UPDATE contact SET external_ref = '7' WHERE id = $1", old)

        token = await merge(db, old, new)
        assert await contacts.find_by_ref(db, "7") == new

        await take_back(db, token)
        assert await contacts.find_by_ref(db, "7") == old


async def test_what_can_not_be_one_is_refused(database: Database) -> None:
    async with database.connection() as db:
        person, other = await contact(db, "Иван"), await contact(db, "Мария")
        partner, below, deep = [await contact(db, name, kind="partner") for name in ("A", "B", "C")]
        await db.execute("UPDATE contact SET parent_id = $1 WHERE id = $2", partner, below)
        await db.execute("UPDATE contact SET parent_id = $1 WHERE id = $2", below, deep)
        anna = await user(db, "Anna")
        gone = await contact(db, "Ушедший")
        await contacts.delete(db, gone, TODAY)

        for source, target in (
            (person, person), (person, partner), (partner, person), (person, anna), (anna, person), (person, gone),
            (person, uuid4()), (partner, deep),
        ):  # fmt: skip
            with pytest.raises(Invalid):
                await merge(db, source, target)
        with pytest.raises(Gone):
            await merge(db, gone, person)
        with pytest.raises(NotFound):
            await merge(db, uuid4(), person)
        assert other


async def test_a_merge_is_not_taken_back_over_a_later_change(database: Database) -> None:
    async with database.connection() as db:
        old, new = await contact(db, "A"), await contact(db, "B")
        token = await merge(db, old, new)
        await db.execute("UPDATE contact SET name = 'B2', version = version + 1 WHERE id = $1", new)

        with pytest.raises(Conflict, match="changed again"):
            await take_back(db, token)


def test_fields_are_combined_by_rule() -> None:
    shop, other = uuid4(), uuid4()
    source = Contact(
        uuid4(), ContactKind.INDIVIDUAL, "Иван", comment="старое", inn="1", kpp="2", tags=("a", "b"), external_ref="x",
        employments=(Employment(shop, None, date(2020, 1, 1)), Employment(other)),
    )  # fmt: skip
    target = Contact(
        uuid4(), ContactKind.CONTACT_PERSON, "Иван Иванов", comment="новое", inn="3", tags=("b", "c"),
        employments=(Employment(shop),),
    )  # fmt: skip

    new = merging.combined(source, target)

    assert (new.id, new.kind, new.name) == (target.id, target.kind, target.name)
    assert (new.inn, new.kpp, new.tags, new.comment, new.external_ref) == (
        "3",
        "2",
        ("b", "c", "a"),
        "новое\n\nстарое",
        "x",
    )
    assert set(new.employments) == {Employment(shop), Employment(other)}
