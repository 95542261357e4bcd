"""Files named by their content (SHA-256): raw mails and attachments.

On a disk of our own, all new files of a batch go into one pack file with one flush, and a row says where in it each lies:
a flush per mail would make a first read wait for the disk ten times as long. Where several daemons share no disk
(`Blobs(None)`), the bytes are in the database.

The pack is durable before the rows that name it are committed: its bytes, its name, and the folders made for it. A crash in
between leaves a pack that no row names; it does no harm and is swept. The files are bytes only: names from mails never
reach the file system. A pack that is gone or too short, after a disk's fault or a restore without the data folder, is
NotFound in words; its rows stay.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from storage.database import Connection
from storage.errors import NotFound

KNOWN = """
SELECT sha256 FROM blob WHERE sha256 = ANY($1::bytea[])
"""

ADD = """
INSERT INTO blob (sha256, size, store, pack, start, bytes)
SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bytea[]) AS new (sha256)
ORDER BY sha256 ON CONFLICT (sha256) DO NOTHING
"""

FIND = """
SELECT size, store, pack, start, bytes FROM blob WHERE sha256 = $1
"""

HASHED_HERE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """Where new bytes lie, to be written as a row in the transaction that needs them."""

    sha256: bytes
    size: int
    store: str
    pack: str | None = None
    start: int | None = None
    content: bytes | None = None


class Blobs:
    """The store. `folder` is None where the bytes belong into the database."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path | None:
        """Where the packs lie."""
        return self._folder

    async def keep(self, db: Connection, contents: Sequence[bytes]) -> list[Stored]:
        """Makes bytes durable; those that are there already are left out. To be called before the transaction."""
        return await self.write(await self.missing(db, contents))

    async def missing(
        self, db: Connection, contents: Sequence[bytes], hashes: Sequence[bytes] | None = None
    ) -> dict[bytes, bytes]:
        """Those of these bytes that are not there yet, by their hashes, which may be known."""
        by_hash = dict(zip(hashes or await hashes_of(contents), contents, strict=True))
        known = {row["sha256"] for row in await db.fetch(KNOWN, list(by_hash))}
        return {digest: content for digest, content in by_hash.items() if digest not in known}

    async def write(self, new: Mapping[bytes, bytes]) -> list[Stored]:
        """Makes bytes durable that are missing. It needs no connection, so it may go on beside the transaction that will
        write their rows, and has to be over before that one commits."""
        if not new:
            return []
        if self._folder is None:
            return [Stored(digest, len(content), "database", content=content) for digest, content in new.items()]
        name = uuid4().hex
        pack = f"{name[:2]}/{name}.pack"
        await asyncio.to_thread(_write, self._folder / pack, list(new.values()))
        stored, start = [], 0
        for digest, content in new.items():
            stored.append(Stored(digest, len(content), "pack", pack, start))
            start += len(content)
        return stored

    async def read(self, db: Connection, digest: bytes) -> bytes:
        """The bytes under a hash."""
        row = await db.fetchrow(FIND, digest)
        if row is None:
            raise NotFound(f"no file with the content {digest.hex()[:12]}… is stored")
        if row["store"] == "database":
            return bytes(row["bytes"])
        if self._folder is None:
            raise NotFound("this file lies in the data folder of another daemon")
        path = self._folder / row["pack"]
        try:
            content = await asyncio.to_thread(_read, path, row["start"], row["size"])
        except OSError as error:
            raise NotFound(f"the file {path} cannot be read: {error.strerror}; restore it from a backup") from error
        if len(content) != row["size"]:
            raise NotFound(f"the file {path} is shorter than it was written; restore it from a backup")
        return content


async def hashes_of(contents: Sequence[bytes]) -> list[bytes]:
    """The SHA-256 of each. A thread does it for many bytes, and the loop is free for others."""
    if sum(map(len, contents)) <= HASHED_HERE_BYTES:
        return _hashes(contents)
    return await asyncio.to_thread(_hashes, contents)


def _hashes(contents: Sequence[bytes]) -> list[bytes]:
    return [sha256(content).digest() for content in contents]


async def add_all(db: Connection, stored: Sequence[Stored]) -> None:
    """Writes the rows of what was kept."""
    if stored:
        await db.execute(
            ADD,
            [one.sha256 for one in stored],
            [one.size for one in stored],
            [one.store for one in stored],
            [one.pack for one in stored],
            [one.start for one in stored],
            [one.content for one in stored],
        )


def _write(path: Path, contents: Sequence[bytes]) -> None:
    """A new file, flushed before it has its name, and then its folder and those that were made for it."""
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    with temporary.open("wb") as file:
        for content in contents:
            file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    for folder in (path.parent, *(one.parent for one in made)):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _read(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)
