"""Letters to bytes, as different mail programs write them (RFC 5322, RFC 2045 to 2047, RFC 2231, RFC 3464).

Some write UTF-8, some KOI8-R or Windows-1251, in base64, quoted-printable or eight bits; some add HTML beside the plain
text, show pictures in it, or spell the names of attachments the old way. Boundaries and ids come from the letter, so
the same letter gives the same bytes.
"""

from base64 import encodebytes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import format_datetime, formataddr
from html import escape
from quopri import encodestring

from daemon.demo.files import File

Address = tuple[str, str]

_CRLF = compat32.clone(linesep="\r\n")
_ENCODINGS = {"utf-8": "base64", "koi8-r": "quoted-printable", "windows-1251": "8bit"}
# What KOI8-R has no letters for.
_PLAINER = str.maketrans({"«": '"', "»": '"', "№": "N", "—": "-", "–": "-", "…": "...", "€": "EUR"})


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail in words. `quoted` is the mail before, as its attribution and its text; `headers` come on top."""

    message_id: str
    sent_at: datetime
    sender: Address
    to: Sequence[Address]
    topic: str
    text: str
    signature: str = ""
    quoted: tuple[str, str] | None = None
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    cc: Sequence[Address] = ()
    reply_to: Address | None = None
    charset: str = "utf-8"
    with_html: bool = False
    files: Sequence[File] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def compose(letter: Letter) -> bytes:
    """The mail as it lies on a server, with CRLF."""
    body = _body(letter)
    files = [one for one in letter.files if not one.is_inline]
    if files:
        mixed = MIMEMultipart("mixed", boundary=_boundary(letter, "mixed"))
        mixed.attach(body)
        for one in files:
            mixed.attach(_attachment(one, letter.charset))
        body = mixed
    return _finished(body, letter)


def _finished(body: Message, letter: Letter) -> bytes:
    charset = letter.charset
    headers: list[tuple[str, str]] = [
        *letter.headers.items(),
        ("Message-ID", f"<{letter.message_id}>"),
        ("Date", format_datetime(letter.sent_at)),
        ("From", _addresses([letter.sender], charset)),
        ("To", _addresses(letter.to, charset)),
    ]
    if letter.cc:
        headers.append(("Cc", _addresses(letter.cc, charset)))
    if letter.reply_to:
        headers.append(("Reply-To", _addresses([letter.reply_to], charset)))
    if letter.in_reply_to:
        headers.append(("In-Reply-To", f"<{letter.in_reply_to}>"))
    if letter.references:
        headers.append(("References", "\n ".join(f"<{one}>" for one in letter.references)))
    headers.append(("Subject", _encoded(letter.topic, charset)))
    headers.append(("MIME-Version", "1.0"))
    top = Message()
    for name, value in headers:
        top[name] = value
    del body["MIME-Version"]
    return top.as_bytes(policy=_CRLF).removesuffix(b"\r\n") + body.as_bytes(policy=_CRLF)


def _body(letter: Letter) -> Message:
    plain = _text("plain", plain_text(letter), letter.charset)
    if not letter.with_html:
        return plain
    pictures = [one for one in letter.files if one.is_inline]
    page: Message = _text("html", html_text(letter, len(pictures)), letter.charset)
    if pictures:
        related = MIMEMultipart("related", boundary=_boundary(letter, "related"))
        related.attach(page)
        for number, one in enumerate(pictures):
            shown = _attachment(one, letter.charset, inline=True)
            shown["Content-ID"] = f"<{_picture_id(letter, number)}>"
            related.attach(shown)
        page = related
    either = MIMEMultipart("alternative", boundary=_boundary(letter, "alternative"))
    either.attach(plain)
    either.attach(page)
    return either


def plain_text(letter: Letter) -> str:
    """Text, signature, and the mail before with `>`."""
    parts = [letter.text, letter.signature] if letter.signature else [letter.text]
    if letter.quoted:
        attribution, text = letter.quoted
        parts.append(attribution + "\n" + "\n".join(f"> {line}".rstrip() for line in text.splitlines()))
    return "\n\n".join(parts) + "\n"


def html_text(letter: Letter, pictures: int) -> str:
    """The same as a page."""
    parts = [f"<p>{_lines(part)}</p>" for part in letter.text.split("\n\n")]
    parts += [f'<p><img src="cid:{_picture_id(letter, n)}" alt="" width="240"></p>' for n in range(pictures)]
    if letter.signature:
        parts.append(f'<p style="color:#667">{_lines(letter.signature)}</p>')
    if letter.quoted:
        attribution, text = letter.quoted
        old = "".join(f"<p>{_lines(part)}</p>" for part in text.split("\n\n"))
        parts.append(f'<div>{escape(attribution)}<blockquote type="cite">{old}</blockquote></div>')
    return '<html><body style="font-family:sans-serif">' + "\n".join(parts) + "</body></html>"


def _lines(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>\n")


def _picture_id(letter: Letter, number: int) -> str:
    return f"picture{number}.{letter.message_id}"


def _boundary(letter: Letter, kind: str) -> str:
    return f"=_{kind}_{letter.message_id.partition('@')[0]}"


def _spelled(text: str, charset: str) -> str:
    return text.translate(_PLAINER) if charset == "koi8-r" else text


def _text(subtype: str, text: str, charset: str) -> MIMENonMultipart:
    part = MIMENonMultipart("text", subtype, charset=charset)
    way = _ENCODINGS[charset]
    part["Content-Transfer-Encoding"] = way
    raw = _spelled(text, charset).encode(charset, "replace")
    if way == "base64":
        part.set_payload(encodebytes(raw.replace(b"\n", b"\r\n")).decode("ascii"))
    elif way == "quoted-printable":
        part.set_payload(encodestring(raw).decode("ascii"))
    else:
        part.set_payload(raw.decode("ascii", "surrogateescape"))
    return part


def _attachment(one: File, charset: str, inline: bool = False) -> Message:
    main, _, sub = one.content_type.partition("/")
    part = MIMEBase(main, sub)
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(encodebytes(one.content).decode("ascii"))
    disposition = "inline" if inline else "attachment"
    if charset == "utf-8" and not one.name.isascii():
        part.add_header("Content-Disposition", disposition, filename=("utf-8", "", one.name))
    else:
        part.add_header("Content-Disposition", disposition, filename=_encoded(one.name, charset))
        part.set_param("name", _encoded(one.name, charset))
    return part


def _encoded(text: str, charset: str) -> str:
    if text.isascii():
        return text
    return Header(_spelled(text, charset), charset, maxlinelen=70).encode()


def _addresses(some: Sequence[Address], charset: str) -> str:
    return ",\n ".join(formataddr((_spelled(name, charset), email), charset) for name, email in some)


def bounce(letter: Letter, failed: Address, original: Letter) -> bytes:
    """A report that `original` did not reach `failed`; `letter` says it in words (RFC 3462, RFC 3464)."""
    report = MIMEMultipart("report", boundary=_boundary(letter, "report"))
    report.set_param("report-type", "delivery-status")
    report.attach(_text("plain", letter.text + "\n", letter.charset))
    host = letter.sender[1].partition("@")[2]
    status = MIMEBase("message", "delivery-status")
    server, recipient = Message(), Message()
    server["Reporting-MTA"] = f"dns; {host}"
    recipient["Final-Recipient"] = f"rfc822; {failed[1]}"
    recipient["Action"] = "failed"
    recipient["Status"] = "5.1.1"
    recipient["Diagnostic-Code"] = f"smtp; 550 5.1.1 <{failed[1]}>: no such user here"
    status.attach(server)
    status.attach(recipient)
    report.attach(status)
    headers = MIMENonMultipart("text", "rfc822-headers")
    headers.set_payload(compose(original).partition(b"\r\n\r\n")[0].decode("ascii", "replace").replace("\r\n", "\n"))
    report.attach(headers)
    return _finished(report, letter)


def lying(letter: Letter) -> bytes:
    """A mail that says UTF-8 and is Windows-1251: an old program behind a new gateway."""
    raw = compose(letter)
    head, _, body = raw.partition(b"\r\n\r\n")
    return head.replace(b'charset="windows-1251"', b'charset="utf-8"') + b"\r\n\r\n" + body
