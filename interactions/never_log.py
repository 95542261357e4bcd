"""Mail that is never stored, by the addresses and domains in its headers. Pure.

A mail is left out if any of the headers that name people holds such an address, wherever in them it stands: better one too
many left out than one stored against somebody's will. So this reads no structure: an address in a comment, in a name, or
in a header that is written against the rules counts too. A domain means everything below it as well. Domains of other
scripts are looked for in both of their forms (IDNA).

Limits: an address in the text of a mail, or hidden in an encoded word, is not looked for.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import idna

HEAD_BYTES_MAX = 1024 * 1024

_NAMES = (
    rb"from|sender|reply-to|to|cc|bcc|resent-from|resent-sender|resent-to|resent-cc|resent-bcc|return-path"
    rb"|delivered-to|envelope-to|x-original-to"
)
_END = re.compile(rb"\r?\n\r?\n")
_HEADER = re.compile(rb"^(?:" + _NAMES + rb")[ \t]*:(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(rb"\r?\n[ \t]+")


@dataclass(frozen=True, slots=True)
class NeverLog:
    """Addresses (`lawyer@example.com`) and domains (`bank.example`) whose mail is never stored."""

    entries: tuple[str, ...] = ()
    _pattern: "re.Pattern[str] | None" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pieces = [piece for entry in self.entries for piece in _pieces(entry)]
        pattern = re.compile(rf"(?:{'|'.join(pieces)})(?![\w@-]|\.\w)") if pieces else None
        object.__setattr__(self, "_pattern", pattern)

    @property
    def is_empty(self) -> bool:
        return self._pattern is None

    def names(self, raw: bytes) -> bool:
        """Whether the headers of this mail, given whole or by its header block, name one of them."""
        if self._pattern is None:
            return False
        end = _END.search(raw, 0, HEAD_BYTES_MAX)
        head = raw[: end.start() if end else HEAD_BYTES_MAX]
        return any(self._pattern.search(_text(found[1])) for found in _HEADER.finditer(head))


def _text(value: bytes) -> str:
    return _FOLD.sub(b" ", value).decode("utf-8", "replace").casefold()


def _pieces(entry: str) -> Iterable[str]:
    """An entry as patterns, one for each form of its domain."""
    local, at, domain = entry.strip().casefold().rpartition("@")
    before = rf"(?<![\w.+-]){re.escape(local)}@" if local and at else r"[@.]"
    domain = domain.strip(".")
    if not domain:
        return
    forms = {domain}
    for change in (idna.encode, idna.decode):
        try:
            other = change(domain)
        except (idna.IDNAError, UnicodeError):
            continue
        forms.add(other.decode("ascii") if isinstance(other, bytes) else other)
    for form in sorted(forms):
        yield before + re.escape(form)
