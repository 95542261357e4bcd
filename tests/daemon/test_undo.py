"""Taking back a change: the kind of the token says who does it, and all of it happens or nothing."""

import pytest

from daemon.undo import take_back
from interactions.records import Json
from storage import undo
from storage.database import Connection, Database
from storage.errors import Conflict


async def rename(db: Connection, image: Json) -> None:
    await db.execute("UPDATE department SET name = $1", image["name"])


async def refuse(db: Connection, image: Json) -> None:
    await rename(db, image)
    raise Conflict("it was changed again")


async def changed(database: Database, kind: str) -> str:
    async def work(db: Connection) -> str:
        await db.execute("INSERT INTO department (id, name) VALUES (gen_random_uuid(), 'after')")
        return await undo.add(db, kind, {"name": "before"}, None)

    return await database.in_transaction(work)


async def name(database: Database) -> str:
    async with database.connection() as db:
        return str(await db.fetchval("SELECT name FROM department"))


async def test_the_function_of_its_kind_brings_back_what_was_there(database: Database) -> None:
    token = await changed(database, "name")

    done = await database.in_transaction(lambda db: take_back(db, token, None, {"name": rename}))

    assert (done, await name(database)) == ("name", "before")


async def test_a_refusal_changes_nothing_and_leaves_the_token(database: Database) -> None:
    token = await changed(database, "name")

    for appliers in ({"name": refuse}, {}):
        with pytest.raises(Conflict):
            await database.in_transaction(lambda db, some=appliers: take_back(db, token, None, some))  # type: ignore[misc]

    assert await name(database) == "after"
    assert await database.in_transaction(lambda db: take_back(db, token, None, {"name": rename})) == "name"
