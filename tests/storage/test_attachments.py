"""Attachments: numbered one after the other, the same file once, no more than the bound."""

from interactions.records import Attachment
from storage import attachments
from storage.database import Database
from tests.fakes.rows import ids, interaction, write


async def test_files_are_numbered_after_those_of_the_mail(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1, attachments=(Attachment(0, "a", "text/plain", 1, False, "1"),)))
        one = ids(1)[0]

        first = await attachments.add(db, one, "b.txt", "text/plain", b"b", 10)
        again = await attachments.add(db, one, "b.txt", "text/plain", b"b", 10)
        other = await attachments.add(db, one, "c\x00.txt", "text/plain", b"b", 10)

        assert first == (Attachment(1, "b.txt", "text/plain", 1), True)
        assert again == (Attachment(1, "b.txt", "text/plain", 1), False)
        assert other is not None
        assert (other[0].n, other[0].name) == (2, "c.txt")
        assert await attachments.find(db, one, 0) == attachments.Stored("a", "1", None)
        found = await attachments.find(db, one, 1)
        assert found is not None
        assert found.sha256
        assert await attachments.find(db, one, 7) is None
        assert await db.fetchval("SELECT has_attachments FROM interaction") is True


async def test_what_is_gone_or_full_takes_none(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2))
        await db.execute("UPDATE interaction SET deleted_at = now() WHERE id = $1", ids(2)[0])
        await attachments.add(db, ids(1)[0], "a", "b", b"1", 1)

        assert await attachments.add(db, ids(1)[0], "a", "b", b"2", 1) is None
        assert await attachments.add(db, ids(2)[0], "a", "b", b"2", 9) is None
