"""Contacts out of a list: rows → contacts that are new, changed or as they were, and the rows that were refused.

A row meets the contact that has its reference (`external_ref`); a row without one meets the only contact of its kind and
name that shares an address with it, or any at all where the row has none. So an import may be repeated. It adds and
never takes away: what a cell says is set, an empty cell changes nothing, addresses and tags join those that are there.
The row of a contact that was merged into another adds its addresses and tags to that one and changes nothing else.

The partner of a row is named by its reference, else by its name; one that is not known yet is made, and counted as
`partners`, not as a row. Rows of partners therefore go first, whatever their place in the file.

A few hundred rows make a transaction: gather → decide → write. So a long import keeps no arriving mail waiting, and one
that is broken off may be begun again. A dry run decides the same without writing; it keeps what it would have written in
memory, so that later rows meet it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from daemon.contacts import Fields, Invalid, Spelling, apply, new_id, number_key
from interactions.addresses import email_key
from interactions.contactfiles import ContactRow, RefusedRow
from interactions.contacts import Contact, ContactKind
from interactions.records import JsonValue, Key
from storage import contacts, people
from storage.contacts import name_key
from storage.database import Connection, Database

ROWS_AT_ONCE = 500
_LEGAL_FORMS = frozenset(
    "ооо оао зао пао ао нао ип фгуп муп гуп тоо llc ltd inc corp gmbh ag srl sarl plc oy bv".split()
)
_COMPANY_INN_DIGITS = 10
_COLUMN_OF = {"emails": "email", "phones": "phone", "partners": "partner", "parent_id": "partner"}


@dataclass(slots=True)
class Imported:
    """What became of the rows. `partners` were made because rows named them."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    partners: int = 0
    refused: list[RefusedRow] = field(default_factory=list)

    def join(self, other: "Imported") -> None:
        self.added += other.added
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.partners += other.partners
        self.refused = sorted((*self.refused, *other.refused), key=lambda one: one.line)

    def as_json(self) -> dict[str, JsonValue]:
        return {
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "partners": self.partners,
            "refused": [{"line": one.line, "reason": one.reason} for one in self.refused],
        }


class Refusal(Exception):
    """Why a row is left out."""


class Known:
    """Contacts as they shall be, found by id, reference and name."""

    def __init__(self) -> None:
        self.contacts: dict[UUID, Contact] = {}
        self._refs: dict[str, UUID] = {}
        self._names: dict[str, dict[UUID, None]] = {}

    def add(self, one: Contact) -> None:
        self.contacts[one.id] = one
        self._names.setdefault(name_key(one.name), {})[one.id] = None
        if one.external_ref is not None:
            self._refs[one.external_ref] = one.id

    def by_ref(self, ref: str) -> Contact | None:
        """The one that has this reference, or into which it was merged. Raises Refusal for one that was deleted."""
        found = self.contacts[self._refs[ref]] if ref in self._refs else None
        if found is not None and found.merged_into is not None:
            found = self.contacts.get(found.merged_into, found)
        if found is not None and found.is_gone:
            raise Refusal(f"the contact with the reference {ref[:40]!r} was deleted")
        return found

    def by_name(self, name: str) -> list[Contact]:
        key = name_key(name)
        some = [self.contacts[one] for one in self._names.get(key, ())]
        return [one for one in some if not one.is_gone and name_key(one.name) == key]


@dataclass(slots=True)
class Plan:
    """One batch: what there was, what shall be, and what became of each row. `lines` are those of references before."""

    spelling: Spelling
    now: datetime
    lines: Mapping[str, int]
    known: Known = field(default_factory=Known)
    users: Mapping[str, UUID] = field(default_factory=dict)
    stored: dict[UUID, Contact] = field(default_factory=dict)
    own_lines: dict[str, int] = field(default_factory=dict)
    result: Imported = field(default_factory=Imported)


async def import_contacts(
    database: Database,
    rows: Sequence[ContactRow],
    spelling: Spelling,
    now: datetime,
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Brings in the rows of a file. `progress` hears how many more are done."""
    total = Imported()
    lines: dict[str, int] = {}
    dreamt = Known()
    ordered = sorted(rows, key=lambda row: (_kind(row) is not ContactKind.PARTNER, row.line))
    for start in range(0, len(ordered), ROWS_AT_ONCE):
        some = ordered[start : start + ROWS_AT_ONCE]

        async def work(db: Connection, some: Sequence[ContactRow] = some) -> Plan:
            plan = Plan(spelling, now, lines, dreamt if dry_run else Known())
            await import_batch(db, some, plan, dry_run=dry_run)
            return plan

        plan = await database.in_transaction(work)
        lines.update(plan.own_lines)
        total.join(plan.result)
        batches = start // ROWS_AT_ONCE + 1
        if not dry_run and batches & (batches - 1) == 0:  # after the 1st, 2nd, 4th, 8th …
            await database.in_transaction(contacts.analyze)
        if progress is not None:
            progress(len(some))
    return total


async def import_batch(db: Connection, rows: Sequence[ContactRow], plan: Plan, *, dry_run: bool = False) -> None:
    """Brings in some rows within the caller's transaction, partners first."""
    await _gather(db, rows, plan, hold=not dry_run)
    for row in rows:
        _decide(row, plan)
    if not dry_run:
        await _write(db, plan)


async def _gather(db: Connection, rows: Sequence[ContactRow], plan: Plan, *, hold: bool) -> None:
    refs = {ref for row in rows for ref in (row.external_ref, row.partner_ref) if ref}
    names = {name for row in rows for name in (row.name, row.partner) if name}
    ids = {*(await contacts.find_by_refs(db, refs)).values(), *await contacts.find_by_names(db, names)}
    plan.stored.update(await contacts.find_all(db, sorted(ids), hold=hold))
    into = {one.merged_into for one in plan.stored.values() if one.merged_into} - plan.stored.keys()
    plan.stored.update(await contacts.find_all(db, sorted(into), hold=hold))
    for one in plan.stored.values():
        if one.id not in plan.known.contacts:
            plan.known.add(one)
    plan.users = _users(await people.list_all(db)) if any(row.responsible for row in rows) else {}


def _users(some: Sequence[people.User]) -> dict[str, UUID]:
    """Users by e-mail, and by name where only one is called so."""
    found: dict[str, UUID] = {}
    for user in some:
        if user.disabled_at is None:
            found[user.email] = user.id
            alone = sum(name_key(other.name) == name_key(user.name) for other in some) == 1
            if alone:
                found[name_key(user.name)] = user.id
    return found


async def _write(db: Connection, plan: Plan) -> None:
    today = plan.now.date()
    new = [one for one in plan.known.contacts.values() if one.id not in plan.stored]
    changed = [(old, plan.known.contacts[old.id]) for old in plan.stored.values()]
    await contacts.add_all(db, sorted(new, key=lambda one: one.kind is not ContactKind.PARTNER), today)
    await contacts.change_all(db, [(old, one) for old, one in changed if old != one], today)


def _decide(row: ContactRow, plan: Plan) -> None:
    try:
        old = _target(row, plan)
        partner = _partner(row, plan)
        base = old or Contact(new_id(plan.now), _kind(row), row.name, external_ref=row.external_ref or None)
        new = apply(base, _fields(row, base, partner, plan), plan.spelling, plan.now, keep=True)
    except (Refusal, Invalid) as error:
        plan.result.refused.append(RefusedRow(row.line, _in_words(error)))
        return
    finally:
        if row.external_ref:
            plan.own_lines.setdefault(row.external_ref, row.line)
    if partner is not None and partner.id not in plan.known.contacts:
        plan.known.add(partner)
        plan.result.partners += 1
    if old is None:
        plan.result.added += 1
    elif new != old:
        plan.result.changed += 1
    else:
        plan.result.unchanged += 1
        return
    plan.known.add(new)


def _in_words(error: Refusal | Invalid) -> str:
    """Why a row is refused, by the names of its columns."""
    if isinstance(error, Refusal):
        return str(error)
    return "; ".join(f"{_COLUMN_OF.get(path.partition('.')[0], path)}: {message}" for path, message in error.errors)


def _target(row: ContactRow, plan: Plan) -> Contact | None:
    """The contact that the row is about, None for a new one. Raises Refusal."""
    if row.external_ref:
        before = plan.lines.get(row.external_ref) or plan.own_lines.get(row.external_ref)
        if before is not None:
            raise Refusal(f"line {before} has the same reference")
        found = plan.known.by_ref(row.external_ref)
        if found is not None and row.kind is not None and not _is_like(found.kind, row.kind):
            raise Refusal(f"the contact with this reference is of kind {found.kind.value}")
        return found
    keys = _keys(row, plan.spelling)
    kind = _kind(row)
    same = [one for one in plan.known.by_name(row.name) if _is_like(one.kind, kind)]
    same = [one for one in same if not keys or not one.keys or one.keys & keys]
    if len(same) > 1:
        raise Refusal(f"{len(same)} contacts are called so; a column external_ref would tell them apart")
    return same[0] if same else None


def _is_like(one: ContactKind, other: ContactKind) -> bool:
    """Whether a row of this kind may be about that contact: only persons become another kind by an import."""
    persons = (ContactKind.CONTACT_PERSON, ContactKind.INDIVIDUAL)
    return one is other or (one in persons and other in persons)


def _keys(row: ContactRow, spelling: Spelling) -> set[Key]:
    found = {email_key(one.address) for one in row.emails} | {number_key(one.address, spelling) for one in row.phones}
    return {key for key in found if key is not None}


def _partner(row: ContactRow, plan: Plan) -> Contact | None:
    """Whom the row's person serves; one that is not known yet is as it shall be made."""
    if _kind(row) not in (ContactKind.CONTACT_PERSON, ContactKind.INDIVIDUAL):
        return None
    if row.partner_ref:
        found = plan.known.by_ref(row.partner_ref)
        if found is not None and found.kind is not ContactKind.PARTNER:
            raise Refusal(f"the contact with the reference {row.partner_ref[:40]!r} is no partner")
        if found is not None:
            return found
        if not row.partner:
            raise Refusal(f"no partner has the reference {row.partner_ref[:40]!r}")
    if not row.partner:
        return None
    same = [one for one in plan.known.by_name(row.partner) if one.kind is ContactKind.PARTNER]
    if len(same) > 1:
        raise Refusal(
            f"{len(same)} partners are called {row.partner[:60]!r}; a column partner_ref would tell them apart"
        )
    if same and not row.partner_ref:
        return same[0]
    new = Contact(new_id(plan.now), ContactKind.PARTNER, row.partner)
    return apply(new, Fields(external_ref=row.partner_ref or None), plan.spelling, plan.now)


def _fields(row: ContactRow, base: Contact, partner: Contact | None, plan: Plan) -> Fields:
    """What the row says; an empty cell says nothing."""
    fields = Fields(emails=row.emails, phones=row.phones, domains=row.domains, tags=row.tags)
    if row.external_ref and base.external_ref != row.external_ref:
        return fields  # the other base has two where one was merged into the other here: it only adds
    fields["name"] = row.name
    if row.kind is not None:
        fields["kind"] = row.kind
    if row.inn:
        fields["inn"] = row.inn
    if row.kpp:
        fields["kpp"] = row.kpp
    if row.comment:
        fields["comment"] = row.comment
    if partner is not None and not any(
        job.partner_id == partner.id and job.holds(plan.now.date()) for job in base.employments
    ):
        fields["partner_id"] = partner.id
    if row.responsible:
        key = email_key(row.responsible)
        user = plan.users.get(key.value if key else name_key(row.responsible))
        if user is None:
            raise Refusal(f"there is no user {row.responsible[:60]!r} to be responsible")
        fields["responsible_id"] = user
    return fields


def _kind(row: ContactRow) -> ContactKind:
    """The kind that a row says or shows."""
    if row.kind is not None:
        return row.kind
    if row.partner or row.partner_ref:
        return ContactKind.CONTACT_PERSON
    has_form = not _LEGAL_FORMS.isdisjoint(name_key(row.name).replace('"', " ").replace(".", " ").split())
    if has_form or row.kpp or row.domains or len(row.inn) == _COMPANY_INN_DIGITS:
        return ContactKind.PARTNER
    return ContactKind.INDIVIDUAL
