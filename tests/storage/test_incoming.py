"""Large files on their way in: durable under their pack's name, or gone."""

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from storage import blobs
from storage.blobs import Blobs
from storage.database import Database
from storage.incoming import FOLDER, Incoming

MAPPED = 100_000
PARTS = (b"a" * MAPPED, b"b" * 1000, b"c")


@pytest.mark.parametrize("on_disk", [True, False])
async def test_what_came_in_parts_is_kept_as_one_file(database: Database, tmp_path: Path, on_disk: bool) -> None:
    store = Blobs(tmp_path if on_disk else None)
    incoming = Incoming(store.folder, MAPPED)
    for part in PARTS:
        await incoming.add(part)

    content = await incoming.content()
    assert (len(content), bytes(content[-2:])) == (incoming.size, b"bc")
    stored = await incoming.keep()
    await incoming.drop()

    assert stored.sha256 == sha256(b"".join(PARTS)).digest()
    async with database.connection() as db:
        await blobs.add_all(db, [stored])
        assert await store.read(db, stored.sha256) == b"".join(PARTS)
    assert list(tmp_path.glob(f"{FOLDER}/*")) == []


async def test_a_small_file_is_plain_bytes(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path)
    assert await incoming.content() == b""

    await incoming.add(b"hello")

    assert await incoming.content() == b"hello"


async def test_what_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path, MAPPED)
    await incoming.drop()
    for part in PARTS:
        await incoming.add(part)
    await incoming.content()

    await incoming.drop()
    await incoming.drop()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_what_turns_out_to_be_unwanted_is_taken_back(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path, MAPPED)
    for part in PARTS:
        await incoming.add(part)
    stored = await incoming.keep()

    await incoming.take_back(stored)
    await incoming.drop()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_what_a_killed_daemon_left_is_removed_a_day_later(tmp_path: Path) -> None:
    for name, age in (("old", 100_000), ("young", 1000)):
        left = tmp_path / FOLDER / f"{name}.new"
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(b"left")
        os.utime(left, (time.time() - age,) * 2)

    incoming = Incoming(tmp_path)
    await incoming.add(b"hello")
    await incoming.drop()

    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["young.new"]
