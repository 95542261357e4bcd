"""What the database keeps of chains, in a few dictionaries: mails are placed in it as the intake places them."""

from collections.abc import Sequence
from itertools import count
from uuid import UUID

from interactions.chains import GUESS, Placement, place
from interactions.records import Link
from interactions.threads import Shared, Threadable, is_likely
from interactions.weaving import ChainFacts, Known


class Store:
    def __init__(self) -> None:
        self.owners: dict[bytes, UUID] = {}
        self.awaited: dict[tuple[bytes, bytes], UUID] = {}
        self.mails: dict[UUID, Threadable] = {}
        self.chain_of: dict[UUID, UUID] = {}
        self.links: dict[UUID, Link] = {}
        self.loose: set[UUID] = set()
        self.redirects: dict[UUID, UUID] = {}
        self.pins: dict[UUID, UUID] = {}
        self.apart: set[tuple[UUID, UUID]] = set()
        self._salts = count()

    def final(self, chain_id: UUID) -> UUID:
        while chain_id in self.redirects:
            chain_id = self.redirects[chain_id]
        return chain_id

    def add(self, mails: Sequence[Threadable], echoes: Sequence[tuple[UUID, Shared]] = ()) -> Placement:
        unclear: frozenset[UUID] = frozenset()
        while True:
            placement = place(mails, self._known(mails, echoes, unclear), next(self._salts).to_bytes(4, "big"))
            if placement.unclear <= unclear:
                break
            unclear |= placement.unclear
        self.chain_of.update(placement.moved)
        self.redirects.update(placement.merged)
        self.chain_of = {one: self.final(chain) for one, chain in self.chain_of.items()}
        self.chain_of.update(placement.chain_of)
        self.mails |= {one.interaction_id: one for one in mails}
        self.links |= placement.link_of
        self.owners |= placement.owned
        self.awaited |= placement.awaits
        for chain_id, is_loose in placement.loose.items():
            (self.loose.add if is_loose else self.loose.discard)(chain_id)
        assert set(self.chain_of.values()).isdisjoint(self.redirects)
        return placement

    def split(self, mail: Threadable) -> None:
        """Takes one mail out of its chain by hand."""
        held, new = self.chain_of[mail.interaction_id], UUID(int=next(self._salts) + 1)
        for one, chain_id in self.chain_of.items():
            if chain_id == held:
                self.pins[one] = held
        self.chain_of[mail.interaction_id] = self.pins[mail.interaction_id] = new
        self.apart |= {(held, new), (new, held)}
        self.loose |= {held, new}

    def groups(self) -> frozenset[frozenset[UUID]]:
        found: dict[UUID, set[UUID]] = {}
        for mail_id, chain_id in self.chain_of.items():
            found.setdefault(chain_id, set()).add(mail_id)
        return frozenset(frozenset(one) for one in found.values())

    def _facts_of(self, chain_id: UUID) -> ChainFacts:
        members = [self.mails[one].place for one, held in self.chain_of.items() if held == chain_id]
        first_at, root_id = min(members)
        return ChainFacts(chain_id, first_at, root_id, len(members), chain_id in self.loose)

    def _known(
        self, mails: Sequence[Threadable], echoes: Sequence[tuple[UUID, Shared]], unclear: frozenset[UUID]
    ) -> Known:
        """Everything there is, with those chains loose that `storage.weaving.claim` would find to be."""
        loose = {chain_id for chain_id in (*self.loose, *unclear) if chain_id in self.chain_of.values()}
        for new in mails:
            held = self.owners.get(new.ref) if new.ref else None
            if held is not None and new.place < self.mails[held].place:
                loose.add(self.chain_of[held])
            if new.is_mass:
                loose |= {self.chain_of[one] for (ref, _), one in self.awaited.items() if ref == new.ref}
            loose |= {self.chain_of[one] for one, old in self.mails.items() if is_likely(old, new)}
        members = {c: tuple(m for m, held in self.chain_of.items() if held == c) for c in loose}
        some = [*mails, *(self.mails[one] for one in self.chain_of)]
        likely: dict[UUID, UUID] = {}
        for answer in some:
            older = [one for one in self.mails.values() if is_likely(answer, one)]
            if older:
                likely[answer.interaction_id] = max(older, key=lambda one: one.place).interaction_id
        return Known(
            owners=dict(self.owners),
            awaited=dict(self.awaited),
            chains={chain_id: self._facts_of(chain_id) for chain_id in set(self.chain_of.values())},
            mails=dict(self.mails),
            chain_of=dict(self.chain_of),
            loose=members,
            guessed={one: link.evidence for one, link in self.links.items() if link.rule == GUESS},
            likely=likely,
            pins=dict(self.pins),
            apart=frozenset(self.apart),
            echoes=tuple(echoes),
        )
