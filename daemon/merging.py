"""Two contacts that are one: the one goes into the other, with everything, and comes back if that was wrong.

The fields are combined by rule: what the other one has stays, gaps are filled, lists are united, comments follow each
other. A reference of its own goes over only where the other has none. Partners merge with partners, persons with persons;
a user, who signs in, merges with nobody. The old id answers `gone` and says where it went (`merged_into`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from daemon.contacts import ADDRESSES_MAX, DOMAINS_MAX, PARTNERS_MAX, TAGS_MAX, Invalid, find, live
from interactions.contacts import Contact, ContactKind, Employment
from interactions.records import Json
from storage import addresses, contacts, decisions, feed, merging, snapshots, undo
from storage.database import Connection

KIND = "contacts_merged"
COMMENT_CHARS_MAX = 100_000


async def merge(db: Connection, source_id: UUID, target_id: UUID, by: UUID | None, now: datetime) -> str:
    """Merges a contact into another; returns the token that takes it back. Raises NotFound, Gone and Invalid."""
    await find(db, source_id)
    others = [one for one in await merging.tied(db, source_id) if one != target_id]
    ids = {source_id, target_id, *others, *await merging.redirects(db, source_id)}
    seats = await merging.chosen(db, source_id)
    before = await snapshots.take(db, ids, (), seats)
    found = await contacts.find_all(db, [source_id, target_id, *others])
    source, target = live(found.get(source_id), source_id), found.get(target_id)
    if target is None or target.is_gone:
        raise Invalid([("into", f"{target_id} is no contact")])
    _check(source, target)
    if target.parent_id != source_id and source_id in await contacts.above(db, target_id):
        raise Invalid([("into", "belongs to a company of the one that shall go")])
    new = combined(source, target)
    touched = await addresses.of_contacts(db, ids)
    await addresses.hold(db, touched)
    await merging.strip(db, source_id, target_id, gives_ref=target.external_ref is None)
    tied = [(found[one], _follows(found[one], source_id, target_id)) for one in others]
    await contacts.change_all(db, [(target, new), *tied], now.date())
    moved = await merging.move(db, source_id, target_id)
    await addresses.resolve(db, touched, now.date())
    await decisions.settle(db, [target_id])
    told = sorted({interaction_id for interaction_id, _ in seats})
    await decisions.touch(db, told)
    await feed.add(db, [feed.Change("contact.merged", source_id, {"merged_into": str(target_id)})])
    if len(told) <= addresses.TOLD_MAX:
        await feed.add(db, [feed.Change("interaction.updated", one) for one in told])
    image: dict[str, Any] = {"source": str(source_id), "target": str(target_id), "subjects": moved}
    return await undo.add(db, KIND, image | {"contacts": await snapshots.seal(db, before)}, by)


async def take_back(db: Connection, image: Json) -> None:
    """Makes two contacts of one again, as they were. Raises Conflict where one of them was changed since."""
    kept: Mapping[str, Any] = image
    await snapshots.restore(db, kept["contacts"], datetime.now(UTC).date())
    await merging.put_back(db, UUID(kept["source"]), UUID(kept["target"]), kept["subjects"])


def _check(source: Contact, target: Contact) -> None:
    if source.id == target.id:
        raise Invalid([("into", "is this contact itself")])
    if ContactKind.USER in (source.kind, target.kind):
        raise Invalid([("into", "a user merges with nobody")])
    if (source.kind is ContactKind.PARTNER) != (target.kind is ContactKind.PARTNER):
        raise Invalid([("into", "partners merge with partners, and persons with persons")])


def combined(source: Contact, target: Contact) -> Contact:
    """The contact that two become: what `target` has, and what only `source` has. Raises Invalid where it is too much."""
    known = target.keys
    comments = [one for one in (target.comment, source.comment) if one]
    parent_id = source.parent_id if target.parent_id in (None, source.id) else target.parent_id
    new = replace(
        target,
        coordinates=(*target.coordinates, *(one for one in source.coordinates if one.key not in known)),
        employments=united([*target.employments, *source.employments]),
        responsible_id=target.responsible_id or source.responsible_id,
        parent_id=None if parent_id == target.id else parent_id,
        external_ref=target.external_ref or source.external_ref,
        domains=tuple(dict.fromkeys((*target.domains, *source.domains))),
        inn=target.inn or source.inn,
        kpp=target.kpp or source.kpp,
        tags=tuple(dict.fromkeys((*target.tags, *source.tags))),
        comment="\n\n".join(dict.fromkeys(comments))[:COMMENT_CHARS_MAX] or None,
    )
    bounds = ((new.coordinates, ADDRESSES_MAX, "addresses"), (new.employments, PARTNERS_MAX, "partners"),
              (new.domains, DOMAINS_MAX, "domains"), (new.tags, TAGS_MAX, "tags"))  # fmt: skip
    wrong = [("into", f"would have more than {most} {name}") for some, most, name in bounds if len(some) > most]
    if wrong:
        raise Invalid(wrong)
    return new


def united(jobs: Iterable[Employment]) -> tuple[Employment, ...]:
    """Employments without doubles: of two that began together the one that lasts longer."""
    longest: dict[tuple[UUID, date | None], Employment] = {}
    for job in jobs:
        other = longest.setdefault((job.partner_id, job.since), job)
        if (job.until or date.max) > (other.until or date.max):
            longest[job.partner_id, job.since] = job
    return tuple(sorted(longest.values(), key=lambda job: (job.since or date.min, job.partner_id)))


def _follows(one: Contact, source_id: UUID, target_id: UUID) -> Contact:
    """A person or a company of the partner that goes."""
    jobs = [replace(job, partner_id=target_id) if job.partner_id == source_id else job for job in one.employments]
    return replace(
        one,
        employments=united(jobs),
        parent_id=target_id if one.parent_id == source_id else one.parent_id,
    )
