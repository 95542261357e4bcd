"""Which folders of a mailbox are read, and what each is for. Pure: from the answers to LIST and the configuration.

What a folder is for (its role) comes from the server's special-use marks (RFC 6154, and Google's older XLIST ones).
Only where no folder has a mark, its name decides, from a table of what servers and mail programs call such folders in
English and Russian. Marks win, because a folder named Spam may be anybody's.

The configuration names folders by name, by wildcards (`*` anything, `%` anything within one level) or by mark
(`\\Junk`). A leading `-` leaves out, and leaving out always wins, in any order. Upper and lower case are the same.
Folders that hold no mail (`\\Noselect`) are skipped. `\\Flagged` and `\\Important` are views of mail that lies in other
folders: a wildcard does not bring them in, their name does.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connectors.mail.answers import Listed

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
_NAMES = {
    "sent": "sent|sent items|sent mail|sent messages|sentbox|отправленные|отправленное|отправленные письма"
    "|отправленные элементы|отправленные сообщения",
    "junk": "junk|junk e-mail|junk email|junk mail|spam|bulk|bulk mail|спам|нежелательная почта|нежелательные"
    "|нежелательные письма|нежелательные сообщения",
    "trash": "trash|bin|deleted|deleted items|deleted messages|корзина|удаленные|удаленные письма"
    "|удаленные элементы|удаленные сообщения",
    "drafts": "drafts|draft|draftbox|черновики|черновик",
    "archive": "archive|archives|архив|архивы",
}
_ROLE_OF_NAME = {name: role for role, names in _NAMES.items() for name in names.split("|")}
_VIEWS = frozenset({"flagged", "important"})
_UNREADABLE = frozenset({"\\noselect", "\\nonexistent"})
# Order of reading: what people wait for first; `all` brings again what the others have.
_ORDER = {"inbox": 0, "sent": 1, "": 2, "archive": 3, "all": 5}


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder to read: its name on the wire, its name for people, and its role: `inbox sent junk trash drafts archive
    all flagged important` or empty."""

    raw: bytes
    name: str
    role: str = ""


def choose(listed: Iterable[Listed], patterns: Sequence[str] = DEFAULT, with_junk: bool = False) -> list[Folder]:
    """The folders to read, INBOX first; each once. `with_junk` brings the folder of junk, whatever the patterns say."""
    usable = [one for one in listed if not one.flags & _UNREADABLE and len(one.name) <= NAME_CHARACTERS_MAX]
    marked = {role for one in usable if (role := _marked_role(one))}
    wanted = [_Pattern(text) for text in patterns if not text.startswith("-")]
    unwanted = [_Pattern(text[1:]) for text in patterns if text.startswith("-")]
    chosen: dict[str, Folder] = {}
    for one in usable:
        role = _marked_role(one) or _named_role(one, marked)
        if with_junk and role == "junk":
            chosen.setdefault(one.name, Folder(one.raw, one.name, role))
        if any(p.fits(one, role, by_wildcard=True) for p in unwanted):
            continue
        if any(p.fits(one, role, by_wildcard=role not in _VIEWS) for p in wanted):
            chosen.setdefault(one.name, Folder(one.raw, one.name, role))
    return sorted(chosen.values(), key=lambda folder: _ORDER.get(folder.role, 4))


def _marked_role(one: Listed) -> str:
    if one.name.upper() == "INBOX":
        return "inbox"
    return next((_MARKS[flag] for flag in sorted(one.flags) if flag in _MARKS and flag != "\\inbox"), "")


def _named_role(one: Listed, marked: set[str]) -> str:
    path = one.name.split(one.delimiter) if one.delimiter else [one.name]
    # "Sent", "INBOX.Sent" and "[Gmail]/Sent Mail", but not a customer's "Projects/Acme/Sent".
    if len(path) > 2 or (len(path) == 2 and path[0].upper() != "INBOX" and not path[0].startswith("[")):
        return ""
    role = _ROLE_OF_NAME.get(" ".join(_folded(path[-1]).split()), "")
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
