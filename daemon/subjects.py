"""Acts on subjects, each within the caller's transaction: made from an interaction or chain, set on a chain.

The chain is held before anything is read of it, so that a reply that arrives at the same moment either sees the subject
or is among the members that get it.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from interactions.subjects import client_of, take_over
from interactions.views import InteractionView
from storage import chains, feed, lists, records, subjects
from storage.database import Connection
from storage.errors import NotFound
from storage.subjects import NewSubject

MEMBERS_MAX = 5000


async def add(
    db: Connection, new: NewSubject, *, interaction_id: UUID | None, chain_id: UUID | None, by: UUID | None
) -> None:
    """Writes a subject; made from an interaction or a chain, it takes over the participants and the whole chain."""
    members: Sequence[InteractionView] = ()
    held: UUID | None = None
    if interaction_id is not None:
        held = await hold_chain_of(db, interaction_id)
        members = await lists.views(db, [interaction_id])
    elif chain_id is not None:
        held = await chains.hold(db, chain_id)
        if held is None:
            raise NotFound(f"there is no chain {chain_id}")
        members = await lists.page(db, lists.Filter(chain_id=held, oldest_first=True, limit=MEMBERS_MAX))
    taken = take_over(person for member in members for person in member.participants)
    client_id = new.client_id or client_of(taken)
    responsible_id = new.responsible_id or next((one.responsible.id for one in members if one.responsible), None)
    await subjects.add(db, replace(new, client_id=client_id, responsible_id=responsible_id), taken)
    changes = [feed.Change("subject.created", new.id)]
    if held is not None:
        changed = await subjects.set_on_chain(db, held, new.id, by)
        changes += [feed.Change("interaction.updated", one) for one in changed]
    await feed.add(db, changes)


async def hold_chain_of(db: Connection, interaction_id: UUID) -> UUID:
    """The chain of an interaction, held. Raises NotFound."""
    chain_id = await records.chain_of(db, interaction_id)
    while chain_id is not None:
        held = await chains.hold(db, chain_id)
        chain_id = await records.chain_of(db, interaction_id)
        if held is not None and chain_id == held:
            return held  # else it was split off while we waited
    raise NotFound(f"there is no interaction {interaction_id}")


async def move(db: Connection, interaction_id: UUID, subject_id: UUID | None, by: UUID | None) -> None:
    """Gives the whole chain of an interaction a subject; None makes its first interaction the subject again."""
    held = await hold_chain_of(db, interaction_id)
    if subject_id is not None and not await subjects.views(db, [subject_id]):
        raise NotFound(f"there is no subject {subject_id}")
    changed = await subjects.set_on_chain(db, held, subject_id, by)
    await feed.add(db, [feed.Change("interaction.updated", one) for one in changed])
