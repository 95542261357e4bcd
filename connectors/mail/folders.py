"""Which folders of a mailbox are read, and what each is for. Pure: from the answers to LIST and the configuration.

What a folder is for (its role) comes from the server's special-use marks (RFC 6154, and the older ones of XLIST). Only
where no folder has a mark, its name decides (`foldernames`). Marks win, because a folder named Spam may be anybody's.
`Folder.known_by` says which of them it was.

The configuration names folders by name, by wildcards (`*` anything, `%` anything within one level) or by mark
(`\\Junk`). A leading `-` leaves out, and leaving out always wins, in any order. Upper and lower case are the same.
Folders that hold no mail (`\\Noselect`) are skipped. `\\Flagged` and `\\Important` are views of mail that lies in other
folders: a wildcard does not bring them in, their name does.

Google's folders are labels of mails that all lie in one, `\\All`, but for those in Junk and Trash. There that one is read
in place of the others, so that every mail is read once and its news come from one folder; a mail with the label of a folder
that the configuration leaves out is left out itself (`Folder.hides`), drafts above all. Where `\\All` is not shown to mail
programs, or not wanted, labels are read as folders.

Limits: a mail that was left out for its label is not read when it loses that label; labels are kept as they were when it
was read.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connectors.mail.answers import Listed
from connectors.mail.foldernames import ROLE_OF_NAME
from connectors.mail.foldernames import folded as folded_name

DEFAULT = ("*", "-\\Junk", "-\\Trash", "-\\Drafts")
NAME_CHARACTERS_MAX = 1000

_MARKS = {
    "\\inbox": "inbox",
    "\\sent": "sent",
    "\\junk": "junk",
    "\\spam": "junk",
    "\\trash": "trash",
    "\\drafts": "drafts",
    "\\archive": "archive",
    "\\all": "all",
    "\\allmail": "all",
    "\\flagged": "flagged",
    "\\starred": "flagged",
    "\\important": "important",
}
_VIEWS = frozenset({"flagged", "important"})
_UNREADABLE = frozenset({"\\noselect", "\\nonexistent"})
# Order of reading: what people wait for first; `all` brings again what the others have.
_ORDER = {"inbox": 0, "sent": 1, "": 2, "archive": 3, "all": 5}


# What Google calls the labels of its own folders.
_LABELS = {
    "inbox": "\\inbox",
    "sent": "\\sent",
    "drafts": "\\draft",
    "flagged": "\\starred",
    "important": "\\important",
}
_BESIDE_ALL = frozenset({"all", "junk", "trash"})


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder to read: its name on the wire, its name for people, and its role: `inbox sent junk trash drafts archive
    all flagged important` or empty. `known_by` is what told the role: `name`, `mark` or nothing. `is_home`: new mail
    comes here. `hides` are labels whose mails are left out, in lower case."""

    raw: bytes
    name: str
    role: str = ""
    known_by: str = ""
    is_home: bool = False
    hides: frozenset[str] = frozenset()

    def role_with(self, labels: Iterable[str] | None) -> str:
        """The role for a mail with these labels: in `\\All` they tell what was sent."""
        is_sent = self.role == "all" and _LABELS["sent"] in {one.lower() for one in labels or ()}
        return "sent" if is_sent else self.role

    def is_hidden(self, labels: Iterable[str] | None) -> bool:
        """Whether a mail with these labels is left out."""
        return bool(self.hides) and not self.hides.isdisjoint({one.lower() for one in labels or ()})


def choose(
    listed: Iterable[Listed], patterns: Sequence[str] = DEFAULT, with_junk: bool = False, has_labels: bool = False
) -> list[Folder]:
    """The folders to read, INBOX first; each once. `with_junk` brings the folder of junk, whatever the patterns say.
    `has_labels`: folders are Google's labels."""
    usable = [one for one in listed if not one.flags & _UNREADABLE and len(one.name) <= NAME_CHARACTERS_MAX]
    marked = {role for one in usable if (role := _marked_role(one))}
    wanted = [_Pattern(text) for text in patterns if not text.startswith("-")]
    unwanted = [_Pattern(text[1:]) for text in patterns if text.startswith("-")]
    chosen: dict[str, Folder] = {}
    hidden: set[str] = set()
    for one in usable:
        folder = _folder(one, marked)
        if with_junk and folder.role == "junk":
            chosen.setdefault(one.name, folder)
        if any(p.fits(one, folder.role, by_wildcard=True) for p in unwanted):
            hidden.add(_LABELS.get(folder.role, one.name.lower()))
        elif any(p.fits(one, folder.role, by_wildcard=folder.role not in _VIEWS) for p in wanted):
            chosen.setdefault(one.name, folder)
    found = sorted(chosen.values(), key=lambda folder: _ORDER.get(folder.role, 4))
    return _without_labels(found, hidden) if has_labels else found


def _folder(one: Listed, marked: set[str]) -> Folder:
    by_mark = _marked_role(one)
    role = by_mark or _named_role(one, marked)
    known_by = "mark" if by_mark else "name" if role else ""
    return Folder(one.raw, one.name, role, known_by, is_home=role == "inbox")


def _without_labels(chosen: Sequence[Folder], hidden: set[str]) -> list[Folder]:
    """All mail in place of what are only labels of it."""
    if not any(folder.role == "all" and folder.known_by == "mark" for folder in chosen):
        return list(chosen)
    kept = [folder for folder in chosen if folder.role in _BESIDE_ALL]
    return [
        replace(folder, is_home=True, hides=frozenset(hidden)) if folder.role == "all" else folder for folder in kept
    ]


def _marked_role(one: Listed) -> str:
    if one.name.upper() == "INBOX":
        return "inbox"
    return next((_MARKS[flag] for flag in sorted(one.flags) if flag in _MARKS and flag != "\\inbox"), "")


def _named_role(one: Listed, marked: set[str]) -> str:
    path = one.name.split(one.delimiter) if one.delimiter else [one.name]
    # "Sent", "INBOX.Sent" and "[Gmail]/Sent Mail", but not a customer's "Projects/Acme/Sent".
    if len(path) > 2 or (len(path) == 2 and path[0].upper() != "INBOX" and not path[0].startswith("[")):
        return ""
    role = ROLE_OF_NAME.get(folded_name(path[-1]), "")
    return "" if role in marked else role


def _folded(text: str) -> str:
    return text.casefold().replace("ё", "е")


class _Pattern:
    """One word of the configuration's `folders`."""

    def __init__(self, text: str) -> None:
        self._role = _MARKS.get(text.lower(), "") if text.startswith("\\") else None
        self._has_wildcard = "*" in text or "%" in text
        # A run of wildcards is one, so that no name takes long to match.
        self._parts = re.split(r"([*%]+)", text)

    def fits(self, one: Listed, role: str, by_wildcard: bool) -> bool:
        if self._role is not None:
            return role != "" and role == self._role
        if self._has_wildcard and not by_wildcard:
            return False
        level = f"[^{re.escape(one.delimiter)}]*" if one.delimiter else ".*"
        written = "".join(
            (".*" if "*" in part else level) if number % 2 else re.escape(_folded(part))
            for number, part in enumerate(self._parts)
        )
        return re.fullmatch(written, _folded(one.name), re.DOTALL) is not None
