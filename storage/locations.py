"""Where mails lie on servers: several places for one mail, each written once."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from interactions.arrivals import Location
from storage.database import Connection

KNOWN = """
SELECT uid FROM mail_location WHERE source_id = $1 AND folder = $2 AND uidvalidity = $3 AND uid = ANY($4::bigint[])
"""

ADD = """
INSERT INTO mail_location (source_id, folder, uidvalidity, uid, interaction_id, quarantine_id)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::uuid[], $6::uuid[])
ON CONFLICT DO NOTHING
"""


OF_INTERACTION = """
SELECT s.name, l.folder, l.uid FROM mail_location l JOIN source s ON s.id = l.source_id
WHERE l.interaction_id = $1 ORDER BY s.name, l.folder, l.uid LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """A location and what lies there: an interaction, or a mail in quarantine."""

    location: Location
    interaction_id: UUID | None
    quarantine_id: UUID | None = None


async def known(db: Connection, source_id: int, folder: str, uidvalidity: int, uids: Sequence[int]) -> set[int]:
    """Which of these mails we have."""
    return {row["uid"] for row in await db.fetch(KNOWN, source_id, folder, uidvalidity, list(uids))}


async def add_all(db: Connection, source_id: int, placed: Sequence[Placed]) -> None:
    """Remembers where mails lie."""
    if placed:
        await db.execute(
            ADD,
            source_id,
            [one.location.folder for one in placed],
            [one.location.uidvalidity for one in placed],
            [one.location.uid for one in placed],
            [one.interaction_id for one in placed],
            [one.quarantine_id for one in placed],
        )


async def of_interaction(db: Connection, interaction_id: UUID) -> list[tuple[str, str, int]]:
    """Where a mail lies: mailbox, folder, UID."""
    return [(row["name"], row["folder"], row["uid"]) for row in await db.fetch(OF_INTERACTION, interaction_id)]
