"""Bytes to a mail: tolerant, bounded, and never an exception but one (RFC 5322, RFC 2045 to 2049, RFC 2231).

`inspect` is a linear look at what a mail would cost; what is heavy is parsed in a worker process with limits, by the
same `parse`. Beyond hard bounds `parse` raises TooComplex, and the mail is kept raw in quarantine with that reason.

`parse` is a ladder; each step catches everything the one before may raise:

    1. a native parser, for mails whose headers are plain ASCII as they should be
    2. the standard library's tolerant one, every access guarded (`mime_careful`)
    3. the header lines alone

All steps give the same `Tree` of parts, and one function makes the mail from it. The header lines of the mail itself
are read by hand in each case (`mime_careful.header_lines`): only undecoded ones show where an address ends.

Limits: a mail attached to a mail is listed by its parts; its own header says nothing about the outer mail. Its words are
those of the outer one only where that has none.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

import fast_mail_parser

from interactions.addresses import Mailbox, parse_addresses
from interactions.bodies import HTML_CHARS_MAX, TEXT_CHARS_MAX, has_quotes, html_to_texts
from interactions.mime_careful import (
    HEADER_BYTES_MAX,
    Tree,
    careful_tree,
    decode_text,
    describe,
    header_end,
    header_lines,
)
from interactions.mime_headers import attachment_name, importance_of, marks_of, message_ids, read_date
from interactions.mime_reports import Report, read_report
from interactions.mime_words import clean, decode_words, parameters
from interactions.records import Attachment
from interactions.replies import new_words
from interactions.topics import base_subject

PARTS_MAX = 1000
DEPTH_MAX = 50
HEAVY_BYTES = 256 * 1024
HEAVY_PARTS = 200
HEAVY_DEPTH = 20
HEAVY_HEADER_BYTES = 64 * 1024
NATIVE_WORDS_MAX = 2000  # the native parser takes more than linear time for them
SUBJECT_CHARS_MAX = 4000
REFERENCES_MAX = 100
ATTACHMENTS_MAX = 500
AUTH_RESULTS_MAX = 20

_SINGLE = ("content-type", "content-transfer-encoding")  # two of them are read differently by different programs
_DESCRIBING = ("content-type", "content-disposition")
_BEYOND = f"it has more than {PARTS_MAX} parts or is nested deeper than {DEPTH_MAX}"


class TooComplex(Exception):
    """A mail beyond the hard bounds; the message is the reason shown in quarantine."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a mail would cost to parse, estimated from above. `words`: encoded ones, in headers of any part."""

    size: int
    header_bytes: int
    parts: int
    depth: int
    words: int = 0


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A mail as it was read. Texts are clean of NUL and lone surrogates; ids are without angle brackets. `reply_text`:
    the new words where some are quoted, else empty."""

    message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    subject: str = ""
    date: datetime | None = None
    from_: tuple[Mailbox, ...] = ()
    sender: tuple[Mailbox, ...] = ()
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    list_id: str = ""
    marks: tuple[str, ...] = ()
    importance: str = "normal"
    body_text: str = ""
    reply_text: str = ""
    report: Report = field(default_factory=Report)
    auth_results: tuple[str, ...] = ()
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()


def inspect(raw: bytes) -> Shape:
    """A linear look: sizes, and how many parts and levels there could be at most."""
    boundaries = raw.count(b"boundary=") + raw.count(b"boundary =") + raw.count(b"BOUNDARY")
    boundaries += raw.lower().count(b"message/rfc822") if raw.count(b"822") else 0
    return Shape(len(raw), header_end(raw), raw.count(b"\n--"), boundaries, raw.count(b"=?"))


def is_heavy(shape: Shape) -> bool:
    """Whether a mail is to be parsed apart from the event loop."""
    return (
        shape.size > HEAVY_BYTES
        or shape.header_bytes > HEAVY_HEADER_BYTES
        or shape.parts > HEAVY_PARTS
        or shape.depth > HEAVY_DEPTH
    )


def parse(raw: bytes) -> ParsedMail:
    """Reads a mail. Raises TooComplex beyond the hard bounds, MemoryError where memory is bounded, and nothing else."""
    shape = inspect(raw)
    if shape.header_bytes > HEADER_BYTES_MAX:
        raise TooComplex(f"its header is {shape.header_bytes} bytes long; at most {HEADER_BYTES_MAX} are read")
    tree = _tree(raw, shape)
    try:
        mail = _mail(tree)
        is_cut = not _has_end(raw, tree)
        report = read_report(raw, shape.header_bytes) if "bounce" in mail.marks else mail.report
        return replace(mail, report=report, marks=(*mail.marks, "truncated") if is_cut else mail.marks)
    except (TooComplex, MemoryError):  # half a mail for want of memory would look like the whole
        raise
    except Exception:  # the last rung: whatever is odd about the parts, the header lines are still there
        return _mail(Tree(headers=header_lines(raw)))


def _has_end(raw: bytes, tree: Tree) -> bool:
    """Whether the last boundary of a multipart is there, and the text is not longer than what is kept of it."""
    if not tree.content_type.startswith("multipart/"):
        return len(tree.content) <= TEXT_CHARS_MAX or not tree.content_type.startswith("text/")
    boundary = parameters(_first(tree.headers, "content-type")).get("boundary", "")
    return not boundary or raw.rfind(f"--{boundary}--".encode("utf-8", "surrogatepass")) >= 0


def cut(raw: bytes, part: str) -> bytes:
    """The decoded content of the part at a path such as `1.2`. Raises KeyError where there is none."""
    for path, node, _ in _leaves(_tree(raw, inspect(raw))):
        if path == part:
            return node.content
    raise KeyError(part)


def _tree(raw: bytes, shape: Shape) -> Tree:
    header = raw[: shape.header_bytes]
    tree = None
    if header.isascii() and header.count(b"\r") == header.count(b"\r\n") and shape.words <= NATIVE_WORDS_MAX:
        with suppress(fast_mail_parser.ParseError):
            tree = _native(fast_mail_parser.parse_email_tree(raw))
    if tree is None:
        tree = careful_tree(raw, PARTS_MAX, DEPTH_MAX)
    if not tree.is_whole:
        raise TooComplex(_BEYOND)
    tree.headers = header_lines(raw)
    return tree


def _native(root: fast_mail_parser.PyMimePart) -> Tree | None:
    """The native parser's tree as ours, or None where it does not read what others would: bytes beyond ASCII in the
    headers of parts, uuencoded content, a multipart without parts. An explicit stack, since depth comes from outside."""
    top = Tree()
    todo = [(root, top, 1)]
    count = 0
    while todo:
        node, ours, depth = todo.pop()
        count += 1
        if count > PARTS_MAX or depth > DEPTH_MAX:
            return Tree(is_whole=False)
        headers = {name.lower(): values for name, values in node.headers.items()}
        describing = [value for name in _DESCRIBING for value in headers.get(name, ())]
        if node is not root and not all(value.isascii() for value in describing):
            return None
        if any("uu" in value.lower() for value in headers.get("content-transfer-encoding", ())):
            return None
        describe(ours, headers, node.content_type.lower() or "text/plain")
        if ours.content_type.startswith("multipart/") and not node.children:
            return None
        ours.is_message = node.is_message
        ours.content = node.content or b""
        ours.children = [Tree() for _ in node.children]
        todo.extend((child, mine, depth + 1) for child, mine in zip(node.children, ours.children, strict=True))
    return top


def _leaves(root: Tree) -> Iterator[tuple[str, Tree, bool]]:
    """Every leaf with its path and whether it lies within an attached message, in order."""
    stack: list[tuple[str, Tree, bool]] = [("", root, False)]
    while stack:
        path, node, within = stack.pop()
        inside = within or node.is_message
        if not node.children:
            yield path or "1", node, within
            continue
        stack.extend(
            (f"{path}.{n + 1}" if path else str(n + 1), node.children[n], inside)
            for n in reversed(range(len(node.children)))
        )


def _mail(tree: Tree) -> ParsedMail:
    headers = tree.headers
    plain: list[str] = []
    html: list[str] = []
    attachments: list[Attachment] = []
    leaves = list(_leaves(tree))
    is_only_message = not any(_is_text(node) for _, node, within in leaves if not within)
    for path, node, within in leaves:
        is_ours = not within or is_only_message
        if _is_text(node) and is_ours and not (node.filename and node.content_type == "text/plain" and plain):
            text = decode_text(node.content[: 4 * TEXT_CHARS_MAX], node.headers)
            (plain if node.content_type == "text/plain" else html).append(text)
        elif len(attachments) < ATTACHMENTS_MAX and (node.content or node.filename):
            attachments.append(_attachment(len(attachments), path, node))
    markup = "\n".join(html)[:HTML_CHARS_MAX] or None
    text = "\n".join(plain).strip()
    body, marked = (text, text) if text or not markup else html_to_texts(markup)
    people = {
        name: parse_addresses(_joined(headers, name)) for name in ("from", "sender", "to", "cc", "bcc", "reply-to")
    }
    ids = message_ids(_joined(headers, "message-id"))
    addresses = {box.address for found in people.values() for box in found.mailboxes}
    replied = [i for i in message_ids(_joined(headers, "in-reply-to")) if i not in addresses]
    references = [i for i in message_ids(_joined(headers, "references")) if i not in addresses]
    if len(references) > REFERENCES_MAX:
        references = references[: REFERENCES_MAX // 2] + references[-REFERENCES_MAX // 2 :]
    ambiguous = people["from"].ambiguous or len(people["from"].mailboxes) != 1
    ambiguous = ambiguous or any(len(headers.get(name, ())) > 1 for name in _SINGLE)
    has_marks = marked is not body
    body = clean(body)[:TEXT_CHARS_MAX]
    marked = clean(marked)[:TEXT_CHARS_MAX] if has_marks else body
    markup = clean(markup) if markup else None
    subject = " ".join(clean(decode_words(_first(headers, "subject"))).split())[:SUBJECT_CHARS_MAX]
    is_reply = bool(replied or references) or base_subject(subject)[1] == "reply"
    said = new_words(marked, markup if text and markup and has_quotes(markup) else None, is_reply=is_reply)
    return ParsedMail(
        message_id=ids[0] if ids else "",
        in_reply_to=tuple(replied[:REFERENCES_MAX]),
        references=tuple(references),
        subject=subject,
        date=read_date(_first(headers, "date")),
        from_=people["from"].mailboxes,
        sender=people["sender"].mailboxes,
        to=people["to"].mailboxes,
        cc=people["cc"].mailboxes,
        bcc=people["bcc"].mailboxes,
        reply_to=people["reply-to"].mailboxes,
        list_id=clean(decode_words(_first(headers, "list-id")))[:500],
        marks=marks_of(headers, tree.content_type) + (("ambiguous",) if ambiguous else ()),
        importance=importance_of(headers),
        auth_results=tuple(clean(one) for one in headers.get("authentication-results", ())[:AUTH_RESULTS_MAX]),
        body_text=body,
        reply_text=said if said != body else "",
        html=markup,
        attachments=tuple(attachments),
    )


def _is_text(node: Tree) -> bool:
    return node.content_type in ("text/plain", "text/html") and node.disposition != "attachment"


def _attachment(n: int, path: str, node: Tree) -> Attachment:
    name = attachment_name(node.filename, node.content_type, n)
    return Attachment(n, name, node.content_type, len(node.content), node.disposition == "inline", path)


def _joined(headers: Mapping[str, Sequence[str]], name: str) -> str:
    """All headers of a name as one list: that there are two of From must not be overlooked."""
    return ", ".join(headers.get(name, ()))[:HEADER_BYTES_MAX]


def _first(headers: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(headers.get(name, ())), "")[:HEADER_BYTES_MAX]
