"""Bytes to a mail: tolerant, bounded, and never an exception but one (RFC 5322, RFC 2045 to 2049, RFC 2231).

`inspect` is a linear look at what a mail would cost; what is heavy is parsed in a worker process with limits, by the
same `parse`. Beyond hard bounds `parse` raises TooComplex, and the mail is kept raw in quarantine with that reason.

`parse` is a ladder; each step catches everything the one before may raise:

    1. a native parser, for mails whose headers are plain ASCII as they should be
    2. the standard library's tolerant one, every access guarded (`mime_careful`)
    3. the header lines alone

All steps give the same `Tree` of parts, and one function makes the mail from it. The header lines of the mail itself
are read by hand in each case (`mime_careful.header_lines`): only undecoded ones show where an address ends.

A mail attached to a mail is one file; its header says nothing about the outer mail, and its words are those of the outer
one only where that has none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import fast_mail_parser

from interactions.addresses import AddressList, Mailbox, parse_addresses
from interactions.bodies import HTML_CHARS_MAX, TEXT_CHARS_MAX, has_quotes, html_to_texts
from interactions.forwards import Forwarded, forwarded_as, forwarded_in
from interactions.invites import Invite, read_invites, unfolded
from interactions.mime_careful import (
    HEADER_BYTES_MAX,
    Tree,
    careful_tree,
    decode_text,
    describe,
    header_end,
    header_lines,
)
from interactions.mime_headers import NAME_CHARS_MAX, attachment_name, importance_of, marks_of, message_ids, read_date
from interactions.mime_reports import Report, read_report
from interactions.mime_words import clean, decode_words, parameters
from interactions.records import Attachment
from interactions.replies import new_words
from interactions.topics import base_subject

PARTS_MAX = 1000
DEPTH_MAX = 50
HEAVY_BYTES = 256 * 1024
BRIEF_WORDS_BYTES = 48 * 1024
BRIEF_TAGS = 3_000  # a tag of HTML takes about 4 µs
HEAVY_PARTS = 200
HEAVY_DEPTH = 20
HEAVY_HEADER_BYTES = 64 * 1024
NATIVE_WORDS_MAX = 2000  # the native parser takes more than linear time for them
SUBJECT_CHARS_MAX = 4000
REFERENCES_MAX = 100
ATTACHMENTS_MAX = 500
AUTH_RESULTS_MAX = 20
CALENDARS_MAX = 4
CALENDAR_BYTES_MAX = 1024 * 1024
INVITES_MAX = 100

_SINGLE = ("content-type", "content-transfer-encoding")  # two of them are read differently by different programs
_DESCRIBING = ("content-type", "content-disposition")
_BEYOND = f"it has more than {PARTS_MAX} parts or is nested deeper than {DEPTH_MAX}"


class TooComplex(Exception):
    """A mail beyond the hard bounds; the message is the reason shown in quarantine."""


class NotBrief(Exception):
    """A mail that takes longer to read than was allowed."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a mail would cost to parse, estimated from above. `words`: encoded ones, in headers of any part;
    `calendars`: parts that may hold one."""

    size: int
    header_bytes: int
    parts: int
    depth: int
    words: int = 0
    calendars: int = 0


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
    invites: tuple[Invite, ...] = ()
    forwarded: Forwarded | None = None


def inspect(raw: bytes) -> Shape:
    """A linear look: sizes, and how many parts and levels there could be at most."""
    lower = raw.lower()
    parts = depth = raw.count(b"\n--")
    if depth > HEAVY_DEPTH:  # else there cannot be more levels of parts than parts
        depth = lower.count(b"boundary=") + lower.count(b"boundary =")
    depth += lower.count(b"message/rfc822")
    return Shape(len(raw), header_end(raw), parts, depth, _words(raw), lower.count(b"text/calendar"))


def is_heavy(shape: Shape) -> bool:
    """Whether a mail is to be parsed apart from the event loop."""
    return (
        shape.size > HEAVY_BYTES
        or shape.header_bytes > HEAVY_HEADER_BYTES
        or shape.parts > HEAVY_PARTS
        or shape.depth > HEAVY_DEPTH
        or shape.calendars > 0
    )


def parse(raw: bytes, is_brief: bool = False) -> ParsedMail:
    """Reads a mail. Raises TooComplex beyond the hard bounds, MemoryError where memory is bounded, and nothing else; with
    `is_brief` also NotBrief, unless the native parser does for it and there are few words in it beside files."""
    header_bytes = header_end(raw)
    if header_bytes > HEADER_BYTES_MAX:
        raise TooComplex(f"its header is {header_bytes} bytes long; at most {HEADER_BYTES_MAX} are read")
    tree = _tree(raw, header_bytes, is_brief)
    if is_brief and not _is_brief(tree):
        raise NotBrief
    try:
        mail = _mail(tree)
        is_cut = not _has_end(raw, tree)
        report = read_report(raw, header_bytes) if "bounce" in mail.marks else mail.report
        return replace(mail, report=report, marks=(*mail.marks, "truncated") if is_cut else mail.marks)
    except (TooComplex, MemoryError):  # half a mail for want of memory would look like the whole
        raise
    except Exception:  # the last rung: whatever is odd about the parts, the header lines are still there
        return _mail(Tree(headers=header_lines(raw)))


def _has_end(raw: bytes, tree: Tree) -> bool:
    """Whether the last boundary of a multipart is there, and the text is not longer than what is kept of it."""
    if not tree.content_type.startswith("multipart/"):
        most = HTML_CHARS_MAX if tree.content_type == "text/html" else TEXT_CHARS_MAX
        return len(tree.content) <= most or not tree.content_type.startswith("text/")
    boundary = parameters(_first(tree.headers, "content-type")).get("boundary", "")
    return not boundary or raw.rfind(f"--{boundary}--".encode("utf-8", "surrogatepass")) >= 0


def cut(raw: bytes, part: str) -> bytes:
    """The decoded content of the part at a path such as `1.2`. Raises KeyError where there is none."""
    for path, node, _ in _nodes(_tree(raw, header_end(raw))):
        if path == part:
            return node.content
    raise KeyError(part)


def _is_brief(tree: Tree) -> bool:
    nodes = [node for _, node, _ in _nodes(tree)]
    words = [node for node in nodes if node.is_message or node.content_type.startswith("text/")]
    is_small = len(nodes) <= HEAVY_PARTS and sum(len(node.content) for node in words) <= BRIEF_WORDS_BYTES
    is_plain = sum(node.content.count(b"<") for node in words) <= BRIEF_TAGS
    return is_small and is_plain and all(node.content_type != "text/calendar" for node in words)


def _tree(raw: bytes, header_bytes: int, is_brief: bool = False) -> Tree:
    header = raw[:header_bytes]
    tree = None
    if header.isascii() and header.count(b"\r") == header.count(b"\r\n") and _words(raw) <= NATIVE_WORDS_MAX:
        try:
            tree = _native(fast_mail_parser.parse_email_tree(raw), raw)
        except fast_mail_parser.ParseError as error:
            if "maximum allowed depth" in str(error):  # the careful one would take a second to find the same
                raise TooComplex(_BEYOND) from None
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException:  # noqa: S110  a panic of the native parser is no Exception; the careful one is still there
            pass
    if tree is None:
        if is_brief:
            raise NotBrief
        tree = careful_tree(raw, PARTS_MAX, DEPTH_MAX)
    if not tree.is_whole:
        raise TooComplex(_BEYOND)
    tree.headers = header_lines(raw)
    return tree


def _words(raw: bytes) -> int:
    """How many encoded words there could be, at most. A single sign that is rare is found ten times as fast as two."""
    count, at = 0, raw.find(b"?")
    while at >= 0:
        count += 1
        if count > NATIVE_WORDS_MAX:
            return raw.count(b"=?")
        at = raw.find(b"?", at + 1)
    return count


def _native(root: fast_mail_parser.PyMimePart, raw: bytes) -> Tree | None:
    """The native parser's tree as ours, or None where it does not read what others would: raw bytes beyond ASCII in the
    headers of parts, uuencoded content, a multipart without parts. An explicit stack, since depth comes from outside."""
    top = Tree()
    todo = [(root, top, 1)]
    count = 0
    while todo:
        node, ours, depth = todo.pop()
        count += 1
        parts = node.children
        if count + len(todo) + len(parts) > PARTS_MAX or depth > DEPTH_MAX:
            return Tree(is_whole=False)
        headers = {name.lower(): values for name, values in node.headers.items()}
        if node is not root and not all(
            value.isascii() or _is_decoded(value, raw) for name in _DESCRIBING for value in headers.get(name, ())
        ):
            return None
        if any("uu" in value.lower() for value in headers.get("content-transfer-encoding", ())):
            return None
        describe(ours, headers, node.content_type.lower() or "text/plain")
        if ours.content_type.startswith("multipart/") and not parts:
            return None
        ours.is_message = node.is_message
        ours.content = node.content or b""
        ours.children = [Tree() for _ in parts]
        todo.extend((child, mine, depth + 1) for child, mine in zip(parts, ours.children, strict=True))
    return top


def _is_decoded(value: str, raw: bytes) -> bool:
    """Whether the native parser has read the letters of a header as anybody would. It takes bytes that are no UTF-8 for
    Latin-1, so those letters are believed only in a mail that has no such bytes, and no word that lies about its own."""
    if "\ufffd" in value:
        return False
    if not any("\x80" <= letter <= "\xff" for letter in value):
        return True
    return raw.isascii() and b"=?us-ascii" not in raw.lower()


def _nodes(root: Tree) -> Iterator[tuple[str, Tree, bool]]:
    """Every leaf and every attached message with its path and whether it lies within such a message, in order."""
    stack: list[tuple[str, Tree, bool]] = [("", root, False)]
    while stack:
        path, node, within = stack.pop()
        if node.is_message or not node.children:
            yield path or "1", node, within
        inside = within or node.is_message
        stack.extend(
            (f"{path}.{n + 1}" if path else str(n + 1), node.children[n], inside)
            for n in reversed(range(len(node.children)))
        )


@dataclass(slots=True)
class _Contents:
    """What the parts of a mail hold."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    calendars: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    is_bare: bool = False  # it has no words of its own


def _contents(tree: Tree) -> _Contents:
    """Texts, files and calendars. An attached message is one file; its words are taken only where the mail has none."""
    found = _Contents()
    nodes = list(_nodes(tree))
    found.is_bare = not any(_is_text(node) and node.content.strip() for _, node, within in nodes if not within)
    for path, node, within in nodes:
        kind = node.content_type
        if within and not (found.is_bare and _is_text(node)):
            continue
        if node.is_message:
            found.messages.append(node.content)
        elif _is_text(node) and not (node.filename and kind == "text/plain" and found.plain):
            text = decode_text(node.content[: 4 * TEXT_CHARS_MAX], node.headers)
            (found.plain if kind == "text/plain" else found.html).append(text)
            continue
        if kind == "text/calendar" and len(found.calendars) < CALENDARS_MAX:
            found.calendars.append(decode_text(unfolded(node.content[:CALENDAR_BYTES_MAX]), node.headers))
        if len(found.attachments) < ATTACHMENTS_MAX and (node.content or node.filename):
            found.attachments.append(_attachment(len(found.attachments), path, node))
    return found


_ROLES = ("from", "sender", "to", "cc", "bcc", "reply-to")
_NOBODY = parse_addresses("")


def _mail(tree: Tree) -> ParsedMail:
    headers = tree.headers
    found = _contents(tree)
    markup = "\n".join(found.html)[:HTML_CHARS_MAX] or None
    text = "\n".join(found.plain).strip()
    body, marked = (text, text) if text or not markup else html_to_texts(markup)
    has_marks = marked is not body
    body = clean(body)[:TEXT_CHARS_MAX]
    marked = clean(marked)[:TEXT_CHARS_MAX] if has_marks else body
    markup = clean(markup) if markup else None
    people = {name: parse_addresses(_joined(headers, name)) if name in headers else _NOBODY for name in _ROLES}
    ids = message_ids(_joined(headers, "message-id"))
    addresses = {box.address for some in people.values() for box in some.mailboxes}
    replied = [i for i in message_ids(_joined(headers, "in-reply-to")) if i not in addresses]
    references = [i for i in message_ids(_joined(headers, "references")) if i not in addresses]
    if len(references) > REFERENCES_MAX:
        references = references[: REFERENCES_MAX // 2] + references[-REFERENCES_MAX // 2 :]
    subject = " ".join(clean(decode_words(_first(headers, "subject"))).split())[:SUBJECT_CHARS_MAX]
    topic_kind = base_subject(subject)[1]
    is_reply = bool(replied or references) or topic_kind == "reply"
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
        marks=_marks(tree, people["from"]) + (("encrypted",) if _is_pgp(text) else ()),
        importance=importance_of(headers),
        auth_results=tuple(clean(one) for one in headers.get("authentication-results", ())[:AUTH_RESULTS_MAX]),
        body_text=body,
        reply_text=said if said != body else "",
        html=markup,
        attachments=tuple(found.attachments),
        invites=_invites(found.calendars),
        forwarded=_forwarded(marked, topic_kind == "forward", found, tree.content_type),
    )


def _marks(tree: Tree, senders: AddressList) -> tuple[str, ...]:
    ambiguous = senders.ambiguous or len(senders.mailboxes) != 1
    ambiguous = ambiguous or any(len(tree.headers.get(name, ())) > 1 for name in _SINGLE)
    return marks_of(tree.headers, tree.content_type) + (("ambiguous",) if ambiguous else ())


def _is_pgp(text: str) -> bool:
    """Whether a text is one message that only its addressee can read (RFC 9580 §6.2)."""
    return text.startswith("-----BEGIN PGP MESSAGE-----")


def _forwarded(text: str, is_forward: bool, found: _Contents, content_type: str) -> Forwarded | None:
    """The mail that is sent on: the one attached, or the one in the text. What a report returns is none."""
    if content_type == "multipart/report":
        return None
    if len(found.messages) == 1 and (is_forward or found.is_bare):
        return forwarded_as(header_lines(found.messages[0]))
    return forwarded_in(text, is_forward)


def _invites(calendars: Sequence[str]) -> tuple[Invite, ...]:
    """What calendar parts say, each thing once: many programs put one calendar into a mail twice."""
    found = dict.fromkeys(one for text in calendars for one in read_invites(text))
    return tuple(found)[:INVITES_MAX]


def _is_text(node: Tree) -> bool:
    return node.content_type in ("text/plain", "text/html") and node.disposition != "attachment"


def _attachment(n: int, path: str, node: Tree) -> Attachment:
    given = node.filename
    if node.is_message:
        topic = clean(decode_words(_first(header_lines(node.content), "subject"))) or "message"
        given = given or f"{topic[:NAME_CHARS_MAX]}.eml"
    name = attachment_name(given, node.content_type, n)
    return Attachment(n, name, node.content_type, len(node.content), node.disposition == "inline", path)


def _joined(headers: Mapping[str, Sequence[str]], name: str) -> str:
    """All headers of a name as one list: that there are two of From must not be overlooked."""
    return ", ".join(headers.get(name, ()))[:HEADER_BYTES_MAX]


def _first(headers: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(headers.get(name, ())), "")[:HEADER_BYTES_MAX]
