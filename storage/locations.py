"""Where mails lie on servers: several places for one mail, each written once.

A place of UIDVALIDITY 0 is one whose UID means nothing any more; it still tells which mail had this likeness (size, date
and headers, or the name that the server gives it wherever it lies), and so does one that has vanished from the server. Both
are kept until an audit drops them, the vanished for `GRACE_DAYS`. The interaction stays, whatever becomes of its places.

`seen` is the server's \\Seen as it was last heard of, where it is followed (`handled_elsewhere`). Only a change of it says
anything of the interaction, so that what people set here stays; a mail found at a new place brings along what was known
of it, and what has changed meanwhile is a change still.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interactions.arrivals import Likeness, Location
from storage.database import Connection

GRACE_DAYS = 7
PLACED_AT_ONCE = 50_000

KNOWN = """
SELECT uid FROM mail_location WHERE source_id = $1 AND folder = $2 AND uidvalidity = $3 AND uid = ANY($4::bigint[])
"""

ADD = """
INSERT INTO mail_location (source_id, folder, uidvalidity, uid, interaction_id, quarantine_id, size, received_at,
    head_sha256, mail_id, thread_id, labels, seen)
SELECT $1, n.folder, n.uidvalidity, n.uid, n.interaction_id, n.quarantine_id, n.size, n.at, n.head, n.mail_id,
    n.thread_id, string_to_array(n.labels, E'\\n'), n.seen
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::uuid[], $6::uuid[], $7::bigint[], $8::timestamptz[],
    $9::bytea[], $10::text[], $11::text[], $12::text[], $13::boolean[])
    AS n (folder, uidvalidity, uid, interaction_id, quarantine_id, size, at, head, mail_id, thread_id, labels, seen)
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
    mail_id: str | None = None
    thread_id: str | None = None
    labels: tuple[str, ...] = ()
    seen: bool | None = None


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
            [one.mail_id for one in placed],
            [one.thread_id for one in placed],
            [_joined(one.labels) for one in placed],
            [one.seen for one in placed],
        )


def _joined(labels: Sequence[str]) -> str | None:
    """Labels as one text, which is how an array of arrays gets into the database; none: there are none."""
    return "\n".join(one.replace("\n", " ").replace("\0", "") for one in labels) or None


async def of_interaction(db: Connection, interaction_id: UUID) -> list[tuple[str, str, int]]:
    """Where a mail lies: mailbox, folder, UID."""
    return [(row["name"], row["folder"], row["uid"]) for row in await db.fetch(OF_INTERACTION, interaction_id)]


# The same mail at another place ----------------------------------------------------------------------------------------

SAME = """
SELECT n.n FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS n (mail_id, size, n)
WHERE EXISTS (SELECT FROM mail_location l WHERE l.source_id = $1 AND l.mail_id = n.mail_id AND l.size = n.size
    AND l.interaction_id IS NOT NULL)
"""

# Some servers write headers anew each time: there the same sender, date, topic and Message-ID will do.
ALIKE = """
SELECT n.n FROM unnest($2::bigint[], $3::timestamptz[], $4::bytea[], $5::bytea[]) WITH ORDINALITY
    AS n (size, at, head, identity, n)
LEFT JOIN origin o ON o.space = 'mail' AND o.key = n.identity
WHERE EXISTS (SELECT FROM mail_location l WHERE l.source_id = $1 AND l.received_at = n.at AND l.size = n.size
    AND (n.head IS NULL OR l.head_sha256 = n.head OR l.interaction_id = o.interaction_id) AND l.interaction_id IS NOT NULL)
"""

PLACE_ALIKE = """
INSERT INTO mail_location (source_id, folder, uidvalidity, uid, interaction_id, size, received_at, head_sha256, mail_id,
    thread_id, labels, seen)
SELECT $1, n.folder, n.uidvalidity, n.uid, same.interaction_id, n.size, n.at, coalesce(n.head, same.head_sha256),
    n.mail_id, n.thread_id, string_to_array(n.labels, E'\\n'), same.seen
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bytea[], $8::bytea[],
    $9::text[], $10::text[], $11::text[])
    AS n (folder, uidvalidity, uid, size, at, head, identity, mail_id, thread_id, labels)
LEFT JOIN origin o ON o.space = 'mail' AND o.key = n.identity
CROSS JOIN LATERAL (
    (SELECT l.interaction_id, l.head_sha256, l.seen FROM mail_location l WHERE l.source_id = $1
        AND l.mail_id = n.mail_id AND l.size = n.size AND l.interaction_id IS NOT NULL LIMIT 1)
    UNION ALL
    (SELECT l.interaction_id, l.head_sha256, l.seen FROM mail_location l WHERE l.source_id = $1
        AND l.received_at = n.at AND l.size = n.size AND (l.head_sha256 = n.head OR l.interaction_id = o.interaction_id)
        AND l.interaction_id IS NOT NULL LIMIT 1)
    LIMIT 1) same
ON CONFLICT DO NOTHING
"""


async def same(db: Connection, source_id: int, mails: Sequence[Likeness]) -> list[Likeness]:
    """Those of these mails that lie at another place of this mailbox already, by the names that the server gives them."""
    rows = await db.fetch(SAME, source_id, [one.mail_id for one in mails], [one.size for one in mails])
    return [mails[row["n"] - 1] for row in rows]


async def alike(db: Connection, source_id: int, mails: Sequence[Likeness]) -> list[Likeness]:
    """Those of these mails that lie at another place of this mailbox already, as far as can be told."""
    rows = await db.fetch(
        ALIKE,
        source_id,
        [one.size for one in mails],
        [one.received_at for one in mails],
        [one.head_sha256 or None for one in mails],
        [one.identity or None for one in mails],
    )
    return [mails[row["n"] - 1] for row in rows]


async def place_alike(db: Connection, source_id: int, mails: Sequence[Likeness]) -> None:
    """Remembers further places of mails that are known by name or likeness. Whose likeness is gone by now gets none."""
    if mails:
        await db.execute(
            PLACE_ALIKE,
            source_id,
            [one.location.folder for one in mails],
            [one.location.uidvalidity for one in mails],
            [one.location.uid for one in mails],
            [one.size for one in mails],
            [one.received_at for one in mails],
            [one.head_sha256 or None for one in mails],
            [one.identity or None for one in mails],
            [one.mail_id for one in mails],
            [one.thread_id for one in mails],
            [_joined(one.labels) for one in mails],
        )


# Comparing with the server -----------------------------------------------------------------------------------------------

PLACED = """
SELECT array_agg(uid) FROM (SELECT uid FROM mail_location WHERE source_id = $1 AND folder = $2 AND uidvalidity = $3
    AND uid > $4 ORDER BY uid LIMIT $5) AS page
"""

ARRIVED = """
SELECT uid, received_at FROM mail_location WHERE source_id = $1 AND folder = $2 AND uidvalidity = $3
    AND uid = ANY($4::bigint[]) AND received_at IS NOT NULL
"""

MARK_VANISHED = """
UPDATE mail_location l SET gone_at = now() FROM unnest($4::bigint[], $5::bigint[]) AS v (first, last)
WHERE l.source_id = $1 AND l.folder = $2 AND l.uidvalidity = $3 AND l.uid BETWEEN v.first AND v.last AND l.gone_at IS NULL
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


async def placed(db: Connection, source_id: int, folder: str, uidvalidity: int, above: int = 0) -> list[int]:
    """The UIDs of a folder that we have, ascending; a page of those above one of them."""
    found: list[int] | None = await db.fetchval(PLACED, source_id, folder, uidvalidity, above, PLACED_AT_ONCE)
    return found or []


async def arrived(
    db: Connection, source_id: int, folder: str, uidvalidity: int, uids: Sequence[int]
) -> dict[int, datetime]:
    """When these mails of a folder arrived at the server, as far as we know."""
    rows = await db.fetch(ARRIVED, source_id, folder, uidvalidity, list(uids))
    return {row["uid"]: row["received_at"] for row in rows}


async def mark_vanished(
    db: Connection, source_id: int, folder: str, uidvalidity: int, ranges: Sequence[tuple[int, int]]
) -> None:
    """The places with these UIDs, from first to last, are gone from the server."""
    firsts, lasts = [first for first, _ in ranges], [last for _, last in ranges]
    await db.execute(MARK_VANISHED, source_id, folder, uidvalidity, firsts, lasts)


async def forget(db: Connection, source_id: int, folder: str, uidvalidity: int, from_uid: int) -> None:
    """These UIDs mean other mails from now on; what lay there is recognised by its likeness."""
    await db.execute(DROP_MEANINGLESS, source_id, folder)
    await db.execute(FORGET, source_id, folder, uidvalidity, from_uid)


async def mark_gone(db: Connection, source_id: int, folder: str, uidvalidity: int, gone: Sequence[int]) -> None:
    """These places are gone from the server and the others are there; what has been gone for long is dropped, and so
    are places of other generations of the folder."""
    await db.execute(MARK_GONE, source_id, folder, uidvalidity, list(gone))
    await db.execute(DROP_OLD, source_id, folder, uidvalidity, GRACE_DAYS)


# From folder to folder, however much lies in each. What has no UIDVALIDITY stays for its likeness.
DROP_OTHERS = """
WITH RECURSIVE there AS (
    (SELECT folder FROM mail_location WHERE source_id = $1 ORDER BY folder LIMIT 1)
    UNION ALL
    SELECT (SELECT l.folder FROM mail_location l WHERE l.source_id = $1 AND l.folder > there.folder
        ORDER BY l.folder LIMIT 1)
    FROM there WHERE there.folder IS NOT NULL)
DELETE FROM mail_location l USING there
WHERE l.source_id = $1 AND l.folder = there.folder AND NOT (there.folder = ANY($2::text[])) AND l.uidvalidity <> 0
"""


async def drop_others(db: Connection, source_id: int, folders: Sequence[str]) -> None:
    """There are these folders and no others: places in others are gone, those of which no checkpoint tells too. A kill may
    have left them: what is recognised is placed before the checkpoint of a folder is written."""
    await db.execute(DROP_OTHERS, source_id, list(folders))


# What the server's flags say ----------------------------------------------------------------------------------------------

# Of a mail of which nothing was known before, only that it was seen says anything.
FOLLOW_SEEN = """
WITH changed AS (
    SELECT l.uid, l.interaction_id, l.seen AS was, told.seen FROM mail_location l
    JOIN unnest($4::bigint[], $5::boolean[]) AS told (uid, seen) ON told.uid = l.uid
    WHERE l.source_id = $1 AND l.folder = $2 AND l.uidvalidity = $3 AND l.seen IS DISTINCT FROM told.seen),
kept AS (
    UPDATE mail_location l SET seen = changed.seen FROM changed
    WHERE l.source_id = $1 AND l.folder = $2 AND l.uidvalidity = $3 AND l.uid = changed.uid)
UPDATE interaction i SET reviewed = now_.seen, reviewed_at = CASE WHEN now_.seen THEN now() END, reviewed_by = NULL,
    review_after = NULL, version = version + 1, updated_at = now()
FROM (SELECT interaction_id, bool_or(seen) AS seen FROM changed WHERE was IS NOT NULL OR seen GROUP BY 1) now_
WHERE i.id = now_.interaction_id AND i.deleted_at IS NULL AND i.reviewed <> now_.seen RETURNING i.id
"""


async def follow_seen(
    db: Connection, source_id: int, folder: str, uidvalidity: int, seen: Mapping[int, bool]
) -> list[UUID]:
    """Takes up \\Seen of mails of a folder, and passes changes on to their interactions; which have changed. Mails that
    we do not have are nothing to us."""
    rows = await db.fetch(FOLLOW_SEEN, source_id, folder, uidvalidity, list(seen), list(seen.values()))
    return [row["id"] for row in rows]
