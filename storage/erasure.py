"""Everything that is held of a person: found, and taken out in one transaction.

    held = await hold(db, contact_id)            whose data it is: contacts, addresses, interactions; locked
    counts = await wipe(db, held, removes, now)  gone from the tables; where the bytes of files lie is noted in `erased_range`

The journal, the quarantine and the act itself are in `storage.erased`.

Of an interaction its bones stay (type, times, direction, result, who of ours had it), so that figures of the past do not
change; its words, files, original bytes and the events that it was made from go, and the person's part in it is blank.
With `remove` an interaction that the person had with us alone is deleted besides. Other people's parts in it stay theirs.

The origins of interactions stay: what comes again meets them and is not made anew. Whoever writes to an interaction by
machine leaves one with `erased_at` alone.

Limits: words about a person in interactions with others are not found by themselves; `mentions` names candidates.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interactions.records import AddressKind, Key
from storage import threads
from storage.database import Connection

BLANK_NAME = "—"
# Facts of a call, an SMS, a mail, a meeting or a plan that tell of nobody.
BONES = [
    "state", "result", "started_at", "answered_at", "ended_at", "ring_seconds", "talk_seconds", "voicemail", "segments",
    "service", "starts_at", "ends_at", "status", "due_at", "intended_type", "marks", "has_html", "authenticated",
]  # fmt: skip

SAME_PERSON = """
SELECT id FROM contact WHERE id = $1 OR merged_into = $1 ORDER BY id FOR UPDATE
"""

# Addresses of nobody else. One that several own stays, and so does what came from it.
ADDRESSES = """
SELECT a.id, a.kind, a.value FROM address a
WHERE a.id IN (SELECT address_id FROM address_owner WHERE contact_id = ANY($1::uuid[])) AND NOT a.own
    AND NOT EXISTS (SELECT FROM address_owner o WHERE o.address_id = a.id AND o.contact_id <> ALL($1::uuid[]))
ORDER BY a.kind, a.value FOR UPDATE OF a
"""

INTERACTIONS = """
SELECT interaction_id AS id FROM participant WHERE contact_id = ANY($1::uuid[])
UNION SELECT interaction_id FROM participant WHERE address_id = ANY($2::uuid[])
ORDER BY id
"""

HOLD_INTERACTIONS = """
SELECT id, source, external_id FROM interaction WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""

# Those that somebody else from outside took part in as well.
SHARED = """
SELECT DISTINCT p.interaction_id AS id FROM participant p
LEFT JOIN address a ON a.id = p.address_id LEFT JOIN contact c ON c.id = coalesce(p.contact_id, a.contact_id)
WHERE p.interaction_id = ANY($1::uuid[]) AND p.role <> 'employee' AND NOT coalesce(a.own, false)
    AND coalesce(c.kind, '') <> 'user' AND (p.contact_id IS NULL OR p.contact_id <> ALL($2::uuid[]))
    AND (p.address_id IS NULL OR p.address_id <> ALL($3::uuid[]))
"""

MENTIONS = """
SELECT interaction_id AS id FROM search_index
WHERE document @@ phraseto_tsquery('russian', $1) AND interaction_id <> ALL($2::uuid[]) LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What there is of a person. `external_ids` are what sources call its calls and messages."""

    contact_id: UUID
    contact_ids: Sequence[UUID]
    name: str
    addresses: Mapping[UUID, Key]
    interaction_ids: Sequence[UUID]
    shared: Collection[UUID]
    external_ids: Collection[str]
    spellings: Collection[str]


SPELLINGS = """
SELECT raw FROM address_owner WHERE contact_id = ANY($1::uuid[])
"""

NAME = """
SELECT name FROM contact WHERE id = $1
"""


async def hold(db: Connection, contact_id: UUID) -> Held:
    """Finds and locks what there is of a person. The contact must be there."""
    contact_ids = [row["id"] for row in await db.fetch(SAME_PERSON, contact_id)]
    rows = await db.fetch(ADDRESSES, contact_ids)
    addresses = {row["id"]: Key(AddressKind(row["kind"]), row["value"]) for row in rows}
    ids = [row["id"] for row in await db.fetch(INTERACTIONS, contact_ids, list(addresses))]
    held = await db.fetch(HOLD_INTERACTIONS, ids)
    shared = {row["id"] for row in await db.fetch(SHARED, ids, contact_ids, list(addresses))}
    return Held(
        contact_id=contact_id,
        contact_ids=contact_ids,
        name=await db.fetchval(NAME, contact_id),
        addresses=addresses,
        interaction_ids=ids,
        shared=shared,
        external_ids={row["external_id"] for row in held if row["external_id"]},
        spellings={row["raw"] for row in await db.fetch(SPELLINGS, contact_ids) if row["raw"]},
    )


async def mentions(db: Connection, held: Held, limit: int) -> list[UUID]:
    """Other interactions in whose words the person's name stands, for somebody to look at."""
    return [row["id"] for row in await db.fetch(MENTIONS, held.name, list(held.interaction_ids), limit)]


# ---- taking out

BARE = """
UPDATE interaction SET topic = '', description = '', comment = NULL, excerpt = '', tags = '{}', extra = '{}',
    link_evidence = '', external_id = NULL, has_attachments = false, erased_at = $2,
    block = (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(block) WHERE key = ANY($3::text[])),
    deleted_at = CASE WHEN id = ANY($4::uuid[]) THEN coalesce(deleted_at, $2) ELSE deleted_at END,
    on_control = false, wake_at = NULL, version = version + 1, updated_at = $2
WHERE id = ANY($1::uuid[])
"""

# `edited` keeps a later event of the same call from writing it again.
BLANK = """
UPDATE participant SET display_name = '', address = '', address_id = NULL, contact_id = NULL, partner_id = NULL,
    decided = NULL, edited = true
WHERE interaction_id = ANY($1::uuid[]) AND (contact_id = ANY($2::uuid[]) OR address_id = ANY($3::uuid[]))
"""

BLANK_IN_SUBJECTS = """
UPDATE subject_participant SET display_name = '', address = '', address_id = NULL, contact_id = NULL, partner_id = NULL
WHERE contact_id = ANY($1::uuid[]) OR address_id = ANY($2::uuid[])
"""

NO_CLIENT = """
UPDATE subject SET client_id = NULL, version = version + 1, updated_at = now() WHERE client_id = ANY($1::uuid[])
"""

BYTES_OF = """
SELECT raw_sha256 AS sha256 FROM body WHERE interaction_id = ANY($1::uuid[]) AND raw_sha256 IS NOT NULL
UNION SELECT sha256 FROM attachment WHERE interaction_id = ANY($1::uuid[]) AND sha256 IS NOT NULL
"""

NO_BODIES = """
DELETE FROM body WHERE interaction_id = ANY($1::uuid[])
"""

NO_ATTACHMENTS = """
DELETE FROM attachment WHERE interaction_id = ANY($1::uuid[])
"""

NO_DOCUMENTS = """
DELETE FROM search_index WHERE interaction_id = ANY($1::uuid[])
"""

NO_QUEUE = """
DELETE FROM search_queue WHERE interaction_id = ANY($1::uuid[])
"""

NO_EVENTS = """
DELETE FROM call_event e USING origin o
WHERE o.interaction_id = ANY($1::uuid[]) AND o.space = 'call:' || e.source AND o.key = convert_to(e.call_key, 'UTF8')
"""

NO_INVITES = """
DELETE FROM invite v WHERE v.mail_id = ANY($1::uuid[]) OR EXISTS (
    SELECT FROM origin o WHERE o.interaction_id = ANY($1::uuid[]) AND o.space = 'meeting' AND o.key = v.key)
    OR EXISTS (SELECT FROM unnest($2::text[]) AS word WHERE position(word IN lower(v.said::text)) > 0)
"""

NO_RECORDINGS = """
DELETE FROM recording WHERE interaction_id = ANY($1::uuid[])
"""

NO_OUTGOING = """
DELETE FROM outbox WHERE interaction_id = ANY($1::uuid[])
"""

NO_PAYLOADS = """
UPDATE feed SET data = '{}' WHERE ref = ANY($1::uuid[]) AND data <> '{}'
"""

NO_IMAGES = """
DELETE FROM undo WHERE EXISTS (SELECT FROM unnest($1::text[]) AS word WHERE position(word IN image::text) > 0)
"""

NO_ANSWERS = """
DELETE FROM idempotency WHERE response->>'id' = ANY($1::text[])
    OR EXISTS (SELECT FROM unnest($2::text[]) AS word WHERE position(word IN response::text) > 0)
"""

NO_DECISIONS = """
DELETE FROM remembered_match WHERE contact_id = ANY($1::uuid[]) OR address_id = ANY($2::uuid[])
"""

NO_OWNERS = """
DELETE FROM address_owner WHERE contact_id = ANY($1::uuid[])
"""

NO_JOBS = """
DELETE FROM employment WHERE person_id = ANY($1::uuid[]) OR partner_id = ANY($1::uuid[])
"""

NO_ADDRESSES = """
DELETE FROM address WHERE id = ANY($1::uuid[])
"""

NO_CANDIDATE = """
UPDATE address SET candidates = array(SELECT c FROM unnest(candidates) AS c WHERE c <> ALL($1::uuid[]))
WHERE candidates && $1::uuid[]
"""

NOBODY = """
UPDATE contact SET name = $2, name_key = $2, parent_id = NULL, department_id = NULL, responsible_id = NULL,
    external_ref = NULL, domains = '{}', inn = NULL, kpp = NULL, tags = '{}', comment = NULL, extra = '{}',
    deleted_at = coalesce(deleted_at, $3), version = version + 1, updated_at = $3
WHERE id = ANY($1::uuid[])
"""

NO_BLOBS = """
WITH gone AS (
    DELETE FROM blob b WHERE sha256 = ANY($1::bytea[])
        AND NOT EXISTS (SELECT FROM body WHERE raw_sha256 = b.sha256)
        AND NOT EXISTS (SELECT FROM attachment WHERE sha256 = b.sha256)
        AND NOT EXISTS (SELECT FROM quarantine WHERE raw_sha256 = b.sha256 AND resolved_at IS NULL)
    RETURNING pack, start, size),
noted AS (
    INSERT INTO erased_range (pack, start, size) SELECT pack, start, size FROM gone WHERE pack IS NOT NULL
    ON CONFLICT DO NOTHING)
SELECT count(*) FROM gone
"""


async def wipe(db: Connection, held: Held, removes: bool, now: datetime) -> dict[str, int]:
    """Takes out everything but the journal and the quarantine, which are searched by their words. Counts by kind."""
    ids, people, addresses = list(held.interaction_ids), list(held.contact_ids), list(held.addresses)
    digests = [row["sha256"] for row in await db.fetch(BYTES_OF, ids)]
    alone = [one for one in ids if one not in held.shared] if removes else []
    words = [*map(str, people), *(key.value for key in held.addresses.values())]
    counts = {
        "interactions": _count(await db.execute(BARE, ids, now, BONES, alone)),
        "participants": _count(await db.execute(BLANK, ids, people, addresses)),
        "bodies": _count(await db.execute(NO_BODIES, ids)),
        "attachments": _count(await db.execute(NO_ATTACHMENTS, ids)),
        "index": _count(await db.execute(NO_DOCUMENTS, ids)) + _count(await db.execute(NO_QUEUE, ids)),
        "call_events": _count(await db.execute(NO_EVENTS, ids)),
        "invites": _count(await db.execute(NO_INVITES, ids, words)),
        "outgoing": _count(await db.execute(NO_OUTGOING, ids)),
        "feed": _count(await db.execute(NO_PAYLOADS, [*ids, *people, *addresses])),
        "undo": _count(await db.execute(NO_IMAGES, words)),
        "answers": _count(await db.execute(NO_ANSWERS, list(map(str, ids)), words)),
        "subjects": _count(await db.execute(BLANK_IN_SUBJECTS, people, addresses))
        + _count(await db.execute(NO_CLIENT, people)),
    }
    await threads.forget_people(db, ids)
    await db.execute(NO_RECORDINGS, ids)
    await db.execute(NO_DECISIONS, people, addresses)
    await db.execute(NO_OWNERS, people)
    await db.execute(NO_JOBS, people)
    await db.execute(NO_CANDIDATE, people)
    counts["addresses"] = _count(await db.execute(NO_ADDRESSES, addresses))
    counts["contacts"] = _count(await db.execute(NOBODY, people, BLANK_NAME, now))
    counts["files"] = await drop_files(db, digests)
    counts["removed"] = len(alone)
    return counts


async def drop_files(db: Connection, digests: Sequence[bytes]) -> int:
    """Takes out files that nothing names any more; where they lie in packs is noted."""
    return int(await db.fetchval(NO_BLOBS, list(digests)))


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
