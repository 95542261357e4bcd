"""What we send to an IMAP server: names, passwords, UID sets and dates in the forms that the protocol asks for.

A string goes out as it is where it is a plain word, quoted where it is printable ASCII, else as a literal, for which
the server is asked first. Line ends and NUL are refused, so no name can smuggle in a second command. Folder names
travel in modified UTF-7 (RFC 3501 §5.1.3), which is undone leniently: a name that is not valid stays as it came.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import TypeAlias

from connectors.base import Refused

# Exchange answers "Command Error 10" to lines of 40 kB; 4 kB pass everywhere.
COMMAND_BYTES_MAX = 4096
QUOTED_BYTES_MAX = 1000
UID_MAX = 2**32 - 1

_ATOM = re.compile(rb"[A-Za-z0-9._/@:+-]+\Z")
_QUOTABLE = re.compile(rb"[\x20-\x7e]*\Z")
_FORBIDDEN = re.compile(rb"[\x00\r\n]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHIFTED = re.compile(r"&([^-]*)-")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+|&")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Literal(bytes):
    """Bytes that are announced by their size and sent once the server agrees."""


Argument: TypeAlias = bytes | Literal


def string(value: str | bytes, what: str) -> Argument:
    """A string argument in the plainest form that carries it. `what` names it in the refusal, its value does not."""
    try:
        raw = value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:  # half a character, out of an environment that is not UTF-8
        raise Refused(f"the {what} is not valid text in UTF-8; write it anew") from None
    if _FORBIDDEN.search(raw):
        raise Refused(f"the {what} has a line end or a NUL in it, which IMAP cannot carry; write it without")
    # NIL as a bare word would mean "nothing".
    if _ATOM.match(raw) and raw.upper() != b"NIL":
        return raw
    if _QUOTABLE.match(raw) and len(raw) <= QUOTED_BYTES_MAX:
        return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return Literal(raw)


def chunks(tag: str, name: str, arguments: Iterable[Argument]) -> list[bytes]:
    """A command as it goes out: each chunk after the first waits for the server's `+`."""
    done: list[bytes] = []
    line = bytearray(f"{tag} {name}".encode("ascii"))
    for argument in arguments:
        if isinstance(argument, Literal):
            line += b" {%d}\r\n" % len(argument)
            done.append(bytes(line))
            line = bytearray(argument)
        else:
            line += b" " + argument
    return [*done, bytes(line) + b"\r\n"]


def decode_name(raw: bytes) -> str:
    """A folder's name as people read it."""
    text = raw.decode("utf-8", "surrogateescape")
    return _SHIFTED.sub(_unshift, text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unshift(found: re.Match[str]) -> str:
    if not found[1]:
        return "&"
    code = found[1].replace(",", "/")
    try:
        name = b64decode(code + "=" * (-len(code) % 4), validate=True).decode("utf-16-be")
    except (binascii.Error, ValueError):
        return found[0]
    return found[0] if _CONTROL.search(name) else name


def encode_name(name: str) -> bytes:
    """A folder's name as the server writes it."""
    return _UNPRINTABLE.sub(_shift, name).encode("ascii")


def _shift(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    code = b64encode(found[0].encode("utf-16-be", "surrogatepass")).rstrip(b"=").replace(b"/", b",")
    return f"&{code.decode('ascii')}-"


def uid_sets(uids: Iterable[int], bytes_max: int = COMMAND_BYTES_MAX - 200) -> Iterator[tuple[bytes, list[int]]]:
    """UIDs as sets such as `3:7,9`, each with the UIDs in it; several where one would be too long for a line."""
    line = bytearray()
    held: list[int] = []
    for first, last in _ranges(sorted(set(uids))):
        piece = b"%d" % first if first == last else b"%d:%d" % (first, last)
        if line and len(line) + 1 + len(piece) > bytes_max:
            yield bytes(line), held
            line, held = bytearray(), []
        line += b"," + piece if line else piece
        held.extend(range(first, last + 1))
    if line:
        yield bytes(line), held


def _ranges(uids: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for index in range(1, len(uids) + 1):
        if index == len(uids) or uids[index] != uids[index - 1] + 1:
            yield uids[start], uids[index - 1]
            start = index


def search_date(day: date) -> bytes:
    """A day in the words of IMAP, whatever the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}".encode("ascii")
