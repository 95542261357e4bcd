"""Whom a mail makes known to us, where `contacts.auto_create` asks for it: people we wrote to, and people who wrote to us.

Never our own side, and never what no person reads or writes: answers by machines, bounces, bulk and lists, mail that is not
from whom it says, and addresses that call themselves so (no-reply, mailer-daemon and their like).
"""

import re
from collections.abc import Collection, Iterator

from interactions.records import AddressKind, Direction, Interaction, Participant, Role

POLICIES = ("never", "sent", "sent_and_received")
_BY_MACHINES = frozenset({"auto_reply", "bounce", "bulk", "list", "from_junk", "ambiguous"})
_MACHINE = re.compile(
    r"(no|do[-_.]?not|donot|nicht|ne)[-_.]?(reply|antworten|otvechat|respond)|mailer[-_.]?daemon|postmaster|bounces?|"
    r"notifications?|abuse|hostmaster|webmaster|root|robot|daemon|listserv|majordomo|newsletter|news|subscribe|unsubscribe",
    re.IGNORECASE,
)
_ENDS = re.compile(r"[-_.+](no[-_.]?reply|bounces?|request|owner)\b", re.IGNORECASE)


def newcomers(one: Interaction, policy: str) -> Iterator[Participant]:
    """The participants of a mail who may become contacts, if nobody knows them yet."""
    marks, proof = one.block.get("marks"), one.block.get("authenticated")
    by_machine = isinstance(marks, Collection) and not _BY_MACHINES.isdisjoint(map(str, marks))
    if policy == "never" or by_machine:
        return
    if one.direction is Direction.OUTGOING:
        roles = {Role.TO, Role.CC}
    elif one.direction is Direction.INCOMING and policy == "sent_and_received" and proof != "fail":
        roles = {Role.FROM}
    else:
        return
    for person in one.participants:
        if person.role in roles and person.key is not None and is_person(person.key.value, person.key.kind):
            yield person


def is_person(value: str, kind: AddressKind) -> bool:
    """Whether an address may be somebody's who reads what is written to it."""
    local = value.partition("@")[0]
    return kind is AddressKind.EMAIL and not _MACHINE.fullmatch(local) and not _ENDS.search(local)
