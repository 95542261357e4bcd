"""A large file on its way in: written part by part, so that memory holds one part of it.

It becomes a pack of its own (`blobs`), under the same promise: durable before the row that names it is written. What was not
kept is removed; what a killed daemon left behind is removed when the next large file comes, a day later.

Limits: where several daemons share no disk the bytes belong into the database, in one value, and memory holds them all.
"""

import asyncio
import contextlib
import mmap
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import cast
from uuid import uuid4

from storage.blobs import Stored

FOLDER = "incoming"
LEFT_SECONDS = 24 * 3600.0
MAPPED_BYTES_MIN = 64 * 1024 * 1024  # as large as any mail that comes with the rest


class Incoming:
    """One file. `folder` is that of the packs, None where the bytes belong into the database."""

    def __init__(self, folder: Path | None, mapped_from: int = MAPPED_BYTES_MIN) -> None:
        self._folder = folder
        self._mapped_from = mapped_from
        self._name = uuid4().hex
        self._digest = sha256()
        self._held = bytearray()
        self._map: mmap.mmap | None = None
        self.size = 0

    async def add(self, part: bytes) -> None:
        """The next part of it."""
        self.size += len(part)
        if self._folder is None:
            self._held += part
            self._digest.update(part)
        else:
            await asyncio.to_thread(self._write, self._folder, part)

    async def content(self) -> bytes:
        """All of it; a large file is only mapped into memory, and read from the disk as it is looked at: good for what is
        read elsewhere, since it has few of the ways of bytes."""
        if self._folder is None:
            return bytes(self._held)
        path = _path(self._folder, self._name)
        if self.size < self._mapped_from:
            return await asyncio.to_thread(path.read_bytes) if self.size else b""
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return cast(bytes, self._map)  # whoever is given it measures it and writes it into a pipe

    async def keep(self) -> Stored:
        """Makes it durable; the row is to be written in the transaction that needs it."""
        digest = self._digest.digest()
        if self._folder is None:
            return Stored(digest, self.size, "database", content=bytes(self._held))
        pack = f"{self._name[:2]}/{self._name}.pack"
        await asyncio.to_thread(_settle, _path(self._folder, self._name), self._folder / pack)
        return Stored(digest, self.size, "pack", pack, 0)

    async def take_back(self, stored: Stored) -> None:
        """Removes what was kept, and what no row names: for whoever learned in the transaction that nobody wants it."""
        if self._folder is not None and stored.pack is not None:
            await asyncio.to_thread((self._folder / stored.pack).unlink, missing_ok=True)

    async def drop(self) -> None:
        """Removes what was not kept. May be called at any time, more than once."""
        if self._map is not None:
            with contextlib.suppress(BufferError):  # somebody who was cut off still looks at it
                self._map.close()
            self._map = None
        if self._folder is not None:
            await asyncio.to_thread(_path(self._folder, self._name).unlink, missing_ok=True)

    def _write(self, folder: Path, part: bytes) -> None:
        path = _path(folder, self._name)
        if self.size == len(part):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(path.parent)
        self._digest.update(part)
        with path.open("ab") as file:
            file.write(part)


def _path(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"{name}.new"


def _sweep(folder: Path) -> None:
    for left in folder.glob("*.new"):
        if left.stat().st_mtime < time.time() - LEFT_SECONDS:
            left.unlink(missing_ok=True)


def _settle(path: Path, pack: Path) -> None:
    """The bytes, then the name, then the folder are flushed."""
    pack.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.rename(pack)
    for folder in (pack.parent, pack.parent.parent):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
