"""What a person or program sends of an interaction: read, bounded and checked, with a path for each mistake."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from daemon.api.blocks import BLOCKS, CallIn, MeetingIn, Moment, PlannedIn, SmsIn, known_only
from daemon.intake.manual import Draft, Edit
from interactions.records import Direction, Importance, JsonValue, Kind, Role

PARTICIPANTS_MAX = 1000
JSON_BYTES_MAX = 64 * 1024
JSON_DEPTH_MAX = 32
# What we make ourselves may be sent back with a change, so that a record can be read, changed and sent as a whole.
OURS = frozenset(
    "id number url type direction occurred_at created_at updated_at author responsible department contact partner "
    "attachments chain subject reviewed_at reviewed_by source access excerpt external_ref email".split()
)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character NUL")
    return text


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if _is_deep(value):
        raise ValueError(f"is nested more than {JSON_DEPTH_MAX} deep")
    try:
        text = json.dumps(value, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        raise ValueError("holds what JSON can't") from None
    if len(text) > JSON_BYTES_MAX:
        raise ValueError(f"is larger than {JSON_BYTES_MAX} bytes")
    if "\\u0000" in text:
        raise ValueError("must not hold the character NUL")
    return value


def _is_deep(value: object) -> bool:
    """Looked at level by level, without recursion."""
    level = [value]
    for _ in range(JSON_DEPTH_MAX):
        level = [
            inner for one in level if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]  # fmt: skip
    return bool(level)


Line = Annotated[str, Field(max_length=1024), AfterValidator(_storable)]
Text = Annotated[str, Field(max_length=1_000_000), AfterValidator(_storable)]
Tag = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_storable)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=100)]
Block = Annotated[dict[str, Any], AfterValidator(_small)]


NO_FIELDS = frozenset({"participants", "subject_id", "on_control", *(name for name, _ in BLOCKS.values())})


class ParticipantIn(BaseModel):
    """One participant: any text, an address, a contact."""

    model_config = ConfigDict(extra="ignore")

    role: Role = Role.SUBSCRIBER
    display_name: Line = ""
    address: Line = ""
    contact_id: UUID | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_it_was_read(cls, given: Any) -> Any:
        """A participant that is sent back as it was read keeps the contact a person chose for it."""
        if not isinstance(given, dict) or "contact_id" in given:
            return given
        match, contact = given.get("match"), given.get("contact")
        chosen = isinstance(match, dict) and match.get("origin") == "manual" and isinstance(contact, dict)
        return {**given, "contact_id": contact.get("id")} if chosen and contact else given

    def row(self) -> tuple[Role, str, str, UUID | None]:
        return self.role, self.display_name, self.address, self.contact_id


class ControlIn(BaseModel):
    """A mark of control: wake me at a time, or when an answer comes."""

    model_config = ConfigDict(extra="forbid")

    wake_at: Moment | None = None
    until_reply: bool = False


Participants = Annotated[list[ParticipantIn], Field(max_length=PARTICIPANTS_MAX)]


class InteractionIn(BaseModel):
    """A new call, meeting, SMS (record only) or plan."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["phone_call", "meeting", "sms", "planned"]
    direction: Direction | None = None
    occurred_at: Moment | None = None
    topic: Line = ""
    description: Text = ""
    comment: Text | None = None
    importance: Importance = Importance.NORMAL
    reviewed: bool = False
    responsible_id: UUID | None = None
    external_ref: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)] | None = None
    chain_id: UUID | None = None
    based_on_id: UUID | None = None
    subject_id: UUID | None = None
    tags: Tags = ()
    extra: Block = {}
    participants: Participants = []
    call: CallIn | None = None
    meeting: MeetingIn | None = None
    sms: SmsIn | None = None
    planned: PlannedIn | None = None

    @model_validator(mode="before")
    @classmethod
    def _names_facts(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for kind, (name, _) in BLOCKS.items():
                if given.get(name) is not None and given.get("type") in BLOCKS and given["type"] != kind:
                    raise ValueError(f"{name} is for the type {kind}")
        return given

    @model_validator(mode="after")
    def _says_something(self) -> "InteractionIn":
        if not self.topic.strip() and not any(p.display_name.strip() or p.address.strip() for p in self.participants):
            raise ValueError("needs a topic, or one participant with any text")
        if sum(one is not None for one in (self.chain_id, self.based_on_id, self.subject_id)) > 1:
            raise ValueError("takes one of chain_id, based_on_id and subject_id")
        return self

    @property
    def flags(self) -> bool:
        """Whether a flag of review is set."""
        return self.reviewed

    def draft(self, author_id: UUID | None) -> Draft:
        return Draft(
            kind=Kind(self.type), direction=self.direction, topic=self.topic, description=self.description,
            comment=self.comment, importance=self.importance, occurred_at=self.occurred_at, reviewed=self.reviewed,
            responsible_id=self.responsible_id, author_id=author_id, external_ref=self.external_ref,
            chain_id=self.chain_id, based_on_id=self.based_on_id, tags=self.tags, extra=self.extra,
            block=self.facts() or {}, participants=tuple(one.row() for one in self.participants),
        )  # fmt: skip

    def facts(self) -> dict[str, JsonValue] | None:
        """The block of its type, as far as it was given."""
        blocks = {"phone_call": self.call, "meeting": self.meeting, "sms": self.sms, "planned": self.planned}
        block = blocks[self.type]
        return block.facts() if block is not None else None

    def edit(self) -> Edit:
        """The same as a change of a record that is there."""
        fields: dict[str, object] = {
            name: _plain(getattr(self, name)) for name in self.model_fields_set if name in InteractionEdit.model_fields
        }
        people = _rows(self.participants) if "participants" in self.model_fields_set else None
        facts = self.facts()
        return Edit(fields, people, (Kind(self.type), facts) if facts else None)

    def contacts(self) -> set[UUID]:
        """All contacts that are named."""
        named = {one.contact_id for one in self.participants} | {self.responsible_id}
        return {one for one in named if one is not None}


class InteractionEdit(BaseModel):
    """A JSON merge patch (RFC 7396) of what people may change; null takes a value away."""

    model_config = ConfigDict(extra="forbid")

    topic: Line | None = None
    description: Text | None = None
    comment: Text | None = None
    importance: Importance = Importance.NORMAL
    responsible_id: UUID | None = None
    reviewed: bool = False
    subject_id: UUID | None = None
    review_after: Moment | None = None
    on_control: ControlIn | None = None
    tags: Tags | None = None
    extra: Block | None = None
    participants: Participants = []
    call: CallIn | None = None
    meeting: MeetingIn | None = None
    sms: SmsIn | None = None
    planned: PlannedIn | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_ours(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return known_only({name: value for name, value in given.items() if name not in OURS})

    @property
    def flags(self) -> bool:
        """Whether a flag of review is to change."""
        return bool({"reviewed", "review_after", "on_control"} & self.model_fields_set)

    def edit(self) -> Edit:
        """What was given."""
        blocks = {kind: getattr(self, name) for kind, (name, _) in BLOCKS.items()}
        fields: dict[str, object] = {
            name: _plain(getattr(self, name)) for name in self.model_fields_set if name not in NO_FIELDS
        }
        for name, nothing in (("tags", []), ("extra", {})):
            if name in fields and fields[name] is None:
                fields[name] = nothing
        people = _rows(self.participants) if "participants" in self.model_fields_set else None
        facts = next(((Kind(kind), block.facts()) for kind, block in blocks.items() if block is not None), None)
        return Edit(fields, people, facts)

    def contacts(self) -> set[UUID]:
        """All contacts that are named."""
        named = {one.contact_id for one in self.participants} | {self.responsible_id}
        return {one for one in named if one is not None}


def _rows(participants: list[ParticipantIn]) -> list[tuple[Role, str, str, UUID | None]]:
    return [one.row() for one in participants]


def _plain(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
