"""Subjects as they are stored: one for a whole chain, with a history; references are unique within a kind."""

from uuid import UUID, uuid4

import pytest

from interactions.subjects import Taken
from storage import lists, subjects
from storage.database import Connection, Database
from storage.errors import Conflict
from storage.subjects import Filter, NewSubject
from tests.fakes.rows import contact, ids, interaction, user, write


async def deal(db: Connection, title: str = "Поставка", **more: object) -> UUID:
    new = NewSubject(uuid4(), str(more.pop("kind", "deal")), title, **more)  # type: ignore[arg-type]
    await subjects.add(db, new, [])
    return new.id


async def test_a_subject_is_read_as_it_was_written(database: Database) -> None:
    async with database.connection() as db:
        anna, shop = await user(db, "anna"), await contact(db, "Магазин", kind="partner")
        new = NewSubject(
            uuid4(), "claim", "Брак", responsible_id=anna, client_id=shop, external_ref="1C-7", extra={"a": 1}
        )
        await subjects.add(db, new, [Taken("to", "Магазин", "", contact_id=shop, partner_id=shop), Taken("to", "Иванов", "")])  # fmt: skip

        found = await subjects.find(db, new.id)

    assert found is not None
    assert (found.kind, found.title, found.state, found.external_ref, found.extra) == ("claim", "Брак", "open", "1C-7", {"a": 1})  # fmt: skip
    assert found.responsible is not None
    assert found.client is not None
    assert found.client.name == "Магазин"
    assert [(one.display_name, one.contact.name if one.contact else None, origin) for one, origin in found.participants] == [
        ("Магазин", "Магазин", "copied"),
        ("Иванов", None, "copied"),
    ]  # fmt: skip


async def test_a_reference_is_taken_once_within_its_kind(database: Database) -> None:
    async with database.connection() as db:
        await deal(db, external_ref="7")
        await deal(db, external_ref="7", kind="claim")
        with pytest.raises(Conflict):
            await deal(db, external_ref="7")
        other = await deal(db, external_ref="8")
        with pytest.raises(Conflict):
            await subjects.set_fields(db, other, {"external_ref": "7"}, None)


async def test_a_chain_has_one_subject_and_remembers_those_it_had(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2, chain=1), interaction(3))
        chain, first, second = ids(1)[1], await deal(db), await deal(db, "Другая")

        assert set(await subjects.set_on_chain(db, chain, first, None)) == {ids(1)[0], ids(2)[0]}
        assert await subjects.set_on_chain(db, chain, first, None) == []
        await subjects.set_on_chain(db, chain, second, None)

        assert [one for one, _, _ in await subjects.history(db, chain)] == [first, second]
        shown = await lists.page(db, lists.Filter(oldest_first=True))
        assert [one.subject[1] if one.subject else None for one in shown] == [second, second, None]
        assert [one.version for one in shown] == [3, 3, 1]
        assert len(await lists.page(db, lists.Filter(subject_id=second))) == 2


async def test_leaving_open_closes_and_coming_back_opens(database: Database) -> None:
    async with database.connection() as db:
        one = await deal(db)
        for changes, is_closed in [({"state": "won"}, True), ({"title": "Т"}, True), ({"state": "open"}, False)]:
            assert await subjects.set_fields(db, one, changes, None)
            found = await subjects.find(db, one)
            assert found is not None
            assert (found.closed_at is not None) is is_closed
        assert not await subjects.set_fields(db, one, {"title": "x"}, 1)
        assert not await subjects.set_fields(db, uuid4(), {"title": "x"}, None)


async def test_lists_show_what_is_asked_for_in_pages(database: Database) -> None:
    async with database.connection() as db:
        made = [await deal(db, str(n), kind="claim" if n == 2 else "deal") for n in range(4)]
        await subjects.set_fields(db, made[0], {"state": "lost"}, None)
        await subjects.set_fields(db, made[1], {"due_at": "2020-01-01T00:00:00Z"}, None)

        async def titles(wanted: Filter) -> list[str]:
            return [one.title for one in await subjects.page(db, wanted)]

        assert await titles(Filter()) == ["3", "2", "1", "0"]
        assert await titles(Filter(kind="claim")) == ["2"]
        assert await titles(Filter(state="lost")) == ["0"]
        assert await titles(Filter(overdue=True)) == ["1"]
        last = (await subjects.page(db, Filter(limit=2)))[-1]
        assert await titles(Filter(before=last.number)) == ["1", "0"]
