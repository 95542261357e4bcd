"""The ordered feed of changes.

A row is written in the transaction of its change, without a number: numbers given there would become visible out of
order, and a reader that goes by the last number would miss rows. One at a time numbers what is committed, in the order of
writing, by locking the one row of `sequencer`; a reader that has seen number n has seen all before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from interactions.records import Json
from storage import audit
from storage.database import Connection

ADD = """
INSERT INTO feed (type, ref, data) SELECT * FROM unnest($1::text[], $2::uuid[], $3::jsonb[])
"""

TAKE_TURN = """
SELECT last_seq FROM sequencer FOR UPDATE SKIP LOCKED
"""

NUMBER = """
WITH new AS (
    SELECT position, row_number() OVER (ORDER BY position) AS n
    FROM (SELECT position FROM feed WHERE seq IS NULL ORDER BY position LIMIT $2) AS waiting)
UPDATE feed SET seq = $1 + new.n FROM new WHERE feed.position = new.position
"""

MOVE = """
UPDATE sequencer SET last_seq = last_seq + $1
"""

LIST = """
SELECT seq, type, ref, data, at FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2
"""

NUMBERED_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Change:
    """One change to tell of: its type, what it is about, and a little more."""

    type: str
    ref: UUID | None
    data: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A change in its place in the feed."""

    seq: int
    at: datetime
    change: Change


async def add(db: Connection, changes: Sequence[Change]) -> None:
    """Writes changes; they are numbered after the commit. Those that somebody makes are written down (`storage.audit`)."""
    if changes:
        await db.execute(
            ADD, [one.type for one in changes], [one.ref for one in changes], [dict(one.data) for one in changes]
        )
        # An address is a value, which no audit keeps: it would have to be erased with a person.
        await audit.note_all(
            db,
            [
                (one.type, one.ref, {name: value for name, value in one.data.items() if name != "key"})
                for one in changes
            ],
        )


async def number(db: Connection) -> int:
    """Numbers committed changes, if it is nobody else's turn. Returns how many. In one transaction."""
    last = await db.fetchval(TAKE_TURN)
    if last is None:
        return 0
    done = int(str(await db.execute(NUMBER, last, NUMBERED_AT_ONCE)).rpartition(" ")[2])
    if done:
        await db.execute(MOVE, done)
    return done


LAST = """
SELECT last_seq FROM sequencer
"""


async def last(db: Connection) -> int:
    """The number of the newest change."""
    return int(await db.fetchval(LAST) or 0)


async def list_after(db: Connection, seq: int, limit: int) -> list[Numbered]:
    """The changes after a number, in order."""
    rows = await db.fetch(LIST, seq, limit)
    return [Numbered(row["seq"], row["at"], Change(row["type"], row["ref"], row["data"])) for row in rows]


END = """
SELECT coalesce(max(position), 0) FROM feed
"""

OURS_SINCE = """
SELECT type, ref, data FROM feed
WHERE position > $1 AND xmin::text = pg_current_xact_id()::xid::text ORDER BY position
"""


async def end(db: Connection) -> int:
    """Where the feed ends now, for `ours_since`."""
    return int(await db.fetchval(END))


async def ours_since(db: Connection, position: int) -> list[Change]:
    """What this transaction has written since."""
    return [Change(*row) for row in await db.fetch(OURS_SINCE, position)]
