"""What an IMAP client says, read into words, and what we answer, written (RFC 3501 §4 and §9). Pure.

A command line is words: bare ones, quoted strings, literals (read apart, by the connection), lists in parentheses. UID
sets are read against the UIDs that there are, so `1:*` is short work however large the numbers in it.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import TypeAlias

from daemon.demo.imap_store import StoredMail

WORDS_MAX = 500
DEPTH_MAX = 5

Word: TypeAlias = "str | bytes | list[Word]"

_BARE = re.compile(rb'[^\s()"\[\]]*(?:\[[^\]]*\](?:<[0-9.]+>)?)?[^\s()"]*')
_QUOTED = re.compile(rb'"((?:[^"\\]|\\["\\])*)"')
LITERAL = re.compile(rb"\{([0-9]{1,10})(\+?)\}\Z")
_BODY = re.compile(r"BODY(?:\.PEEK)?\[(HEADER|TEXT|)\](?:<([0-9]{1,10})(?:\.([0-9]{1,10}))?>)?")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class BadCommand(Exception):
    """What the client said makes no sense; the message goes into BAD."""


def read_words(pieces: Sequence[bytes]) -> list[Word]:
    """The words of a command: pieces are text, literal, text, literal, …, text. Bare words come as str, quoted strings
    and literals as bytes."""
    top: list[Word] = []
    stack = [top]
    count = 0
    for number, piece in enumerate(pieces):
        if number % 2:
            stack[-1].append(piece)
            continue
        position = 0
        while position < len(piece):
            count += 1
            if count > WORDS_MAX:
                raise BadCommand("too many words")
            position = _word(piece, position, stack)
    if len(stack) != 1:
        raise BadCommand("a parenthesis is not closed")
    return top


def _word(piece: bytes, position: int, stack: list[list[Word]]) -> int:
    char = piece[position : position + 1]
    if char in b" \t":
        return position + 1
    if char == b"(":
        inner: list[Word] = []
        stack[-1].append(inner)
        stack.append(inner)
        if len(stack) > DEPTH_MAX:
            raise BadCommand("too many parentheses")
        return position + 1
    if char == b")":
        if len(stack) == 1:
            raise BadCommand("a parenthesis too many")
        stack.pop()
        return position + 1
    if char == b'"':
        quoted = _QUOTED.match(piece, position)
        if quoted is None:
            raise BadCommand("a quote is not closed")
        stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted[1]))
        return quoted.end()
    bare = _BARE.match(piece, position)
    if bare is None or bare.end() == position:
        raise BadCommand("a word cannot be read")
    stack[-1].append(bare[0].decode("latin-1"))
    return bare.end()


def text_of(word: Word) -> str:
    """A word that is a name, a login or a password."""
    if isinstance(word, list):
        raise BadCommand("a list where a word was expected")
    return word if isinstance(word, str) else word.decode("utf-8", "replace")


def in_set(text: str, present: Sequence[int]) -> list[int]:
    """Those of the numbers that are there (ascending) which a set such as `1:5,9:*` names."""
    last = present[-1] if present else 0
    ranges = []
    for part in text.split(",")[:WORDS_MAX]:
        ends = part.split(":")
        if len(ends) > 2 or not all(end == "*" or (end.isdigit() and len(end) <= 10) for end in ends):
            raise BadCommand("not a set of numbers")
        low, high = sorted(last if end == "*" else int(end) for end in (ends[0], ends[-1]))
        ranges.append((low, high))
    return [number for number in present if any(low <= number <= high for low, high in ranges)]


def quoted(text: bytes) -> bytes:
    """A string as it is sent: in quotes where that can be."""
    if re.fullmatch(rb"[\x20-\x7e]*", text):
        return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d}\r\n%b" % (len(text), text)


def read_day(text: str) -> date:
    """`17-Jul-1996`."""
    found = re.fullmatch(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})", text)
    if found is None or found[2].title() not in MONTHS:
        raise BadCommand("not a date")
    try:
        return date(int(found[3]), MONTHS.index(found[2].title()) + 1, int(found[1]))
    except ValueError:
        raise BadCommand("not a date") from None


def written_time(at: datetime) -> bytes:
    """`"17-Jul-1996 02:44:25 +0000"`, whatever the locale."""
    return f'"{at.day:2}-{MONTHS[at.month - 1]}-{at:%Y %H:%M:%S %z}"'.encode("ascii")


def on_days(found: dict[int, StoredMail], key: str, day: date) -> set[int]:
    """Which of the mails came since, before or on a day; RFC 3501 §6.4.4: whatever the time and its zone."""
    days = {n: mail.received_at.date() for n, mail in found.items()}
    if key == "SINCE":
        return {n for n, at in days.items() if at >= day}
    return {n for n, at in days.items() if (at < day if key == "BEFORE" else at == day)}


def item_of(item: str, mail: StoredMail) -> bytes:
    """One item of FETCH with its value."""
    if item == "UID":
        return b"UID %d" % mail.uid
    if item == "FLAGS":
        return b"FLAGS (%b)" % " ".join(mail.flags).encode("ascii")
    if item == "INTERNALDATE":
        return b"INTERNALDATE " + written_time(mail.received_at)
    if item == "RFC822.SIZE":
        return b"RFC822.SIZE %d" % len(mail.raw)
    asked = _BODY.fullmatch(item)
    if asked is None:
        raise BadCommand("this cannot be fetched here")
    head, empty_line, text = mail.raw.partition(b"\r\n\r\n")
    body = {"": mail.raw, "HEADER": head + empty_line, "TEXT": text}[asked[1]]
    name = f"BODY[{asked[1]}]".encode("ascii")
    if asked[2] is not None:
        start = int(asked[2])
        body = body[start : start + int(asked[3])] if asked[3] is not None else body[start:]
        name += b"<%d>" % start
    return name + b" {%d}\r\n%b" % (len(body), body)
