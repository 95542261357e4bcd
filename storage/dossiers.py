"""What is held of a person, row by row as it is stored, for whoever has a right to a copy of it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from interactions.records import Json
from storage.database import Connection

CONTACTS = """
SELECT to_jsonb(c) FROM contact c WHERE id = ANY($1::uuid[]) ORDER BY id
"""

OWNERS = """
SELECT to_jsonb(o) || jsonb_build_object('address', a.value) FROM address_owner o JOIN address a ON a.id = o.address_id
WHERE o.contact_id = ANY($1::uuid[]) ORDER BY o.contact_id, o.position
"""

JOBS = """
SELECT to_jsonb(e) || jsonb_build_object('partner', p.name) FROM employment e JOIN contact p ON p.id = e.partner_id
WHERE e.person_id = ANY($1::uuid[]) ORDER BY e.since NULLS FIRST
"""

SUBJECTS = """
SELECT to_jsonb(s) FROM subject s
WHERE client_id = ANY($1::uuid[]) OR EXISTS (SELECT FROM subject_participant p
    WHERE p.subject_id = s.id AND p.contact_id = ANY($1::uuid[]))
ORDER BY number
"""

EVENTS = """
SELECT to_jsonb(e) FROM origin o JOIN call_event e ON o.space = 'call:' || e.source AND o.key = convert_to(e.call_key, 'UTF8')
WHERE o.interaction_id = ANY($1::uuid[]) ORDER BY e.received_at, e.dedup_key
"""

FEED = """
SELECT to_jsonb(f) FROM feed f WHERE ref = ANY($1::uuid[]) ORDER BY position
"""

AUDIT = """
SELECT to_jsonb(a) FROM audit a WHERE ref = ANY($1::uuid[]) ORDER BY id
"""

TABLES: Mapping[str, tuple[str, bool]] = {
    "contacts": (CONTACTS, False),
    "addresses": (OWNERS, False),
    "employments": (JOBS, False),
    "subjects": (SUBJECTS, False),
    "call_events": (EVENTS, True),
    "feed": (FEED, True),
    "audit": (AUDIT, True),
}

RAW_OF = """
SELECT interaction_id, raw_sha256 FROM body WHERE interaction_id = ANY($1::uuid[]) AND raw_sha256 IS NOT NULL
"""

FILES_OF = """
SELECT interaction_id, n, name, sha256 FROM attachment WHERE interaction_id = ANY($1::uuid[]) AND sha256 IS NOT NULL
ORDER BY interaction_id, n
"""


async def rows(db: Connection, table: str, contact_ids: Sequence[UUID], interaction_ids: Sequence[UUID]) -> list[Json]:
    """The rows of one of `TABLES` that are about this person."""
    statement, by_interaction = TABLES[table]
    wanted = [*interaction_ids, *contact_ids] if by_interaction else list(contact_ids)
    return [row[0] for row in await db.fetch(statement, wanted)]


async def raw_of(db: Connection, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """The hashes of the original bytes of these interactions."""
    return {row["interaction_id"]: row["raw_sha256"] for row in await db.fetch(RAW_OF, list(ids))}


async def files_of(db: Connection, ids: Sequence[UUID]) -> list[tuple[UUID, int, str, bytes]]:
    """Files of their own: interaction, number, name, hash. Those within mails are in the original bytes."""
    return [tuple(row) for row in await db.fetch(FILES_OF, list(ids))]
