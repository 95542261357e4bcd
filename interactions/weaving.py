"""The mails of a batch, woven into what is stored: which mails and chains become one (`chains` says by which rules).

A node is a mail that is placed now, new or of a loose chain, or a stored chain as one thing. Mails are taken in the order of
their times, and of each its relations, strongest first; where people took something apart, the order decides.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from interactions.records import Link
from interactions.threads import Shared, Threadable, are_related, hashed, is_likely, party_ref

STRAND_MAX = 500  # longer ones are neither guessed nor guessed to
_LONG_AGO, _NEVER = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

Wait = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """A stored chain: when it began decides which of two stays."""

    id: UUID
    first_at: datetime
    root_id: UUID | None = None
    size: int = 1
    is_loose: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored about a batch. `owners` are who has an id and `awaited` who stands for those that wait for one we lack;
    `mails` are the facts of all of them that have any, `chain_of` where they are, redirects followed. `loose` are the mails
    of the chains to be placed anew, `guessed` those of them that are where
    they are by a guess, with its evidence. `echoes` are conversations of which a server says that stored mails are in them too.
    `likely` is the nearest older stored mail for an answer. `pins` and `apart` are what people decided."""

    owners: Mapping[bytes, UUID] = field(default_factory=dict)
    awaited: Mapping[Wait, UUID] = field(default_factory=dict)
    chains: Mapping[UUID, ChainFacts] = field(default_factory=dict)
    mails: Mapping[UUID, Threadable] = field(default_factory=dict)
    chain_of: Mapping[UUID, UUID] = field(default_factory=dict)
    loose: Mapping[UUID, tuple[UUID, ...]] = field(default_factory=dict)
    guessed: Mapping[UUID, str] = field(default_factory=dict)
    likely: Mapping[UUID, UUID] = field(default_factory=dict)
    pins: Mapping[UUID, UUID] = field(default_factory=dict)
    apart: frozenset[tuple[UUID, UUID]] = frozenset()
    echoes: tuple[tuple[UUID, Shared], ...] = ()


class Sets:
    """Union-find over mails and chains; iterative, with path halving. Sets that bear pins taken apart are not joined."""

    def __init__(self, apart: frozenset[tuple[UUID, UUID]]) -> None:
        self._parent: dict[UUID, UUID] = {}
        self._apart = apart
        self.pins: dict[UUID, set[UUID]] = {}

    def find(self, item: UUID) -> UUID:
        parent = self._parent.setdefault(item, item)
        while parent != item:
            above = self._parent[parent]
            self._parent[item] = above
            item, parent = parent, above
        return item

    def pin(self, item: UUID, pin: UUID) -> None:
        self.pins.setdefault(self.find(item), set()).add(pin)

    def join(self, one: UUID, other: UUID) -> bool:
        first, second = sorted((self.find(one), self.find(other)))
        if first == second:
            return True
        mine, theirs = self.pins.get(first, ()), self.pins.get(second, ())
        if mine and theirs and any((a, b) in self._apart for a in mine for b in theirs):
            return False
        self._parent[second] = first
        if theirs:
            self.pins.setdefault(first, set()).update(self.pins.pop(second))
        return True

    def groups(self) -> dict[UUID, list[UUID]]:
        found: dict[UUID, list[UUID]] = {}
        for item in tuple(self._parent):
            found.setdefault(self.find(item), []).append(item)
        return found


def rank_of(mail: Threadable) -> datetime:
    """Who stands for several mails that wait for one id with equal topics: whoever is related to it if any of them is."""
    if mail.prefix:
        return _LONG_AGO
    return mail.occurred_at if mail.replies_to or not mail.is_robot else _NEVER


class Weaving:
    """The mails of a batch and of the loose chains it touches, one by one; other chains as one thing each."""

    def __init__(self, mails: Sequence[Threadable], known: Known) -> None:
        self.known = known
        self.new = {mail.interaction_id: mail for mail in mails}
        self.mails = {m: known.mails[m] for members in known.loose.values() for m in members} | self.new
        self.in_time = sorted(self.mails.values(), key=lambda mail: mail.place)
        self.sets = Sets(known.apart)
        self.links: dict[UUID, Link] = {}
        self.guesses: dict[UUID, UUID] = {}
        self.awaits: dict[Wait, UUID] = {}
        self.ranks: dict[Wait, datetime] = {}
        self.behind: dict[UUID, UUID] = {}
        self.unclear: set[UUID] = set()
        self._first: dict[Wait, UUID] = {}
        self._waiting: dict[bytes, list[tuple[bytes, UUID]]] = {}
        for one in (*known.chains, *self.mails):
            self.sets.find(one)
        for (ref, key), waiter in known.awaited.items():
            self._waiting.setdefault(ref, []).append((key, waiter))
        self.owned = self._owned()

    def _owned(self) -> dict[bytes, UUID]:
        """Whose each id is: the oldest's of those that have it."""
        owned = dict(self.known.owners)
        for mail in self.in_time:
            if mail.ref is not None:
                held = owned.setdefault(mail.ref, mail.interaction_id)
                other = self.facts(held)
                if other is not None and mail.place < other.place:
                    owned[mail.ref] = mail.interaction_id
        return owned

    def facts(self, mail_id: UUID) -> Threadable | None:
        return self.mails.get(mail_id) or self.known.mails.get(mail_id)

    def node(self, mail_id: UUID) -> UUID | None:
        """What stands for a mail here: itself, or its chain; None where that is none of ours to join."""
        if mail_id in self.mails:
            return mail_id
        chain_id = self.known.chain_of.get(mail_id)
        return chain_id if chain_id in self.known.chains else None

    def pin(self) -> None:
        """Ties the mails of loose chains that people put together, and each such chain to what keeps its id."""
        firsts: dict[UUID, UUID] = {}
        for chain_id, members in self.known.loose.items():
            for mail_id in members:
                pin = self.known.pins.get(mail_id)
                if pin is not None:
                    self.sets.pin(mail_id, pin)
                    self.sets.join(mail_id, firsts.setdefault(pin, mail_id))
            kept = [m for m in members if self.known.pins.get(m) == chain_id] or list(members)
            if kept:
                self.sets.join(chain_id, min(kept, key=lambda m: self.mails[m].place))

    def relate(self, mail: Threadable) -> None:
        """Joins a mail with all it is related to, strongest first."""
        for token in mail.tokens:
            self._answer(mail, token, "token")
        for one in mail.shared:
            if one.rule == "provider_thread":
                self._share(mail, one)
        for parent in mail.parents:
            self._answer(mail, parent, mail.rule_of(parent))
        for one in mail.shared:
            if one.rule != "provider_thread":
                self._share(mail, one)
        if mail.ref is not None and self.owned.get(mail.ref) == mail.interaction_id:
            self._called(mail, mail.ref)

    def _share(self, mail: Threadable, one: Shared) -> None:
        self._meet(mail, (one.ref, one.key), Link(one.rule, mail.names.get(one.ref, one.ref.hex())))

    def _answer(self, mail: Threadable, ref: bytes, rule: str) -> None:
        """Joins a mail with the one it names, or with others that name it too."""
        owner = self.owned.get(ref)
        if owner == mail.interaction_id:
            return
        link = Link(rule, mail.names.get(ref, ref.hex()))
        parent = self.facts(owner) if owner is not None else None
        if owner is None:
            self._meet(mail, (ref, _token_key(mail) if rule == "token" else mail.wait_key), link)
        elif parent is not None and parent.is_mass:
            self.behind.setdefault(mail.interaction_id, owner)
            party = mail.party or mail.interaction_id.bytes
            self._wait(mail, (ref, hashed(mail.wait_key + party)))
            self._meet(mail, (party_ref(ref, party), bytes(8)), link)
        else:
            is_related = are_related(mail, parent, rule)
            if is_related:
                self._link(mail, self.node(owner), link)
            elif rule == "token":
                self._wait(mail, (ref, _token_key(mail)))
            else:
                self.behind.setdefault(mail.interaction_id, owner)
            if parent is not None and rule != "token" and (not is_related or mail.subject_key != parent.subject_key):
                self._meet(mail, (ref, mail.wait_key), link)

    def _called(self, mail: Threadable, ref: bytes) -> None:
        """Joins a mail with those of stored chains that wait for it. Mails that are placed here name it themselves."""
        for key, waiter in self._waiting.get(ref, ()):
            node, child = self.node(waiter), self.facts(waiter)
            if node is None or waiter in self.mails or mail.is_mass:
                continue
            if child is None or are_related(child, mail, "token" if key == _token_key(child) else child.rule_of(ref)):
                self._link(mail, node, Link("child_first", mail.names.get(ref, ref.hex())))
            else:
                self.behind.setdefault(waiter, mail.interaction_id)

    def _meet(self, mail: Threadable, wait: Wait, link: Link) -> None:
        """Joins mails that have something in common which is no mail we have."""
        held = self._first.get(wait)
        waiter = self.known.awaited.get(wait)
        if held is None and waiter is not None:
            held = self.node(waiter)
        if held is None:
            self._first[wait] = mail.interaction_id
        elif held != mail.interaction_id:
            self._link(mail, held, link)
        self._wait(mail, wait)

    def _wait(self, mail: Threadable, wait: Wait) -> None:
        """Remembers who stands for those that wait for an id which another mail may still turn out to have."""
        waiter = self.known.awaited.get(wait)
        stored = self.facts(waiter) if waiter is not None else None
        rank = rank_of(mail)
        best = rank_of(stored) if stored else _LONG_AGO if waiter is not None else None
        if wait in self.ranks:
            best = self.ranks[wait]
        if best is None or rank < best:
            self.awaits[wait], self.ranks[wait] = mail.interaction_id, rank

    def echo(self) -> None:
        """Joins stored mails with those of a conversation in which another of their copies lies."""
        for mail_id, one in self.known.echoes:
            node, wait = self.node(mail_id), (one.ref, one.key)
            waiter = self.known.awaited.get(wait)
            held = self._first.get(wait) or (self.node(waiter) if waiter is not None else None)
            if node is not None and held is not None:
                self.sets.join(node, held)
            elif node is not None:
                self._first[wait] = node
                self.awaits[wait], self.ranks[wait] = mail_id, _NEVER

    def _link(self, mail: Threadable, node: UUID | None, link: Link) -> None:
        if node is not None and node != mail.interaction_id and self.sets.join(mail.interaction_id, node):
            self.links.setdefault(mail.interaction_id, link)

    def guess(self) -> None:
        """Joins strands to what their first mails are likely to answer."""
        strands = self.sets.groups()
        strand_of = {item: root for root, items in strands.items() for item in items}
        size = {root: sum(self._size(item) for item in items) for root, items in strands.items()}
        topics: dict[bytes, list[Threadable]] = {}
        for mail in self.in_time:
            if mail.guess_key is not None:
                topics.setdefault(mail.guess_key, []).append(mail)
        for mail in self.in_time:
            root = strand_of[mail.interaction_id]
            if not mail.may_guess or mail.guess_key is None or size[root] > STRAND_MAX:
                continue
            if self._leads(mail, strands[root]):
                continue
            target = self._nearest(mail, topics[mail.guess_key])
            node = self.node(target.interaction_id) if target is not None else None
            if target is not None and (whole := {one for one in strands[root] if self._is_whole(one)}):
                self.unclear |= whole
                continue
            if target is None or node is None or size[strand_of[node]] > STRAND_MAX:
                continue
            if self.sets.join(mail.interaction_id, node):
                self.guesses[mail.interaction_id] = target.interaction_id

    def _is_whole(self, item: UUID) -> bool:
        return item not in self.mails and item not in self.known.loose

    def _size(self, item: UUID) -> int:
        return 1 if item in self.mails else 0 if item in self.known.loose else self.known.chains[item].size

    def _leads(self, mail: Threadable, strand: Sequence[UUID]) -> bool:
        """Whether something in a mail leads somewhere: it has an older one in its strand, its parent is there, or somebody
        has a name in common with it who does not answer it."""
        refs, shared = {*mail.tokens, *mail.parents}, {(one.ref, one.key) for one in mail.shared}
        if any(self.owned.get(ref, mail.interaction_id) != mail.interaction_id for ref in refs):
            return True
        for item in strand:
            other = self.mails.get(item)
            if other is None or other is mail:
                continue
            named, theirs = {*other.tokens, *other.parents}, {(one.ref, one.key) for one in other.shared}
            has_common = not refs.isdisjoint(named) or not shared.isdisjoint(theirs)
            if other.place < mail.place or (has_common and mail.ref not in named):
                return True
        return False

    def _nearest(self, mail: Threadable, others: Sequence[Threadable]) -> Threadable | None:
        """The nearest older mail that a mail is likely to answer, among those of its topic in the order of their times."""
        stored = self.known.likely.get(mail.interaction_id)
        likely = [held] if stored is not None and (held := self.facts(stored)) is not None else []
        for at in reversed(range(bisect_left(others, mail.place, key=lambda one: one.place))):
            if mail.occurred_at - others[at].occurred_at > timedelta(days=mail.guess_days):
                break
            if is_likely(mail, others[at]):
                likely.append(others[at])
                break
        return max(likely, key=lambda one: one.place, default=None)


def _token_key(mail: Threadable) -> bytes:
    """A token stands for one mail alone: who waits for it waits with nobody."""
    return mail.interaction_id.bytes[8:]
