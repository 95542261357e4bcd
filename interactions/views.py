"""An interaction as people and programs see it: with the names behind its ids, and why each link is there."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interactions.records import Attachment, Json


@dataclass(frozen=True, slots=True)
class Named:
    """An id with its name."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class ContactView:
    """A linked contact."""

    id: UUID
    kind: str
    name: str
    partner: Named | None = None


@dataclass(frozen=True, slots=True)
class ParticipantView:
    """A participant with its link: whom, by which rule, how sure, and who else was possible."""

    role: str
    display_name: str
    address: str
    address_kind: str
    key: str | None
    own: bool
    contact: ContactView | None
    rule: str
    origin: str
    confidence: str
    candidates: tuple[UUID, ...] = ()

    @property
    def is_ours(self) -> bool:
        return self.own or self.role == "employee" or (self.contact is not None and self.contact.kind == "user")


@dataclass(frozen=True, slots=True)
class Control:
    """A mark of control: until when, and whether an answer ends it."""

    wake_at: datetime | None = None
    until_reply: bool = False


@dataclass(frozen=True, slots=True)
class InteractionView:
    """One interaction, ready to be shown. Long texts are None in lists. One that `is_closed` to whoever asks shows the facts
    of its header only."""

    id: UUID
    number: int
    kind: str
    direction: str | None
    occurred_at: datetime
    created_at: datetime
    updated_at: datetime
    version: int
    topic: str
    description: str
    comment: str | None
    excerpt: str
    importance: str
    external_ref: str | None
    external_id: str | None
    source: Named | None
    source_type: str | None
    author: Named | None
    responsible: Named | None
    reviewed: bool
    reviewed_at: datetime | None
    reviewed_by: Named | None
    review_after: datetime | None
    tags: tuple[str, ...]
    extra: Json
    block: Json
    chain_id: UUID
    root_id: UUID
    chain_size: int
    root_topic: str
    link_rule: str
    link_origin: str
    link_flags: tuple[str, ...]
    subject: tuple[str, UUID, str] | None
    has_attachments: bool
    participants: tuple[ParticipantView, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    body_text: str | None = None
    reply_text: str | None = None
    link_evidence: str = ""
    on_control: Control | None = None
    is_closed: bool = False
    continues_id: UUID | None = None  # the chain that this one goes on with
    department: Named | None = None  # of the responsible

    @property
    def contact(self) -> ContactView | None:
        """The main other side: the first linked participant who is not one of us."""
        return next((p.contact for p in self.participants if p.contact and not p.is_ours), None)

    @property
    def party(self) -> ParticipantView | None:
        """Whom to name in a list: the linked other side, else anybody who is not one of us."""
        others = [p for p in self.participants if not p.is_ours]
        return next((p for p in others if p.contact), others[0] if others else None)
