"""Subjects: the deal, claim or campaign that takes the place of a chain's first interaction.

A subject that is made from an interaction, or from a whole chain, takes over its participants: all of them, linked to a
contact or text only, with role and order, each once (by contact, else by key, else by its words). A person brings the
partner it stood for. The client is the first partner, else the first individual.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from interactions.views import ParticipantView

STATES = ("open", "won", "lost", "closed")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Taken:
    """A participant of a subject. `address_kind` and `key` are those of a known address, else empty."""

    role: str
    display_name: str
    address: str
    address_kind: str = ""
    key: str | None = None
    contact_id: UUID | None = None
    contact_kind: str = ""
    partner_id: UUID | None = None


def is_kind(text: str) -> bool:
    """Whether a text can name a kind of subject: deal, claim, campaign, or one of the user's own."""
    return _KIND.fullmatch(text) is not None and text != "interaction"


def take_over(participants: Iterable[ParticipantView]) -> list[Taken]:
    """The participants of a new subject, from those of its interactions in order of time."""
    found: dict[object, Taken] = {}
    for one in participants:
        contact = one.contact
        taken = Taken(
            one.role,
            one.display_name,
            one.address,
            one.address_kind if one.key else "",
            one.key,
            contact.id if contact else None,
            contact.kind if contact else "",
            contact.partner.id if contact and contact.partner else None,
        )
        found.setdefault(_same(taken), taken)
        if contact is not None and contact.partner is not None and contact.partner.id != contact.id:
            partner = Taken(
                one.role, contact.partner.name, "", contact_id=contact.partner.id, contact_kind="partner",
                partner_id=contact.partner.id,
            )  # fmt: skip
            found.setdefault(_same(partner), partner)
    return list(found.values())


def _same(one: Taken) -> object:
    """What two participants have in common who are one."""
    if one.contact_id is not None:
        return one.contact_id
    if one.key is not None:
        return one.address_kind, one.key
    return one.display_name.casefold().strip(), one.address.casefold().strip()


def client_of(taken: Iterable[Taken]) -> UUID | None:
    """Whom the subject is with."""
    some = list(taken)
    for kind in ("partner", "individual"):
        for one in some:
            if one.contact_kind == kind:
                return one.contact_id
    return None
