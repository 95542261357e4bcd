"""Who is this? What a person who answers the phone wants to see: the contact, or who it might be, and what was before."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from interactions.access import EVERYTHING, Access
from interactions.contacts import Contact
from interactions.records import Key
from interactions.views import InteractionView
from storage import contacts, lists, lookup
from storage.database import Connection
from storage.lookup import Found, OpenChain

INTERACTIONS_SHOWN = 10
CHAINS_SHOWN = 10
CANDIDATES_SHOWN = 20
LOOKED_BACK = 50  # interactions in which open chains are looked for


@dataclass(frozen=True, slots=True)
class Answer:
    """`found` is None for an address that was never seen."""

    key: Key
    found: Found | None = None
    contact: Contact | None = None
    candidates: Sequence[Contact] = ()
    interactions: Sequence[InteractionView] = ()
    chains: Sequence[OpenChain] = ()


async def who_is(db: Connection, key: Key, seen_by: Access = EVERYTHING) -> Answer:
    """Who has this address. One that spoke only where whoever asks may not look was never seen."""
    found = await lookup.address(db, key)
    if found is None:
        return Answer(key)
    wanted = [one for one in (found.contact_id, *found.candidates[:CANDIDATES_SHOWN]) if one is not None]
    known = await contacts.find_all(db, wanted)
    contact = known.get(found.contact_id) if found.contact_id else None
    recent = await lookup.recent(db, found.address_id, found.contact_id, LOOKED_BACK, seen_by)
    if seen_by.hidden and not recent and not found.own and found.rule in ("none", "domain"):
        return Answer(key)
    return Answer(
        key,
        found,
        contact,
        _candidates(found.candidates, known),
        await lists.views(db, recent[:INTERACTIONS_SHOWN], seen_by),
        await lookup.open_chains(db, recent, CHAINS_SHOWN, seen_by) if recent else (),
    )


def _candidates(ids: Sequence[UUID], known: dict[UUID, Contact]) -> list[Contact]:
    return [known[one] for one in ids if one in known and not known[one].is_gone]
