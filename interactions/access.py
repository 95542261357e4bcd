"""Who sees what. Everybody sees everything, but for what came from a source that is narrowed:

    members = […]           others see that it was there (who, when, to whom, about what), and not what it says
    privacy = "private"     others see nothing of it, in no list and no number

Whoever answers for an interaction sees it whole, and so does who stands in for that person now. A mail that lies in
several mailboxes is seen by whom one of them is open to. Programs, which have no e-mail, are members of nothing; only
one that may administer sees everything. An administrator who is a person has no right of his own: privacy would be none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from interactions.addresses import email_key

DEPARTMENT = "dept:"


@dataclass(frozen=True, slots=True)
class Door:
    """How far a source is open: to these members (e-mails, `dept:NAME`; none is everybody), and whether others see that
    something is there."""

    source: str
    is_private: bool = False
    members: tuple[str, ...] = ()

    @property
    def is_narrow(self) -> bool:
        return self.is_private or bool(self.members)


@dataclass(frozen=True, slots=True)
class Asker:
    """A person at this moment: the e-mail of the login, the departments, and for whom this one answers."""

    email: str
    departments: frozenset[str] = frozenset()
    answers_for: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody does not see: nothing from `hidden` sources, no contents from `closed` ones, unless one of `mine`
    answers for it."""

    hidden: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    mine: tuple[UUID, ...] = ()

    @property
    def is_whole(self) -> bool:
        return not self.hidden and not self.closed

    @property
    def unseen(self) -> list[str] | None:
        """The sources of which nothing is seen, as a parameter of statements; None for none."""
        return list(self.hidden) or None

    @property
    def unread(self) -> list[str] | None:
        """The sources whose contents are not seen."""
        return [*self.hidden, *self.closed] or None


EVERYTHING = Access()


def decide(doors: Iterable[Door], asker: Asker | None) -> Access:
    """What is seen through these doors. Without an asker: what a program sees that is a member of nothing."""
    shut = [door for door in doors if door.is_narrow and not (asker and is_member(door, asker))]
    return Access(
        hidden=tuple(sorted(door.source for door in shut if door.is_private)),
        closed=tuple(sorted(door.source for door in shut if not door.is_private)),
        mine=tuple(sorted(asker.answers_for)) if asker and shut else (),
    )


def is_member(door: Door, asker: Asker) -> bool:
    """Whether a source names this person, or a department of this person."""
    departments = {name.casefold() for name in asker.departments}
    for member in door.members:
        if member.startswith(DEPARTMENT):
            if member.removeprefix(DEPARTMENT).strip().casefold() in departments:
                return True
        elif (key := email_key(member)) is not None and key.value == asker.email:
            return True
    return False
