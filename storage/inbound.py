"""The journal of webhooks: what providers posted, byte for byte, committed before they hear 2xx.

Repeats meet the row that is there. Work on an event happens in the transaction that marks it done: a crash in between
just leaves it to do. An event that fails is tried again later, and after `ATTEMPTS_MAX` times is left to quarantine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from storage.database import Connection, storable

ATTEMPTS_MAX = 3

ADD = """
INSERT INTO inbound (source, dedup_key, received_at, method, rest, query, headers, body, remote)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::jsonb[],
                     $8::bytea[], $9::text[])
ON CONFLICT (source, dedup_key) DO NOTHING
"""

CLAIM = """
SELECT id, source, dedup_key, received_at, method, rest, query, headers, body, remote, attempts FROM inbound
WHERE state = 'todo' AND (not_before IS NULL OR not_before <= now())
ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
"""

MARK_DONE = """
UPDATE inbound SET state = 'done', done_at = now(), error = NULL WHERE id = ANY($1::bigint[])
"""

MARK_FAILED = """
UPDATE inbound SET attempts = attempts + 1, error = $2, not_before = now() + make_interval(secs => 2 ^ (attempts + 1)),
       state = CASE WHEN $3 OR attempts + 1 >= $4 THEN 'quarantine' ELSE 'todo' END
WHERE id = $1 RETURNING state, source
"""

QUARANTINE = """
INSERT INTO quarantine (id, source, kind, reason, inbound_id) VALUES ($1, $2, 'event', $3, $4)
"""


@dataclass(frozen=True, slots=True)
class Event:
    """A stored request."""

    source: str
    dedup_key: str
    received_at: datetime
    method: str
    rest: str
    query: str
    headers: dict[str, str]
    body: bytes
    remote: str
    id: int = 0
    attempts: int = 0


async def add(db: Connection, events: Sequence[Event]) -> None:
    """Stores requests; a repeat changes nothing."""
    await db.execute(
        ADD,
        [one.source for one in events],
        [storable(one.dedup_key) for one in events],
        [one.received_at for one in events],
        [storable(one.method) for one in events],
        [storable(one.rest) for one in events],
        [storable(one.query) for one in events],
        [one.headers for one in events],
        [one.body for one in events],
        [one.remote for one in events],
    )


async def claim(db: Connection, limit: int) -> list[Event]:
    """The oldest events to do that nobody else works on; held until the transaction ends."""
    rows = await db.fetch(CLAIM, limit)
    return [
        Event(
            row["source"], row["dedup_key"], row["received_at"], row["method"], row["rest"], row["query"],
            row["headers"], row["body"], row["remote"], row["id"], row["attempts"],
        )
        for row in rows
    ]  # fmt: skip


EMPTY_OLD = """
UPDATE inbound SET query = '', headers = '{}', body = '' WHERE id = ANY(ARRAY(
    SELECT id FROM inbound WHERE state = 'done' AND received_at < $1 AND body <> '' ORDER BY received_at LIMIT $2))
"""

DROP_OLD = """
DELETE FROM inbound WHERE id = ANY(ARRAY(
    SELECT id FROM inbound WHERE state = 'done' AND received_at < $1 ORDER BY received_at LIMIT $2))
"""


async def end(db: Connection, words_before: datetime, rows_before: datetime, limit: int) -> int:
    """Takes the words out of what was done before a moment, and drops what was done before another; of each so many at
    most. How many there were."""
    done = [await db.execute(EMPTY_OLD, words_before, limit), await db.execute(DROP_OLD, rows_before, limit)]
    return sum(int(str(one).rpartition(" ")[2]) for one in done)


async def mark_done(db: Connection, ids: Sequence[int]) -> None:
    """Closes events, in the transaction that wrote what they say."""
    await db.execute(MARK_DONE, list(ids))


async def mark_failed(db: Connection, event: Event, reason: str, *, final: bool = False) -> None:
    """Puts an event off; when it is final or was tried often enough, into quarantine with its reason."""
    reason = storable(reason)  # it may quote what came, and must not fail where that did
    row = await db.fetchrow(MARK_FAILED, event.id, reason, final, ATTEMPTS_MAX)
    if row is not None and row["state"] == "quarantine":
        await db.execute(QUARANTINE, uuid4(), event.source, reason, event.id)
