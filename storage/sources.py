"""Mailboxes and telephony sources: their rows, and the truth about how they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.database import Connection

ADD = """
INSERT INTO source (name, kind, type) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, type = excluded.type, removed_at = NULL
"""

RETIRE = """
UPDATE source SET removed_at = now() WHERE removed_at IS NULL AND NOT (name = ANY($1::text[]))
"""

REPORT = """
UPDATE source SET state = $2, detail = $3, next_try_at = $4, done = coalesce($5, done), total = coalesce($6, total),
    state_since = CASE WHEN state = $2 THEN state_since ELSE now() END,
    last_success_at = CASE WHEN $2 = 'ok' THEN now() ELSE last_success_at END,
    audited_at = CASE WHEN $7 THEN now() ELSE audited_at END
WHERE name = $1 AND ($7 OR (state, detail, next_try_at, done, total)
        IS DISTINCT FROM ($2, $3, $4::timestamptz, coalesce($5, done), coalesce($6, total))
    OR ($2 = 'ok' AND (last_success_at IS NULL OR last_success_at < now() - interval '1 minute')))
"""

LIST = """
SELECT s.name, s.kind, s.type, CASE WHEN s.paused_at IS NULL THEN s.state ELSE 'paused' END, s.detail, s.state_since,
       s.next_try_at, s.done, s.total, s.last_success_at, s.audited_at, s.audit_repairs
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


async def save_all(db: Connection, sources: Sequence[tuple[str, str, str]]) -> None:
    """Makes the rows of configured sources (name, kind, type); others are retired, their history stays."""
    names = [name for name, _, _ in sources]
    await db.execute(ADD, names, [kind for _, kind, _ in sources], [kind for _, _, kind in sources])
    await db.execute(RETIRE, names)


async def report(
    db: Connection, name: str, state: str, detail: str = "", next_try_at: datetime | None = None,
    done: int | None = None, total: int | None = None, is_audited: bool = False,
) -> None:  # fmt: skip
    """Writes how a source is. What is known already is not written again; the last success is kept to the minute."""
    await db.execute(REPORT, name, state, detail[:1000], next_try_at, done, total, is_audited)


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
    return await db.fetchval(PAUSE, name) is not None


async def resume(db: Connection, name: str) -> bool:
    """Lets a paused source run again; one that runs is left alone. Whether there is such a paused source."""
    return await db.fetchval(RESUME, name, False) is not None


async def sync_now(db: Connection, name: str) -> bool:
    """Has a source started anew, whatever it waits for: it logs in, reads what there is, and is audited. A paused one is
    resumed. Whether there is such a source."""
    return await db.fetchval(RESUME, name, True) is not None
