"""Which chain a mail belongs to, by Message-ID, In-Reply-To and References (RFC 5322 §3.6.4), in any order of arrival.

Two mails are joined when one refers to the other, at once or when the missing one comes. Mails that refer to the same
mail that we do not have are joined only if their topics are equal, and if they are answers: a constant id in the
References of a shop's notifications must not glue its orders together. The parts of one series, sent in one go, are
joined by a first part that we do not have, whatever their topics: their ids differ from its id in a single number. All
joins only ever add, so the chains follow from the set of mails and not from the order in which they came.

`place` is the decision for a batch; the caller has locked every id in it. A chain keeps its id: of several chains that
a mail joins, the one that began first (then the smaller id) stays, the others become redirects to it.

Limits: topics alone never join, nor do dates or server threads; those rules have their own step in the ladder.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from interactions.records import Link, uuid7

REFERENCES_MAX = 32
ID_CHARS_MAX = 300
SERIES_PARTS_MAX = 40
SERIES_DIGITS_MIN = 8  # a date, or a counter that is as good
_NUMBERS = re.compile(r"(\d+)")


def ref_of(message_id: str) -> bytes:
    """The 16 bytes under which a Message-ID is stored. Ids are compared byte for byte (RFC 5322 §3.6.4)."""
    return sha256(message_id.encode("utf-8", "surrogatepass")).digest()[:16]


def series_of(message_id: str, parent_id: str) -> bytes | None:
    """The 8 bytes under which the parts of one series wait for their first: what the ids of part and first have in common,
    where they differ in one number only and have a moment in common. None where they are no series."""
    own, first = _NUMBERS.split(message_id[:ID_CHARS_MAX]), _NUMBERS.split(parent_id[:ID_CHARS_MAX])
    if len(own) != len(first) or len(own) > SERIES_PARTS_MAX:
        return None
    differing = [n for n, (one, other) in enumerate(zip(own, first, strict=True)) if one != other]
    if len(differing) != 1 or not own[differing[0]].isdigit():
        return None
    own[differing[0]] = ""
    if sum(letter.isdigit() for part in own for letter in part) < SERIES_DIGITS_MIN:
        return None
    return subject_key_of("\x00".join(["series", *own]))


def subject_key_of(base_subject: str) -> bytes:
    """The 8 bytes under which mails with one topic wait for a mail that we do not have."""
    return sha256(base_subject.encode("utf-8", "surrogatepass")).digest()[:8]


@dataclass(frozen=True, slots=True)
class Threadable:
    """What threading needs of one new mail. `parents` are In-Reply-To first, then References from newest to oldest;
    `series` is its first part's id and what the parts have in common, if it is one."""

    interaction_id: UUID
    occurred_at: datetime
    ref: bytes | None
    parents: tuple[bytes, ...]
    replies_to: int
    subject_key: bytes
    series: tuple[bytes, bytes] | None = None

    @property
    def waits(self) -> list[tuple[bytes, bytes]]:
        """The (id, topic) under which it is joined with others that lack the same mail; a series has a topic of its own."""
        pairs = [(parent, self.subject_key) for parent in self.parents]
        return [*pairs, self.series] if self.series else pairs


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
        for n, (parent, key) in enumerate(mail.waits):
            rule = "in_reply_to" if n < mail.replies_to or n == len(mail.parents) else "references"
            target = owners.get(parent) or awaited.get((parent, key))
            if target is None:
                continue
            sets.join(own_chain, target)
            if links[mail.interaction_id].rule == "root":
                links[mail.interaction_id] = Link(rule, parent.hex())
        for wait in mail.waits:
            if wait[0] not in owners and wait not in awaited:
                awaits[wait] = mail.interaction_id
                awaited[wait] = own_chain
                waiting.setdefault(wait[0], []).append(own_chain)
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
