"""The audit log: lines that are only added, in the transaction of their change, found by thing, actor, act and time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from storage import audit, feed, people, undo
from storage.audit import Act, Actor, Filter, acting, touching
from storage.database import Connection, Database
from tests.fakes.rows import user

ANNA = Actor("user", "Анна", UUID(int=1), "10.0.0.1")
CRM = Actor("token", "crm", UUID(int=2))
AT = datetime(2026, 11, 25, tzinfo=UTC)
THING, OTHER = uuid4(), uuid4()


async def acts(db: Connection, wanted: Filter | None = None) -> list[Act]:
    return [one for _, one in await audit.page(db, wanted or Filter())]


async def test_a_change_that_somebody_makes_is_written_down_with_the_names_of_its_fields(database: Database) -> None:
    async with database.connection() as db:
        with acting(ANNA):
            touching("topic", "comment")
            await feed.add(
                db, [feed.Change("interaction.updated", THING), feed.Change("chain.merged", OTHER, {"into": "x"})]
            )
        found = await acts(db)

    assert {(one.actor, one.act, one.ref) for one in found} == {(ANNA, "interaction.updated", THING), (ANNA, "chain.merged", OTHER)}  # fmt: skip
    assert sorted(map(str, (one.detail for one in found))) == [
        "{'fields': ['comment', 'topic']}", "{'into': 'x', 'fields': ['comment', 'topic']}",
    ]  # fmt: skip


async def test_what_comes_in_by_itself_and_what_is_rolled_back_is_not_written_down(database: Database) -> None:
    async def fail(db: Connection) -> None:
        with acting(ANNA):
            await feed.add(db, [feed.Change("interaction.updated", THING)])
            raise LookupError

    async with database.connection() as db:
        await feed.add(db, [feed.Change("interaction.created", THING)])
        with pytest.raises(LookupError):
            await database.in_transaction(fail)

        assert (await acts(db), audit.reading("interaction.read", THING)) == ([], None)


async def test_nobody_changes_or_removes_a_line(database: Database) -> None:
    async with database.connection() as db:
        await audit.add(db, [Act(AT, ANNA, "interaction.read", THING)])
        for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(asyncpg.RaiseError, match="only added"):
                await db.execute(statement)

        assert len(await acts(db)) == 1


WANTED = [
    (Filter(), [4, 3, 2, 1, 0]),
    (Filter(ref=THING), [4, 2, 0]),
    (Filter(actor_id=CRM.id), [3, 1]),
    (Filter(act="interaction.read"), [4, 3, 1]),
    (Filter(ref=THING, act="interaction.read"), [4]),
    (Filter(actor_id=ANNA.id, act="interaction.updated"), [2, 0]),
    (Filter(since=AT + timedelta(minutes=3)), [4, 3]),
    (Filter(until=AT + timedelta(minutes=3)), [2, 1, 0]),
    (Filter(since=AT + timedelta(minutes=1), until=AT + timedelta(minutes=3), ref=THING), [2]),
    (Filter(limit=2), [4, 3]),
    (Filter(ref=uuid4()), []),
]


@pytest.mark.parametrize("number", range(len(WANTED)))
async def test_lines_are_found_by_thing_actor_act_and_time_the_newest_first(database: Database, number: int) -> None:
    wanted, expected = WANTED[number]
    lines = [
        Act(AT + timedelta(minutes=n), CRM if n % 2 else ANNA, "interaction.read" if n in (1, 3, 4) else "interaction.updated",
            OTHER if n % 2 else THING, {"n": n})
        for n in range(5)
    ]  # fmt: skip
    async with database.connection() as db:
        await audit.add(db, lines)

        assert [one.detail["n"] for one in await acts(db, wanted)] == expected


async def test_pages_neither_skip_nor_repeat_within_one_moment(database: Database) -> None:
    async with database.connection() as db:
        await audit.add(db, [Act(AT, ANNA, "x", None, {"n": n}) for n in range(7)])
        seen: list[object] = []
        after = None
        while some := await audit.page(db, Filter(after=after, limit=3)):
            seen += [one.detail["n"] for _, one in some]
            after = (some[-1][1].at, some[-1][0])

    assert seen == [6, 5, 4, 3, 2, 1, 0]


async def test_users_and_tokens_and_what_is_taken_back_are_written_down_without_secrets(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "anna")
        with acting(Actor("program", "ringmail add", remote="root")):
            await people.set_password(db, anna, "hash")
            token = await people.add_token(db, "crm", b"secret hash", ["read"])
            await people.revoke_token(db, "crm")
            await undo.take(db, await undo.add(db, "kind", {}, None), None)
        found = [(one.act, one.ref, dict(one.detail)) for one in reversed(await acts(db))]

    assert found == [
        ("user.updated", anna, {"fields": ["password"]}),
        ("token.created", token, {"name": "crm", "scopes": ["read"]}),
        ("token.revoked", token, {}),
        ("undo.used", None, {"kind": "kind"}),
    ]
