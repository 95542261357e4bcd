"""Reads what an IMAP server sends: bytes in any chunks become whole responses (RFC 3501 §7, RFC 9051 §7).

`ResponseReader.feed` takes a chunk and yields the responses that it completes. A response is a list of pieces: text,
then in turn a literal and the text after it, so a body is never searched for line ends and cannot forge a response.
`parse` turns the pieces into nested lists of tokens.

The numbers of a SEARCH or ESEARCH that is longer than `STREAM_BYTES` are taken out of the line as they come (`numbers`):
such a line is as long as the folder is large. Numbers of a SEARCH stand for themselves, those of an ESEARCH are the first
and the last of each range.

Each byte is looked at once and nothing is recursive, so time is linear in what came. What came is bounded: a line, a
literal, a whole response, the pieces in it and the depth of its lists. Beyond a bound, or where a response cannot be
read, `Garbled` is raised, and the reader is of no use from then on: after an error nobody knows where the next
response begins, so the connection has to be closed.
"""

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from connectors.base import Unavailable

LINE_BYTES_MAX = 8 * 1024 * 1024
# Of a list of UIDs so much is in memory as text.
STREAM_BYTES = 64 * 1024
UIDS_MAX = 10_000_000
CRUMB_BYTES = 4096
LITERAL_BYTES_MAX = 64 * 1024 * 1024
PIECES_MAX = 129
DEPTH_MAX = 25
TOKENS_MAX = 2_000_000

# Text between the bytes of a quotation from the server and our sentence about it.
SHOWN_BYTES_MAX = 200

_LITERAL = re.compile(rb"~?\{([0-9]{1,20})\+?\}\Z")
# Responses whose rest is words for people: braces at their end are no literal (RFC 9051 §7.1).
_WORDS = re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
_LISTS = re.compile(
    rb'\* (?:SEARCH|ESEARCH(?: \(TAG (?:"[^"]{1,100}"|[^\s()"]{1,100})\))?(?: UID)? ALL) ', re.IGNORECASE
)
_LIST_HEAD_BYTES_MAX = 200
_NUMBER = rb"(?:[1-3][0-9]{9}|[0-9]{1,9})"  # surely one of 32 bits
_SPANS = re.compile(rb"(?:%b(?::%b)?,)*(?:%b(?::%b)?)?" % (_NUMBER, _NUMBER, _NUMBER, _NUMBER))
_ALONE = re.compile(rb"(?<![:0-9])([0-9]+)(?![:0-9])")
_SPACED = bytes.maketrans(b",:", b"  ")
_ATOM_END = re.compile(rb'[\s()"\[]')
# What most of every answer is made of: a word, a string without backslashes. All else is looked at byte by byte.
_PLAIN = re.compile(rb'\s*(?:((?:[^\s()"\[]+|\[[^\]]*\])+)|"([^"\\]*)")')
_WORD = 1
_QUOTED_END = re.compile(rb'["\\]')

Token: TypeAlias = "bytes | list[Token] | None"


class Garbled(Unavailable):
    """The server sent what cannot be read. The connection is closed; a new one may do better."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response: text, literal, text, literal, …, text. Text comes without line ends and without `{size}`."""

    pieces: tuple[bytes, ...]
    numbers: "array[int] | None" = None

    @property
    def text(self) -> bytes:
        """The first line, up to a literal."""
        return self.pieces[0]

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return sum(map(len, self.pieces)) + 4 * len(self.numbers or ())


class ResponseReader:
    """Cuts a stream into responses. `peer` names the server in errors."""

    def __init__(
        self, peer: str, literal_bytes_max: int = LITERAL_BYTES_MAX, line_bytes_max: int = LINE_BYTES_MAX
    ) -> None:
        self.peer = peer
        self.literal_bytes_max = literal_bytes_max
        self.line_bytes_max = line_bytes_max
        self._buffer = bytearray()
        self._searched = 0  # no line end lies before this offset
        self._pieces: list[bytes] = []
        self._held_bytes = 0  # in _pieces
        self._literal_missing: int | None = None  # bytes; None while a line is being read
        self._literal: list[bytes] = []  # as it came, put together once
        self._crumbs = bytearray()  # what came of it in small pieces, so that no piece is all overhead
        self._numbers: array[int] | None = None  # of the line that is being read, and what came before them
        self._list_head = b""
        self._broken = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is half read."""
        return not self._buffer and not self._pieces and self._literal_missing is None and self._numbers is None

    @property
    def is_in_literal(self) -> bool:
        """Whether the next bytes only have to be kept."""
        return self._literal_missing is not None

    def feed(self, chunk: bytes) -> Iterator[Response]:
        """Takes a chunk and yields what it completes. To be iterated to its end before the next chunk."""
        if self._broken:
            raise Garbled(f"{self.peer} was given up after an answer that could not be read")
        if self._literal_missing is None:
            self._buffer += chunk
        else:
            self._take_literal(chunk)
        try:
            while (response := self._next()) is not None:
                yield response
        except Garbled:
            self._broken = True
            self._buffer.clear()
            self._pieces.clear()
            self._literal.clear()
            raise

    def _next(self) -> Response | None:
        while True:
            if self._literal_missing:
                return None
            if self._literal_missing == 0:
                self._literal.append(bytes(self._crumbs))
                self._keep(b"".join(self._literal))
                self._literal.clear()
                self._crumbs = bytearray()
                self._literal_missing = None
            line = self._take_line()
            if line is None:
                return None
            size = self._announced(line)
            if size is None:
                self._keep(line)
                response = Response(tuple(self._pieces), self._numbers)
                self._pieces.clear()
                self._held_bytes = 0
                self._numbers = None
                return response
            self._keep(line[: line.rindex(b"{")].removesuffix(b"~"))
            if len(self._buffer) >= size:
                self._keep(self._take(size))
                continue
            self._literal_missing = size
            rest, self._buffer = bytes(self._buffer), bytearray()
            self._searched = 0
            self._take_literal(rest)

    def _take_literal(self, chunk: bytes) -> None:
        """Takes what belongs to the literal; the rest waits in the buffer, which is empty."""
        assert self._literal_missing is not None
        part = chunk
        if len(chunk) > self._literal_missing:
            part = chunk[: self._literal_missing]
            self._buffer += memoryview(chunk)[self._literal_missing :]
        self._literal_missing -= len(part)
        if len(part) < CRUMB_BYTES:
            self._crumbs += part
            return
        if self._crumbs:
            self._literal.append(bytes(self._crumbs))
            self._crumbs = bytearray()
        self._literal.append(part)

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched)
        if max(end, len(self._buffer) if end < 0 else 0) > self.line_bytes_max:
            raise Garbled(f"{self.peer} sent a line longer than {self.line_bytes_max} bytes; the connection was closed")
        if end < 0:
            if len(self._buffer) >= STREAM_BYTES and not self._pieces:
                self._take_numbers()
            self._searched = len(self._buffer)
            return None
        line = self._take(end + 1)[:-1].removesuffix(b"\r")
        return line if self._numbers is None else self._list_head + line

    def _take_numbers(self) -> None:
        """Takes what is whole out of a list of UIDs whose end has not come yet."""
        if self._numbers is None:
            head = _LISTS.match(bytes(self._buffer[:_LIST_HEAD_BYTES_MAX]))
            if head is None:
                return
            self._numbers, self._list_head = array("I"), self._take(head.end())
        is_ranges = self._list_head[2:3] in b"Ee"
        end = self._buffer.rfind(b"," if is_ranges else b" ") + 1
        if end:
            taken = self._take(end)
            self._numbers.extend(spans(taken) if is_ranges else singles(taken))
        if len(self._numbers) > UIDS_MAX:
            raise Garbled(f"{self.peer} lists more than {UIDS_MAX} mails in one folder; the connection was closed")

    def _take(self, size: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]  # moves an offset, not the bytes
        self._searched = 0
        return taken

    def _announced(self, line: bytes) -> int | None:
        first = self._pieces[0] if self._pieces else line
        if not first.startswith(b"* ") or _WORDS.match(first):
            return None
        found = _LITERAL.search(line, max(0, len(line) - 24)) if line.endswith(b"}") else None
        if found is None:
            return None
        size = int(found[1])
        if size > self.literal_bytes_max:
            raise Garbled(
                f"{self.peer} announced {size} bytes at once, more than the {self.literal_bytes_max} that are "
                "allowed; the connection was closed"
            )
        return size

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held_bytes += len(piece)
        if len(self._pieces) > PIECES_MAX or self._held_bytes > self.literal_bytes_max + self.line_bytes_max:
            raise Garbled(f"{self.peer} sent an answer of too many parts or bytes; the connection was closed")


def singles(words: bytes) -> "array[int]":
    """Numbers with spaces between. What is none, or no UID, is left out."""
    split = words.split()
    try:
        return array("I", map(int, split))
    except (ValueError, OverflowError):
        numbers = (int(word) for word in split if word.isdigit() and len(word) <= 10)
        return array("I", (number for number in numbers if number < 2**32))


def spans(words: bytes) -> "array[int]":
    """The ends of ranges such as `2,84:882`: first, last, first, last, … What is none is left out."""
    if _SPANS.fullmatch(words):
        return singles(_ALONE.sub(rb"\1 \1", words).translate(_SPACED))
    ends: array[int] = array("I")
    for word in words.split(b","):
        first, colon, last = word.partition(b":")
        pair = singles(first + b" " + (last if colon else first))
        if len(pair) == 2:
            ends.extend(pair)
    return ends


def shown(text: bytes) -> str:
    """Words of a server as part of our sentence: one line, printable, short."""
    words = text[:SHOWN_BYTES_MAX].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in words).strip()


def parse(response: Response, peer: str) -> list[Token]:
    """The tokens after `* `: words and strings as bytes, NIL as None, parentheses as lists. A section such as
    `BODY[HEADER.FIELDS (A B)]<0>` is one word."""
    top: list[Token] = []
    stack: list[list[Token]] = [top]
    tokens = 0
    for number, piece in enumerate(response.pieces):
        if number % 2:
            stack[-1].append(piece)
            continue
        position = 2 if number == 0 and piece.startswith(b"* ") else 0
        while position < len(piece):
            tokens += 1
            if tokens > TOKENS_MAX:
                raise _unreadable(peer, piece)
            found = _PLAIN.match(piece, position)
            if found is None:
                position = _token(piece, position, stack, peer)
                continue
            position = found.end()
            kind = found.lastindex
            if kind == _WORD:
                word = found[_WORD]
                stack[-1].append(None if len(word) == 3 and word.upper() == b"NIL" else word)
            else:
                stack[-1].append(found[kind or 0])
    if len(stack) != 1:
        raise _unreadable(peer, response.text)
    return top


def _token(piece: bytes, position: int, stack: list[list[Token]], peer: str) -> int:
    """Reads one token into the innermost list and returns where the next one begins."""
    char = piece[position : position + 1]
    if char.isspace():
        return position + 1
    if char == b"(":
        inner: list[Token] = []
        stack[-1].append(inner)
        stack.append(inner)
        if len(stack) > DEPTH_MAX:
            raise _unreadable(peer, piece)
        return position + 1
    if char == b")":
        if len(stack) == 1:
            raise _unreadable(peer, piece)
        stack.pop()
        return position + 1
    if char == b'"':
        return _quoted(piece, position + 1, stack[-1], peer)
    end = _atom_end(piece, position, peer)
    atom = piece[position:end]
    stack[-1].append(None if atom.upper() == b"NIL" else atom)
    return end


def _quoted(piece: bytes, position: int, into: list[Token], peer: str) -> int:
    parts: list[bytes] = []
    while (found := _QUOTED_END.search(piece, position)) is not None:
        parts.append(piece[position : found.start()])
        if found[0] == b'"':
            into.append(b"".join(parts))
            return found.end()
        parts.append(piece[found.end() : found.end() + 1])
        position = found.end() + 1
    raise _unreadable(peer, piece)


def _atom_end(piece: bytes, position: int, peer: str) -> int:
    while True:
        found = _ATOM_END.search(piece, position)
        if found is None:
            return len(piece)
        if found[0] != b"[":
            return found.start()
        closing = piece.find(b"]", found.end())
        if closing < 0:
            raise _unreadable(peer, piece)
        position = closing + 1


def _unreadable(peer: str, text: bytes) -> Garbled:
    return Garbled(f"{peer} sent an answer that cannot be read ({shown(text)!r}); the connection was closed")


def number(token: Token, most: int = 2**63 - 1) -> int | None:
    """A token as a number, or None where it is none or beyond what the protocol allows."""
    if not isinstance(token, bytes) or not token.isdigit() or len(token) > 20:
        return None
    value = int(token)
    return value if value <= most else None


def pairs(tokens: Sequence[Token]) -> dict[bytes, Token]:
    """`NAME value NAME value` as a dictionary, names in upper case; a dangling name is left out."""
    return {
        name.upper(): value for name, value in zip(tokens[::2], tokens[1::2], strict=False) if isinstance(name, bytes)
    }
