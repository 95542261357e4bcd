"""What is said of a mail that its ids have put into a chain, where a person should look: flags on its link.

    stranger        incoming, and its sender was in no earlier mail of the chain, nor anybody of the same contact, partner
                    or domain; nobody is one in a chain where nobody of another side has been yet
    topic_changed   it has another topic than every earlier mail, and does not call itself an answer
    claims          incoming, and no believed host says that the sender is who the mail says (only if that is wanted)

The first two follow from the members of a chain in time order and not from the order in which they came, so whoever adds
an earlier member finds the flags of the later ones anew. Chains that people have put together are theirs: a manual link
is never flagged.

Limits: the domain of a provider that gives addresses to anybody proves nothing; only the large ones are known here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from interactions.topics import base_subject

STRANGER, TOPIC_CHANGED, CLAIMS = "stranger", "topic_changed", "claims"
FOUND_ANEW = frozenset({STRANGER, TOPIC_CHANGED})

PUBLIC_DOMAINS = frozenset(
    "mail.ru bk.ru inbox.ru list.ru internet.ru yandex.ru yandex.com yandex.by yandex.kz ya.ru rambler.ru lenta.ru ro.ru "
    "gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com icloud.com me.com mac.com "
    "aol.com gmx.de gmx.net web.de t-online.de proton.me protonmail.com ukr.net i.ua meta.ua wp.pl onet.pl o2.pl "
    "interia.pl seznam.cz qq.com 163.com 126.com orange.fr free.fr libero.it zoho.com mail.com".split()
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a mail, by everything that may tell that it is the same one: address, contact, partner."""

    address: str
    is_ours: bool = False
    contact_id: UUID | None = None
    partner_id: UUID | None = None

    def marks(self) -> Iterable[object]:
        yield self.address
        domain = self.address.rpartition("@")[2]
        if domain and domain not in PUBLIC_DOMAINS:
            yield f"@{domain}"
        yield from (one for one in (self.contact_id, self.partner_id) if one is not None)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a chain. `sender` is None where it is not known for sure, or where the member is no mail."""

    id: UUID
    topic: str
    is_mail: bool
    is_incoming: bool
    is_manual: bool
    sender: Person | None
    people: tuple[Person, ...]
    flags: tuple[str, ...] = ()


def flags_of(members: Sequence[Member]) -> dict[UUID, tuple[str, ...]]:
    """The flags of all members of one chain, given in time order. Those that are not found here stay as they are."""
    seen: set[object] = set()
    topics: set[str] = set()
    bases: dict[str, tuple[str, str]] = {}  # most members of a chain have the same few
    found: dict[UUID, tuple[str, ...]] = {}
    for member in members:
        flags = [flag for flag in member.flags if flag not in FOUND_ANEW]
        if member.is_mail and not member.is_manual:
            if member.is_incoming and seen and _is_stranger(member.sender, seen):
                flags.append(STRANGER)
            if member.topic not in bases:
                bases[member.topic] = base_subject(member.topic)
            topic, kind = bases[member.topic]
            if topics and not kind and topic not in topics:
                flags.append(TOPIC_CHANGED)
            topics.add(topic)
        found[member.id] = tuple(flags)
        for person in member.people:
            if not person.is_ours:
                seen.update(person.marks())
    return found


def _is_stranger(sender: Person | None, seen: set[object]) -> bool:
    """A sender that cannot be read is one: nobody knows who it is."""
    if sender is None:
        return True
    return not sender.is_ours and seen.isdisjoint(sender.marks())
