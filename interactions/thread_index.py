"""Thread-Index, by which Outlook and Exchange know a conversation even where a relay has written another Message-ID.

    base64 of   1 byte, 5 bytes of time, 16 bytes that name the conversation, then 5 bytes for each answer

The first six bytes are laid out in two ways (with a leading 01 or without), so only bytes 6 to 22 are compared. They prove
little by themselves: who copies an old mail to write a new one copies them too. `threads` asks for the same topic and for
somebody in common beside them.
"""

import re
from base64 import b64decode

HEADER_BYTES_MAX = 64 * 1024
LETTERS_MAX = 4000

_HEADER = re.compile(rb"^thread-index[ \t]*:((?:[^\r\n]|\r?\n[ \t]){0,4000})", re.IGNORECASE | re.MULTILINE)
_LETTERS = re.compile(r"[A-Za-z0-9+/]{30,4000}={0,2}")
_SAME = {bytes(16), b"\xff" * 16}


def conversation_of(raw: bytes) -> bytes | None:
    """The 16 bytes that name the conversation of a mail, or None where it has no sound Thread-Index."""
    head = raw[:HEADER_BYTES_MAX]
    ends = [end for end in (head.find(b"\r\n\r\n"), head.find(b"\n\n")) if end >= 0]
    found = _HEADER.search(head[: min(ends)] if ends else head)
    return conversation_in(found.group(1).decode("ascii", "replace")) if found else None


def conversation_in(value: str) -> bytes | None:
    """The same, of the header's value."""
    letters = "".join(value.split())[:LETTERS_MAX]
    if not _LETTERS.fullmatch(letters):
        return None
    try:
        index = b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except ValueError:
        return None
    name = index[6:22]
    return name if len(index) >= 22 and (len(index) - 22) % 5 == 0 and name not in _SAME else None
