"""The act of an erasure, and what keeps a person out afterwards."""

from datetime import timedelta
from uuid import UUID, uuid4

from storage import erased
from storage.database import Database
from storage.erased import Act
from tests.fakes.rows import START, ids, interaction, write


def act(*hashes: bytes, hours: int = 0, interactions: tuple[UUID, ...] = ()) -> Act:
    at = START + timedelta(hours=hours)
    return Act(uuid4(), uuid4(), "remove", "asked for it", None, at, {"bodies": 1}, interactions, hashes)


async def test_an_act_is_noted_and_cleaned_once(database: Database) -> None:
    async with database.connection() as db:
        first = act(b"a" * 32)
        await erased.record(db, first)

        [found] = await erased.unnoted(db)
        assert (found.id, found.counts, list(found.addresses)) == (first.id, first.counts, [b"a" * 32])
        assert await erased.unclean(db) == [first.id]
        await erased.mark_noted(db, [first.id])
        await erased.mark_cleaned(db, [first.id])

        assert (await erased.unnoted(db), await erased.unclean(db)) == ([], [])


async def test_the_last_erasure_of_an_address_counts(database: Database) -> None:
    async with database.connection() as db:
        assert not await erased.is_anybody_kept_out(db)
        for hours in (5, 1):
            await erased.record(db, act(b"a" * 32, hours=hours))

        found = await erased.kept_out(db, [b"a" * 32, b"b" * 32])

        assert found == {b"a" * 32: START + timedelta(hours=5)}
        assert await erased.is_anybody_kept_out(db)


async def test_which_interactions_were_erased_is_known(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(0, "a@x.example"), interaction(1, "a@x.example"))
        await db.execute("UPDATE interaction SET erased_at = now() WHERE id = $1", ids(1)[0])

        assert await erased.erased_among(db, [ids(0)[0], ids(1)[0]]) == {ids(1)[0]}
