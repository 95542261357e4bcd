"""A postman with a stopwatch: `python -m benchmarks.postman HOST PORT USER DSN COUNT`.

A process of its own with three connections: one files a mail (APPEND, as another mail program does), one idles in INBOX
as a client that does nothing else, one hears from the database when the mail's interaction is committed (a trigger that
notifies, which adds to the commit that it tells of). One mail at a time, a random moment apart. Prints for each mail the
seconds from the end of APPEND until the idle client heard of it and until it was committed, as JSON.
"""

import asyncio
import base64
import json
import random
import sys
import time

import asyncpg

from benchmarks import corpus
from benchmarks.measured import on_fast_loop
from tests.fakes.dovecot import PASSWORD

WAIT_SECONDS = 30.0
PAUSE_SECONDS = (0.02, 0.3)
SEED = 77
_TRIGGER = """
CREATE FUNCTION bench_told() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('bench', NEW.external_id); RETURN NULL; END $$;
CREATE TRIGGER bench_told AFTER INSERT ON interaction FOR EACH ROW EXECUTE FUNCTION bench_told();
"""


class Client:
    """As little of an IMAP client as will do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def logged_in(cls, host: str, port: int, user: str) -> "Client":
        client = cls(*await asyncio.open_connection(host, port))
        await client._reader.readline()
        secret = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        await client.ask(f"AUTHENTICATE PLAIN {secret}")
        return client

    async def ask(self, command: str) -> None:
        self._writer.write(f"t {command}\r\n".encode())
        await self._until(b"t OK")

    async def append(self, raw: bytes) -> None:
        self._writer.write(b"t APPEND INBOX {%d}\r\n" % len(raw))
        await self._until(b"+")
        self._writer.write(raw + b"\r\n")
        await self._until(b"t OK")

    async def idle(self) -> None:
        self._writer.write(b"t IDLE\r\n")
        await self._until(b"+")

    async def hear(self) -> None:
        """The next EXISTS."""
        while not (await self._line()).rstrip().endswith(b" EXISTS"):
            pass

    async def _until(self, start: bytes) -> None:
        while not (line := await self._line()).startswith(start):
            if line.startswith((b"t NO", b"t BAD")):
                raise RuntimeError(line.decode("latin-1"))

    async def _line(self) -> bytes:
        line = await self._reader.readline()
        if not line:
            raise ConnectionError("the server hung up")
        return line


async def deliver(host: str, port: int, user: str, dsn: str, count: int) -> list[tuple[float, float]]:
    """Delivers, and tells how long each took to be heard of and to be committed."""
    rng = random.Random(SEED)
    told: asyncio.Queue[float] = asyncio.Queue()
    db = await asyncpg.connect(dsn)
    await db.execute(_TRIGGER)
    await db.add_listener("bench", lambda *_: told.put_nowait(time.perf_counter()))
    filing, idling = [await Client.logged_in(host, port, user) for _ in range(2)]
    await idling.ask("EXAMINE INBOX")
    await idling.idle()
    found = []
    for raw in corpus.mails(count, SEED):
        await asyncio.sleep(rng.uniform(*PAUSE_SECONDS))
        heard = asyncio.ensure_future(_at(idling))
        await filing.append(raw)
        filed = time.perf_counter()
        async with asyncio.timeout(WAIT_SECONDS):
            found.append((await heard - filed, await told.get() - filed))
    await db.close()
    return found


async def _at(idling: Client) -> float:
    await idling.hear()
    return time.perf_counter()


def main() -> None:
    """Reads the command line."""
    host, port, user, dsn, count = sys.argv[1:]
    print(json.dumps(on_fast_loop(lambda: deliver(host, int(port), user, dsn, int(count)))))


if __name__ == "__main__":
    main()
