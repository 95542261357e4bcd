"""What still needs a look: marks of control, what was put off, and what wakes them.

    on control, wake_at       at that moment the mark ends and the interaction is to be reviewed
    on control, until_reply   an incoming member of the chain ends the mark: it was answered
    put off (review_after)    a new incoming member of the chain ends the wait
    a plan with due_at        is announced once, when it comes due

Waking and its announcement (`reminder.due`) are one transaction: after a crash it is due still, and never twice.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from storage.database import Connection

CONTROL = """
UPDATE interaction SET on_control = $2, wake_at = $3, until_reply = $4, version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL RETURNING id
"""

WAKE_DUE = """
UPDATE interaction SET on_control = false, wake_at = NULL, until_reply = false, reviewed = false, reviewed_at = NULL,
    reviewed_by = NULL, review_after = NULL, version = version + 1, updated_at = now()
WHERE id = ANY(ARRAY(
    SELECT id FROM interaction WHERE on_control AND wake_at <= now() AND deleted_at IS NULL
    ORDER BY wake_at LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING id
"""

# RFC 3339 in UTC with `Z`, so that the order of the texts is the order of the times.
REMIND_DUE = """
UPDATE interaction SET reminded_at = now(), version = version + 1, updated_at = now()
WHERE id = ANY(ARRAY(
    SELECT id FROM interaction
    WHERE kind = 'planned' AND reminded_at IS NULL AND deleted_at IS NULL AND block->>'due_at' <= $2
        AND block->>'state' = 'open'
    ORDER BY block->>'due_at' LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING id
"""

ANSWERED = """
UPDATE interaction SET on_control = false, wake_at = NULL, until_reply = false, version = version + 1, updated_at = now()
WHERE chain_id = ANY($1::uuid[]) AND on_control AND until_reply AND NOT (id = ANY($2::uuid[])) RETURNING id
"""

NO_LONGER_PUT_OFF = """
UPDATE interaction SET review_after = NULL, version = version + 1, updated_at = now()
WHERE chain_id = ANY($1::uuid[]) AND NOT reviewed AND review_after IS NOT NULL AND NOT (id = ANY($2::uuid[])) RETURNING id
"""


async def set_control(
    db: Connection, interaction_id: UUID, on_control: bool, wake_at: datetime | None, until_reply: bool
) -> bool:
    """Puts an interaction on control or takes the mark away; says whether it is there."""
    return await db.fetchval(CONTROL, interaction_id, on_control, wake_at, until_reply) is not None


async def wake_due(db: Connection, limit: int) -> list[UUID]:
    """Ends marks of control whose time has come; their interactions are to be reviewed from now on."""
    return [row["id"] for row in await db.fetch(WAKE_DUE, limit)]


async def remind_due(db: Connection, now: datetime, limit: int) -> list[UUID]:
    """Open plans that have come due and were not announced yet."""
    text = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    return [row["id"] for row in await db.fetch(REMIND_DUE, limit, text)]


async def wake_chains(db: Connection, chain_ids: Sequence[UUID], arrived: Sequence[UUID]) -> list[UUID]:
    """Something came in to these chains: what waited for an answer has it, what was put off is to be looked at now.
    Returns what changed, without what has just `arrived`."""
    changed = [row["id"] for row in await db.fetch(ANSWERED, list(chain_ids), list(arrived))]
    return changed + [row["id"] for row in await db.fetch(NO_LONGER_PUT_OFF, list(chain_ids), list(arrived))]
