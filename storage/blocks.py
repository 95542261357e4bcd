"""The facts of an interaction's type, changed by hand; and plans that are carried out."""

from collections.abc import Mapping
from uuid import UUID

from interactions.records import JsonValue, Kind
from storage.database import Connection

MERGE = """
UPDATE interaction SET block = block || $3::jsonb
WHERE id = $1 AND kind = $2 AND source IS NULL AND deleted_at IS NULL RETURNING id
"""

# A plan may be carried out as several interactions; the first one makes it done, and done needs no more looking at.
CARRY_OUT = """
UPDATE interaction SET
    block = block || jsonb_build_object('state', 'done',
        'carried_out_as', coalesce(block->'carried_out_as', '[]') || to_jsonb($2::text)),
    reviewed = true, review_after = NULL,
    reviewed_at = CASE WHEN reviewed THEN reviewed_at ELSE now() END,
    reviewed_by = CASE WHEN reviewed THEN reviewed_by ELSE $3::uuid END,
    version = version + 1, updated_at = now()
WHERE id = $1 AND kind = 'planned' AND deleted_at IS NULL AND block->>'state' <> 'cancelled' RETURNING id
"""

HOLD_STATE = """
SELECT block->>'state' FROM interaction WHERE id = $1 AND kind = 'planned' AND deleted_at IS NULL FOR UPDATE
"""


async def merge(db: Connection, interaction_id: UUID, kind: Kind, facts: Mapping[str, JsonValue]) -> bool:
    """Changes facts of a record of this type that was entered by hand; says whether it is one."""
    return await db.fetchval(MERGE, interaction_id, kind.value, dict(facts)) is not None


async def carry_out(db: Connection, plan_id: UUID, as_id: UUID, by: UUID | None) -> bool:
    """Says that a plan was carried out as this interaction; False for what is no plan, or was cancelled."""
    return await db.fetchval(CARRY_OUT, plan_id, str(as_id), by) is not None


async def hold_state(db: Connection, plan_id: UUID) -> str | None:
    """The state of a plan, held to the end; None for what is no plan."""
    found: str | None = await db.fetchval(HOLD_STATE, plan_id)
    return found
