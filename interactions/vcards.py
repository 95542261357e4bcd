"""vCards as telephones and mail programs write them → the rows of a contact list. RFC 6350 (4.0), RFC 2426 (3.0), and 2.1.

    TEL;TYPE=CELL:8 916 123-45-67       a number, labelled "mobile"
    item1.EMAIL:a@x.example             an e-mail, with the words of item1.X-ABLABEL beside it
    ORG:Магазин;Склад                   whom a person serves; of a card without a person, or of KIND:org, the partner itself
    UID, CATEGORIES, NOTE               reference, tags and comment, so that a list of cards may be repeated

A card that can't be used is refused with the line of its BEGIN, the others go in. Pictures, sounds and keys are passed
over. Every bound is that of `contactfiles`; the only error is UnreadableFile.

`written` makes a card of 3.0, which every telephone reads, such that reading it again changes nothing.

Limits: a card says nothing of INN, KPP, domains, the responsible user and former partners; the categories of a card within a card (AGENT of 2.1) are not read, such a card is refused.
"""

import quopri
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from interactions.addresses import clean_name
from interactions.contactfiles import (
    ADDRESSES_MAX,
    CELL_CHARS_MAX,
    FILE_BYTES_MAX,
    LABEL_CHARS_MAX,
    ROWS_MAX,
    ContactFile,
    ContactRow,
    RefusedRow,
    UnreadableFile,
    Written,
    decode,
    split_phones,
)
from interactions.contacts import Contact, ContactKind, Coordinate
from interactions.records import AddressKind

HEAD_CHARS_MAX = 1000
PROPERTIES_MAX = 1000
_BEGIN = "BEGIN:VCARD"
_LARGE = frozenset({"PHOTO", "LOGO", "SOUND", "KEY"})
_LABEL_OF = {"cell": "mobile", "work": "work", "home": "home", "fax": "fax", "pager": "pager"}


@dataclass(frozen=True, slots=True)
class Property:
    """One line of a card. `types` are its TYPE parameters in lower case."""

    name: str
    value: str
    group: str = ""
    types: frozenset[str] = frozenset()


@dataclass(slots=True)
class Card:
    """The properties between BEGIN and END, or why it can't be used."""

    line: int
    properties: list[Property] = field(default_factory=list)
    wrong: str = ""


def is_vcard(data: bytes) -> bool:
    """Whether a file begins as cards do, in whatever encoding."""
    start = data[:200].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return start[: len(_BEGIN)].upper() == _BEGIN.encode()


def read_cards(data: bytes) -> ContactFile:
    """Reads cards. Raises UnreadableFile, and nothing else."""
    if len(data) > FILE_BYTES_MAX:
        raise UnreadableFile(f"The file is larger than {FILE_BYTES_MAX // 1_000_000} MB; cut it into several.")
    text, encoding = decode(data)
    rows: list[ContactRow] = []
    refused: list[RefusedRow] = []
    for card in _cards(text):
        found = RefusedRow(card.line, card.wrong) if card.wrong else _row(card)
        if isinstance(found, ContactRow):
            rows.append(found)
        else:
            refused.append(found)
        if len(rows) + len(refused) > ROWS_MAX:
            raise UnreadableFile(f"The file has more than {ROWS_MAX} cards; cut it into several.")
    return ContactFile(tuple(rows), tuple(refused), (), encoding, "")


def _cards(text: str) -> Iterator[Card]:
    card: Card | None = None
    for n, line in _unfolded(text):
        mark = line[:40].strip().upper().replace(" ", "")
        if mark == _BEGIN:
            if card is None:
                card = Card(n)
            else:
                card.wrong = "a card within a card, or one without its END"
        elif mark == "END:VCARD":
            if card is not None:
                yield card
            card = None
        elif card is not None and not card.wrong:
            _add(card, line)
    if card is not None:
        yield Card(card.line, wrong="the card has no END:VCARD")


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first one: what begins with a space goes on, RFC 6350 §3.2; of 2.1 what is
    quoted-printable and ends with `=` too."""
    parts: list[str] = []
    first, goes_on = 1, False
    for n, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if parts and (goes_on or line[:1] in (" ", "\t")):
            parts.append(line if goes_on else line[1:])
        else:
            if parts:
                yield first, "".join(parts)
            parts, first = [line], n
        goes_on = line.endswith("=") and "QUOTED-PRINTABLE" in parts[0][:HEAD_CHARS_MAX].upper()
        if goes_on:
            parts[-1] = parts[-1][:-1]
    yield first, "".join(parts)


def _add(card: Card, line: str) -> None:
    head, value = _split_head(line)
    names, *parameters = head.split(";")
    group, _, name = names.rpartition(".")
    name = name.strip().upper()
    if not name or name in _LARGE:
        return
    given = [one.partition("=") for one in parameters]
    options = {key.strip().upper(): text.strip('" ') for key, mark, text in given if mark}
    types = {one.strip().lower() for key, mark, _ in given if not mark for one in (key,)}
    for key, _, text in given:
        if key.strip().upper() == "TYPE":
            types |= {one.strip().lower() for one in text.strip('" ').split(",")}
    is_quoted = options.get("ENCODING", "").upper() == "QUOTED-PRINTABLE" or "quoted-printable" in types
    if is_quoted and len(value) <= 3 * CELL_CHARS_MAX:
        value = _quoted(value, options.get("CHARSET", "utf-8"))
    if len(value) > CELL_CHARS_MAX:
        card.wrong = f"a value longer than {CELL_CHARS_MAX} characters"
    elif len(card.properties) >= PROPERTIES_MAX:
        card.wrong = f"more than {PROPERTIES_MAX} lines"
    else:
        card.properties.append(Property(name, value, group.strip().upper(), frozenset(types)))


def _split_head(line: str) -> tuple[str, str]:
    """What stands before the first colon that is not quoted, and what follows."""
    is_quoted = False
    for n, c in enumerate(line[:HEAD_CHARS_MAX]):
        if c == '"':
            is_quoted = not is_quoted
        elif c == ":" and not is_quoted:
            return line[:n], line[n + 1 :]
    return "", ""


def _quoted(value: str, charset: str) -> str:
    raw = quopri.decodestring(value.encode("utf-8", "replace"))
    try:
        return raw.decode(charset, "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _parts(value: str, separator: str) -> list[str]:
    """The parts of a value, unescaped (RFC 6350 §3.4)."""
    parts, n = [""], 0
    while n < len(value):
        c = value[n]
        if c == "\\" and n + 1 < len(value):
            n += 1
            parts[-1] += "\n" if value[n] in "nN" else value[n]
        elif c == separator:
            parts.append("")
        else:
            parts[-1] += c
        n += 1
    return [part.strip() for part in parts]


def _row(card: Card) -> ContactRow | RefusedRow:
    texts: dict[str, str] = {}
    for one in card.properties:
        if one.value.strip():
            texts.setdefault(one.name, one.value)
    words = {
        one.group: "".join(_parts(one.value, "\0")) for one in card.properties if one.name == "X-ABLABEL" and one.group
    }
    company = clean_name(_parts(texts.get("ORG", ""), ";")[0])
    last, first, middle, *_ = [*_parts(texts.get("N", ""), ";"), "", "", ""]
    name = clean_name(" ".join(_parts(texts.get("FN", ""), "\0")) or f"{last} {first} {middle}")
    is_company = (
        texts.get("KIND", "").strip().lower() == "org"
        or texts.get("X-ABSHOWAS", "").strip().upper() == "COMPANY"
        or (bool(company) and name in ("", company))
    )
    if is_company:
        name, company = name or company, ""
    if not name:
        return RefusedRow(card.line, "no name")
    emails = [Written(_address(one.value), _label(one, words)) for one in card.properties if one.name == "EMAIL"]
    phones = [
        Written(number.address, number.label or _label(one, words))
        for one in card.properties
        if one.name == "TEL"
        for number in split_phones(_address(one.value))
    ]
    if max(len(emails), len(phones)) > ADDRESSES_MAX:
        return RefusedRow(card.line, f"more than {ADDRESSES_MAX} addresses")
    return ContactRow(
        card.line, name, ContactKind.PARTNER if is_company else None,
        tuple(one for one in emails if one.address), tuple(phones),
        partner=company,
        external_ref=texts.get("UID", "").strip(),
        tags=tuple(one for one in _parts(texts.get("CATEGORIES", ""), ",") if one),
        comment="".join(_parts(texts.get("NOTE", ""), "\0")),
    )  # fmt: skip


def _address(value: str) -> str:
    text = "".join(_parts(value, "\0"))
    scheme, mark, rest = text.partition(":")
    return rest.replace(";ext=", " доб. ") if mark and scheme.lower() in ("tel", "mailto") else text


def _label(one: Property, words: Mapping[str, str]) -> str:
    """The words that a person gave, else those of its type."""
    given = words.get(one.group, "").removeprefix("_$!<").removesuffix(">!$_") if one.group else ""
    known: Sequence[str] = [label for name, label in _LABEL_OF.items() if name in one.types]
    return clean_name(given or " ".join(known))[:LABEL_CHARS_MAX]


# ---- writing

LINE_BYTES_MAX = 75  # RFC 2426 §2.6
_TYPE_OF = {label: name.upper() for name, label in _LABEL_OF.items()}


def written(one: Contact, partner: str = "") -> str:
    """A contact as a card; `partner` is the name of whom it serves."""
    is_company = one.kind is ContactKind.PARTNER
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{_escaped(one.name)}"]
    lines.append("N:;;;;" if is_company else f"N:{_escaped(one.name)};;;;")
    if is_company or partner:
        lines.append(f"ORG:{_escaped(one.name if is_company else partner)}")
    if is_company:
        lines.append("X-ABSHOWAS:COMPANY")
    for number, address in enumerate((*one.emails, *one.phones), 1):
        lines += _address_lines(address, number)
    if one.external_ref:
        lines.append(f"UID:{_escaped(one.external_ref)}")
    if one.tags:
        lines.append("CATEGORIES:" + ",".join(_escaped(tag) for tag in one.tags))
    if one.comment:
        lines.append(f"NOTE:{_escaped(one.comment)}")
    return "".join(_folded(line) for line in (*lines, "END:VCARD"))


def _address_lines(address: Coordinate, number: int) -> list[str]:
    name = "EMAIL" if address.key.kind is AddressKind.EMAIL else "TEL"
    value = _escaped(address.raw)
    if name == "TEL" and address.label in _TYPE_OF:
        return [f"TEL;TYPE={_TYPE_OF[address.label]}:{value}"]
    if address.label:
        return [f"item{number}.{name}:{value}", f"item{number}.X-ABLABEL:{_escaped(address.label)}"]
    return [f"{name}:{value}"]


def _escaped(text: str) -> str:
    return re.sub(r"([\\,;])", r"\\\1", text).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def _folded(line: str) -> str:
    """A line in pieces of 75 bytes, none of which cuts a character."""
    pieces, size = [""], 0
    for c in line:
        width = len(c.encode("utf-8", "replace"))
        if size + width > LINE_BYTES_MAX:
            pieces.append(" ")
            size = 1
        pieces[-1] += c
        size += width
    return "\r\n".join(pieces) + "\r\n"
