"""Where mails lie on servers: several places for one mail, each written once.

A place of UIDVALIDITY 0 is one whose UID means nothing any more; it still tells which mail had this likeness (size, date
and headers), and so does one that has vanished from the server. Both are kept until an audit drops them, the vanished for
`GRACE_DAYS`. The interaction stays, whatever becomes of its places.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interactions.arrivals import Likeness, Location
from storage.database import Connection

GRACE_DAYS = 7

KNOWN = """
SELECT uid FROM mail_location WHERE source_id = $1 AND folder = $2 AND uidvalidity = $3 AND uid = ANY($4::bigint[])
"""

ADD = """
INSERT INTO mail_location (source_id, folder, uidvalidity, uid, interaction_id, quarantine_id, size, received_at,
    head_sha256)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::uuid[], $6::uuid[], $7::bigint[],
    $8::timestamptz[], $9::bytea[])
ON CONFLICT DO NOTHING
"""


OF_INTERACTION = """
SELECT s.name, l.folder, l.uid FROM mail_location l JOIN source s ON s.id = l.source_id
WHERE l.interaction_id = $1 AND l.gone_at IS NULL ORDER BY s.name, l.folder, l.uid LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """A location and what lies there: an interaction, or a mail in quarantine, and how it is recognised elsewhere."""

    location: Location
    interaction_id: UUID | None
    quarantine_id: UUID | None = None
    size: int | None = None
    received_at: datetime | None = None
    head_sha256: bytes | None = None


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
            [one.size for one in placed],
            [one.received_at for one in placed],
            [one.head_sha256 for one in placed],
        )


async def of_interaction(db: Connection, interaction_id: UUID) -> list[tuple[str, str, int]]:
    """Where a mail lies: mailbox, folder, UID."""
    return [(row["name"], row["folder"], row["uid"]) for row in await db.fetch(OF_INTERACTION, interaction_id)]


# The same mail at another place ----------------------------------------------------------------------------------------

ALIKE = """
SELECT n.n FROM unnest($2::bigint[], $3::timestamptz[], $4::bytea[]) WITH ORDINALITY AS n (size, at, head, n)
WHERE EXISTS (SELECT FROM mail_location l WHERE l.source_id = $1 AND l.received_at = n.at AND l.size = n.size
    AND (n.head IS NULL OR l.head_sha256 = n.head) AND l.interaction_id IS NOT NULL)
"""

PLACE_ALIKE = """
INSERT INTO mail_location (source_id, folder, uidvalidity, uid, interaction_id, size, received_at, head_sha256)
SELECT $1, n.folder, n.uidvalidity, n.uid, same.interaction_id, n.size, n.at, n.head
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bytea[])
    AS n (folder, uidvalidity, uid, size, at, head)
CROSS JOIN LATERAL (SELECT l.interaction_id FROM mail_location l WHERE l.source_id = $1 AND l.received_at = n.at
    AND l.size = n.size AND l.head_sha256 = n.head AND l.interaction_id IS NOT NULL LIMIT 1) same
ON CONFLICT DO NOTHING
"""


async def alike(db: Connection, source_id: int, mails: Sequence[Likeness]) -> list[Likeness]:
    """Those of these mails that lie at another place of this mailbox already, as far as can be told."""
    rows = await db.fetch(
        ALIKE,
        source_id,
        [one.size for one in mails],
        [one.received_at for one in mails],
        [one.head_sha256 or None for one in mails],
    )
    return [mails[row["n"] - 1] for row in rows]


async def place_alike(db: Connection, source_id: int, mails: Sequence[Likeness]) -> None:
    """Remembers further places of mails that are known by their likeness. Whose likeness is gone by now gets none."""
    if mails:
        await db.execute(
            PLACE_ALIKE,
            source_id,
            [one.location.folder for one in mails],
            [one.location.uidvalidity for one in mails],
            [one.location.uid for one in mails],
            [one.size for one in mails],
            [one.received_at for one in mails],
            [one.head_sha256 for one in mails],
        )


# Comparing with the server -----------------------------------------------------------------------------------------------

PLACED = """
SELECT uid, received_at FROM mail_location WHERE source_id = $1 AND folder = $2 AND uidvalidity = $3
"""

DROP_MEANINGLESS = """
DELETE FROM mail_location WHERE source_id = $1 AND folder = $2 AND uidvalidity = 0
"""

FORGET = """
UPDATE mail_location SET uidvalidity = 0, gone_at = coalesce(gone_at, now())
WHERE source_id = $1 AND folder = $2 AND uidvalidity = $3 AND uid >= $4
"""

MARK_GONE = """
UPDATE mail_location SET gone_at = CASE WHEN gone_at IS NULL THEN now() END
WHERE source_id = $1 AND folder = $2 AND uidvalidity = $3 AND (uid = ANY($4::bigint[])) = (gone_at IS NULL)
"""

DROP_OLD = """
DELETE FROM mail_location WHERE source_id = $1 AND folder = $2
    AND (uidvalidity <> $3 OR gone_at < now() - make_interval(days => $4))
"""


async def placed(db: Connection, source_id: int, folder: str, uidvalidity: int) -> dict[int, datetime | None]:
    """The UIDs of a folder that we have, and when those mails arrived."""
    rows = await db.fetch(PLACED, source_id, folder, uidvalidity)
    return {row["uid"]: row["received_at"] for row in rows}


async def forget(db: Connection, source_id: int, folder: str, uidvalidity: int, from_uid: int) -> None:
    """These UIDs mean other mails from now on; what lay there is recognised by its likeness."""
    await db.execute(DROP_MEANINGLESS, source_id, folder)
    await db.execute(FORGET, source_id, folder, uidvalidity, from_uid)


async def mark_gone(db: Connection, source_id: int, folder: str, uidvalidity: int, gone: Sequence[int]) -> None:
    """These places are gone from the server and the others are there; what has been gone for long is dropped, and so
    are places of other generations of the folder."""
    await db.execute(MARK_GONE, source_id, folder, uidvalidity, list(gone))
    await db.execute(DROP_OLD, source_id, folder, uidvalidity, GRACE_DAYS)
