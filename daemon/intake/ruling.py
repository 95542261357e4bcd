"""The rules of the configuration, applied to what is about to be written."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from daemon.intake.context import IntakeSettings
from interactions.admission import OurSide
from interactions.records import Interaction
from interactions.responsible import choose
from interactions.rules import apply, first_match


def ruled(
    decided: Sequence[Interaction], settings: IntakeSettings, ours: OurSide, now: datetime
) -> tuple[list[Interaction], list[UUID]]:
    """The interactions as the first matching rule of each wants them, and those to be put on control."""
    done: list[Interaction] = []
    on_control: list[UUID] = []
    for one in decided:
        rule = first_match(one, settings.rules)
        if rule is None:
            done.append(one)
            continue
        named = ours.users.get(rule.sets.responsible) if rule.sets.responsible else None
        done.append(apply(one, rule.sets, choose([named], ours.active, ours.standing_in), now))
        if rule.sets.on_control:
            on_control.append(one.id)
    return done, on_control
