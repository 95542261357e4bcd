"""One contact that is two: some of its addresses, and with them all that came from them, go to a new one.

The new contact is what is said of it, of the kind of the old one unless another is given, and serves whom the old one
serves. What was remembered of those addresses counts for it. What a person decided for single participants stays.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from daemon import contacts as acts
from daemon import matching
from daemon.contacts import Fields, Invalid, Spelling, live, new_id
from interactions.contacts import Contact, ContactKind
from interactions.records import Key
from storage import addresses, contacts, decisions, snapshots, undo
from storage.database import Connection


async def split(
    db: Connection, contact_id: UUID, keys: Collection[Key], fields: Fields, spelling: Spelling, by: UUID | None,
    now: datetime,
) -> tuple[Contact, str]:  # fmt: skip
    """Makes a new contact of some addresses; the token takes it back. Raises NotFound, Gone and Invalid."""
    made = new_id(now)
    before = await snapshots.take(db, [contact_id, made])
    old = live(await contacts.find(db, contact_id, hold=True), contact_id)
    _check(old, keys)
    touched = await addresses.of_contacts(db, [contact_id])
    moved = [one for one in old.coordinates if one.key in keys]
    left = replace(old, coordinates=tuple(one for one in old.coordinates if one.key not in keys))
    await contacts.change_all(db, [(old, left)], now.date())
    given: Fields = {"kind": old.kind, "partners": old.employments, **fields}
    if given["kind"] is ContactKind.PARTNER:
        given.pop("partners")
    new = await acts.add(db, given, spelling, now, moved, new_as=made)
    known = await addresses.claim(db, keys)
    await decisions.hand_over(db, [one.id for one in known.values()], contact_id, made)
    await addresses.resolve(db, {*touched, *(one.id for one in known.values())}, now.date())
    return new, await undo.add(db, matching.KIND, await snapshots.seal(db, before), by)


def _check(old: Contact, keys: Collection[Key]) -> None:
    if old.kind is ContactKind.USER:
        raise Invalid([("emails", "a user keeps its addresses")])
    foreign = sorted(key.value for key in set(keys) - old.keys)
    if not keys or foreign:
        raise Invalid([("emails", f"the contact has no address {foreign[0]!r}" if foreign else "or phones are needed")])
