"""Contacts that may be one: of one INN and KPP, or of one address and names that are alike.

Only suggestions come of it; a person merges (`daemon.merging`). Whoever shares an address without being called alike
(a family, a switchboard) is none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from interactions.contacts import ContactKind, are_alike
from storage.database import Connection

BY_INN = """
SELECT inn, array_agg(id ORDER BY id) AS ids FROM contact
WHERE inn IS NOT NULL AND deleted_at IS NULL AND merged_into IS NULL
GROUP BY inn, coalesce(kpp, '') HAVING count(*) > 1 ORDER BY inn, coalesce(kpp, '') LIMIT $1
"""

BY_ADDRESS = """
SELECT a.value, array_agg(c.id ORDER BY c.id) AS ids, array_agg(c.name ORDER BY c.id) AS names,
    array_agg(c.kind ORDER BY c.id) AS kinds
FROM address a JOIN address_owner o ON o.address_id = a.id JOIN contact c ON c.id = o.contact_id
WHERE a.candidates <> '{}' AND o.until IS NULL AND c.deleted_at IS NULL AND c.merged_into IS NULL
GROUP BY a.id HAVING count(*) > 1 ORDER BY a.id LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Contacts that may be one, why (`inn` or `address`), and what they share."""

    reason: str
    value: str
    contact_ids: tuple[UUID, ...]


async def find(db: Connection, limit: int) -> list[Duplicates]:
    """Suggestions: first those of one INN, each group once."""
    found = [Duplicates("inn", row["inn"], tuple(row["ids"])) for row in await db.fetch(BY_INN, limit)]
    for row in await db.fetch(BY_ADDRESS, limit):
        found += [Duplicates("address", row["value"], ids) for ids in _alike(row)]
    once = {one.contact_ids: one for one in reversed(found)}
    return [one for one in found if once[one.contact_ids] is one][:limit]


def _alike(row: Any) -> Iterator[tuple[UUID, ...]]:
    """Those of one address who are of one sort and called alike, each group by its first."""
    left = list(zip(row["ids"], row["names"], row["kinds"], strict=True))
    while left:
        first, *left = left
        group = [
            one for one in left
            if (one[2] == ContactKind.PARTNER) == (first[2] == ContactKind.PARTNER) and are_alike(one[1], first[1])
        ]  # fmt: skip
        if group:
            yield (first[0], *(one[0] for one in group))
        left = [one for one in left if one not in group]
