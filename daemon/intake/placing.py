"""Mails into their chains: what is locked and read before the decision, and what is written after it.

A mail that is here already may come again in another mailbox, whose server has it in a conversation that we did not know of:
an *echo*, which may join chains as a new mail does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from interactions.admission import ReadMail, threadable
from interactions.chains import Placement, place
from interactions.records import Interaction
from interactions.threads import House, Shared, Threadable, provider_thread
from storage import chains, feed, threads, weaving
from storage.database import Connection


def facts_of(
    mails: Sequence[ReadMail],
    copies: Sequence[ReadMail],
    ids: Mapping[bytes, UUID],
    house: House,
    ready: Mapping[UUID, Threadable],
) -> tuple[list[Threadable], list[tuple[UUID, Shared]]]:
    """The facts of new mails, some of which may be `ready`, and the echoes of others among all copies of a batch."""
    facts = {read.interaction_id: ready.get(read.interaction_id) or threadable(read, house) for read in mails}
    echoes: dict[tuple[UUID, Shared], None] = {}
    for read in copies:
        shared, mail_id = provider_thread(read.arrival), ids[read.identity]
        if shared is None:
            continue
        new = facts.get(mail_id)
        if new is None:
            echoes.setdefault((mail_id, shared))
        elif shared not in new.shared:
            facts[mail_id] = replace(new, shared=(*new.shared, shared))
    return list(facts.values()), list(echoes)


async def decide(db: Connection, mails: Sequence[Threadable], echoes: Sequence[tuple[UUID, Shared]]) -> Placement:
    """Where mails go; all that this rests on is locked."""
    unclear: frozenset[UUID] = frozenset()
    while True:
        known = await weaving.claim(db, mails, echoes, unclear)
        placement = place(mails, known, uuid4().bytes)
        if placement.unclear <= unclear:
            break
        unclear |= placement.unclear
    await threads.share(db, known.echoes)
    return placement


async def write(
    db: Connection, placement: Placement, mails: Sequence[Threadable], members: Sequence[Interaction]
) -> list[feed.Change]:
    """Lets chains grow, part and merge, before the members are added; returns what others are to be told."""
    left = await chains.move(db, placement.moved)
    await chains.extend(db, members)
    await chains.merge(db, placement.merged)
    await chains.save_refs(db, placement)
    await threads.save_all(db, mails)
    stored = {mail_id: link for mail_id, link in placement.link_of.items() if mail_id not in placement.chain_of}
    await chains.relink(db, stored)
    await chains.describe(db, placement)
    split = dict.fromkeys((source, placement.moved[mail_id]) for mail_id, source in left.items())
    changes = [feed.Change("chain.split", source, {"into": str(to)}) for source, to in split]
    changes += [feed.Change("chain.merged", gone, {"into": str(to)}) for gone, to in placement.merged.items()]
    changes += [feed.Change("interaction.updated", one) for one in sorted({*placement.moved, *stored})]
    return changes
