"""What a bounce says: which mail did not arrive, and at whom (RFC 3464); also those that are plain text (qmail, Exim).

The fields are looked for in the lines of the mail as it came, not in its parts: programs put them into parts of any type
or none, and what is returned may be a whole mail, its header, or a few lines of it. One pass, bounded.

Limits: a report within an encoded part (base64) says nothing here; that is allowed for the returned mail only where it
is 8-bit, and seldom done.
"""

import re
from dataclasses import dataclass

from interactions.mime_headers import message_ids
from interactions.mime_words import clean, raw_text

REPORT_BYTES_MAX = 256 * 1024
RECIPIENTS_MAX = 100

_ID = re.compile(
    rb"^(?:original-)?message-id[ \t]*:[ \t]*((?:\r?\n[ \t]+)?[^\r\n]{1,1200})", re.IGNORECASE | re.MULTILINE
)
_RECIPIENT = re.compile(
    rb"^final-recipient[ \t]*:[ \t]*[a-z0-9]{1,20}[ \t]*;[ \t]*([^\r\n]{1,400})", re.IGNORECASE | re.MULTILINE
)
_FAILED = re.compile(rb"^x-failed-recipients[ \t]*:[ \t]*([^\r\n]{1,4000})", re.IGNORECASE | re.MULTILINE)
_ACTION = re.compile(rb"^action[ \t]*:[ \t]*(\w{1,20})", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Report:
    """The mail that is reported on, and who did not get it. Empty where the report does not say."""

    message_id: str = ""
    failed: tuple[str, ...] = ()


def read_report(raw: bytes, header_bytes: int) -> Report:
    """Never raises."""
    body = raw[header_bytes : header_bytes + REPORT_BYTES_MAX]
    found = _ID.search(body)
    ids = message_ids(raw_text(found.group(1))) if found else []
    failed: list[str] = []
    for recipient in _RECIPIENT.finditer(body):
        action = _ACTION.search(body, recipient.end(), recipient.end() + 1000)
        if action is None or action.group(1).lower() == b"failed":
            failed.append(_address(recipient.group(1)))
        if len(failed) >= RECIPIENTS_MAX:
            break
    for named in _FAILED.finditer(raw[:header_bytes]):
        failed.extend(_address(one) for one in named.group(1).split(b",")[:RECIPIENTS_MAX])
    return Report(ids[0] if ids else "", tuple(dict.fromkeys(one for one in failed if "@" in one))[:RECIPIENTS_MAX])


def _address(text: bytes) -> str:
    return clean(raw_text(text)).strip(" \t<>")
