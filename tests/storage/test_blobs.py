"""Files by content: one pack for a batch, nothing twice, durable before its row, and damage said in words."""

import asyncio
from hashlib import sha256
from pathlib import Path

import pytest

from storage import blobs
from storage.blobs import Blobs
from storage.database import Database
from storage.errors import NotFound

CONTENTS = [b"one", b"", b"\x00\xff" * 5000]


@pytest.mark.parametrize("on_disk", [True, False])
async def test_what_was_kept_is_read_back_byte_for_byte(database: Database, tmp_path: Path, on_disk: bool) -> None:
    store = Blobs(tmp_path / "blobs" if on_disk else None)

    async with database.connection() as db:
        await blobs.add_all(db, await store.keep(db, CONTENTS))

        for content in CONTENTS:
            assert await store.read(db, sha256(content).digest()) == content
    assert len(list(tmp_path.rglob("*.pack"))) == on_disk


async def test_the_same_bytes_are_stored_once(database: Database, tmp_path: Path) -> None:
    store = Blobs(tmp_path)
    async with database.connection() as db:
        await blobs.add_all(db, await store.keep(db, [b"one", b"one"]))

        assert await store.keep(db, [b"one"]) == []
        [new] = await store.keep(db, [b"one", b"two"])

    assert (new.size, new.start) == (3, 0)


async def test_two_daemons_that_keep_the_same_bytes_at_once_both_go_on(database: Database, tmp_path: Path) -> None:
    store = Blobs(tmp_path)

    async def keep() -> None:
        async with database.connection() as db:
            stored = await store.keep(db, [b"one"])
            await blobs.add_all(db, stored)

    await asyncio.gather(keep(), keep())

    async with database.connection() as db:
        assert await store.read(db, sha256(b"one").digest()) == b"one"
        assert await db.fetchval("SELECT count(*) FROM blob") == 1


async def test_what_never_was_is_not_found(database: Database, tmp_path: Path) -> None:
    async with database.connection() as db:
        with pytest.raises(NotFound, match="no file with the content"):
            await Blobs(tmp_path).read(db, sha256(b"?").digest())


async def test_a_lost_or_cut_pack_is_said_and_nothing_short_is_given(database: Database, tmp_path: Path) -> None:
    store = Blobs(tmp_path)
    async with database.connection() as db:
        await blobs.add_all(db, await store.keep(db, [b"first", b"second"]))
        [pack] = tmp_path.rglob("*.pack")

        pack.write_bytes(pack.read_bytes()[:-1])
        assert await store.read(db, sha256(b"first").digest()) == b"first"
        with pytest.raises(NotFound, match="shorter"):
            await store.read(db, sha256(b"second").digest())
        pack.unlink()
        with pytest.raises(NotFound, match="cannot be read"):
            await store.read(db, sha256(b"first").digest())


async def test_a_file_of_another_daemons_folder_is_said_to_be_there(database: Database, tmp_path: Path) -> None:
    async with database.connection() as db:
        await blobs.add_all(db, await Blobs(tmp_path).keep(db, [b"one"]))

        with pytest.raises(NotFound, match="another daemon"):
            await Blobs(None).read(db, sha256(b"one").digest())
