"""Interactions as they are read: pages of a list by key, and single ones, with all names in four statements.

All that is shown goes through `views`, which leaves out what `access` does not see, and of what it may not read keeps the
facts of the header. A page leaves it out itself too, so that it is full; where nothing is narrowed nothing is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from interactions.access import EVERYTHING, Access
from interactions.records import Attachment
from interactions.search import SearchQuery
from interactions.views import ContactView, Control, InteractionView, Named, ParticipantView
from storage import access as storage_access
from storage.database import Connection


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list shows. None, and nothing, mean "any"."""

    types: tuple[str, ...] = ()
    direction: str | None = None
    status: str = "all"
    responsible_id: UUID | None = None
    author_id: UUID | None = None
    contact_id: UUID | None = None
    partner_id: UUID | None = None
    chain_id: UUID | None = None
    subject_id: UUID | None = None
    department_id: UUID | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    query: SearchQuery | None = None
    importance: str | None = None
    call_result: str | None = None
    tag: str | None = None
    has_attachment: bool = False
    unmatched: bool = False
    ambiguous: bool = False
    external_ref: str | None = None
    number: int | None = None
    tree: bool = False
    oldest_first: bool = False
    after: tuple[datetime, UUID] | None = None
    limit: int = 50


# The statement of a page is put together from these pieces, only those that are wanted: one statement for all filters
# would leave the planner with a plan that suits none of them.
_PIECES: Mapping[str, str] = {
    "types": "i.kind = ANY($)",
    "direction": "i.direction = $",
    "responsible_id": "i.responsible_id = $",
    "author_id": "i.author_id = $",
    "contact_id": """i.id IN (
        SELECT p.interaction_id FROM participant p JOIN address a ON a.id = p.address_id
        WHERE a.contact_id = $ AND p.contact_id IS NULL AND p.decided IS NULL
        UNION ALL SELECT p.interaction_id FROM participant p WHERE p.contact_id = $)""",
    "partner_id": "i.id IN (SELECT p.interaction_id FROM participant p WHERE p.partner_id = $)",
    "chain_id": "i.chain_id = $",
    "subject_id": "c.subject_id = $",
    "department_id": """(i.department_id = $ OR i.department_id IS NULL
        AND i.responsible_id IN (SELECT r.id FROM contact r WHERE r.department_id = $))""",
    "source": "i.source = $",
    "since": "i.occurred_at >= $",
    "until": "i.occurred_at < $",
    "importance": "i.importance = $",
    "call_result": "i.kind = 'phone_call' AND i.block->>'result' = $",
    "tag": "$ = ANY(i.tags)",
    "external_ref": "i.external_ref = $",
    "number": "i.number = $",
    "words": "i.id IN (SELECT s.interaction_id FROM search_index s "
    "WHERE s.document @@ websearch_to_tsquery('russian', $))",
    "prefixes": "i.id IN (SELECT s.interaction_id FROM search_index s WHERE s.document @@ $::tsquery)",
    # A number is looked for among the addresses and among the words: `'tel28922':* | '28922'`. It is rare, which the planner
    # does not believe of two conditions; of an array it does.
    "either": "i.id = ANY(ARRAY(SELECT s.interaction_id FROM search_index s WHERE s.document @@ $::tsquery))",
}
# Of a partner with all who served it at the time.
_TREE: Mapping[str, str] = {
    "contact_id": """i.id IN (
        SELECT p.interaction_id FROM participant p JOIN address a ON a.id = p.address_id
        WHERE a.contact_id = $ AND p.contact_id IS NULL AND p.decided IS NULL
        UNION ALL SELECT p.interaction_id FROM participant p WHERE p.contact_id = $
        UNION ALL SELECT p.interaction_id FROM participant p WHERE p.partner_id = $)""",
}
# What may not be read is found by the words of its header only. The index is asked for the whole query, and for that part
# of it which must be there; a query without such a part (only words that must not be there) finds none of it.
_SEEN = "sees(:unseen, :mine, i.source, i.responsible_id, i.id)"
_READS = "sees(:unread, :mine, i.source, i.responsible_id, i.id)"
_READABLE: Mapping[str, str] = {
    "words": """i.id IN (
        SELECT s.interaction_id FROM websearch_to_tsquery('russian', $) AS q, search_index s
        JOIN interaction h ON h.id = s.interaction_id
        WHERE s.document @@ (q || CASE WHEN querytree(q) IN ('', 'T') THEN ''::tsquery ELSE querytree(q)::tsquery END)
          AND CASE WHEN sees(:unread, :mine, h.source, h.responsible_id, h.id) THEN s.document @@ q
              ELSE querytree(q) NOT IN ('', 'T') AND to_tsvector('russian', replace(lower(concat_ws(E'\n', h.topic,
                  (SELECT string_agg(p.display_name, ' ') FROM participant p WHERE p.interaction_id = h.id))), 'ё', 'е'))
                  @@ q END)""",
    "either": """i.id = ANY(ARRAY(
        SELECT s.interaction_id FROM search_index s JOIN interaction h ON h.id = s.interaction_id
        WHERE s.document @@ $::tsquery AND (sees(:unread, :mine, h.source, h.responsible_id, h.id)
            OR s.document @@ split_part($::text, ' | ', 1)::tsquery
            OR to_tsvector('russian', h.topic) @@ $::tsquery)))""",
    "has_attachment": f"i.has_attachments AND {_READS}",
}
_SWITCHES: Mapping[str, str] = {
    "has_attachment": "i.has_attachments",
    "unmatched": """EXISTS (SELECT 1 FROM participant p JOIN address a ON a.id = p.address_id
        WHERE p.interaction_id = i.id AND p.contact_id IS NULL AND p.decided IS NULL AND a.contact_id IS NULL
          AND NOT a.own)""",
    "ambiguous": """EXISTS (SELECT 1 FROM participant p JOIN address a ON a.id = p.address_id
        WHERE p.interaction_id = i.id AND p.contact_id IS NULL AND p.decided IS NULL AND a.contact_id IS NULL
          AND a.candidates <> '{}' AND a.rule <> 'domain')""",
}
_STATUS: Mapping[str, str] = {
    "to_review": "NOT i.reviewed AND (i.review_after IS NULL OR i.review_after <= now())",
    "postponed": "NOT i.reviewed AND i.review_after IS NOT NULL",
    "reviewed": "i.reviewed",
}


def page_statement(wanted: Filter, access: Access = EVERYTHING) -> tuple[str, list[object]]:
    """The statement of a page, and its arguments."""
    conditions = ["i.deleted_at IS NULL"]
    arguments: list[object] = []
    values: dict[str, object] = {name: getattr(wanted, name, None) for name in _PIECES}
    values["types"] = list(wanted.types) or None
    if wanted.query is not None:
        words = wanted.query.words or None
        prefixes = " & ".join(f"'{one}':*" for one in wanted.query.prefixes) or None
        is_both = prefixes and words  # words that are digits, and so lexemes as they are
        values |= {"either": f"{prefixes} | '{words}'"} if is_both else {"words": words, "prefixes": prefixes}
    readable = {**(_READABLE if access.closed else {}), **(_TREE if wanted.tree else {})}
    for name, piece in _PIECES.items():
        if values[name] is not None:
            arguments.append(values[name])
            conditions.append(readable.get(name, piece).replace("$", f"${len(arguments)}"))
    conditions += [readable.get(name, piece) for name, piece in _SWITCHES.items() if getattr(wanted, name)]
    if access.hidden:
        conditions.append(_SEEN)
    if wanted.status in _STATUS:
        conditions.append(_STATUS[wanted.status])
    if wanted.after is not None:
        arguments += wanted.after
        side = ">" if wanted.oldest_first else "<"
        conditions.append(f"(i.occurred_at, i.id) {side} (${len(arguments) - 1}, ${len(arguments)})")
    source = "interaction i" if wanted.subject_id is None else "interaction i JOIN chain c ON c.id = i.chain_id"
    order = "i.occurred_at, i.id" if wanted.oldest_first else "i.occurred_at DESC, i.id DESC"
    where = " AND ".join(conditions)
    for mark, value in ((":unread", access.unread), (":unseen", access.unseen), (":mine", list(access.mine))):
        if mark in where:
            arguments.append(value)
            where = where.replace(mark, f"${len(arguments)}")
    arguments.append(wanted.limit)
    return f"SELECT i.id FROM {source} WHERE {where} ORDER BY {order} LIMIT ${len(arguments)}", arguments  # noqa: S608


async def page(db: Connection, wanted: Filter, access: Access = EVERYTHING) -> list[InteractionView]:
    """A page of the list."""
    statement, arguments = page_statement(wanted, access)
    return await views(db, [row["id"] for row in await db.fetch(statement, *arguments)], access)


COUNTS = """
SELECT count(*) FILTER (WHERE NOT reviewed AND (review_after IS NULL OR review_after <= now())) AS to_review,
       count(*) FILTER (WHERE review_after IS NOT NULL) AS postponed
FROM interaction i
WHERE deleted_at IS NULL AND NOT reviewed AND ($1::text[] IS NULL OR sees($1, $2, i.source, i.responsible_id, i.id))
"""


async def counts(db: Connection, access: Access = EVERYTHING) -> dict[str, int]:
    """How many interactions wait for a look, and how many were put off."""
    row = await db.fetchrow(COUNTS, access.unseen, list(access.mine))
    return dict(row) if row else {}


ROWS = """
SELECT i.*, au.name AS author_name, re.name AS responsible_name, rb.name AS reviewer_name, s.type AS source_type,
    c.root_id, c.size AS chain_size, coalesce(ec.merged_into, ec.id) AS continues_id, root.topic AS root_topic, su.kind AS subject_kind, su.id AS subject_id,
    su.title AS subject_title, de.id AS shown_department_id, de.name AS department_name
FROM interaction i JOIN chain c ON c.id = i.chain_id
LEFT JOIN chain ec ON ec.id = c.continues_id
LEFT JOIN interaction root ON root.id = c.root_id
LEFT JOIN subject su ON su.id = c.subject_id
LEFT JOIN contact au ON au.id = i.author_id
LEFT JOIN contact re ON re.id = i.responsible_id
LEFT JOIN contact rb ON rb.id = i.reviewed_by
LEFT JOIN department de ON de.id = coalesce(i.department_id, re.department_id)
LEFT JOIN source s ON s.name = i.source
WHERE i.id = ANY($1::uuid[]) AND i.deleted_at IS NULL
"""

PARTICIPANTS = """
SELECT p.interaction_id, p.role, p.display_name, p.address, a.kind AS address_kind, a.value AS key,
    coalesce(a.own, false) AS own, a.rule, a.confidence, a.candidates, p.decided,
    p.contact_id IS NOT NULL OR p.decided IS NOT NULL AS chosen,
    c.id AS contact_id, c.kind AS contact_kind, c.name AS contact_name, pa.id AS partner_id, pa.name AS partner_name
FROM participant p LEFT JOIN address a ON a.id = p.address_id
LEFT JOIN contact c ON c.id = CASE WHEN p.decided IS NULL THEN coalesce(p.contact_id, a.contact_id) ELSE p.contact_id END
LEFT JOIN contact pa ON pa.id = p.partner_id
WHERE p.interaction_id = ANY($1::uuid[]) ORDER BY p.interaction_id, p.n
"""

ATTACHMENTS = """
SELECT interaction_id, n, name, content_type, size, inline, part FROM attachment
WHERE interaction_id = ANY($1::uuid[]) ORDER BY interaction_id, n
"""

BODY = """
SELECT body_text, reply_text FROM body WHERE interaction_id = $1
"""


async def views(
    db: Connection, ids: Sequence[UUID], access: Access = EVERYTHING, *, bodies: bool = False
) -> list[InteractionView]:
    """These interactions in this order; those that are gone or not seen are left out."""
    seen = await storage_access.seen(db, ids, access)
    ids = [one for one in ids if one in seen]
    rows = {row["id"]: row for row in await db.fetch(ROWS, list(ids))}
    people: dict[UUID, list[ParticipantView]] = {}
    for row in await db.fetch(PARTICIPANTS, list(ids)):
        people.setdefault(row["interaction_id"], []).append(_participant(dict(row)))
    files: dict[UUID, list[Attachment]] = {}
    for row in await db.fetch(ATTACHMENTS, list(ids)):
        files.setdefault(row["interaction_id"], []).append(Attachment(*tuple(row)[1:]))
    found = []
    for one in ids:
        if one in rows:
            body = await db.fetchrow(BODY, one) if bodies else None
            view = _view(dict(rows[one]), people.get(one, []), files.get(one, []), dict(body) if body else None)
            found.append(view if seen[one] else _header_of(view))
    return await _as_seen(db, found, access) if access.hidden else found


async def find(db: Connection, interaction_id: UUID, access: Access = EVERYTHING) -> InteractionView | None:
    """One interaction with its text."""
    some = await views(db, [interaction_id], access, bodies=True)
    return some[0] if some else None


def _header_of(one: InteractionView) -> InteractionView:
    """What is shown of an interaction that may not be read: who, when, to whom, about what."""
    facts = {name: one.block[name] for name in one.block if name != "forwarded_from"}  # that stands in the text
    block = {**facts, "has_html": False} if one.kind == "email" else {}
    return replace(
        one, description="", comment=None, excerpt="", extra={}, block=block, has_attachments=False, attachments=(),
        body_text=None, reply_text=None, is_closed=True,
    )  # fmt: skip


async def _as_seen(db: Connection, found: list[InteractionView], access: Access) -> list[InteractionView]:
    """Their chains begin, and are as long, as they are seen; and of a mail that lies in several mailboxes nobody hears
    that it lies in one that is shut."""
    wanted = {one.chain_id for one in found} | {one.continues_id for one in found if one.continues_id}
    chains = await storage_access.chains(db, wanted, access)
    return [
        replace(
            one, root_id=chain.root_id, root_topic=chain.topic, chain_size=chain.size,
            source=None if _came_unseen(one, access) else one.source,
            continues_id=one.continues_id if one.continues_id in chains else None,
        )
        for one in found
        if (chain := chains.get(one.chain_id)) is not None
    ]  # fmt: skip


def _came_unseen(one: InteractionView, access: Access) -> bool:
    is_mine = one.responsible is not None and one.responsible.id in access.mine
    return one.source is not None and one.source.name in access.hidden and not is_mine


def _named(key: UUID | None, name: str | None) -> Named | None:
    return Named(key, name or "") if key is not None else None


def _participant(row: Mapping[str, Any]) -> ParticipantView:
    contact = None
    if row["contact_id"] is not None:
        partner = _named(row["partner_id"], row["partner_name"])
        contact = ContactView(row["contact_id"], row["contact_kind"], row["contact_name"], partner)
    # One of us by extension is found by the PBX's name for him, not chosen by a person.
    by_extension = row["chosen"] and row["decided"] is None and row["role"] == "employee" and row["key"] is None
    chosen = row["chosen"] and not by_extension
    manual = chosen and row["decided"] != "remembered"
    return ParticipantView(
        role=row["role"],
        display_name=row["display_name"],
        address=row["address"],
        address_kind=row["address_kind"] or "other",
        key=row["key"],
        own=row["own"],
        contact=contact,
        rule="own" if by_extension else row["decided"] or "manual" if chosen else row["rule"] or "none",
        origin="manual" if manual else "automatic",
        confidence="exact" if by_extension else "manual" if chosen else row["confidence"] or "none",
        candidates=() if chosen else tuple(row["candidates"] or ()),
    )


def _view(
    row: Mapping[str, Any],
    people: Sequence[ParticipantView],
    files: Sequence[Attachment],
    body: Mapping[str, Any] | None,
) -> InteractionView:
    subject = (row["subject_kind"], row["subject_id"], row["subject_title"]) if row["subject_id"] else None
    return InteractionView(
        id=row["id"], number=row["number"], kind=row["kind"], direction=row["direction"],
        occurred_at=row["occurred_at"], created_at=row["created_at"], updated_at=row["updated_at"],
        version=row["version"], topic=row["topic"], description=row["description"], comment=row["comment"],
        excerpt=row["excerpt"], importance=row["importance"], external_ref=row["external_ref"],
        external_id=row["external_id"],
        source=Named(row["id"], row["source"]) if row["source"] else None, source_type=row["source_type"],
        author=_named(row["author_id"], row["author_name"]),
        responsible=_named(row["responsible_id"], row["responsible_name"]),
        continues_id=row["continues_id"],
        department=_named(row["shown_department_id"], row["department_name"]),
        reviewed=row["reviewed"], reviewed_at=row["reviewed_at"],
        reviewed_by=_named(row["reviewed_by"], row["reviewer_name"]), review_after=row["review_after"],
        tags=tuple(row["tags"]), extra=row["extra"], block=row["block"], chain_id=row["chain_id"],
        root_id=row["root_id"], chain_size=row["chain_size"], root_topic=row["root_topic"] or "",
        link_rule=row["link_rule"], link_origin=row["link_origin"], link_flags=tuple(row["link_flags"]),
        link_evidence=row["link_evidence"],
        subject=subject, has_attachments=row["has_attachments"], participants=tuple(people),
        attachments=tuple(files), body_text=body["body_text"] if body else None,
        reply_text=body["reply_text"] if body else None,
        on_control=Control(row["wake_at"], row["until_reply"]) if row["on_control"] else None,
    )  # fmt: skip
