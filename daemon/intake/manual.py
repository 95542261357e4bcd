"""What a person or a program enters by hand: a call, a meeting, an SMS or a plan, through the same decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from daemon.intake.context import IntakeSettings
from interactions.addresses import email_key
from interactions.bodies import excerpt
from interactions.chains import new_chain_id
from interactions.phones import phone_key
from interactions.records import (
    Direction,
    Importance,
    Interaction,
    Json,
    JsonValue,
    Key,
    Kind,
    Link,
    Participant,
    Role,
    uuid7,
)
from interactions.sms import segments
from storage import addresses, blocks, chains, edits, feed, records, search
from storage.database import Connection
from storage.errors import NotFound


@dataclass(frozen=True, slots=True)
class Draft:
    """An interaction as it was entered."""

    kind: Kind
    direction: Direction | None = None
    topic: str = ""
    description: str = ""
    comment: str | None = None
    importance: Importance = Importance.NORMAL
    occurred_at: datetime | None = None
    reviewed: bool = False
    responsible_id: UUID | None = None
    author_id: UUID | None = None
    external_ref: str | None = None
    chain_id: UUID | None = None
    based_on_id: UUID | None = None
    tags: tuple[str, ...] = ()
    extra: Json = field(default_factory=dict)
    block: Json = field(default_factory=dict)
    participants: tuple[tuple[Role, str, str, UUID | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person changes: `records.FIELDS` by name, and the participants as a whole where they are given."""

    fields: Mapping[str, object]
    participants: Sequence[tuple[Role, str, str, UUID | None]] | None = None
    facts: tuple[Kind, Mapping[str, JsonValue]] | None = None  # only a record that was entered by hand takes them


def key_of(address: str, region: str) -> Key | None:
    """The key of an address that may be an e-mail or a number."""
    return email_key(address) if "@" in address else phone_key(address, region) if address.strip() else None


def read_participants(given: Sequence[tuple[Role, str, str, UUID | None]], region: str) -> tuple[Participant, ...]:
    """Participants with the keys of their addresses."""
    return tuple(Participant(role, name, address, key_of(address, region), who) for role, name, address, who in given)


async def admit(db: Connection, draft: Draft, settings: IntakeSettings, now: datetime) -> UUID:
    """Writes a draft within the caller's transaction; returns the id of the new interaction."""
    at, text = draft.occurred_at or now, str(draft.block.get("text") or "")
    interaction_id = uuid7(at, uuid4().bytes)
    participants = read_participants(draft.participants, settings.region)
    known = await addresses.claim(db, {p.key for p in participants if p.key})
    chain_id, link = await _chain(db, draft, interaction_id, at)
    new = Interaction(
        id=interaction_id, kind=draft.kind, direction=draft.direction, occurred_at=at, chain_id=chain_id,
        topic=draft.topic, description=draft.description, comment=draft.comment, importance=draft.importance,
        excerpt=excerpt(text or draft.description), author_id=draft.author_id,
        responsible_id=draft.responsible_id or draft.author_id, based_on_id=draft.based_on_id,
        external_ref=draft.external_ref, reviewed=draft.reviewed, reviewed_at=now if draft.reviewed else None,
        reviewed_by=draft.author_id if draft.reviewed else None, tags=draft.tags, extra=draft.extra,
        block=_block(draft), participants=participants, link=link, body_text=text,
    )  # fmt: skip
    await chains.extend(db, [new])
    await records.add_all(db, [new], known)
    if any(one.contact_id for one in participants):
        await edits.settle_partners(db, interaction_id)
    await feed.add(db, [feed.Change("interaction.created", interaction_id)])
    return interaction_id


async def change(
    db: Connection, interaction_id: UUID, edit: Edit, settings: IntakeSettings, by: UUID | None, version: int | None
) -> bool:
    """Changes a record within the caller's transaction; says whether it was there in that version."""
    if not await records.set_fields(db, interaction_id, edit.fields, by, version):
        return False
    if edit.participants is not None:
        participants = read_participants(edit.participants, settings.region)
        known = await addresses.claim(db, {p.key for p in participants if p.key})
        await edits.put_participants(db, interaction_id, participants, known)
    if "description" in edit.fields:
        await edits.set_excerpt(db, interaction_id, excerpt(str(edit.fields["description"] or "")))
    if edit.facts is not None:
        await blocks.merge(db, interaction_id, *edit.facts)
    await search.index_these(db, [interaction_id])
    await feed.add(db, [feed.Change("interaction.updated", interaction_id)])
    return True


async def _chain(db: Connection, draft: Draft, interaction_id: UUID, at: datetime) -> tuple[UUID, Link]:
    wanted = draft.chain_id
    if draft.based_on_id is not None:
        wanted = await records.chain_of(db, draft.based_on_id)
        if wanted is None:
            raise NotFound(f"there is no interaction {draft.based_on_id} to base this one on")
    if wanted is None:
        return new_chain_id(interaction_id, at), Link("root")
    final = await chains.hold(db, wanted)
    if final is None:
        raise NotFound(f"there is no chain {wanted}")
    return final, Link("based_on" if draft.based_on_id else "manual", origin="manual")


def _block(draft: Draft) -> dict[str, JsonValue]:
    defaults: dict[Kind, dict[str, JsonValue]] = {
        Kind.PHONE_CALL: {"state": "ended", "result": None},
        Kind.SMS: {
            "text": "",
            "state": "received" if draft.direction is Direction.INCOMING else "sent",
            "segments": segments(str(draft.block.get("text") or "")),
        },
        Kind.PLANNED: {"state": "open", "carried_out_as": []},
        Kind.MEETING: {"status": "planned"},
    }
    return {**defaults.get(draft.kind, {}), **draft.block}
