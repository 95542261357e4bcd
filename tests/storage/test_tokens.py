"""Tokens at rest: sealed for one row and one key, held by one at a time, and never overwritten by an older one."""

import asyncio
from dataclasses import replace

import pytest

from storage import sources, tokens
from storage.database import Connection, Database
from storage.errors import Conflict
from storage.tokens import SealedTokens, TokenKey, Unreadable

KEY = TokenKey("a secret key")


@pytest.fixture
async def row(database: Database) -> SealedTokens:
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap"), ("shop", "mailbox", "imap")])
        await tokens.add(db, "sales")
        await tokens.add(db, "sales")
        found = await tokens.hold(db, "sales")
    assert found is not None
    return found


def test_a_sealed_text_opens_with_its_key_for_its_source_and_kind() -> None:
    sealed = KEY.seal("canary-токен", "sales", "refresh")

    assert KEY.open(sealed, KEY.id, "sales", "refresh") == "canary-токен"
    assert TokenKey("a secret key").open(sealed, KEY.id, "sales", "refresh") == "canary-токен"
    assert b"canary" not in sealed
    assert sealed != KEY.seal("canary-токен", "sales", "refresh")


@pytest.mark.parametrize(
    ("source", "kind", "spoil"),
    [("shop", "refresh", 0), ("sales", "access", 0), ("sales", "refresh", 1)],
    ids=["another-source", "another-kind", "one-bit"],
)
def test_what_was_sealed_for_something_else_or_is_damaged_does_not_open(source: str, kind: str, spoil: int) -> None:
    sealed = bytearray(KEY.seal("canary", "sales", "refresh"))
    sealed[-1] ^= spoil

    with pytest.raises(Unreadable, match="damaged, or was not sealed for this row") as raised:
        KEY.open(bytes(sealed), KEY.id, source, kind)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12), bytes(200)])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(Unreadable):
        KEY.open(sealed, KEY.id, "sales", "refresh")


def test_another_key_is_called_another_key_and_neither_is_told() -> None:
    other = TokenKey("another secret key")

    with pytest.raises(Unreadable, match=f"sealed with the key {KEY.id}, and login.secret_key is the key {other.id}"):
        other.open(KEY.seal("canary", "sales", "access"), KEY.id, "sales", "access")
    assert KEY.id != other.id
    assert "secret" not in repr(KEY)


async def test_what_was_saved_is_there_with_its_age(database: Database, row: SealedTokens) -> None:
    assert (row.version, row.origin, row.access, row.age_seconds) == (0, None, None, 0.0)
    written = replace(
        row, origin=b"o", superseded=(b"p",), key_id=KEY.id, refresh=b"r", is_given=False, access=b"a",
        life_seconds=3600.0, age_seconds=100.0,
    )  # fmt: skip

    async with database.connection() as db:
        await tokens.save(db, written)
        found = await tokens.hold(db, "sales")

    assert found is not None
    assert replace(found, age_seconds=100.0) == replace(written, version=1)
    assert 100.0 <= found.age_seconds < 160.0


async def test_one_holds_the_row_and_the_others_are_told_at_once(database: Database, row: SealedTokens) -> None:
    async def held(db: Connection) -> SealedTokens | None:
        assert await tokens.hold(db, "sales") == row
        async with asyncio.timeout(10), database.connection() as other:
            await tokens.add(other, "shop")
            assert await tokens.hold(other, "shop") is not None
            return await tokens.hold(other, "sales")

    assert await database.in_transaction(held) is None


async def test_who_has_read_an_older_version_writes_nothing(database: Database, row: SealedTokens) -> None:
    async with database.connection() as db:
        await tokens.save(db, replace(row, refresh=b"new"))
        with pytest.raises(Conflict):
            await tokens.save(db, replace(row, refresh=b"old"))

        found = await tokens.hold(db, "sales")
    assert found is not None
    assert (found.version, found.refresh) == (1, b"new")


async def test_a_mailbox_that_no_daemon_knows_yet_has_a_row_and_is_shown_to_nobody(database: Database) -> None:
    async with database.connection() as db:
        await tokens.add(db, "new")
        assert await tokens.hold(db, "new") is not None
        assert await sources.list_all(db) == []
        [before] = await db.fetch("SELECT id FROM source")

        await sources.save_all(db, [("new", "mailbox", "imap")])
        assert [one.name for one in await sources.list_all(db)] == ["new"]
        assert await db.fetch("SELECT id FROM source") == [before]


def test_what_the_configuration_gave_before_is_known_as_older() -> None:
    row = SealedTokens(1, 7, b"second", (b"first",))

    assert [tokens.is_of(row, one) for one in (b"first", b"second", b"third")] == [True, True, False]
    assert [tokens.is_behind(row, one) for one in (b"first", b"second", b"third")] == [True, False, False]
    assert tokens.superseded_by(row, b"third") == [b"first", b"second"]
    assert tokens.superseded_by(row, b"second") == [b"first"]
    assert tokens.superseded_by(SealedTokens(1, 0), b"first") == []
