"""What people change in an interaction after it was written: who took part, and that it shall be gone.

Single fields are set by `records.set_fields`. A deleted interaction leaves a tombstone: its origin stays, so what it was
made from does not bring it back.
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from interactions.admission import KnownAddress
from interactions.records import Key, Participant
from storage.database import Connection, storable

PUT_PARTICIPANTS = """
INSERT INTO participant (interaction_id, n, role, display_name, address, address_id, contact_id, edited)
SELECT $1, *, true FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[])
ON CONFLICT (interaction_id, n) DO UPDATE SET role = excluded.role, display_name = excluded.display_name,
    address = excluded.address, address_id = excluded.address_id, contact_id = excluded.contact_id, decided = NULL, edited = true
"""

DROP_PARTICIPANTS = """
DELETE FROM participant WHERE interaction_id = $1 AND n >= $2
"""

# The partner at the time: the contact itself, or whom the person worked for then; of several the latest begun.
SETTLE_PARTNERS = """
UPDATE participant p SET partner_id = CASE WHEN c.kind = 'partner' THEN c.id ELSE (
    SELECT e.partner_id FROM employment e
    WHERE e.person_id = c.id AND (e.since IS NULL OR e.since <= (i.occurred_at AT TIME ZONE 'UTC')::date)
      AND (e.until IS NULL OR e.until > (i.occurred_at AT TIME ZONE 'UTC')::date)
    ORDER BY e.since DESC NULLS LAST, e.partner_id DESC LIMIT 1) END
FROM interaction i, participant q LEFT JOIN address a ON a.id = q.address_id
    LEFT JOIN contact c ON c.id = CASE WHEN q.decided IS NULL THEN coalesce(q.contact_id, a.contact_id) ELSE q.contact_id END
WHERE i.id = $1 AND p.interaction_id = i.id AND q.interaction_id = i.id AND q.n = p.n
"""

BURY = """
UPDATE interaction SET deleted_at = now(), updated_at = now(), version = version + 1
WHERE id = $1 AND deleted_at IS NULL AND ($2::int IS NULL OR version = $2) RETURNING id
"""

IS_BURIED = """
SELECT deleted_at IS NOT NULL FROM interaction WHERE id = $1
"""

MERGED_INTO = """
SELECT block->>'merged_into' FROM interaction WHERE id = $1 AND deleted_at IS NOT NULL
"""

RAW_OF = """
SELECT b.raw_sha256 FROM body b JOIN interaction i ON i.id = b.interaction_id
WHERE i.id = $1 AND i.deleted_at IS NULL
"""

SAYS_SOMETHING = """
SELECT i.topic ~ '\\S' OR EXISTS (
    SELECT 1 FROM participant p WHERE p.interaction_id = i.id AND (p.display_name ~ '\\S' OR p.address ~ '\\S'))
FROM interaction i WHERE i.id = $1
"""

# What came with a text of its own (a mail, an SMS) goes on showing that.
SET_EXCERPT = """
UPDATE interaction SET excerpt = $2
WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM body b WHERE b.interaction_id = $1 AND b.body_text <> '')
"""

WHICH_CONTACTS = """
SELECT id FROM contact WHERE id = ANY($1::uuid[])
"""


async def unknown_contacts(db: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Which of these are no contacts of ours."""
    return set(ids) - {row["id"] for row in await db.fetch(WHICH_CONTACTS, list(ids))}


async def put_participants(
    db: Connection, interaction_id: UUID, participants: Sequence[Participant], known: Mapping[Key, KnownAddress]
) -> None:
    """Replaces the participants by what a person wrote; from then on no event changes them."""
    found = [known.get(one.key) if one.key else None for one in participants]
    await db.execute(
        PUT_PARTICIPANTS,
        interaction_id,
        list(range(len(participants))),
        [one.role.value for one in participants],
        [storable(one.display_name) for one in participants],
        [storable(one.address) for one in participants],
        [address.id if address else None for address in found],
        [one.contact_id for one in participants],
    )
    await db.execute(DROP_PARTICIPANTS, interaction_id, len(participants))
    await settle_partners(db, interaction_id)


async def settle_partners(db: Connection, interaction_id: UUID) -> None:
    """Works out the partner behind each participant, at the time of the interaction."""
    await db.execute(SETTLE_PARTNERS, interaction_id)


async def says_something(db: Connection, interaction_id: UUID) -> bool:
    """Whether there is a topic, or a participant with any text: a record without either says nothing to anybody."""
    return bool(await db.fetchval(SAYS_SOMETHING, interaction_id))


async def set_excerpt(db: Connection, interaction_id: UUID, excerpt: str) -> None:
    """Lets the line of a list say what the description says by now."""
    await db.execute(SET_EXCERPT, interaction_id, storable(excerpt))


async def bury(db: Connection, interaction_id: UUID, version: int | None) -> bool:
    """Deletes an interaction for people, and for good; says whether it was there in that version."""
    return await db.fetchval(BURY, interaction_id, version) is not None


async def is_buried(db: Connection, interaction_id: UUID) -> bool | None:
    """Whether an interaction was deleted; None if there never was one."""
    found: bool | None = await db.fetchval(IS_BURIED, interaction_id)
    return found


async def merged_into(db: Connection, interaction_id: UUID) -> str | None:
    """The record that a tombstone was joined into, if it was."""
    found: str | None = await db.fetchval(MERGED_INTO, interaction_id)
    return found


async def raw_of(db: Connection, interaction_id: UUID) -> bytes | None:
    """The hash of the original bytes; None where there are none."""
    found: bytes | None = await db.fetchval(RAW_OF, interaction_id)
    return found
