"""Interactions and what belongs to them: written in batches, one statement a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from interactions.admission import KnownAddress
from interactions.records import Interaction, Key
from interactions.search import file_words, fold, lexemes_for
from storage import chains, decisions
from storage.database import Connection, storable
from storage.errors import Conflict

SEARCH_NOW_MAX = 20  # larger batches are indexed beside the intake
SEARCH_CHARS_MAX = 100_000  # with the lexemes of addresses they stay below the megabyte of a tsvector
LEXEMES_CHARS_MAX = 300_000

ADD = """
INSERT INTO interaction (id, kind, direction, occurred_at, chain_id, link_rule, link_evidence, link_flags, link_origin,
    based_on_id, topic, description, comment, excerpt, importance, author_id, responsible_id, source, external_id,
    external_ref, reviewed, reviewed_at, reviewed_by, review_after, tags, extra, block, has_attachments)
SELECT r.id, r.kind, r.direction, r.occurred_at, r.chain_id, r.link_rule, r.link_evidence, r.link_flags, r.link_origin,
    r.based_on_id, r.topic, r.description, r.comment, r.excerpt, r.importance, r.author_id, r.responsible_id, r.source,
    r.external_id, r.external_ref, r.reviewed, r.reviewed_at, r.reviewed_by, r.review_after, r.tags, r.extra, r.block,
    r.has_attachments
FROM jsonb_to_recordset($1) AS r (id uuid, kind text, direction text, occurred_at timestamptz, chain_id uuid,
    link_rule text, link_evidence text, link_flags text[], link_origin text, based_on_id uuid, topic text,
    description text, comment text, excerpt text, importance text, author_id uuid, responsible_id uuid, source text,
    external_id text, external_ref text, reviewed boolean, reviewed_at timestamptz, reviewed_by uuid,
    review_after timestamptz, tags text[], extra jsonb, block jsonb, has_attachments boolean)
ON CONFLICT (id) DO NOTHING
"""

ADD_PARTICIPANTS = """
INSERT INTO participant (interaction_id, n, role, display_name, address, address_id, contact_id, partner_id)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[])
ON CONFLICT (interaction_id, n) DO UPDATE SET role = excluded.role, address = excluded.address,
    display_name = excluded.display_name, address_id = excluded.address_id, partner_id = excluded.partner_id,
    contact_id = CASE WHEN excluded.role = 'employee' AND participant.address <> excluded.address
                      THEN excluded.contact_id ELSE coalesce(participant.contact_id, excluded.contact_id) END
WHERE NOT participant.edited
"""

# Who was rung and is not the one who answered.
DROP_EMPLOYEES = """
DELETE FROM participant WHERE interaction_id = $1 AND n >= $2 AND role = 'employee' AND NOT edited
"""

ADD_BODIES = """
INSERT INTO body (interaction_id, body_text, reply_text, raw_sha256)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[]) ON CONFLICT (interaction_id) DO NOTHING
"""

ADD_ATTACHMENTS = """
INSERT INTO attachment (interaction_id, n, name, content_type, size, inline, part)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::bigint[], $6::boolean[], $7::text[])
ON CONFLICT (interaction_id, n) DO NOTHING
"""


async def add_all(db: Connection, new: Sequence[Interaction], known: Mapping[Key, KnownAddress]) -> None:
    """Writes new interactions with everything that belongs to them. Their chains must be there. Repeatable."""
    if not new:
        return
    try:
        await db.execute(ADD, [_row(one) for one in new])
    except asyncpg.UniqueViolationError:
        references = ", ".join(repr(one.external_ref) for one in new if one.external_ref)
        raise Conflict(f"Another interaction has the reference {references} already.") from None
    await save_participants(db, new, known)
    bodies = [one for one in new if one.body_text or one.raw_sha256]
    if bodies:
        await db.execute(
            ADD_BODIES,
            [one.id for one in bodies],
            [storable(one.body_text) for one in bodies],
            [storable(one.reply_text) for one in bodies],
            [one.raw_sha256 for one in bodies],
        )
    files = [(one.id, file) for one in new for file in one.attachments]
    if files:
        await db.execute(
            ADD_ATTACHMENTS,
            [owner for owner, _ in files],
            [file.n for _, file in files],
            [storable(file.name) for _, file in files],
            [storable(file.content_type) for _, file in files],
            [file.size for _, file in files],
            [file.inline for _, file in files],
            [file.part for _, file in files],
        )
    await index(db, new)


def _row(one: Interaction) -> dict[str, object]:
    return {
        "id": str(one.id),
        "kind": one.kind,
        "direction": one.direction,
        "occurred_at": one.occurred_at.isoformat(),
        "chain_id": str(one.chain_id),
        "link_rule": one.link.rule,
        "link_evidence": one.link.evidence,
        "link_flags": list(one.link.flags),
        "link_origin": one.link.origin,
        "based_on_id": _text(one.based_on_id),
        "topic": one.topic,
        "description": one.description,
        "comment": one.comment,
        "excerpt": one.excerpt,
        "importance": one.importance,
        "author_id": _text(one.author_id),
        "responsible_id": _text(one.responsible_id),
        "source": one.source,
        "external_id": one.external_id,
        "external_ref": one.external_ref,
        "reviewed": one.reviewed,
        "reviewed_at": one.reviewed_at.isoformat() if one.reviewed_at else None,
        "reviewed_by": _text(one.reviewed_by),
        "review_after": one.review_after.isoformat() if one.review_after else None,
        "tags": list(one.tags),
        "extra": dict(one.extra),
        "block": dict(one.block),
        "has_attachments": bool(one.attachments),
    }


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None


async def save_participants(
    db: Connection, interactions: Sequence[Interaction], known: Mapping[Key, KnownAddress]
) -> None:
    """Writes the participants with the partner they stood for at the time. A manual link that is there stays; an employee's
    link goes with the extension."""
    rows = [(one, n, p) for one in interactions for n, p in enumerate(one.participants)]
    if not rows:
        return
    found = [known.get(p.key) if p.key else None for _, _, p in rows]
    await db.execute(
        ADD_PARTICIPANTS,
        [one.id for one, _, _ in rows],
        [n for _, n, _ in rows],
        [p.role.value for _, _, p in rows],
        [storable(p.display_name) for _, _, p in rows],
        [storable(p.address) for _, _, p in rows],
        [address.id if address else None for address in found],
        [p.contact_id for _, _, p in rows],
        [
            address.partner_at(one.occurred_at) if address else None
            for (one, _, _), address in zip(rows, found, strict=True)
        ],
    )
    await decisions.follow(db, [one.id for one in interactions])


ENQUEUE = """
INSERT INTO search_queue (interaction_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING
"""

PUT_DOCUMENTS = """
INSERT INTO search_index (interaction_id, document)
SELECT i, to_tsvector('russian', t) || array_to_tsvector(string_to_array(l, ' '))
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS new (i, t, l)
ON CONFLICT (interaction_id) DO UPDATE SET document = excluded.document
"""


async def index(db: Connection, interactions: Sequence[Interaction]) -> None:
    """Puts records into the search index: a few at once, many beside the intake (`storage.search`)."""
    if len(interactions) > SEARCH_NOW_MAX:
        await db.execute(ENQUEUE, [one.id for one in interactions])
        return
    await put_documents(db, [(one.id, _words(one), lexemes(one)) for one in interactions])


def _words(one: Interaction) -> str:
    names = " ".join(p.display_name for p in one.participants)
    files = " ".join(file_words(file.name) for file in one.attachments)
    return "\n".join((one.topic, one.description, one.comment or "", names, files, one.body_text))


def lexemes(one: Interaction) -> list[str]:
    return lexemes_for(p.key for p in one.participants if p.key)


async def put_documents(db: Connection, documents: Sequence[tuple[UUID, str, list[str]]]) -> None:
    """Writes search documents: the record's id, its words, its lexemes."""
    if documents:
        ids, texts, extra = zip(*documents, strict=True)
        folded = [fold(storable(text[:SEARCH_CHARS_MAX])) for text in texts]
        await db.execute(PUT_DOCUMENTS, list(ids), folded, [_joined(one) for one in extra])


def _joined(lexemes: Sequence[str]) -> str:
    text = " ".join(lexemes)
    return text if len(text) <= LEXEMES_CHARS_MAX else text[:LEXEMES_CHARS_MAX].rpartition(" ")[0]


UPDATE_CALL = """
UPDATE interaction SET direction = $2, occurred_at = $3, block = $4::jsonb,
    responsible_id = coalesce(responsible_id, $5),
    reviewed = reviewed OR $6, reviewed_at = CASE WHEN NOT reviewed AND $6 THEN $7 ELSE reviewed_at END,
    version = version + 1, updated_at = $7
WHERE id = $1 AND deleted_at IS NULL AND erased_at IS NULL RETURNING id
"""


async def update_call(db: Connection, call: Interaction, known: Mapping[Key, KnownAddress], now: datetime) -> bool:
    """Writes what a call's events say now over what they said before; what people wrote stays. The numbers may be known
    only now, so it is indexed again. Says whether it was there: what was deleted or erased stays as it was."""
    chain_id = await chain_of(db, call.id)
    if chain_id is not None:
        await chains.hold(db, chain_id)  # before its member, in the order of all others
    found = await db.fetchval(
        UPDATE_CALL,
        call.id,
        call.direction,
        call.occurred_at,
        dict(call.block),
        call.responsible_id,
        call.reviewed,
        now,
    )
    if found is None:
        return False
    await save_participants(db, [call], known)
    await db.execute(DROP_EMPLOYEES, call.id, len(call.participants))
    await chains.settle(db, call.id)
    await reindex(db, [call.id])
    return True


SET_BLOCK_STATE = """
UPDATE interaction SET block = jsonb_set(block, '{state}', to_jsonb($2::text)), version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL AND block->>'state' IS DISTINCT FROM $2
"""


async def set_sms_state(db: Connection, interaction_id: UUID, state: str) -> bool:
    """Sets the state of an SMS; says whether it changed."""
    return str(await db.execute(SET_BLOCK_STATE, interaction_id, state)).endswith(" 1")


WHICH_EXIST = """
SELECT id FROM interaction WHERE id = ANY($1::uuid[])
"""


async def which_exist(db: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these records are written already."""
    return {row["id"] for row in await db.fetch(WHICH_EXIST, list(ids))}


WHICH_LIVE = """
SELECT id FROM interaction WHERE id = ANY($1::uuid[]) AND deleted_at IS NULL
"""


async def which_live(db: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these records are written and not deleted."""
    return {row["id"] for row in await db.fetch(WHICH_LIVE, list(ids))}


FIND_BY_ORIGIN = """
SELECT key, interaction_id FROM origin WHERE space = $1 AND key = ANY($2::bytea[])
"""


async def find_by_origin(db: Connection, space: str, keys: Sequence[bytes]) -> dict[bytes, UUID]:
    """The interactions made from these outside things."""
    return {row["key"]: row["interaction_id"] for row in await db.fetch(FIND_BY_ORIGIN, space, list(keys))}


CHAIN_OF = """
SELECT chain_id FROM interaction WHERE id = $1 AND deleted_at IS NULL
"""

BY_REF = """
SELECT id FROM interaction WHERE external_ref = $1
"""

# $2 holds what is to be changed; null takes a value away.
SET_FIELDS = """
UPDATE interaction SET topic = CASE WHEN $2 ? 'topic' THEN coalesce($2->>'topic', '') ELSE topic END,
    description = CASE WHEN $2 ? 'description' THEN coalesce($2->>'description', '') ELSE description END,
    comment = CASE WHEN $2 ? 'comment' THEN $2->>'comment' ELSE comment END,
    importance = coalesce($2->>'importance', importance),
    responsible_id = CASE WHEN $2 ? 'responsible_id' THEN ($2->>'responsible_id')::uuid ELSE responsible_id END,
    tags = CASE WHEN $2 ? 'tags' THEN array(SELECT jsonb_array_elements_text($2->'tags')) ELSE tags END,
    extra = CASE WHEN $2 ? 'extra' THEN $2->'extra' ELSE extra END,
    reviewed = coalesce(($2->>'reviewed')::boolean, reviewed),
    reviewed_at = CASE ($2->>'reviewed')::boolean WHEN reviewed THEN reviewed_at WHEN true THEN now()
                  WHEN false THEN NULL ELSE reviewed_at END,
    reviewed_by = CASE ($2->>'reviewed')::boolean WHEN reviewed THEN reviewed_by WHEN true THEN $3::uuid
                  WHEN false THEN NULL ELSE reviewed_by END,
    review_after = CASE WHEN ($2->>'reviewed')::boolean THEN NULL
                   WHEN $2 ? 'review_after' THEN ($2->>'review_after')::timestamptz ELSE review_after END,
    version = version + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL AND ($4::int IS NULL OR version = $4) RETURNING id
"""

FIELDS = frozenset(
    {"topic", "description", "comment", "importance", "responsible_id", "tags", "extra", "reviewed", "review_after"}
)


async def chain_of(db: Connection, interaction_id: UUID) -> UUID | None:
    """The chain of an interaction."""
    found: UUID | None = await db.fetchval(CHAIN_OF, interaction_id)
    return found


async def find_by_ref(db: Connection, external_ref: str) -> UUID | None:
    """The interaction that another program knows by this reference."""
    found: UUID | None = await db.fetchval(BY_REF, external_ref)
    return found


async def set_fields(
    db: Connection, interaction_id: UUID, changes: Mapping[str, object], by: UUID | None, version: int | None
) -> bool:
    """Changes those `FIELDS` that are given; says whether the record was there in that version."""
    given = {name: value for name, value in changes.items() if name in FIELDS}
    return await db.fetchval(SET_FIELDS, interaction_id, given, by, version) is not None


async def reindex(db: Connection, ids: Sequence[UUID]) -> None:
    """Lets changed records be indexed again."""
    await db.execute(ENQUEUE, list(ids))


SET_AUTHOR = """
UPDATE interaction SET author_id = $2, responsible_id = coalesce(responsible_id, $2) WHERE id = $1
"""


async def set_author(db: Connection, interaction_id: UUID, author_id: UUID) -> None:
    """Names who entered a record; who answers for it too, where nobody does."""
    await db.execute(SET_AUTHOR, interaction_id, author_id)
