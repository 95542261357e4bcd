"""The careful way to read a mail: the standard library's tolerant parser, every access guarded.

It takes the mails that the native parser does not: raw bytes in headers, broken structure. Whatever it raises, and on
bad input that is anything (RecursionError, IndexError, AttributeError …), leaves the header lines, read by hand.
"""

import email
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.header import decode_header
from email.message import Message

CHARSETS_TRIED = ("utf-8", "cp1251", "latin-1")
HEADERS_MAX = 2000
_CHARSET = re.compile(r"charset\s*=\s*\"?'?([\w.:+-]{1,40})", re.IGNORECASE)
_LINE = re.compile(rb"^([!-9;-~]{1,100}):[ \t]*(.*(?:\r?\n[ \t]+.*)*)", re.MULTILINE)


@dataclass(slots=True)
class Tree:
    """One part of a mail, decoded, with its children. Header names are in lower case, values decoded."""

    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    content_type: str = "text/plain"
    filename: str = ""
    disposition: str = ""
    is_message: bool = False
    content: bytes = b""
    children: list["Tree"] = field(default_factory=list)


def decode_text(content: bytes, headers: Mapping[str, Sequence[str]]) -> str:
    """Bytes of a text part by the declared charset; where that is a lie, by the first that fits."""
    declared = _CHARSET.search(" ".join(headers.get("content-type", ())))
    charset = declared.group(1).lower() if declared else "utf-8"
    for candidate in (charset, *CHARSETS_TRIED):
        try:
            return content.decode(candidate).replace("\r\n", "\n")
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    return content.decode("latin-1")


def careful_tree(raw: bytes, parts_max: int, depth_max: int) -> Tree:
    """Raises MemoryError and nothing else: at worst a tree of one part with the header lines and the text after them."""
    try:
        return _walk(email.message_from_bytes(raw), parts_max, depth_max)
    except MemoryError:
        raise
    except Exception:  # including RecursionError: this parser is known to raise nearly anything on bad input
        _, _, rest = raw.partition(b"\n\r\n" if b"\n\r\n" in raw else b"\n\n")
        return Tree(headers=header_lines(raw), content=rest)


def _walk(root: Message, parts_max: int, depth_max: int) -> Tree:
    top = Tree()
    todo: list[tuple[Message, Tree, int]] = [(root, top, 1)]
    count = 0
    while todo:
        node, ours, depth = todo.pop()
        count += 1
        _fill(node, ours)
        payload = node.get_payload()
        if isinstance(payload, list) and depth < depth_max and count + len(payload) + len(todo) < parts_max:
            ours.children = [Tree() for _ in payload]
            pairs = zip(payload, ours.children, strict=True)
            todo.extend((child, mine, depth + 1) for child, mine in pairs if isinstance(child, Message))
        elif not isinstance(payload, list):
            content = node.get_payload(decode=True)
            ours.content = content if isinstance(content, bytes) else b""
    return top


def _fill(node: Message, ours: Tree) -> None:
    headers: dict[str, list[str]] = {}
    for name, value in list(node.raw_items())[:HEADERS_MAX]:
        headers.setdefault(str(name).lower(), []).append(_decoded(str(value)))
    ours.headers = headers
    ours.content_type = node.get_content_type()
    ours.disposition = (node.get_content_disposition() or "").lower()
    ours.is_message = ours.content_type == "message/rfc822"
    try:
        ours.filename = _decoded(node.get_filename() or "")
    except Exception:  # RFC 2231 pieces in disorder raise several kinds
        ours.filename = ""


def header_lines(raw: bytes) -> dict[str, list[str]]:
    """The header block read by lines, for mails that no parser takes."""
    block = re.split(rb"\r?\n\r?\n", raw[: 256 * 1024], maxsplit=1)[0]
    headers: dict[str, list[str]] = {}
    for found in list(_LINE.finditer(block))[:HEADERS_MAX]:
        value = _raw_text(found.group(2))
        headers.setdefault(found.group(1).decode("ascii").lower(), []).append(_decoded(value))
    return headers


def _raw_text(value: bytes) -> str:
    for charset in CHARSETS_TRIED:
        try:
            return value.decode(charset)
        except UnicodeDecodeError:
            continue
    return value.decode("latin-1")


def _decoded(value: str) -> str:
    """A header value with its encoded words read and its raw bytes given the charset that fits (RFC 2047)."""
    if "\udc80" <= max(value, default="") <= "\udcff":
        value = _raw_text(value.encode("utf-8", "surrogateescape"))
    value = re.sub(r"\r?\n[ \t]*", " ", value)
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value)
    except Exception:  # binascii.Error, ValueError and others on broken words
        return value
    out: list[str] = []
    for content, charset in pieces:
        if isinstance(content, str):
            out.append(content)
        else:
            out.append(decode_text(content, {"content-type": [f"charset={charset or 'utf-8'}"]}))
    return "".join(out)
