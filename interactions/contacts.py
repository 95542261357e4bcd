"""Contacts, and who an address belongs to: the choice among its owners.

The rule is never to pick silently among several people. In order:

    own            a mailbox, alias or line of ours, or the address of a user: never a customer
    remembered     what a person decided for this address: a contact, or nobody we know
    email_exact    exactly one contact has the address (phone_exact for a number)
    …              a person and that person's own partner both have it: the person, whose partner is shown anyway
    partner_of_all several persons of one partner share it: the partner
    none           several have it who share nothing: no link, the candidates are listed
    phone_variant  nobody has it, but exactly one contact another spelling of it (email_variant for an e-mail): a link of
                   lower confidence; of several the same choice as above
    domain         a partner has its domain: no link, a suggestion with the candidates
    none           nobody at all
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from interactions.records import AddressKind, Key
from interactions.search import fold


class ContactKind(StrEnum):
    """Партнер, контактное лицо, физическое лицо, пользователь."""

    PARTNER = "partner"
    CONTACT_PERSON = "contact_person"
    INDIVIDUAL = "individual"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Employment:
    """A person serves a partner for a time; open ends are None."""

    partner_id: UUID
    since: date | None = None
    until: date | None = None

    def holds(self, at: date) -> bool:
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Coordinate:
    """An address as a contact has it: the key, and what a person wrote."""

    key: Key
    raw: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact with all that belongs to it. The last five fields are the storage's own."""

    id: UUID
    kind: ContactKind
    name: str
    coordinates: tuple[Coordinate, ...] = ()
    employments: tuple[Employment, ...] = ()
    responsible_id: UUID | None = None
    parent_id: UUID | None = None
    external_ref: str | None = None
    domains: tuple[str, ...] = ()
    inn: str | None = None
    kpp: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    version: int = 1
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    merged_into: UUID | None = None

    @property
    def emails(self) -> tuple[Coordinate, ...]:
        return tuple(one for one in self.coordinates if one.key.kind is AddressKind.EMAIL)

    @property
    def phones(self) -> tuple[Coordinate, ...]:
        return tuple(one for one in self.coordinates if one.key.kind is not AddressKind.EMAIL)

    @property
    def keys(self) -> frozenset[Key]:
        return frozenset(one.key for one in self.coordinates)

    @property
    def is_gone(self) -> bool:
        return self.deleted_at is not None or self.merged_into is not None


@dataclass(frozen=True, slots=True)
class Owner:
    """A contact that has an address, with the partners it works for."""

    contact_id: UUID
    kind: ContactKind
    employments: tuple[Employment, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Which contact an address leads to, by which rule, and who else was possible."""

    contact_id: UUID | None = None
    rule: str = "none"
    confidence: str = "none"
    candidates: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a person decided for an address everywhere; None is nobody we know."""

    contact_id: UUID | None


NOBODY = Match()


@dataclass(frozen=True, slots=True)
class Near:
    """What there is where nobody has an address itself: who has another spelling of it, and whose its domain is."""

    owners: Sequence[Owner] = ()
    own: bool = False  # another spelling is our own address
    partners: tuple[UUID, ...] = ()


FAR = Near()


def choose(
    key: Key, owners: Sequence[Owner], today: date, *, own: bool = False, remembered: Remembered | None = None,
    near: Near = FAR,
) -> Match:  # fmt: skip
    """The link that follows from the owners of an address. One who has had it more than once counts once."""
    what = "email" if key.kind is AddressKind.EMAIL else "phone"
    users = {owner.contact_id for owner in owners if owner.kind is ContactKind.USER}
    if own or users:
        return Match(next(iter(users)) if len(users) == 1 else None, "own", "exact")
    if remembered is not None:
        return Match(remembered.contact_id, "remembered", "manual")
    if owners:
        return _among(owners, today, f"{what}_exact", "exact")
    users = {owner.contact_id for owner in near.owners if owner.kind is ContactKind.USER}
    if near.own or users:
        return Match(next(iter(users)) if len(users) == 1 else None, "own", "variant")
    if near.owners:
        return _among(near.owners, today, f"{what}_variant", "variant")
    if near.partners:
        return Match(None, "domain", "suggested", near.partners)
    return NOBODY


def _among(owners: Sequence[Owner], today: date, rule: str, confidence: str) -> Match:
    owners = list({owner.contact_id: owner for owner in owners}.values())
    if len(owners) == 1:
        return Match(owners[0].contact_id, rule, confidence)
    candidates = tuple(sorted(owner.contact_id for owner in owners))
    persons = [owner for owner in owners if owner.kind is not ContactKind.PARTNER]
    partners = {owner.contact_id for owner in owners if owner.kind is ContactKind.PARTNER}
    if len(persons) == 1 and partners <= _partners(persons[0], today):
        return Match(persons[0].contact_id, rule, confidence, candidates)
    shared = set.intersection(*(_partners(owner, today) for owner in owners))
    if len(shared) == 1:
        return Match(shared.pop(), "partner_of_all", confidence, candidates)
    return Match(candidates=candidates)


def _partners(owner: Owner, today: date) -> set[UUID]:
    if owner.kind is ContactKind.PARTNER:
        return {owner.contact_id}
    return {job.partner_id for job in owner.employments if job.holds(today)}


def partner_at(kind: ContactKind, contact_id: UUID, employments: Iterable[Employment], at: datetime) -> UUID | None:
    """The partner behind a contact at a moment: itself, or the employer then; of several the one that began last."""
    if kind is ContactKind.PARTNER:
        return contact_id
    held = [job for job in employments if job.holds(at.date())]
    if not held:
        return None
    return max(held, key=lambda job: (job.since or date.min, job.partner_id)).partner_id


_FORMS = frozenset("ооо оао зао пао ао нао ип ooo llc ltd inc gmbh".split())


def are_alike(one: str, other: str) -> bool:
    """Whether two names may mean one: the words of the shorter one, without legal forms, all stand in the other."""
    first, second = (frozenset(re.findall(r"\w+", fold(name))) - _FORMS for name in (one, other))
    return bool(first and second) and (first <= second or second <= first)
