"""Who answers for what arrives: the first that applies.

Who answered → the extension rung → the contact's own responsible → the line's or mailbox's → nobody. Whoever is disabled or
away is stood in for: by the deputy, else by the head of the department; where neither is there, the next one is asked.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

NOBODY: Mapping[UUID, UUID] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Colleague:
    """One of us, and who could stand in."""

    id: UUID
    is_disabled: bool = False
    is_away: bool = False
    deputy_id: UUID | None = None
    head_id: UUID | None = None

    @property
    def is_there(self) -> bool:
        return not self.is_disabled and not self.is_away


def stand_ins(colleagues: Iterable[Colleague]) -> dict[UUID, UUID]:
    """Who answers in the place of each one who is not there; without those for whom nobody does."""
    by_id = {one.id: one for one in colleagues}
    found: dict[UUID, UUID] = {}
    for one in by_id.values():
        if one.is_there:
            continue
        for other in (one.deputy_id, one.head_id):
            if other is not None and other != one.id and other in by_id and by_id[other].is_there:
                found[one.id] = other
                break
    return found


def choose(
    candidates: Iterable[UUID | None], active: Collection[UUID], standing_in: Mapping[UUID, UUID] = NOBODY
) -> UUID | None:
    """The first candidate who is there (`active`), or who is stood in for."""
    for one in candidates:
        if one is None:
            continue
        if one in active:
            return one
        if one in standing_in:
            return standing_in[one]
    return None
