"""Makes contacts of people whom a mail makes known, as `contacts.auto_create` asks (`interactions.newcomers`)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from daemon.contacts import new_id
from interactions.addresses import clean_name
from interactions.admission import KnownAddress
from interactions.contacts import Contact, ContactKind, Coordinate
from interactions.newcomers import newcomers
from interactions.records import Interaction, Key
from storage import addresses, contacts
from storage.database import Connection


async def admit(
    db: Connection, decided: Sequence[Interaction], known: Mapping[Key, KnownAddress], policy: str, now: datetime
) -> int:
    """Makes them, within the caller's transaction; how many. Who was decided to be nobody, or is ignored, stays so."""
    if policy == "never":
        return 0
    first: dict[Key, tuple[str, str]] = {}
    for one in decided:
        for person in newcomers(one, policy):
            assert person.key is not None
            address = known.get(person.key)
            if address is not None and address.contact_id is None and not address.is_ours:
                name = clean_name(person.display_name)
                if person.key not in first or (name and not first[person.key][0]):
                    first[person.key] = (name, person.address)
    nobodys = await addresses.of_nobody(db, [known[key].id for key in first])
    new = [
        Contact(new_id(now), ContactKind.INDIVIDUAL, name or key.value, (Coordinate(key, raw or key.value),))
        for key, (name, raw) in sorted(first.items())
        if known[key].id in nobodys
    ]
    await contacts.add_all(db, new, now.date())
    return len(new)
