"""Mailboxes and telephony sources: their rows, and the truth about how they are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from storage import audit
from storage.database import Connection

ADD = """
INSERT INTO source (name, kind, type) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, type = excluded.type, removed_at = NULL
"""

RETIRE = """
UPDATE source SET removed_at = now() WHERE removed_at IS NULL AND NOT (name = ANY($1::text[]))
"""

# A rate is counted from where the counting began: anew when a source begins to catch up, has less done than before, or
# has been silent for long. A webhook source is well when its events were processed, which `mark_success` says.
REPORT = """
UPDATE source SET state = $2, detail = $3, next_try_at = $4, done = coalesce($5, done), total = coalesce($6, total),
    state_since = CASE WHEN state = $2 THEN state_since ELSE now() END,
    last_success_at = CASE WHEN $2 = 'ok' AND kind <> 'telephony' THEN now() ELSE last_success_at END,
    audited_at = CASE WHEN $7 THEN now() ELSE audited_at END,
    counted_from = CASE WHEN $5::bigint IS NULL THEN counted_from WHEN goes_on THEN counted_from ELSE $5 END,
    counted_since = CASE WHEN $5::bigint IS NULL THEN counted_since WHEN goes_on THEN counted_since ELSE now() END,
    counted_at = CASE WHEN $5::bigint IS NULL THEN counted_at ELSE now() END
FROM (
    SELECT id AS its_id, coalesce(
        state = $2 AND $2 = 'catching_up' AND done <= $5::bigint AND counted_at > now() - interval '2 minutes', false
    ) AS goes_on FROM source WHERE name = $1
) AS counting
WHERE id = its_id AND ($8::bigint IS NULL OR lease_token = $8)
    AND ($7 OR (state, detail, next_try_at, done, total)
        IS DISTINCT FROM ($2, $3, $4::timestamptz, coalesce($5, done), coalesce($6, total))
    OR ($2 = 'ok' AND kind <> 'telephony'
        AND (last_success_at IS NULL OR last_success_at < now() - interval '1 minute')))
"""

LIST = """
SELECT s.name, s.kind, s.type, CASE WHEN s.paused_at IS NULL THEN s.state ELSE 'paused' END, s.detail, s.state_since,
       s.next_try_at, s.done, s.total, s.last_success_at, s.audited_at, s.audit_repairs,
       CASE WHEN s.state = 'catching_up' AND s.paused_at IS NULL AND s.done > s.counted_from
                 AND s.counted_at > s.counted_since AND s.counted_at > now() - interval '2 minutes'
            THEN (s.done - s.counted_from) / extract(epoch FROM s.counted_at - s.counted_since)::double precision END
FROM source s WHERE s.removed_at IS NULL ORDER BY s.id
"""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source as `/sources` and `status` show it."""

    name: str
    kind: str
    type: str
    state: str
    detail: str
    since: datetime
    next_try_at: datetime | None
    done: int | None
    total: int | None
    last_success_at: datetime | None
    audited_at: datetime | None
    audit_repairs: int
    per_second: float | None = None  # mails, while it catches up and gets on

    @property
    def seconds_left(self) -> int | None:
        """How long it will catch up still, at the rate so far."""
        if self.per_second is None or self.total is None:
            return None
        return round(max(self.total - (self.done or 0), 0) / self.per_second)


async def save_all(db: Connection, sources: Sequence[tuple[str, str, str]]) -> None:
    """Makes the rows of configured sources (name, kind, type); others are retired, their history stays."""
    names = [name for name, _, _ in sources]
    await db.execute(ADD, names, [kind for _, kind, _ in sources], [kind for _, _, kind in sources])
    await db.execute(RETIRE, names)


async def report(
    db: Connection, name: str, state: str, detail: str = "", next_try_at: datetime | None = None,
    done: int | None = None, total: int | None = None, is_audited: bool = False, token: int | None = None,
) -> None:  # fmt: skip
    """Writes how a source is. What is known already is not written again; the last success is kept to the minute. With
    the token of a lease nothing is written by who was overtaken: he does not know how it is."""
    await db.execute(REPORT, name, state, detail[:1000], next_try_at, done, total, is_audited, token)


MARK_SUCCESS = """
UPDATE source SET last_success_at = now()
WHERE name = ANY($1::text[]) AND (last_success_at IS NULL OR last_success_at < now() - interval '1 minute')
"""


async def mark_success(db: Connection, names: Collection[str]) -> None:
    """Says that events of these sources were processed; kept to the minute. To be called last in a transaction: others who
    work off events of the same source wait for it."""
    if names:
        await db.execute(MARK_SUCCESS, sorted(names))


async def list_all(db: Connection) -> list[SourceRow]:
    """All configured sources."""
    return [SourceRow(*row) for row in await db.fetch(LIST)]


COUNT_REPAIRS = """
UPDATE source SET audit_repairs = audit_repairs + $2 WHERE id = $1
"""


async def count_repairs(db: Connection, source_id: int, repaired: int) -> None:
    """Counts mails that an audit found and no sync had brought."""
    if repaired:
        await db.execute(COUNT_REPAIRS, source_id, repaired)


FIND_ID = """
SELECT id FROM source WHERE name = $1
"""


async def find_id(db: Connection, name: str) -> int | None:
    """The number of a source; None while it has never run."""
    found: int | None = await db.fetchval(FIND_ID, name)
    return found


# What a person asks of a source ------------------------------------------------------------------------------------------

# Whoever runs it finds its lease gone at the next turn; the fence stops at once what it may still try to write.
PAUSE = """
UPDATE source SET paused_at = coalesce(paused_at, now()), lease_owner = NULL, lease_until = NULL
WHERE name = $1 AND kind <> 'subscriber' AND removed_at IS NULL RETURNING id
"""

RESUME = """
UPDATE source SET paused_at = NULL, lease_owner = NULL, lease_until = NULL, next_try_at = NULL,
    state = CASE WHEN paused_at IS NULL THEN state ELSE 'catching_up' END,
    detail = CASE WHEN paused_at IS NULL THEN detail ELSE '' END,
    state_since = CASE WHEN paused_at IS NULL THEN state_since ELSE now() END
WHERE name = $1 AND kind <> 'subscriber' AND removed_at IS NULL AND (paused_at IS NOT NULL OR $2) RETURNING id
"""


async def pause(db: Connection, name: str) -> bool:
    """Stops a source until it is resumed; whether there is such a source."""
    return await _asked(db, "source.paused", name, await db.fetchval(PAUSE, name))


async def resume(db: Connection, name: str) -> bool:
    """Lets a paused source run again; one that runs is left alone. Whether there is such a paused source."""
    return await _asked(db, "source.resumed", name, await db.fetchval(RESUME, name, False))


async def sync_now(db: Connection, name: str) -> bool:
    """Has a source started anew, whatever it waits for: it logs in, reads what there is, and is audited. A paused one is
    resumed. Whether there is such a source."""
    return await _asked(db, "source.synced", name, await db.fetchval(RESUME, name, True))


async def _asked(db: Connection, act: str, name: str, source_id: int | None) -> bool:
    if source_id is not None:
        await audit.note(db, act, name=name)
    return source_id is not None
