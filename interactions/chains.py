"""Which chain a mail belongs to, by Message-ID, In-Reply-To and References (RFC 5322 §3.6.4), in any order of arrival.

Two mails are joined when one refers to the other, at once or when the missing one comes. Mails that refer to the same
mail that we do not have are joined only if their topics are equal: a constant id in the References of a shop's
notifications must not glue its orders together. Both joins only ever add, so the chains follow from the set of mails
and not from the order in which they came.

`place` is the decision for a batch; the caller has locked every id in it. A chain keeps its id: of several chains that
a mail joins, the one that began first (then the smaller id) stays, the others become redirects to it.

Limits: topics alone never join, nor do dates or server threads; those rules have their own step in the ladder.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from interactions.records import Link, uuid7

REFERENCES_MAX = 32


def ref_of(message_id: str) -> bytes:
    """The 16 bytes under which a Message-ID is stored. Ids are compared byte for byte (RFC 5322 §3.6.4)."""
    return sha256(message_id.encode("utf-8", "surrogatepass")).digest()[:16]


def subject_key_of(base_subject: str) -> bytes:
    """The 8 bytes under which mails with one topic wait for a mail that we do not have."""
    return sha256(base_subject.encode("utf-8", "surrogatepass")).digest()[:8]


@dataclass(frozen=True, slots=True)
class Threadable:
    """What threading needs of one new mail. `parents` are In-Reply-To first, then References from newest to oldest."""

    interaction_id: UUID
    occurred_at: datetime
    ref: bytes | None
    parents: tuple[bytes, ...]
    replies_to: int
    subject_key: bytes


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """A stored chain: when it began decides which of two stays."""

    id: UUID
    first_at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored about the ids of a batch. `owners` of ids we have; `awaited` by (id, topic) of those we lack: both
    lead to a chain, redirects already followed."""

    owners: Mapping[bytes, UUID]
    awaited: Mapping[tuple[bytes, bytes], UUID]
    chains: Mapping[UUID, ChainFacts]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the mails of a batch go. `merged` maps chains that become redirects to the one that stays; `new_chains` are
    to be made; `awaits` are the (id, topic) that a mail waits for."""

    chain_of: Mapping[UUID, UUID]
    link_of: Mapping[UUID, Link]
    new_chains: frozenset[UUID]
    merged: Mapping[UUID, UUID]
    awaits: Mapping[tuple[bytes, bytes], UUID]


class _Sets:
    """Union-find over chain ids; iterative, with path halving."""

    def __init__(self) -> None:
        self._parent: dict[UUID, UUID] = {}

    def find(self, item: UUID) -> UUID:
        parent = self._parent.setdefault(item, item)
        while parent != item:
            above = self._parent[parent]
            self._parent[item] = above
            item, parent = parent, above
        return item

    def join(self, one: UUID, other: UUID) -> None:
        first, second = sorted((self.find(one), self.find(other)))
        self._parent[second] = first

    def members(self) -> Iterable[UUID]:
        return tuple(self._parent)


def place(mails: Sequence[Threadable], known: Known) -> Placement:
    """Puts each mail of a batch into its chain."""
    sets = _Sets()
    owners = dict(known.owners)
    awaited = dict(known.awaited)
    waiting: dict[bytes, list[UUID]] = {}
    for (ref, _), chain_id in awaited.items():
        waiting.setdefault(ref, []).append(chain_id)
    starts: dict[UUID, Threadable] = {}
    links: dict[UUID, Link] = {}
    awaits: dict[tuple[bytes, bytes], UUID] = {}

    for mail in mails:
        own_chain = chain_id_of(mail)
        starts[own_chain] = mail
        sets.find(own_chain)
        links[mail.interaction_id] = Link("root")
        for n, parent in enumerate(mail.parents):
            rule = "in_reply_to" if n < mail.replies_to else "references"
            target = owners.get(parent) or awaited.get((parent, mail.subject_key))
            if target is None:
                continue
            sets.join(own_chain, target)
            if links[mail.interaction_id].rule == "root":
                links[mail.interaction_id] = Link(rule, parent.hex())
        for parent in mail.parents:
            if parent not in owners and (parent, mail.subject_key) not in awaited:
                awaits[(parent, mail.subject_key)] = mail.interaction_id
                awaited[(parent, mail.subject_key)] = own_chain
                waiting.setdefault(parent, []).append(own_chain)
        if mail.ref is not None and mail.ref not in owners:
            owners[mail.ref] = own_chain
            for chain_id in waiting.get(mail.ref, ()):
                if chain_id != own_chain:
                    sets.join(own_chain, chain_id)
                    if links[mail.interaction_id].rule == "root":
                        links[mail.interaction_id] = Link("child_first", mail.ref.hex())
    return _settle(mails, known, sets, starts, links, awaits)


def _settle(
    mails: Sequence[Threadable],
    known: Known,
    sets: _Sets,
    starts: Mapping[UUID, Threadable],
    links: Mapping[UUID, Link],
    awaits: Mapping[tuple[bytes, bytes], UUID],
) -> Placement:
    """Names the chain that stays of each set: a stored one before a new one, then the earlier, then the smaller id."""
    groups: dict[UUID, list[UUID]] = {}
    for chain_id in sets.members():
        groups.setdefault(sets.find(chain_id), []).append(chain_id)
    stays: dict[UUID, UUID] = {}
    merged: dict[UUID, UUID] = {}
    for root, chain_ids in groups.items():
        stored = [known.chains[c] for c in chain_ids if c in known.chains]
        if stored:
            winner = min(stored, key=lambda chain: (chain.first_at, chain.id)).id
            merged.update({chain.id: winner for chain in stored if chain.id != winner})
        else:
            winner = min(chain_ids, key=lambda c: (starts[c].occurred_at, starts[c].interaction_id))
        stays[root] = winner
    chain_of = {mail.interaction_id: stays[sets.find(chain_id_of(mail))] for mail in mails}
    new = frozenset(chain for chain in chain_of.values() if chain not in known.chains)
    return Placement(chain_of, links, new, merged, awaits)


def chain_id_of(mail: Threadable) -> UUID:
    """The id of the chain that would begin with this mail; the same whenever it is asked."""
    return new_chain_id(mail.interaction_id, mail.occurred_at)


def new_chain_id(interaction_id: UUID, occurred_at: datetime) -> UUID:
    """The id of the chain that begins with an interaction."""
    return uuid7(occurred_at, sha256(b"chain" + interaction_id.bytes).digest())
