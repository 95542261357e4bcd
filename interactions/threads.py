"""What threading knows of one mail, and when two mails belong together: pure facts, pure relations, no order of arrival.

`threadable` takes the facts from a mail; they are stored beside it and never change. Strong relations, strongest first:

    token            it holds a signed token of a mail of ours (`reply_tokens`), and they have a person in common
    provider_thread  the server puts both into one conversation, within one account
    in_reply_to      its In-Reply-To names the other
    references       its References name the other, or a bounce reports on it
    thread_index     Outlook's conversation is the same (`thread_index`), and the topic, and a person or firm or list

Two mails that name the same mail which we do not have are related if their topics are equal and they are answers: a constant
id in a shop's notifications must not glue its orders together. The parts of one series, sent in one go, are related by a
first part that we do not have, whatever their topics: their ids differ from its id in a single number.

`are_related` refuses what only looks like an answer: another topic without a mark of an answer, and more than 30 days later;
a notice of a robot that names an older one with another topic in References alone; and, if so configured, an answer by
somebody who is in the answered mail neither himself nor by his firm. An answer to a mail of ours that went to more than ten
people outside belongs to whoever answers, each apart.

`is_likely` is the weak relation, a guess that holds only as long as nothing better is known: an answer by its mark, of which no
id leads anywhere, and an older mail with the same topic, within 45 days (7 if the topic is short), between the same people:
sender and addressee exchanged, or the same sender and recipients; on a list, a topic of 12 letters will do.

Limits: a mail that was stored before these facts were kept is related by its ids alone.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from interactions.addresses import Mailbox, email_key
from interactions.arrivals import MailArrived
from interactions.guards import PUBLIC_DOMAINS
from interactions.mime import ParsedMail
from interactions.reply_tokens import is_own_shape, proved, token_of, tokens_in
from interactions.thread_index import conversation_of
from interactions.topics import base_subject, guess_topic, is_digest

REFERENCES_MAX = 32
ID_CHARS_MAX = 300
SERIES_PARTS_MAX = 40
SERIES_DIGITS_MIN = 8  # a date, or a counter that is as good
PEOPLE_MAX = 100
SHARERS_MAX = 8  # people of one mail by whom an Outlook conversation is found again
OUTSIDE_MAX = 10  # more recipients than these, and each answers for himself
APART = timedelta(days=30)
_NUMBERS = re.compile(r"(\d+)")
_LIST_NAME = re.compile(r"<\s*([^<>\s]{3,200})\s*>\s*$")
_ANY = bytes(8)


def ref_of(message_id: str) -> bytes:
    """The 16 bytes under which a Message-ID is stored. Ids are compared byte for byte (RFC 5322 §3.6.4); of ours, the token
    alone."""
    name = token_of(message_id) + "@" if is_own_shape(message_id) else message_id
    return sha256(name.encode("utf-8", "surrogatepass")).digest()[:16]


def subject_key_of(base_subject: str) -> bytes:
    """The 8 bytes under which mails with one topic wait for a mail that we do not have."""
    return sha256(base_subject.encode("utf-8", "surrogatepass")).digest()[:8]


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


@dataclass(frozen=True, slots=True)
class House:
    """What threading is told of us: our own addresses, the key of our tokens, whether strangers are kept out."""

    own: frozenset[str] = frozenset()
    key: bytes = b""
    strangers_apart: bool = False


@dataclass(frozen=True, slots=True)
class Shared:
    """A name that several mails have in common, and what else must be equal: `rule` says what sort of name."""

    rule: str
    ref: bytes
    key: bytes = _ANY


@dataclass(frozen=True, slots=True)
class Threadable:
    """The facts of one mail. `parents` are In-Reply-To first, then References from newest to oldest; `tokens` are refs of our
    mails that it proves to have seen. `people` are hashes of everybody in it but lists, `outside` of those who are not ours,
    `firms` of their domains; `party` is the one of them whose mail it is, or to whom it goes. `is_mass`: ours, to many.
    `is_guarded`: its sender must be in what it answers. `guess_key` is the topic to guess by, for `guess_days`; `may_guess`:
    it is an answer that may be guessed itself. `names` are the words of ids, for the evidence; they are not stored."""

    interaction_id: UUID
    occurred_at: datetime
    ref: bytes | None
    parents: tuple[bytes, ...]
    replies_to: int
    subject_key: bytes
    is_answer: bool = True
    prefix: str = ""
    shared: tuple[Shared, ...] = ()
    tokens: tuple[bytes, ...] = ()
    sender: bytes | None = None
    people: frozenset[bytes] = frozenset()
    outside: frozenset[bytes] = frozenset()
    firms: frozenset[bytes] = frozenset()
    firm: bytes | None = None
    party: bytes | None = None
    is_mass: bool = False
    is_robot: bool = False
    is_guarded: bool = False
    list_key: bytes | None = None
    guess_key: bytes | None = None
    guess_days: int = 0
    may_guess: bool = False
    names: Mapping[bytes, str] = field(default_factory=dict, compare=False, hash=False)

    @property
    def place(self) -> tuple[datetime, UUID]:
        """Where it stands in time; no two mails stand at one place."""
        return self.occurred_at, self.interaction_id

    @property
    def wait_key(self) -> bytes:
        """What must be equal of two mails that name the same lost one. A mail that is no answer is equal to none, and of
        those who are looked at closely each sender stands for himself."""
        if not self.is_answer:
            return hashed(self.interaction_id.bytes)
        return hashed(self.subject_key + (self.sender or _ANY)) if self.is_guarded else self.subject_key

    @property
    def others(self) -> frozenset[bytes]:
        """Everybody in it but its sender."""
        return self.people - {self.sender} if self.sender else self.people

    def rule_of(self, parent: bytes) -> str:
        return "in_reply_to" if parent in self.parents[: self.replies_to] else "references"


def hashed(text: bytes) -> bytes:
    """Eight bytes that stand for these."""
    return sha256(text).digest()[:8]


def party_ref(parent: bytes, party: bytes) -> bytes:
    """The name under which the answers of one party to one mail of many are found."""
    return sha256(b"party" + parent + party).digest()[:16]


def topic_ref(guess_key: bytes) -> bytes:
    """The row that is locked while it is looked who has this topic."""
    return sha256(b"topic" + guess_key).digest()[:16]


def are_related(child: Threadable, parent: Threadable | None, rule: str) -> bool:
    """Whether a mail that names another belongs to it. Answers to mails of many are not asked for here."""
    if parent is None:
        return True
    if rule == "token":
        return not child.outside.isdisjoint(parent.outside)
    if child.is_guarded and parent.outside and child.sender not in parent.outside and child.firm not in parent.firms:
        return False
    if child.prefix or child.subject_key == parent.subject_key:
        return True
    if child.is_robot and rule == "references":
        return False
    return child.occurred_at - parent.occurred_at <= APART


def is_likely(answer: Threadable, older: Threadable) -> bool:
    """Whether an answer, of which no id leads anywhere, is probably one to this mail."""
    if not answer.may_guess or answer.guess_key is None or answer.guess_key != older.guess_key:
        return False
    if not older.place < answer.place or answer.occurred_at - older.occurred_at > timedelta(days=answer.guess_days):
        return False
    if answer.list_key is not None and answer.list_key == older.list_key:
        return True
    if answer.sender is None or older.sender is None:
        return False
    mine, theirs = answer.others, older.others
    if answer.sender != older.sender:
        return answer.sender in theirs and older.sender in mine
    return not mine.isdisjoint(theirs) and (mine <= theirs or theirs <= mine)


def threadable(mail: ParsedMail, arrival: MailArrived, interaction_id: UUID, at: datetime, house: House) -> Threadable:
    """The facts of a mail."""
    names: dict[bytes, str] = {}
    own = _named(names, [mail.message_id], house)[:1] if mail.message_id else []
    replied = _named(names, mail.in_reply_to, house)
    older = _named(names, [one for one in (mail.report.message_id, *reversed(mail.references)) if one], house)
    parents = [ref for ref in dict.fromkeys([*replied, *older]) if ref not in own][:REFERENCES_MAX]
    replies_to = sum(ref in replied for ref in parents)
    topic, prefix = base_subject(mail.subject)
    guess = guess_topic(mail.subject)
    people = _people(mail)
    ours = {one for address, one in people.items() if address in house.own}
    outside = frozenset(people.values()) - ours
    sender_key = email_key(mail.from_[0].address) if len(mail.from_) == 1 else None
    sender = people.get(sender_key.value) if sender_key else None
    domain = sender_key.value.rpartition("@")[2] if sender_key else ""
    firms = {hashed(_domain(one)) for one, key in people.items() if key not in ours and _has_firm(one)}
    is_ours = sender in ours
    party = sender if not is_ours else min(outside) if len(outside) == 1 else None
    list_key = hashed(b"list" + mail.list_id.encode("utf-8", "surrogatepass")) if mail.list_id else None
    is_robot = bool({"bulk", "auto_reply"} & set(mail.marks))
    mass = is_ours and len(outside) > OUTSIDE_MAX
    server = provider_thread(arrival)
    conversation = None if mass else conversation_of(arrival.raw)
    sharers = [*([list_key] if list_key else ()), *sorted(firms), *sorted(outside or people.values())]
    tokens = tokens_in(_texts(mail), house.key, at)
    return Threadable(
        interaction_id=interaction_id,
        occurred_at=at,
        ref=own[0] if own else None,
        parents=tuple(parents),
        replies_to=replies_to,
        subject_key=subject_key_of(topic),
        is_answer=bool(replies_to or prefix) and not is_digest(topic),
        prefix=prefix or guess.kind,
        shared=(
            *([server] if server else ()),
            *_series(mail),
            *_conversation(conversation, subject_key_of(topic), sharers),
        ),
        tokens=tuple(ref for ref in (ref_of(f"{one}@") for one in tokens) if ref not in own),
        sender=sender,
        people=frozenset(people.values()),
        outside=outside,
        firms=frozenset(firms),
        firm=hashed(_domain(domain)) if _has_firm(domain) else None,
        party=party,
        is_mass=mass,
        is_robot=is_robot,
        is_guarded=house.strangers_apart and not is_ours,
        list_key=list_key if guess.is_long else None,
        guess_key=hashed(b"guess" + guess.topic.encode("utf-8", "surrogatepass")) if guess.days else None,
        guess_days=guess.days,
        may_guess=guess.kind in ("reply", "auto")
        and "bounce" not in mail.marks
        and ("bulk" not in mail.marks or bool(mail.list_id)),
        names=names,
    )


def _named(names: dict[bytes, str], ids: Iterable[str], house: House) -> list[bytes]:
    """The refs of ids; those that only look like ours are left out."""
    found: dict[bytes, None] = {}
    for one in ids:
        if house.key and is_own_shape(one) and not proved(token_of(one), house.key):
            continue
        ref = ref_of(one)
        names.setdefault(ref, one)
        found.setdefault(ref)
    return list(found)


def _people(mail: ParsedMail) -> dict[str, bytes]:
    """Who a mail is from and to, by address, without the list it went over. Whom answers are wanted by, and a sender that
    could be read in two ways, is in nothing for that."""
    list_name = _LIST_NAME.search(f"<{mail.list_id.strip('<> ')}>" if "<" not in mail.list_id else mail.list_id)
    over = list_name.group(1).casefold() if list_name else ""
    boxes: list[Mailbox] = [*(mail.from_ if len(mail.from_) == 1 else ()), *mail.to, *mail.cc, *mail.bcc]
    found: dict[str, bytes] = {}
    for box in boxes:
        key = email_key(box.address)
        if key is not None and key.value.replace("@", ".") != over:
            found.setdefault(key.value, hashed(key.value.encode()))
        if len(found) == PEOPLE_MAX:
            break
    return found


def _has_firm(address: str) -> bool:
    domain = address.rpartition("@")[2]
    return bool(domain) and domain not in PUBLIC_DOMAINS


def _domain(address: str) -> bytes:
    return b"@" + address.rpartition("@")[2].encode()


def _texts(mail: ParsedMail) -> list[str]:
    """Where one of our tokens may stand."""
    addresses = [box.address for box in (*mail.to, *mail.cc, *mail.bcc, *mail.reply_to)]
    return [*mail.in_reply_to, *mail.references, *addresses, mail.subject, mail.body_text, mail.html or ""]


def _series(mail: ParsedMail) -> Iterable[Shared]:
    first = mail.in_reply_to[0] if mail.in_reply_to else ""
    common = series_of(mail.message_id, first)
    return [Shared("in_reply_to", ref_of(first), common)] if common else []


def _conversation(name: bytes | None, topic: bytes, sharers: Sequence[bytes]) -> Iterable[Shared]:
    """An Outlook conversation, under its topic and each of those by whom it may be found again."""
    if name is None:
        return []
    ref = sha256(b"thread-index" + name).digest()[:16]
    return [Shared("thread_index", ref, hashed(topic + one)) for one in sharers[:SHARERS_MAX]]


def provider_thread(arrival: MailArrived) -> Shared | None:
    """The conversation that the server of a mailbox says a mail to be of."""
    if not arrival.thread_id:
        return None
    name = f"thread\x00{arrival.source}\x00{arrival.thread_id}".encode("utf-8", "surrogatepass")
    return Shared("provider_thread", sha256(name).digest()[:16])
