"""The careful way to read a mail: header lines by hand, structure by the standard library, every access guarded.

It takes the mails that the native parser does not: raw bytes in headers, broken structure. Whatever the library raises,
and on bad input that is anything (IndexError, AttributeError …), leaves the header lines and the text after them.
Where it finds more parts or levels than allowed, or no end of levels (RecursionError), the tree says so.

`describe` gives a part its type, its disposition and its name from its header lines, for both ways of reading.
"""

import email
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message

from interactions.mime_words import clean, decode_bytes, parameters, raw_text

HEADERS_MAX = 2000
HEADER_BYTES_MAX = 256 * 1024
TYPE_CHARS_MAX = 120
_CHARSET = re.compile(r"charset\s*=\s*\"?'?([\w.:+-]{1,40})", re.IGNORECASE)
_LINE = re.compile(rb"^([!-9;-~]{1,100})[ \t]*:[ \t]*(.*(?:\r?\n[ \t]+.*)*)", re.MULTILINE)
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_OF_PARTS = frozenset({"content-type", "content-disposition", "content-transfer-encoding"})


@dataclass(slots=True)
class Tree:
    """One part of a mail with its children. Header names are in lower case; values are unfolded text with encoded words
    still in them, at the root all of them, in other parts those that describe content. Not `is_whole`: parts were left
    out, because there are too many."""

    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    content_type: str = "text/plain"
    filename: str = ""
    disposition: str = ""
    is_message: bool = False
    content: bytes = b""
    children: list["Tree"] = field(default_factory=list)
    is_whole: bool = True


def decode_text(content: bytes, headers: Mapping[str, Sequence[str]]) -> str:
    """Bytes of a text part by the declared charset; where that is a lie, by the first that fits."""
    declared = _CHARSET.search(" ".join(headers.get("content-type", ())))
    return decode_bytes(content, declared.group(1) if declared else "utf-8").replace("\r\n", "\n")


def careful_tree(raw: bytes, parts_max: int, depth_max: int) -> Tree:
    """Never raises: at worst a tree of one part with the header lines and the text after them."""
    try:
        tree = _walk(email.message_from_bytes(raw), parts_max, depth_max)
    except RecursionError:
        tree = Tree(is_whole=False)
    except Exception:  # this parser is known to raise nearly anything on bad input
        tree = Tree(content=raw[header_end(raw) :].lstrip(b"\r\n"))
    tree.headers = header_lines(raw)
    return tree


def _walk(root: Message, parts_max: int, depth_max: int) -> Tree:
    top = Tree()
    todo: list[tuple[Message, Tree, int, bool]] = [(root, top, 1, False)]
    count = 0
    while todo:
        node, ours, depth, within = todo.pop()
        count += 1
        if count + len(todo) > parts_max or depth > depth_max:
            top.is_whole = False
            return top
        _fill(node, ours)
        payload = node.get_payload()
        if isinstance(payload, list):
            ours.children = [Tree() for _ in payload]
            pairs = zip(payload, ours.children, strict=True)
            if ours.is_message and not within:
                ours.content = _bytes_of(payload)
                within = True
            todo.extend((child, mine, depth + 1, within) for child, mine in pairs if isinstance(child, Message))
        else:
            content = node.get_payload(decode=True)
            ours.content = content if isinstance(content, bytes) else b""
    return top


def _bytes_of(attached: Sequence[object]) -> bytes:
    """An attached message, written anew; nothing of one that cannot be."""
    with suppress(Exception):
        return b"".join(one.as_bytes() for one in attached if isinstance(one, Message))
    return b""


def _fill(node: Message, ours: Tree) -> None:
    headers: dict[str, list[str]] = {}
    for name, value in list(node.raw_items())[:HEADERS_MAX]:
        if name.lower() in _OF_PARTS:
            headers.setdefault(name.lower(), []).append(raw_text(str(value).encode("utf-8", "surrogateescape")))
    describe(ours, headers, node.get_default_type())


def describe(part: Tree, headers: Mapping[str, Sequence[str]], default_type: str) -> None:
    """Takes type, disposition and name of a part from its headers (RFC 2045 §5, RFC 2183)."""
    kind = next(iter(headers.get("content-type", ())), "")
    placed = next(iter(headers.get("content-disposition", ())), "")
    part.headers = headers
    part.content_type = _type_of(kind, default_type)
    part.is_message = part.content_type == "message/rfc822"
    part.disposition = clean(placed.split(";", 1)[0].strip().lower())[:TYPE_CHARS_MAX]
    part.filename = parameters(placed).get("filename", "") or parameters(kind).get("name", "")


def _type_of(kind: str, default_type: str) -> str:
    """What is not of the form of a type is read as text where it names none at all, else as any file."""
    named = kind.split(";", 1)[0].strip().lower()
    if not named:
        return default_type
    if len(named) <= TYPE_CHARS_MAX and _TYPE.fullmatch(named):
        return named
    return "application/octet-stream" if "/" in named else "text/plain"


def header_end(raw: bytes) -> int:
    """Where the header block ends: before the first empty line."""
    if raw[:1] in (b"", b"\r", b"\n"):
        return 0
    crlf = raw.find(b"\n\r\n")
    plain = raw.find(b"\n\n", 0, crlf) if crlf >= 0 else raw.find(b"\n\n")
    end = plain if plain >= 0 else crlf
    if end < 0:
        return len(raw)
    return end - 1 if raw[end - 1 : end] == b"\r" else end


def header_lines(raw: bytes) -> dict[str, list[str]]:
    """The header block read by lines; what is no header line is passed over."""
    block = raw[: min(header_end(raw), HEADER_BYTES_MAX)]
    if b"\n" not in block:
        block = block.split(b"\r\r", 1)[0].replace(b"\r", b"\n")
    headers: dict[str, list[str]] = {}
    for found in list(_LINE.finditer(block))[:HEADERS_MAX]:
        headers.setdefault(found.group(1).decode("ascii").lower(), []).append(raw_text(found.group(2)))
    return headers
