"""Chains merged and split by hand, and both taken back, each within the caller's transaction."""

from typing import cast
from uuid import UUID, uuid4

from interactions.records import Json, JsonValue, uuid7
from storage import chains, feed, lists, records, regroup, undo
from storage.database import Connection
from storage.errors import Conflict, NotFound

MERGE = "chain merge"
SPLIT = "chain split"


async def merge(db: Connection, chain_id: UUID, into: UUID, by: UUID | None) -> tuple[UUID, str]:
    """Puts one chain into another: the chain that holds all now, and the token that takes it back."""
    held = await regroup.hold_both(db, chain_id, into)
    source, target = held[chain_id], held[into]
    if source is None or target is None:
        raise NotFound(f"there is no chain {chain_id if source is None else into}")
    if source == target:
        raise Conflict("these are one chain already")
    moved = await regroup.members(db, source)
    subjects = await regroup.subjects_of(db, [source, target])
    redirects = await regroup.redirects(db, source)
    await chains.merge(db, {source: target})
    await regroup.mark_manual(db, moved)
    await regroup.pin_together(db, target)
    image: dict[str, JsonValue] = {
        "source": str(source),
        "target": str(target),
        "members": [str(one) for one in moved],
        "redirects": [str(one) for one in redirects],
        "subject": _text(subjects[target]),
    }
    token = await undo.add(db, MERGE, image, by)
    await feed.add(db, [feed.Change("chain.merged", source, {"into": str(target)})])
    await feed.add(db, [feed.Change("interaction.updated", one) for one in moved])
    return target, token


async def split(db: Connection, chain_id: UUID, interaction_id: UUID, by: UUID | None) -> tuple[UUID, str]:
    """Takes one member out of its chain: the new chain, and the token that takes it back."""
    held = await chains.hold(db, chain_id)
    view = await lists.find(db, interaction_id)
    if held is None or view is None or await records.chain_of(db, interaction_id) != held:
        raise NotFound(f"the chain {chain_id} has no member {interaction_id}")
    if view.chain_size < 2:
        raise Conflict("it is the only member of its chain; there is nothing to split")
    new = uuid7(view.occurred_at, uuid4().bytes)
    await regroup.open_for(db, new, interaction_id)
    await regroup.move(db, [interaction_id], held, new)
    await regroup.mark_manual(db, [interaction_id])
    await regroup.pin_apart(db, held, new)
    image: dict[str, JsonValue] = {"source": str(new), "target": str(held), "members": [str(interaction_id)]}
    token = await undo.add(db, SPLIT, image, by)
    await feed.add(db, [feed.Change("chain.split", held, {"into": str(new)})])
    await feed.add(db, [feed.Change("interaction.updated", interaction_id)])
    return new, token


async def take_back_merge(db: Connection, image: Json) -> None:
    """Moves the members back into the chain they came from (`daemon.undo`)."""
    source, target = UUID(str(image["source"])), UUID(str(image["target"]))
    await regroup.hold_both(db, source, target)
    if not await regroup.reopen(db, source, target):
        raise Conflict("the chain was merged further since; take that back first")
    moved, led = ([UUID(str(one)) for one in cast("list[JsonValue]", image[name])] for name in ("members", "redirects"))
    await regroup.lead_back(db, led, source, target)
    there = set(await regroup.members(db, target))
    back = [one for one in moved if one in there]
    await regroup.move(db, back, target, source)
    for chain_id in (source, target):
        await regroup.pin_together(db, chain_id)
    subjects = await regroup.subjects_of(db, [source, target])
    if image["subject"] is None and subjects[target] == subjects[source]:
        await regroup.set_subject(db, target, None)  # it came with the merge; one that was given since stays
    await feed.add(db, [feed.Change("chain.split", target, {"into": str(source)})])
    await feed.add(db, [feed.Change("interaction.updated", one) for one in back])


async def take_back_split(db: Connection, image: Json) -> None:
    """Merges the split member, and what has followed it, into the chain it came from (`daemon.undo`)."""
    source, target = UUID(str(image["source"])), UUID(str(image["target"]))
    held = await regroup.hold_both(db, source, target)
    if held[source] != source or held[target] != target:
        raise Conflict("these chains were merged since; take that back first")
    moved = await regroup.members(db, source)
    subjects = await regroup.subjects_of(db, [target])
    await chains.merge(db, {source: target})
    await regroup.set_subject(
        db, target, subjects[target]
    )  # it keeps its own, or none; a merge would bring the other's
    await regroup.pin_together(db, target)
    await feed.add(db, [feed.Change("chain.merged", source, {"into": str(target)})])
    await feed.add(db, [feed.Change("interaction.updated", one) for one in moved])


def _text(one: UUID | None) -> str | None:
    return str(one) if one else None
