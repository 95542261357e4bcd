"""E-mail addresses in one canonical form, and address lists read strictly (RFC 5322 §3.4).

A key is made of exactly one clean addr-spec: local part in lower case, domain in its ASCII form (IDNA, UTS 46). What
could be read in two ways gives no key, because a wrong link is worse than none: `alice@example.org)bob@evil.example`
was read as alice by many programs (CVE-2023-27043).

The list reader is one pass over the text without recursion: quoted strings, comments and groups are known, everything
is bounded, nothing raises. Encoded words are read only after the structure is known (RFC 2047 §6.2): a comma or an
angle bracket within one is part of a name, not of the list.
"""

import re
import unicodedata
from dataclasses import dataclass

import idna

from interactions.mime_words import decode_words
from interactions.records import AddressKind, Key

ADDRESS_OCTETS_MAX = 254  # RFC 5321 §4.5.3.1.3
ADDRESSES_MAX = 2000
LIST_CHARS_MAX = 200_000
NAME_CHARS_MAX = 500

_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.+[\w!#$%&'*+/=?^`{|}~-]+)*\.?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_RUN = re.compile(r"[^\"(<,;:)>]+")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name and an address as they stood in a header."""

    display_name: str
    address: str


@dataclass(frozen=True, slots=True)
class AddressList:
    """What an address header holds. `ambiguous`: parts of it could be read in more than one way."""

    mailboxes: tuple[Mailbox, ...] = ()
    ambiguous: bool = False


def email_key(text: str) -> Key | None:
    """The canonical key of one e-mail address, or None where it is not exactly one."""
    text = text.strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    if len(text) > ADDRESS_OCTETS_MAX or text.count("@") != 1:
        return None
    local, domain = text.split("@")
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).casefold())
    if not _LOCAL.fullmatch(local):
        return None
    ascii_domain = _domain(domain)
    if ascii_domain is None:
        return None
    value = f"{local}@{ascii_domain}"
    return Key(AddressKind.EMAIL, value) if len(value.encode()) <= ADDRESS_OCTETS_MAX else None


def domain_of(key: Key) -> str:
    """The domain of an e-mail key, empty for other kinds."""
    return key.value.rpartition("@")[2] if key.kind is AddressKind.EMAIL else ""


def _domain(text: str) -> str | None:
    text = text.rstrip(".").lower()
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode("ascii").lower()
        except (idna.IDNAError, UnicodeError):
            return None
    labels = text.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return text


def clean_name(text: str) -> str:
    """A display name without control characters and overrides of writing direction, which could imitate another."""
    start = text[: 4 * NAME_CHARS_MAX]
    kept = (
        start
        if start.isprintable()
        else "".join(c for c in start if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    )
    return " ".join(kept.split())[:NAME_CHARS_MAX]


class _Reader:
    """One pass over an address list: collects the words of one entry until a comma ends it."""

    def __init__(self) -> None:
        self.found: list[Mailbox] = []
        self.ambiguous = False
        self._reset()

    def _reset(self) -> None:
        self._words: list[str] = []
        self._plain: list[str] = []  # the same with its quotes: an @ within them makes no address
        self._has_at = False
        self._angle: str | None = None
        self._comment: list[str] = []

    def word(self, text: str) -> None:
        if self._angle is not None and not text.isspace():
            self.ambiguous = True
        self._has_at = self._has_at or "@" in text
        self._words.append(text)
        self._plain.append(text)

    def quoted(self, text: str) -> None:
        if self._angle is not None:
            self.ambiguous = True
        self._words.append(text)
        self._plain.append(f'"{text}"')

    def comment(self, text: str) -> None:
        self._comment.append(text)

    def angle(self, text: str) -> None:
        if self._angle is not None:
            self.ambiguous = True
        else:
            self._angle = text

    def colon(self) -> None:
        """What stands before it is the name of a group, unless it is a part of an address."""
        if self._has_at:
            self.word(":")
        else:
            self._words.clear()
            self._plain.clear()

    def end(self) -> None:
        plain = "".join(self._plain).strip()
        if self._angle is not None:
            self._add("".join(self._words), self._angle.strip())
        elif plain:
            self._add("".join(self._comment) if self._has_at else "", decode_words(plain).strip())
        self._reset()

    def _add(self, name: str, address: str) -> None:
        if len(self.found) >= ADDRESSES_MAX:
            self.ambiguous = True
            return
        if not address and not name.strip():
            return
        if address and email_key(address) is None:
            self.ambiguous = True
        self.found.append(Mailbox(clean_name(decode_words(name)), clean_name(address)))


def parse_addresses(header_value: str) -> AddressList:
    """Reads an address header as it came, unfolded. Never raises."""
    text = header_value[:LIST_CHARS_MAX]
    reader = _Reader()
    n = 0
    while n < len(text):
        character = text[n]
        if character == '"':
            inner, n = _quoted_string(text, n + 1)
            reader.quoted(inner)
            continue
        if character == "(":
            inner, n = _comment(text, n + 1)
            reader.comment(inner)
            continue
        if character == "<":
            end = text.find(">", n)
            if end < 0:
                reader.ambiguous = True
                end = len(text)
            reader.angle(text[n + 1 : end])
            n = end + 1
            continue
        if character in ",;":
            reader.end()
        elif character == ":":
            reader.colon()
        elif character in ")>":
            reader.ambiguous = True
            reader.word(character)
        else:
            run = _RUN.match(text, n)
            assert run is not None
            reader.word(run.group())
            n = run.end()
            continue
        n += 1
    reader.end()
    return AddressList(tuple(reader.found), reader.ambiguous or len(header_value) > LIST_CHARS_MAX)


def _quoted_string(text: str, start: int) -> tuple[str, int]:
    """The content of a quoted string that begins at `start`, and where reading goes on."""
    out: list[str] = []
    n = start
    while n < len(text):
        if text[n] == "\\" and n + 1 < len(text):
            out.append(text[n + 1])
            n += 2
        elif text[n] == '"':
            return "".join(out), n + 1
        else:
            out.append(text[n])
            n += 1
    return "".join(out), n


def _comment(text: str, start: int) -> tuple[str, int]:
    """The content of a comment, nested ones within, and where reading goes on."""
    depth = 1
    n = start
    while n < len(text):
        if text[n] == "\\":
            n += 1
        elif text[n] == "(":
            depth += 1
        elif text[n] == ")":
            depth -= 1
            if depth == 0:
                return text[start:n], n + 1
        n += 1
    return text[start:n], n
