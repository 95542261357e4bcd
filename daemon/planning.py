"""Plans: a planned interaction is carried out as one or several interactions of any type, in its own chain.

One that repeats is followed by the next one of its series as soon as it is done: in the same chain, with the same words and
people, due when the rule says (`interactions.plans`). One that is cancelled ends its series.
"""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from daemon.intake import manual
from daemon.intake.context import IntakeSettings
from interactions.plans import next_due
from interactions.records import Importance, Kind, Role
from interactions.views import InteractionView
from storage import blocks, feed
from storage.database import Connection
from storage.errors import Conflict


async def carry_out(
    db: Connection,
    plan: InteractionView,
    draft: manual.Draft,
    settings: IntakeSettings,
    zone: ZoneInfo,
    by: UUID | None,
) -> UUID:
    """Writes what became of a plan, based on it, and marks the plan as done. Raises Conflict for what is no open plan."""
    if plan.kind != Kind.PLANNED:
        raise Conflict("only a planned interaction can be carried out")
    state = await blocks.hold_state(db, plan.id)
    responsible = draft.responsible_id or (plan.responsible.id if plan.responsible else None)
    wanted = replace(draft, based_on_id=plan.id, author_id=by, responsible_id=responsible)
    new_id = await manual.admit(db, wanted, settings, datetime.now(UTC))
    if not await blocks.carry_out(db, plan.id, new_id, by):
        raise Conflict("this plan was cancelled; open it again first")
    await feed.add(db, [feed.Change("interaction.updated", plan.id)])
    if state == "open":
        await follow(db, plan, settings, zone, datetime.now(UTC))
    return new_id


async def follow(
    db: Connection, plan: InteractionView, settings: IntakeSettings, zone: ZoneInfo, now: datetime
) -> UUID | None:
    """Writes the next plan of a series, now that this one is done; None where there is none."""
    rule, due_at = plan.block.get("repeats"), plan.block.get("due_at")
    if not isinstance(rule, str) or not isinstance(due_at, str):
        return None
    due = next_due(rule, datetime.fromisoformat(due_at), now, zone)
    if due is None:
        return None
    draft = manual.Draft(
        kind=Kind.PLANNED,
        topic=plan.topic,
        description=plan.description,
        importance=Importance(plan.importance),
        responsible_id=plan.responsible.id if plan.responsible else None,
        author_id=plan.author.id if plan.author else None,
        based_on_id=plan.id,
        tags=plan.tags,
        extra=plan.extra,
        block={
            "due_at": due.at.isoformat().replace("+00:00", "Z"),
            "repeats": due.rule or None,
            "intended_type": plan.block.get("intended_type"),
        },
        participants=tuple(
            (
                Role(one.role),
                one.display_name,
                one.address,
                one.contact.id if one.contact and one.origin == "manual" else None,
            )
            for one in plan.participants
        ),
    )
    return await manual.admit(db, draft, settings, now)
