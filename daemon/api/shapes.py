"""Interactions as JSON, and what all resources share: times, ETags, cursors.

Times are RFC 3339 with `Z`. A list item leaves out long texts; `full` brings them.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from fastapi import Request

from daemon import cursors
from daemon.api.problems import Problem
from interactions.records import Attachment, JsonValue, Kind
from interactions.views import ContactView, Control, InteractionView, Named, ParticipantView

BLOCK_OF = {"phone_call": "call"}
T = TypeVar("T")
# Every field of a block is there, whoever made the record: what nobody said is null, or empty.
EMPTY_BLOCKS: Mapping[str, Mapping[str, JsonValue]] = {
    "phone_call": {
        "state": "ended", "result": None, "started_at": None, "answered_at": None, "ended_at": None,
        "ring_seconds": None, "talk_seconds": None, "line": None, "legs": [], "transfers": [], "recordings": [],
        "voicemail": False,
    },
    "meeting": {"starts_at": None, "ends_at": None, "location": None, "ical_uid": None, "status": "planned"},
    "sms": {"text": "", "state": "unknown", "segments": None, "service": "sms"},
    "planned": {"due_at": None, "repeats": None, "intended_type": None, "state": "open", "carried_out_as": []},
}  # fmt: skip
LONG = frozenset({"references", "legs", "occurrences"})


def time_json(at: datetime | None) -> str | None:
    """A moment in UTC with `Z`."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def named_json(one: Named | None) -> dict[str, JsonValue] | None:
    """An id with its name."""
    return {"id": str(one.id), "name": one.name} if one else None


def contact_brief(one: ContactView | None) -> dict[str, JsonValue] | None:
    """A linked contact."""
    if one is None:
        return None
    # A partner has no partner: that it stands for itself is said by `partner` beside it.
    partner = str(one.partner.id) if one.partner and one.kind != "partner" else None
    return {"id": str(one.id), "kind": one.kind, "name": one.name, "partner_id": partner}


def participant_json(one: ParticipantView) -> dict[str, JsonValue]:
    """A participant, and why its link is there."""
    return {
        "role": one.role,
        "display_name": one.display_name,
        "address": one.address,
        "address_kind": one.address_kind,
        "key": one.key,
        "contact": contact_brief(one.contact),
        "match": {
            "rule": one.rule,
            "origin": one.origin,
            "confidence": one.confidence,
            "candidates": [str(candidate) for candidate in one.candidates],
        },
    }


def attachment_json(one: Attachment) -> dict[str, JsonValue]:
    """A file of an interaction."""
    return {
        "n": one.n, "name": one.name, "content_type": one.content_type, "size": one.size, "inline": one.inline,
    }  # fmt: skip


def interaction_json(
    one: InteractionView, public_url: str, *, full: bool = True, locations: Sequence[tuple[str, str, int]] | None = None
) -> dict[str, JsonValue]:
    """An interaction as the contract has it. `locations` (mailbox, folder, UID) only where they were asked for."""
    contact = one.contact
    shape: dict[str, JsonValue] = {
        "id": str(one.id),
        "number": one.number,
        "url": f"{public_url}/interactions/{one.id}",
        "external_ref": one.external_ref,
        "type": one.kind,
        "direction": one.direction,
        "occurred_at": time_json(one.occurred_at),
        "created_at": time_json(one.created_at),
        "updated_at": time_json(one.updated_at),
        "topic": one.topic,
        "description": one.description,
        "comment": one.comment,
        "importance": one.importance,
        "author": named_json(one.author),
        "responsible": named_json(one.responsible),
        "department": named_json(one.department),
        "contact": contact_brief(contact),
        "partner": named_json(contact.partner) if contact else None,
        "tags": list(one.tags),
        "extra": dict(one.extra),
        "attachments": [attachment_json(file) for file in one.attachments],
        "participants": [participant_json(person) for person in one.participants],
        "chain": {
            "id": str(one.chain_id),
            "root_id": str(one.root_id),
            "size": one.chain_size,
            "continues": str(one.continues_id) if one.continues_id else None,
            "link": _link(one),
        },
        "subject": _subject(one),
        "reviewed": one.reviewed,
        "reviewed_at": time_json(one.reviewed_at),
        "reviewed_by": named_json(one.reviewed_by),
        "review_after": time_json(one.review_after),
        "on_control": _control(one.on_control),
        "source": _source(one),
        "access": "headers" if one.is_closed else "full",
        BLOCK_OF.get(one.kind, one.kind): _block(one, full, locations),
    }
    if not full:
        shape["excerpt"] = one.excerpt
    return shape


def _control(one: Control | None) -> JsonValue:
    return {"wake_at": time_json(one.wake_at), "until_reply": one.until_reply} if one else None


def lines_json(
    found: Sequence[InteractionView],
    public_url: str,
    *,
    more: bool,
    full: bool = False,
    kinds: Collection[str] = tuple(Kind),
) -> dict[str, JsonValue]:
    """A page of interactions in the order of time, and where the next one begins. Only `kinds` are shown."""
    last = found[-1] if found and more else None
    return {
        "items": [interaction_json(one, public_url, full=full) for one in found if one.kind in kinds],
        "next": cursors.write_cursor(last.occurred_at, last.id) if last else None,
    }


def _link(one: InteractionView) -> dict[str, JsonValue]:
    """Why it is in its chain. The evidence of a mail is the id that it names, of a guess the interaction it seems to answer."""
    link: dict[str, JsonValue] = {"rule": one.link_rule, "origin": one.link_origin, "flags": list(one.link_flags)}
    return {**link, "evidence": one.link_evidence} if one.link_evidence and not one.is_closed else link


def _subject(one: InteractionView) -> JsonValue:
    if one.subject is not None:
        kind, subject_id, title = one.subject
        return {"kind": kind, "id": str(subject_id), "title": title}
    return {"kind": "interaction", "id": str(one.root_id), "title": one.root_topic}


def _source(one: InteractionView) -> JsonValue:
    if one.source is None:
        return None
    return {"name": one.source.name, "type": one.source_type, "external_id": one.external_id}


def _block(one: InteractionView, full: bool, locations: Sequence[tuple[str, str, int]] | None) -> dict[str, JsonValue]:
    whole = {**EMPTY_BLOCKS.get(one.kind, {}), **one.block}
    block = {name: value for name, value in whole.items() if full or name not in LONG}
    if one.kind == "phone_call":
        answered = block.pop("answered_by_id", None)
        names = {str(p.contact.id): p.contact.name for p in one.participants if p.contact}
        block["answered_by"] = {"id": answered, "name": names.get(str(answered), "")} if answered else None
    if one.kind == "email" and full:
        block["body_text"] = one.body_text or ""
        block["reply_text"] = one.reply_text or one.body_text or ""
    if one.kind == "email" and locations is not None:
        block["locations"] = [{"mailbox": mailbox, "folder": folder, "uid": uid} for mailbox, folder, uid in locations]
    return block


def etag(version: int) -> str:
    """The version of a record as an entity tag (RFC 9110 §8.8.3)."""
    return f'"{version}"'


def wanted_version(request: Request) -> int | None:
    """The version that If-Match names; None where any will do. Raises Problem for what is no tag of ours."""
    given = request.headers.get("if-match", "").strip()
    if not given or given == "*":
        return None
    text = given.removeprefix("W/").strip('"')
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Problem("stale", "If-Match does not name a version of this record; read it again and send its ETag.")
    return int(text)


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises Problem."""
    try:
        given = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise Problem("invalid", f"The body is no JSON: {str(error)[:200]}.", status=400) from None
    if not isinstance(given, dict):
        raise Problem("invalid", "The body must be a JSON object.", errors=[("", "must be an object")])
    return given


def after_name(cursor: str | None) -> tuple[str, UUID] | None:
    """Where the last page of a list by name ended. Raises Problem."""
    return _after(cursors.unpack, cursor)


def after_moment(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Where the last page of a list by time ended. Raises Problem."""
    return _after(cursors.read_cursor, cursor)


def _after(read: Callable[[str], T], cursor: str | None) -> T | None:
    try:
        return read(cursor) if cursor else None
    except ValueError as error:
        raise Problem("invalid", "This cursor is not one of ours.", errors=[("cursor", str(error))]) from None
