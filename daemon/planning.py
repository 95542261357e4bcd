"""Plans: a planned interaction is carried out as one or several interactions of any type, in its own chain."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from daemon.intake import manual
from daemon.intake.context import IntakeSettings
from interactions.records import Kind
from interactions.views import InteractionView
from storage import blocks, feed
from storage.database import Connection
from storage.errors import Conflict


async def carry_out(
    db: Connection, plan: InteractionView, draft: manual.Draft, settings: IntakeSettings, by: UUID | None
) -> UUID:
    """Writes what became of a plan, based on it, and marks the plan as done. Raises Conflict for what is no open plan."""
    if plan.kind != Kind.PLANNED:
        raise Conflict("only a planned interaction can be carried out")
    responsible = draft.responsible_id or (plan.responsible.id if plan.responsible else None)
    wanted = replace(draft, based_on_id=plan.id, author_id=by, responsible_id=responsible)
    new_id = await manual.admit(db, wanted, settings, datetime.now(UTC))
    if not await blocks.carry_out(db, plan.id, new_id, by):
        raise Conflict("this plan was cancelled; open it again first")
    await feed.add(db, [feed.Change("interaction.updated", plan.id)])
    return new_id
