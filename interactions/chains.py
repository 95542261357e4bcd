"""Which chain a mail belongs to. The chains follow from the set of mails and from what people decided, in any order of arrival.

`threads` says when two mails are related. A *strand* is all that hangs together by strong relations. An answer of which no id
leads anywhere, and which is the first of its strand, is put provisionally, with what answers it, to the nearest older mail that
it is likely to answer: a guess that holds until one of its ids leads somewhere, its strand gets an older mail, or a nearer mail
comes. Chains are strands, joined by guesses. So a guess adds a mail to a chain as if the mails had come in the order of their
times; two chains that both had several mails by then are never joined by one.

`place` is the decision for a batch; the caller has locked all it rests on. Joins by strong relations only ever add, so a
stored chain counts as one thing, whatever is in it. The exception are *loose* chains: those that a guess holds together, or
that people took apart or put together. Their mails are placed anew from their facts whenever such a chain is touched. What
people decided is a *pin*: mails with equal pins stay together, and pins that were taken apart never meet again. Of relations
that would bring them together, those of older mails go first, and of one mail the strongest.

Where several mails have one id, it is the oldest's (RFC 5256 asks for the first); a mail that is older and comes late takes
it over, and the answers with it.

A chain keeps its id: of several chains that become one, the one that began first (then the smaller id) stays, and the others
become redirects to it. What leaves a loose chain gets a new one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from interactions.records import Link, uuid7
from interactions.threads import Threadable
from interactions.weaving import Known, Wait, Weaving

PROVISIONAL = "provisional"
GUESS = "subject_guess"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the mails of a batch go. `merged` maps chains that become redirects to the one that stays; `new_chains` are
    to be made. `moved` are stored mails that leave a loose chain, with where they go; `link_of` is of new mails and of stored
    ones whose reason is another now. `loose` says of chains whether they are; `continues` what a chain comes after; `owned`
    whose an id is; `unclear` the chains that must be taken as loose for a decision: with them it is to be made again; `awaits` who stands for those that wait for one, and `ranks` how well he does."""

    chain_of: Mapping[UUID, UUID]
    link_of: Mapping[UUID, Link]
    new_chains: frozenset[UUID]
    merged: Mapping[UUID, UUID]
    awaits: Mapping[Wait, UUID]
    ranks: Mapping[Wait, datetime] = field(default_factory=dict)
    moved: Mapping[UUID, UUID] = field(default_factory=dict)
    loose: Mapping[UUID, bool] = field(default_factory=dict)
    continues: Mapping[UUID, UUID] = field(default_factory=dict)
    owned: Mapping[bytes, UUID] = field(default_factory=dict)
    unclear: frozenset[UUID] = frozenset()


def place(mails: Sequence[Threadable], known: Known, salt: bytes = b"") -> Placement:
    """Puts each mail of a batch into its chain. `salt` makes the ids of chains that are left new ones each time."""
    weaving = Weaving(mails, known)
    weaving.pin()
    for mail in weaving.in_time:
        weaving.relate(mail)
    weaving.echo()
    weaving.guess()
    return _settle(weaving, salt)


def _settle(weaving: Weaving, salt: bytes) -> Placement:
    """Names the chain that stays of each group: a stored one before a new one, then the earlier, then the smaller id."""
    known, sets = weaving.known, weaving.sets
    stays: dict[UUID, UUID] = {}
    merged: dict[UUID, UUID] = {}
    for root, items in sets.groups().items():
        stored = [known.chains[one] for one in items if one in known.chains]
        if stored:
            winner = min(stored, key=lambda chain: (chain.first_at, chain.id)).id
            merged.update({chain.id: winner for chain in stored if chain.id != winner})
        else:
            winner = _new_chain(items, weaving, salt)
        stays[root] = winner
    chain_of = {mail_id: stays[sets.find(mail_id)] for mail_id in weaving.new}
    moved: dict[UUID, UUID] = {}
    for chain_id, members in known.loose.items():
        leaving = {m: stays[sets.find(m)] for m in members if stays[sets.find(m)] != stays[sets.find(chain_id)]}
        moved.update(leaving)
    new = frozenset(chain for chain in (*chain_of.values(), *moved.values()) if chain not in known.chains)
    return Placement(
        chain_of=chain_of,
        link_of=_links(weaving),
        new_chains=new,
        merged=merged,
        awaits=weaving.awaits,
        ranks=weaving.ranks,
        moved=moved,
        loose=_loose(weaving, stays),
        continues=_continued(weaving, stays),
        unclear=frozenset(weaving.unclear),
        owned={ref: one for ref, one in weaving.owned.items() if known.owners.get(ref) != one},
    )


def _new_chain(items: Sequence[UUID], weaving: Weaving, salt: bytes) -> UUID:
    """A chain for mails that have none: named after its earliest mail, unless an older name may still be in use."""
    first = min((weaving.mails[one] for one in items), key=lambda mail: mail.place)
    if all(one in weaving.new for one in items):
        return chain_id_of(first)
    return uuid7(first.occurred_at, sha256(b"left" + salt + first.interaction_id.bytes).digest())


def _links(weaving: Weaving) -> dict[UUID, Link]:
    """Why each new mail is where it is, and each stored one of which that has changed."""
    links = {mail_id: weaving.links.get(mail_id, Link("root")) for mail_id in weaving.new}
    for mail_id, target in weaving.guesses.items():
        if weaving.known.guessed.get(mail_id) != str(target):
            links[mail_id] = Link(GUESS, str(target), (PROVISIONAL,))
    for mail_id in weaving.known.guessed:
        if mail_id in weaving.mails and mail_id not in weaving.guesses:
            links[mail_id] = weaving.links.get(mail_id, Link("root"))
    return links


def _loose(weaving: Weaving, stays: Mapping[UUID, UUID]) -> dict[UUID, bool]:
    """Of which chains it is new that they are loose, or that they are no longer."""
    sets, known = weaving.sets, weaving.known
    loose = {stays[sets.find(mail_id)] for mail_id in weaving.guesses} | {stays[sets.find(root)] for root in sets.pins}
    before = {chain_id for chain_id, chain in known.chains.items() if chain.is_loose}
    return {
        chain_id: chain_id in loose for chain_id in {*stays.values()} if (chain_id in loose) != (chain_id in before)
    }


def _continued(weaving: Weaving, stays: Mapping[UUID, UUID]) -> dict[UUID, UUID]:
    """Which chains come after others: those of mails that name a mail to which they do not belong."""
    found: dict[UUID, UUID] = {}
    for later, earlier in weaving.behind.items():
        nodes = [weaving.node(one) for one in (later, earlier)]
        chains = [stays[weaving.sets.find(one)] if one is not None else None for one in nodes]
        if chains[0] is not None and chains[1] is not None and chains[0] != chains[1]:
            found.setdefault(chains[0], chains[1])
    return found


def chain_id_of(mail: Threadable) -> UUID:
    """The id of the chain that would begin with this mail; the same whenever it is asked."""
    return new_chain_id(mail.interaction_id, mail.occurred_at)


def new_chain_id(interaction_id: UUID, occurred_at: datetime) -> UUID:
    """The id of the chain that begins with an interaction."""
    return uuid7(occurred_at, sha256(b"chain" + interaction_id.bytes).digest())
