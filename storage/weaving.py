"""What a batch of mails rests on, found and locked: ids, topics, conversations, and the chains they lead to.

Folders and daemons admit at the same time, so `claim` locks what a decision rests on before it is read: first the rows
of all ids and names, in sorted order (those never seen get a row too), then the chains they lead to, in sorted order, and
then it looks once more, because a chain may have been merged while we waited for it. A deadlock that remains possible makes the whole
admission run again; that is safe, since deciding is pure.

What must be placed anew (`interactions.chains`) is found here too: loose chains; those of an answer that a new mail is the
likely older one of; the chain that an older mail takes an id from; those that wait for a mail to many.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from interactions.chains import GUESS
from interactions.threads import Shared, Threadable, is_likely, party_ref, topic_ref
from interactions.weaving import ChainFacts, Known, Wait
from storage import threads
from storage.database import Connection
from storage.errors import Conflict

ADD_REFS = """
INSERT INTO message_ref (ref) SELECT r FROM unnest($1::bytea[]) AS new (r) ORDER BY r ON CONFLICT (ref) DO NOTHING
"""

LOCK_REFS = """
SELECT ref FROM message_ref WHERE ref = ANY($1::bytea[]) ORDER BY ref FOR UPDATE
"""

OWNERS = """
SELECT ref, interaction_id FROM message_ref WHERE ref = ANY($1::bytea[]) AND interaction_id IS NOT NULL
"""

# Two look-ups by key and not one condition with OR, which would walk through all that is waited for.
AWAITED = """
SELECT ref, subject_key, interaction_id FROM message_awaited WHERE ref = ANY($1::bytea[])
UNION
SELECT w.ref, w.subject_key, w.interaction_id FROM unnest($2::bytea[], $3::bytea[]) AS asked (ref, subject_key)
JOIN message_awaited w ON w.ref = asked.ref AND w.subject_key = asked.subject_key
"""

LOCK_CHAINS = """
SELECT id, root_id, first_at, size, is_loose FROM chain WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""

APART = """
SELECT one, other FROM chain_apart WHERE one = ANY($1::uuid[])
"""

FINALS = """
SELECT coalesce(merged_into, id) AS id FROM chain WHERE id = ANY($1::uuid[])
"""

LOOKS_MAX = 12


class _Look:
    """One look at what is stored about a batch: what it found, and which chains a decision takes."""

    def __init__(
        self, mails: Sequence[Threadable], echoes: Sequence[tuple[UUID, Shared]], unclear: frozenset[UUID]
    ) -> None:
        self.mails, self.echoes, self.unclear = mails, echoes, unclear
        self.own = sorted({mail.ref for mail in mails if mail.ref})
        parents = {one for mail in mails for one in (*mail.parents, *mail.tokens)}
        shared = [one for mail in mails for one in mail.shared] + [one for _, one in echoes]
        topics = {topic_ref(mail.guess_key) for mail in mails if mail.guess_key is not None}
        self.named = sorted({*self.own, *parents})
        self.locked = sorted({*self.named, *topics, *(one.ref for one in shared)})
        waits = {(ref, mail.wait_key) for mail in mails for ref in mail.parents}
        self.waits = sorted(waits | {(one.ref, one.key) for one in shared})
        self.owners: dict[bytes, UUID] = {}
        self.awaited: dict[Wait, UUID] = {}
        self.facts: dict[UUID, Threadable] = {}
        self.chain_of: dict[UUID, UUID] = {}
        self.loose: dict[UUID, list[UUID]] = {}
        self.guessed: dict[UUID, str] = {}
        self.pins: dict[UUID, UUID] = {}
        self.likely: dict[UUID, UUID] = {}
        self.apart: set[tuple[UUID, UUID]] = set()
        self.heard: set[tuple[UUID, Shared]] = set()
        self.held: dict[UUID, ChainFacts] = {}

    async def look(self, db: Connection) -> set[UUID]:
        """Looks again; returns the chains that are not held yet."""
        self.owners, self.awaited, self.facts, self.chain_of = {}, {}, {}, {}
        self.likely, self.guessed, self.pins, self.apart = {}, {}, {}, set()
        await self._find_owners(db, self.named)
        await self._find_awaited(db, self.own, self.waits)
        self._add_facts(await threads.find(db, self._seen()))
        self.owners = {ref: owner for ref, owner in self.owners.items() if owner in self.chain_of}  # others were erased
        await self._find_parties(db)
        await self._find_likely(db, self.mails)
        self.loose = {chain_id: [] for chain_id in await self._to_place_anew(db)}
        others: set[UUID] = set()
        while wanted := {*self.loose} - others:
            await self._add_loose(db, sorted(wanted))
            others |= wanted
            for chain_id in await self._taken_apart(db):
                self.loose.setdefault(chain_id, [])
        await self._find_likely(db, [self.facts[one] for some in self.loose.values() for one in some])
        return {*self.chain_of.values(), *self.loose} - self.held.keys()

    def _seen(self) -> set[UUID]:
        return {*self.owners.values(), *self.awaited.values(), *(one for one, _ in self.echoes)}

    async def _find_owners(self, db: Connection, refs: Iterable[bytes]) -> None:
        self.owners |= {row["ref"]: row["interaction_id"] for row in await db.fetch(OWNERS, list(refs))}

    async def _find_awaited(self, db: Connection, refs: Sequence[bytes], waits: Sequence[Wait]) -> None:
        rows = await db.fetch(AWAITED, refs, [ref for ref, _ in waits], [key for _, key in waits])
        self.awaited |= {(row["ref"], row["subject_key"]): row["interaction_id"] for row in rows}

    def _add_facts(self, rows: Sequence[Any]) -> None:
        for row in rows:
            mail_id, facts = row["mail_id"], threads.facts_in(row)
            self.chain_of[mail_id] = row["chain_id"]
            if facts is None:
                continue
            heard = [one for mail, one in self.echoes if mail == mail_id]
            self.heard.update((mail_id, one) for one in heard if one in facts.shared)
            more = tuple(one for one in heard if one not in facts.shared)
            self.facts[mail_id] = replace(facts, shared=(*facts.shared, *more)) if more else facts
            if row["link_rule"] == GUESS:
                self.guessed[mail_id] = row["link_evidence"]
            if row["pin"] is not None:
                self.pins[mail_id] = row["pin"]

    async def _find_parties(self, db: Connection) -> None:
        """Who else of the same party answers a mail to many. Whoever names that mail holds its row, so this one needs none."""
        many = {ref for ref, owner in self.owners.items() if owner in self.facts and self.facts[owner].is_mass}
        named = {(ref, mail) for mail in self.mails for ref in (*mail.tokens, *mail.parents) if ref in many}
        waits = {(party_ref(ref, mail.party), bytes(8)) for ref, mail in named if mail.party}
        if waits:
            await self._find_awaited(db, [], sorted(waits))
            self._add_facts(await threads.find(db, self._seen() - self.chain_of.keys()))

    async def _to_place_anew(self, db: Connection) -> set[UUID]:
        """The chains whose mails are placed one by one."""
        found = {
            one
            for one in self.chain_of.values()
            if one in self.unclear or (one in self.held and self.held[one].is_loose)
        }
        new = {mail.interaction_id: mail for mail in self.mails}
        for mail in self.mails:
            owner = self.owners.get(mail.ref) if mail.ref else None
            if owner in self.facts and mail.place < self.facts[owner].place:
                found.add(self.chain_of[owner])
            if mail.is_mass:
                found |= {self.chain_of[one] for (ref, _), one in self.awaited.items() if ref == mail.ref}
        answers: dict[UUID, list[UUID]] = {}
        for answer, older in await threads.answers_to(db, self.mails):
            answers.setdefault(answer, []).append(older)
        for row in await threads.find(db, answers) if answers else ():
            facts = threads.facts_in(row)
            if facts and any(is_likely(facts, new[older]) for older in answers[row["mail_id"]]):
                self._add_facts([row])
                found.add(row["chain_id"])
        return found

    async def _add_loose(self, db: Connection, chain_ids: Sequence[UUID]) -> None:
        rows = await threads.of_chains(db, chain_ids)
        self._add_facts(rows)
        for row in rows:
            self.loose[row["chain_id"]].append(row["mail_id"])
        members = [self.facts[row["mail_id"]] for row in rows]
        refs = {one for mail in members for one in (*mail.parents, *mail.tokens, mail.ref) if one}
        if refs:
            await self._find_owners(db, sorted(refs - self.owners.keys()))
            await self._add_outside(db)

    async def _add_outside(self, db: Connection) -> None:
        """Facts of mails that loose ones name, and which are in other chains: those chains are not touched."""
        for row in await threads.find(db, {*self.owners.values()} - self.chain_of.keys()):
            facts = threads.facts_in(row)
            if facts is not None:
                self.facts[row["mail_id"]] = facts

    async def _taken_apart(self, db: Connection) -> set[UUID]:
        """The chains from which people took apart those that are placed now."""
        pins = sorted({*self.pins.values()})
        if not pins:
            return set()
        self.apart = {(row["one"], row["other"]) for row in await db.fetch(APART, pins)}
        others = sorted({other for _, other in self.apart})
        return {row["id"] for row in await db.fetch(FINALS, others)} if others else set()

    async def _find_likely(self, db: Connection, mails: Sequence[Threadable]) -> None:
        """The nearest older mails for answers of which no id leads anywhere."""
        self.likely |= await threads.likely(db, (mail for mail in mails if not self._leads_anywhere(mail)))
        unknown = {*self.likely.values()} - self.chain_of.keys()
        if unknown:
            self._add_facts(await threads.find(db, unknown))

    def _leads_anywhere(self, mail: Threadable) -> bool:
        refs = (*mail.parents, *mail.tokens)
        return any(self.owners.get(ref, mail.interaction_id) != mail.interaction_id for ref in refs)

    async def hold(self, db: Connection, chain_ids: set[UUID]) -> None:
        self.held = {}
        for row in await db.fetch(LOCK_CHAINS, sorted(chain_ids)):
            facts = ChainFacts(row["id"], row["first_at"], row["root_id"], row["size"], row["is_loose"])
            self.held[row["id"]] = facts

    def known(self) -> Known:
        wanted = {*self.chain_of.values(), *self.loose}
        return Known(
            owners=self.owners,
            awaited=self.awaited,
            chains={chain_id: self.held[chain_id] for chain_id in wanted},
            mails=self.facts,
            chain_of=self.chain_of,
            loose={chain_id: tuple(members) for chain_id, members in self.loose.items()},
            guessed=self.guessed,
            likely=self.likely,
            pins=self.pins,
            apart=frozenset(self.apart),
            echoes=tuple(one for one in self.echoes if one not in self.heard),
        )


async def claim(
    db: Connection,
    mails: Sequence[Threadable],
    echoes: Sequence[tuple[UUID, Shared]] = (),
    unclear: frozenset[UUID] = frozenset(),
) -> Known:
    """All that is stored about these mails, locked until the transaction ends. `echoes`: conversations of stored mails;
    `unclear`: chains whose mails are to be placed anew, as an earlier decision in this transaction has found."""
    look = _Look(mails, echoes, unclear)
    if look.locked:
        await db.execute(ADD_REFS, look.locked)
        await db.fetch(LOCK_REFS, look.locked)
    wanted: set[UUID] = set()
    missing = await look.look(db)
    for _ in range(LOOKS_MAX):
        if not missing:
            break
        # All chains in one order, or two batches wait for each other: what was locked before more were found is let go.
        wanted |= missing
        locked = db.transaction()
        await locked.start()
        await look.hold(db, wanted)
        missing = await look.look(db)
        await (locked.rollback() if missing else locked.commit())
    if missing:
        raise Conflict("chains changed under our hands too often")
    return look.known()
