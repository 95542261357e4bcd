"""What may be done with contacts: add, change, delete. The API and the commands do it here, within their transaction.

`Fields` hold what was given, and nothing for what was not. `apply` makes of a contact and fields the contact that shall
be, or says every mistake at once; the rest is looking up what it refers to, and writing.

A person serves partners for a time. `partners` gives all of them; `partner_id` alone the present one: the former is
served until today and the new one from today, so that history keeps the partner of its time. A first partner has no
beginning: it stands for all that was before.

    Invalid     fields that can't be: pairs of a path and a sentence
    Outdated    the contact was changed since it was read
    Gone        it was deleted, or merged into another
    NotFound, Conflict   as in `storage.errors`
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict
from uuid import UUID, uuid4

from interactions.addresses import clean_name, domain_of, email_key
from interactions.contactfiles import Written
from interactions.contacts import Contact, ContactKind, Coordinate, Employment, partner_at
from interactions.phones import phone_key
from interactions.records import AddressKind, Key, uuid7
from storage import contacts
from storage.database import Connection
from storage.errors import Conflict, NotFound

ADDRESSES_MAX = 200
PARTNERS_MAX = 200
TAGS_MAX = 100
TAG_CHARS_MAX = 100
DOMAINS_MAX = 200
REF_CHARS_MAX = 200
CODE_CHARS_MAX = 20
COMMENT_CHARS_MAX = 100_000
LABEL_CHARS_MAX = 100
RAW_CHARS_MAX = 300
PHONE_DIGITS_MAX = 15


class Fields(TypedDict, total=False):
    """What was given. None takes a value away."""

    kind: ContactKind
    name: str
    emails: Sequence[Written]
    phones: Sequence[Written]
    partners: Sequence[Employment]
    partner_id: UUID | None
    responsible_id: UUID | None
    parent_id: UUID | None
    external_ref: str | None
    domains: Sequence[str]
    inn: str | None
    kpp: str | None
    tags: Sequence[str]
    comment: str | None


@dataclass(frozen=True, slots=True)
class Spelling:
    """How numbers without a country or an area code are read."""

    region: str = "RU"
    area_code: str = ""


class Invalid(Exception):
    """Fields that can't be."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {message}" for path, message in errors))
        self.errors = tuple(errors)


class Outdated(Conflict):
    """The contact has another version than the one that was to be changed."""


class Gone(NotFound):
    """The contact was deleted, or merged into another."""

    def __init__(self, contact: Contact) -> None:
        super().__init__(f"the contact {contact.id} was {'merged' if contact.merged_into else 'deleted'}")
        self.merged_into = contact.merged_into


async def add(
    db: Connection, fields: Fields, spelling: Spelling, now: datetime, has: Sequence[Coordinate] = (), *,
    new_as: UUID | None = None,
) -> Contact:  # fmt: skip
    """Writes a new contact. Without a kind it is an individual, or the contact person of the given partner. `has` are
    addresses it has beside those that are given; `new_as` is its id where the caller has made one."""
    serves = fields.get("partner_id") or fields.get("partners")
    kind = ContactKind.CONTACT_PERSON if serves else ContactKind.INDIVIDUAL
    blank = Contact(new_as or new_id(now), kind, "", tuple(has))
    new = apply(blank, fields, spelling, now, keep=True)
    await _check(db, None, new)
    await contacts.add(db, new, now.date())
    return await _written(db, new.id)


async def change(
    db: Connection, contact_id: UUID, fields: Fields, spelling: Spelling, now: datetime, version: int | None = None
) -> Contact:
    """Changes what is given. Nothing is written where nothing changes."""
    old = await _held(db, contact_id, version)
    new = apply(old, fields, spelling, now)
    if new == old:
        return old
    await _check(db, old, new)
    await contacts.change_all(db, [(old, new)], now.date())
    return await _written(db, contact_id)


async def delete(db: Connection, contact_id: UUID, now: datetime, version: int | None = None) -> None:
    """Deletes a contact; its history stays and goes on naming it."""
    await _held(db, contact_id, version)
    if (await contacts.bound(db, contact_id)).signs_in:
        raise Conflict("this user can still sign in; disable the user first (`ringmail user disable`)")
    await contacts.delete(db, contact_id, now.date())


async def find(db: Connection, contact_id: UUID) -> Contact:
    """A contact. Raises NotFound or Gone."""
    return live(await contacts.find(db, contact_id), contact_id)


async def _held(db: Connection, contact_id: UUID, version: int | None) -> Contact:
    old = live(await contacts.find(db, contact_id, hold=True), contact_id)
    if version is not None and version != old.version:
        raise Outdated(f"the contact was changed in between: it is at version {old.version}, not {version}")
    return old


def live(found: Contact | None, contact_id: UUID) -> Contact:
    """What was found, if it is there. Raises NotFound or Gone."""
    if found is None:
        raise NotFound(f"there is no contact {contact_id}")
    if found.is_gone:
        raise Gone(found)
    return found


async def _written(db: Connection, contact_id: UUID) -> Contact:
    found = await contacts.find(db, contact_id)
    assert found is not None
    return found


async def _check(db: Connection, old: Contact | None, new: Contact) -> None:
    """Whether what the contact refers to is there, and nothing that refers to it forbids the change."""
    kinds = await contacts.live_kinds(db, referred(old, new))
    errors = wrong_references(old, new, kinds)
    parent = new.parent_id
    if parent is not None and parent in referred(old, new) and new.id in await contacts.above(db, parent):
        errors.append(("parent_id", "belongs to this contact itself"))
    if old is not None and old.kind is not new.kind:
        bound = await contacts.bound(db, new.id)
        if old.kind is ContactKind.PARTNER and bound.as_partner:
            errors.append(("kind", "is needed: persons or companies belong to this partner"))
        if old.kind is ContactKind.USER and bound.as_user:
            errors.append(("kind", "is needed: this user has a login"))
    if errors:
        raise Invalid(errors)
    if new.external_ref is not None and (old is None or old.external_ref != new.external_ref):
        taken = await contacts.find_by_ref(db, new.external_ref)
        if taken is not None:
            raise Conflict(f"the external_ref {new.external_ref!r} is that of the contact {taken}")


def referred(old: Contact | None, new: Contact) -> set[UUID]:
    """To whom a contact newly refers; what stood there before is not asked again."""
    return _refers(new) - (_refers(old) if old else set())


def _refers(one: Contact) -> set[UUID]:
    others = {one.parent_id, one.responsible_id, *(job.partner_id for job in one.employments)}
    return {other for other in others if other is not None}


def wrong_references(old: Contact | None, new: Contact, kinds: Mapping[UUID, ContactKind]) -> list[tuple[str, str]]:
    """What is wrong with those to whom a contact newly refers, given who they are."""
    asked = referred(old, new)
    wanted = [(f"partners.{n}.id", job.partner_id, ContactKind.PARTNER) for n, job in enumerate(new.employments)]
    wanted += [("parent_id", new.parent_id, ContactKind.PARTNER)] if new.parent_id else []
    wanted += [("responsible_id", new.responsible_id, ContactKind.USER)] if new.responsible_id else []
    return [
        (path, f"{other} is no {kind.value}" if other in kinds else f"there is no {kind.value} {other}")
        for path, other, kind in wanted
        if other in asked and kinds.get(other) is not kind
    ]


def new_id(now: datetime) -> UUID:
    """The id of a new contact."""
    return uuid7(now, uuid4().bytes)


# ---- what shall be


def apply(old: Contact, fields: Fields, spelling: Spelling, now: datetime, *, keep: bool = False) -> Contact:
    """The contact with these fields. With `keep` its addresses, tags and domains stay beside those that are given.

    Raises Invalid with all that is wrong.
    """
    errors: list[tuple[str, str]] = []
    emails = _coordinates("emails", fields["emails"], old.emails, spelling, errors) if "emails" in fields else ()
    phones = _coordinates("phones", fields["phones"], old.phones, spelling, errors) if "phones" in fields else ()
    domains, tags = _domains(fields.get("domains", ()), errors), _tags(fields.get("tags", ()), errors)
    new = replace(
        old,
        kind=fields.get("kind", old.kind),
        name=clean_name(fields["name"]) if "name" in fields else old.name,
        coordinates=_once(
            (*(old.emails if keep or "emails" not in fields else ()), *emails,
             *(old.phones if keep or "phones" not in fields else ()), *phones)
        ),
        employments=_employments(old, fields, now, errors),
        responsible_id=fields.get("responsible_id", old.responsible_id),
        parent_id=fields.get("parent_id", old.parent_id),
        external_ref=_text("external_ref", fields, old.external_ref, REF_CHARS_MAX, errors),
        domains=tuple(dict.fromkeys((*(old.domains if keep or "domains" not in fields else ()), *domains))),
        inn=_text("inn", fields, old.inn, CODE_CHARS_MAX, errors),
        kpp=_text("kpp", fields, old.kpp, CODE_CHARS_MAX, errors),
        tags=tuple(dict.fromkeys((*(old.tags if keep or "tags" not in fields else ()), *tags))),
        comment=_text("comment", fields, old.comment, COMMENT_CHARS_MAX, errors),
    )  # fmt: skip
    errors += _contradictions(new)
    if errors:
        raise Invalid(errors)
    return new


def _contradictions(new: Contact) -> list[tuple[str, str]]:
    errors = []
    if not new.name:
        errors.append(("name", "must not be empty"))
    if new.kind is ContactKind.PARTNER and new.employments:
        errors.append(("partners", "are for persons; a partner belongs to its parent_id"))
    if new.kind is not ContactKind.PARTNER:
        errors += [(path, "is for partners only") for path in ("domains", "parent_id") if getattr(new, path)]
    if new.parent_id == new.id:
        errors.append(("parent_id", "is this contact itself"))
    bounds = (("emails", new.emails, ADDRESSES_MAX), ("phones", new.phones, ADDRESSES_MAX), ("tags", new.tags, TAGS_MAX),
              ("domains", new.domains, DOMAINS_MAX), ("partners", new.employments, PARTNERS_MAX))  # fmt: skip
    errors += [(path, f"must not be more than {most}") for path, some, most in bounds if len(some) > most]
    return errors


def _text(field: str, fields: Fields, old: str | None, chars_max: int, errors: list[tuple[str, str]]) -> str | None:
    if field not in fields:
        return old
    value = fields[field]  # type: ignore[literal-required]  # one of the texts above
    text = str(value).replace("\0", "").strip() if value is not None else ""
    if len(text) > chars_max:
        errors.append((field, f"must not be longer than {chars_max} characters"))
    return text or None


def _tags(tags: Sequence[str], errors: list[tuple[str, str]]) -> list[str]:
    errors += [
        (f"tags.{n}", f"is longer than {TAG_CHARS_MAX}") for n, one in enumerate(tags) if len(one) > TAG_CHARS_MAX
    ]
    return [clean for one in tags if (clean := clean_name(one))]


def _domains(domains: Sequence[str], errors: list[tuple[str, str]]) -> list[str]:
    found = []
    for n, text in enumerate(domains):
        key = email_key("x@" + text.strip().removeprefix("@"))
        if key is None or "." not in domain_of(key):
            errors.append((f"domains.{n}", f"{text[:80]!r} is no domain"))
        else:
            found.append(domain_of(key))
    return found


def _coordinates(
    path: str, given: Sequence[Written], old: Collection[Coordinate], spelling: Spelling, errors: list[tuple[str, str]]
) -> list[Coordinate]:
    """The addresses that are given. What the contact has already in the same spelling keeps its key."""
    known = {one.raw: one.key for one in old}
    found = []
    for n, one in enumerate(given):
        raw, label = clean_name(one.address), clean_name(one.label)
        key = known.get(raw) or (email_key(raw) if path == "emails" else number_key(raw, spelling))
        if key is None or len(raw) > RAW_CHARS_MAX:
            what = "e-mail address" if path == "emails" else "telephone number"
            errors.append((f"{path}.{n}", f"{raw[:80]!r} is no {what}"))
        elif len(label) > LABEL_CHARS_MAX:
            errors.append((f"{path}.{n}.label", f"must not be longer than {LABEL_CHARS_MAX} characters"))
        else:
            found.append(Coordinate(key, raw, label))
    return found


def number_key(text: str, spelling: Spelling) -> Key | None:
    """The key of a number; a local one is completed with the area code of the configuration where that is valid."""
    key = phone_key(text, spelling.region)
    if key is None or key.kind is AddressKind.PHONE:
        return key
    digits = "".join(c for c in text if c.isdigit())
    if not digits or len(digits) > PHONE_DIGITS_MAX or any(c.isalpha() for c in key.value):
        return None
    if spelling.area_code and key.value == digits and len(digits) >= 5:
        whole = phone_key(spelling.area_code + digits, spelling.region)
        if whole is not None and whole.kind is AddressKind.PHONE:
            return whole
    return key


def _once(coordinates: Sequence[Coordinate]) -> tuple[Coordinate, ...]:
    """Each address once: the first way it was written."""
    found: dict[Key, Coordinate] = {}
    for one in coordinates:
        found.setdefault(one.key, one)
    return tuple(found.values())


def _employments(old: Contact, fields: Fields, now: datetime, errors: list[tuple[str, str]]) -> tuple[Employment, ...]:
    jobs = list(fields.get("partners", old.employments))
    seen = set()
    for n, job in enumerate(jobs):
        if job.since and job.until and job.until < job.since:
            errors.append((f"partners.{n}.until", "is before since"))
        if (job.partner_id, job.since) in seen:
            errors.append((f"partners.{n}", "stands there twice"))
        seen.add((job.partner_id, job.since))
    wanted = fields.get("partner_id")
    if "partner_id" in fields and wanted != present_partner(jobs, now):
        if "partners" in fields:
            errors.append(("partner_id", "is not the present one of partners; give one of the two"))
        else:
            jobs = _moved(jobs, wanted, now)
    return tuple(sorted(jobs, key=lambda job: (str(job.since or ""), job.partner_id)))


def present_partner(jobs: Sequence[Employment], now: datetime) -> UUID | None:
    """Whom a person serves now; of several the one that began last."""
    return partner_at(ContactKind.CONTACT_PERSON, UUID(int=0), jobs, now)


def _moved(jobs: Sequence[Employment], partner_id: UUID | None, now: datetime) -> list[Employment]:
    """These jobs, those of today ended, and the new one. What began today was a mistake of today and leaves no trace."""
    today = now.date()
    kept = [replace(job, until=today) if job.holds(today) else job for job in jobs if job.since != today]
    if partner_id is not None:
        kept.append(Employment(partner_id, today if kept else None))
    return kept
