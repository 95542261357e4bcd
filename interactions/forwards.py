"""Who wrote a mail that somebody has sent on: said as a suggestion, never believed (RFC 5322 §3.6.6 has no mark for it).

A mail is sent on within the text, after a divider or a block of its header lines, or as an attached mail. What stands
there was typed or could have been, so it is nobody's identity: it tells a person whom the mail may be about.

    ---------- Forwarded message ---------       -------- Пересылаемое сообщение --------
    From: Иван Петров <ivan@vasilek.example>     25.11.2026, 15:32, "Иван Петров" <ivan@vasilek.example>:
    Date: …    Subject: …

A divider that speaks of sending on is enough; one of an original mail, or a block alone, only where the topic says so too
(`Fwd:`). Of several, one within the other, the first is meant. Bounded by lines and their first characters.

Limits: the date is as it is written there, in its language and without its zone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from interactions.addresses import email_key
from interactions.attributions import (
    DATED,
    FROM,
    SUBJECT,
    header_block,
    is_divider,
    is_forward_divider,
    is_header_block,
    may_begin,
)
from interactions.mime_words import decode_words

LINES_MAX = 400
CHARS_MAX = 40_000
NEAR = 6  # lines between a divider and what it announces
WORDS_CHARS_MAX = 500

_SURE = ("--", "Begin forwarded")  # how a divider begins that is looked for in any mail

_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{2,200}\w")
_AROUND = re.compile(r"^[\s\"'«<\[(*]+|[\s\"'»>\])*:;,<\[(]+$")
_MAILTO = re.compile(r"\[?mailto:", re.IGNORECASE)
_MOMENT = re.compile(
    r"^[^<\"@]{0,80}?\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\s?[AaPp]\.?[Mm]\.?)?(?:\s\(?[A-Z]{3,4}\)?|\s[+-]\d{2}:?\d{2})?[\s,]+"
)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The mail within, as far as it says. `date` as it is written there."""

    address: str = ""
    display_name: str = ""
    date: str = ""
    subject: str = ""


def forwarded_in(text: str, is_forward: bool) -> Forwarded | None:
    """What a text says of a mail that it sends on. `is_forward`: its topic says that it does."""
    if not is_forward and not any(one in text for one in _SURE):
        return None
    lines = [line.lstrip("> \t") for line in text[:CHARS_MAX].split("\n", LINES_MAX)[:LINES_MAX]]
    begins = may_begin(lines) if is_forward else [line.startswith(_SURE) for line in lines]
    for n, line in enumerate(lines):
        if not begins[n]:
            continue
        if is_forward_divider(line) or (is_forward and is_divider(line)):
            return _after(lines, n + 1)
        if is_forward and is_header_block(lines, n):
            return _of(header_block(lines, n))
    return None


def forwarded_as(headers: Mapping[str, Sequence[str]]) -> Forwarded | None:
    """The same of the header of an attached mail."""
    values = {name: decode_words(next(iter(headers.get(name, ())), ""))[:2000] for name in ("from", "date", "subject")}
    return _of({FROM: values["from"], DATED: values["date"], SUBJECT: values["subject"]})


def _after(lines: Sequence[str], n: int) -> Forwarded | None:
    """The header lines that follow a divider, or the one line in which everything stands."""
    for k in range(n, min(n + NEAR, len(lines))):
        if said := header_block(lines, k):
            return _of(said)
        if _ADDRESS.search(lines[k][:WORDS_CHARS_MAX]):
            moment = _MOMENT.match(lines[k])
            date = moment.group(0).strip(" ,") if moment else ""
            return _of({FROM: lines[k][moment.end() if moment else 0 :], DATED: date})
    return None


def _of(said: Mapping[str, str]) -> Forwarded | None:
    sender = _MAILTO.sub("", said.get(FROM, "")[:WORDS_CHARS_MAX])
    found = _ADDRESS.search(sender)
    address = found.group(0).rstrip(".") if found else ""
    name = _bare(sender[: found.start()] if found else sender)
    if address and email_key(address) is None:
        address = ""
    if not (address or name):
        return None
    date, subject = (" ".join(said.get(one, "").split())[:WORDS_CHARS_MAX].strip(" *") for one in (DATED, SUBJECT))
    return Forwarded(address, "" if name == address else name, date, subject)


def _bare(text: str) -> str:
    """A name without the signs around it."""
    before = ""
    while text != before:
        before, text = text, _AROUND.sub("", text)
    return " ".join(text.split())
