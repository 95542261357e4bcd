"""The first matching rule of the configuration, and what it sets on an arrival before anybody sees it.

All that a rule's `when` names must hold; of several values one is enough.

    source      the name of the source                 mark        one of the marks of a mail
    from        an address or number of the sender     direction, type
    domain      the sender's domain, or one below it   line        our own number
    topic       words in the topic; * stands for anything

Rules see only what came; what a person did later is never changed by them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from uuid import UUID

from interactions.addresses import domain_of
from interactions.records import AddressKind, Importance, Interaction, Key, Participant, Role

TAGS_MAX = 100


@dataclass(frozen=True, slots=True)
class When:
    """What must hold; nothing is any. Addresses, numbers and lines are keys, texts are in lower case."""

    sources: frozenset[str] = frozenset()
    senders: frozenset[Key] = frozenset()
    domains: frozenset[str] = frozenset()
    topics: tuple[str, ...] = ()
    marks: frozenset[str] = frozenset()
    lines: frozenset[Key] = frozenset()
    directions: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sets:
    """What is set; None leaves it as it is. `responsible` is a user's e-mail."""

    responsible: str | None = None
    reviewed: bool | None = None
    importance: str | None = None
    tags: tuple[str, ...] = ()
    on_control: bool | None = None
    skip: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the configuration."""

    when: When
    sets: Sets


def first_match(one: Interaction, rules: Iterable[Rule]) -> Rule | None:
    """The first rule that holds for an interaction that is about to be written."""
    return next((rule for rule in rules if _holds(one, rule.when)), None)


def _holds(one: Interaction, when: When) -> bool:
    sender = _sender(one)
    marks = one.block.get("marks")
    conditions = (
        (when.sources, one.source in when.sources),
        (when.senders, sender in when.senders),
        (when.domains, _is_below(sender, when.domains)),
        (when.topics, _speaks_of(one.topic, when.topics)),
        (when.marks, isinstance(marks, list) and bool(when.marks.intersection(map(str, marks)))),
        (when.lines, any(p.key in when.lines for p in one.participants)),
        (when.directions, one.direction in when.directions),
        (when.types, one.kind in when.types),
    )
    return all(holds for wanted, holds in conditions if wanted)


def _sender(one: Interaction) -> Key | None:
    """Whom it is from: the other side of an incoming call, else the sender."""
    people: Sequence[Participant] = one.participants
    wanted = Role.SUBSCRIBER if any(p.role is Role.SUBSCRIBER for p in people) else Role.FROM
    return next((p.key for p in people if p.role is wanted), None)


def _is_below(sender: Key | None, domains: frozenset[str]) -> bool:
    if sender is None or sender.kind is not AddressKind.EMAIL:
        return False
    domain = domain_of(sender)
    return any(domain == one or domain.endswith(f".{one}") for one in domains)


def _speaks_of(topic: str, wanted: Iterable[str]) -> bool:
    folded = topic.casefold()
    return any(fnmatchcase(folded, f"*{one}*") if "*" in one or "?" in one else one in folded for one in wanted)


def apply(one: Interaction, sets: Sets, responsible_id: UUID | None, now: datetime) -> Interaction:
    """The interaction as the rule wants it. `responsible_id` is the user behind `sets.responsible`, if there is one."""
    reviewed = one.reviewed if sets.reviewed is None else sets.reviewed
    return replace(
        one,
        responsible_id=responsible_id or one.responsible_id,
        reviewed=reviewed,
        reviewed_at=(one.reviewed_at or now) if reviewed else None,
        importance=Importance(sets.importance) if sets.importance else one.importance,
        tags=tuple(dict.fromkeys((*one.tags, *sets.tags)))[:TAGS_MAX],
    )
