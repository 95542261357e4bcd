"""Mails that were too large to be fetched whole, and that somebody wants whole: asked for here, worked off by the source.

    asked ──► tries of whoever runs the source ──► whole: the line is gone, the mail is there
      ▲            TRIES_MAX of them, or a reason ──► failed, with its reason ──┐
      └────────────────────────────── asked for once more ───────────────────────┘

A try counts when it begins, so that a mail that ends every connection is not fetched for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interactions.arrivals import Location
from interactions.records import Attachment
from storage.database import Connection, storable

TRIES_MAX = 3
AT_ONCE_MAX = 20
PLACES_MAX = 20

# The mailbox that it came from, if it lies there still.
ASK = """
INSERT INTO completion (interaction_id, source_id, asked_by)
SELECT $1, s.id, $2 FROM mail_location l JOIN source s ON s.id = l.source_id JOIN interaction i ON i.id = $1
WHERE l.interaction_id = $1 AND l.gone_at IS NULL AND l.uidvalidity > 0 AND s.removed_at IS NULL
ORDER BY s.name <> i.source, s.id LIMIT 1
ON CONFLICT (interaction_id) DO UPDATE SET source_id = excluded.source_id, asked_at = now(), asked_by = excluded.asked_by,
    tries = CASE WHEN completion.failed_at IS NULL THEN completion.tries ELSE 0 END, failed_at = NULL, reason = ''
RETURNING interaction_id
"""

FIND = """
SELECT asked_at, failed_at, reason FROM completion WHERE interaction_id = $1
"""

TRY = """
UPDATE completion SET tries = tries + 1 WHERE interaction_id = ANY(ARRAY(
    SELECT interaction_id FROM completion WHERE source_id = $1 AND failed_at IS NULL ORDER BY asked_at LIMIT $2
    FOR UPDATE SKIP LOCKED))
RETURNING interaction_id, tries
"""

PLACES = """
SELECT interaction_id, folder, uidvalidity, uid FROM mail_location
WHERE interaction_id = ANY($1::uuid[]) AND source_id = $2 AND gone_at IS NULL AND uidvalidity > 0
ORDER BY interaction_id, folder, uid
"""

FAIL = """
UPDATE completion SET failed_at = now(), reason = $2 WHERE interaction_id = $1
"""

DROP = """
DELETE FROM completion WHERE interaction_id = $1
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """How it stands with a mail that was asked for; `reason` is why it could not be had."""

    asked_at: datetime
    failed_at: datetime | None
    reason: str


async def ask(db: Connection, interaction_id: UUID, by: UUID | None) -> bool:
    """Wants a mail whole; whether it still lies on a server that we read."""
    return await db.fetchval(ASK, interaction_id, by) is not None


async def find(db: Connection, interaction_id: UUID) -> Asked | None:
    """How it stands with a mail; None where nobody wants more of it."""
    row = await db.fetchrow(FIND, interaction_id)
    return Asked(*row) if row else None


async def begin(db: Connection, source_id: int) -> list[tuple[UUID, list[Location]]]:
    """Begins a try of the mails that are wanted of a source: each with the places where it may lie. What was tried in
    vain too often is given up."""
    tried = await db.fetch(TRY, source_id, AT_ONCE_MAX)
    for row in tried:
        if row["tries"] > TRIES_MAX:
            await fail(db, row["interaction_id"], f"the connection broke in each of {TRIES_MAX} tries")
    ids = [row["interaction_id"] for row in tried if row["tries"] <= TRIES_MAX]
    places: dict[UUID, list[Location]] = {one: [] for one in ids}
    for row in await db.fetch(PLACES, ids, source_id) if ids else ():
        places[row["interaction_id"]].append(Location(row["folder"], row["uidvalidity"], row["uid"]))
    return [(one, found[:PLACES_MAX]) for one, found in places.items()]


async def fail(db: Connection, interaction_id: UUID, reason: str) -> None:
    """A mail could not be had whole."""
    await db.execute(FAIL, interaction_id, storable(reason)[:1000])


# The whole in place of the part ------------------------------------------------------------------------------------------

KEPT = """
SELECT b.raw_sha256, ARRAY(SELECT jsonb_array_elements_text(i.block->'marks')) AS marks
FROM interaction i JOIN body b ON b.interaction_id = i.id
WHERE i.id = $1 AND i.deleted_at IS NULL AND i.block->'marks' ? 'oversized' FOR UPDATE OF i
"""

PUT_BODY = """
UPDATE body SET body_text = $2, reply_text = $3, raw_sha256 = $4 WHERE interaction_id = $1
"""

PUT_INTERACTION = """
UPDATE interaction SET block = block || jsonb_build_object('marks', $2::jsonb, 'has_html', $3::boolean), excerpt = $4,
    has_attachments = EXISTS (SELECT FROM attachment a WHERE a.interaction_id = $1), version = version + 1,
    updated_at = now()
WHERE id = $1
"""

FILES = """
SELECT n, part FROM attachment WHERE interaction_id = $1
"""

DROP_FILES = """
DELETE FROM attachment WHERE interaction_id = $1 AND part IS NOT NULL
"""

ADD_FILES = """
INSERT INTO attachment (interaction_id, n, name, content_type, size, inline, part)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::text[], $5::bigint[], $6::boolean[], $7::text[])
"""


@dataclass(frozen=True, slots=True)
class Whole:
    """A mail read from all of its bytes."""

    raw_sha256: bytes
    body_text: str
    reply_text: str
    excerpt: str
    has_html: bool
    marks: Sequence[str]
    attachments: Sequence[Attachment]


async def kept_of(db: Connection, interaction_id: UUID) -> tuple[bytes, list[str]] | None:
    """The digest of what is kept of a mail that is not whole, and its marks; held until the transaction ends."""
    row = await db.fetchrow(KEPT, interaction_id)
    return (row["raw_sha256"], row["marks"]) if row else None


async def put(db: Connection, interaction_id: UUID, whole: Whole) -> None:
    """Replaces what was read of the beginning of a mail. Files that were added by people stay, and files that were known
    keep their numbers: links to them go on."""
    before = await db.fetch(FILES, interaction_id)
    numbers = {row["part"]: row["n"] for row in before if row["part"] is not None}
    following = max((row["n"] for row in before), default=-1) + 1
    for file in whole.attachments:
        if file.part not in numbers:
            numbers[file.part] = following
            following += 1
    files = [file for file in whole.attachments if file.part is not None]
    await db.execute(DROP_FILES, interaction_id)
    await db.execute(
        ADD_FILES,
        interaction_id,
        [numbers[file.part] for file in files],
        [storable(file.name) for file in files],
        [storable(file.content_type) for file in files],
        [file.size for file in files],
        [file.inline for file in files],
        [file.part for file in files],
    )
    await db.execute(PUT_BODY, interaction_id, storable(whole.body_text), storable(whole.reply_text), whole.raw_sha256)
    await db.execute(PUT_INTERACTION, interaction_id, list(whole.marks), whole.has_html, storable(whole.excerpt))
    await db.execute(DROP, interaction_id)


async def drop(db: Connection, interaction_id: UUID) -> None:
    """Nobody wants more of this mail."""
    await db.execute(DROP, interaction_id)
