"""An interaction as a line of a list, and its texts as they are shown: pure, nothing of HTTP.

A line names the other side: the linked contact, else the name or address it gave itself, and how many more there are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from markupsafe import Markup, escape

from daemon.web import labels
from interactions.views import InteractionView, ParticipantView

TEXT_CHARS_MAX = 200_000
URL_CHARS_MAX = 2_000
_URL = re.compile(rf"(https?://[^\s<>\"'«»]{{1,{URL_CHARS_MAX}}})")
_TRAILING = ".,;:!?)]}»”’…"


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `title` is a message for the catalogue; `speaker` is who wrote or called, of either side; `contact_id` is
    None for a party that is nobody yet."""

    one: InteractionView
    title: str
    party: str
    speaker: str
    contact_id: UUID | None
    contact_kind: str
    partner: str
    is_ambiguous: bool
    more: int
    topic: str
    excerpt: str
    files: int
    is_missed: bool
    is_bold: bool

    @property
    def symbol(self) -> str:
        return self.one.kind


def row_of(one: InteractionView, *, flags: bool) -> Row:
    """`flags` says whether the option "reviewed" is on: without it nothing is bold."""
    party = one.party
    others = {_who(person) for person in one.participants if not person.is_ours and person.role != "reply_to"}
    if party is not None:
        others.discard(_who(party))
    elif one.participants:
        party = one.participants[0]  # among ourselves: whoever began it
    contact = party.contact if party else None
    title = labels.title_of(one.kind, one.direction, one.block.get("result"))
    return Row(
        one=one,
        title=title,
        party=name_of(party) if party else "",
        speaker=_speaker(one, party),
        contact_id=contact.id if contact else None,
        contact_kind=contact.kind if contact else "",
        partner=contact.partner.name if contact and contact.partner and contact.partner.id != contact.id else "",
        is_ambiguous=bool(party and not party.contact and party.candidates),
        more=len(others),
        topic=one.topic.strip(),
        excerpt=_excerpt(one),
        files=sum(not file.inline for file in one.attachments),
        is_missed=title == labels.MISSED,
        is_bold=flags and not one.reviewed,
    )


def _speaker(one: InteractionView, party: ParticipantView | None) -> str:
    """Who wrote or called: one of us for what went out, else the other side."""
    if one.direction in ("outgoing", "internal"):
        ours = [person for person in one.participants if person.is_ours and person.role in ("from", "employee")]
        if ours:
            return name_of(ours[0])
    return name_of(party) if party else ""


def name_of(person: ParticipantView) -> str:
    """Whom to name: the contact, else what the participant called itself."""
    if person.contact:
        return person.contact.name
    number = (
        person.key if person.address_kind == "phone" else None
    )  # one spelling in a list; the record keeps the other
    return person.display_name.strip() or number or person.address.strip()


def _who(person: ParticipantView) -> str:
    return str(person.contact.id) if person.contact else person.key or person.address or person.display_name


def _excerpt(one: InteractionView) -> str:
    """The preview, without the words that the topic has already said."""
    text, topic = one.excerpt.strip(), one.topic.strip()
    return text.removeprefix(topic).lstrip() if one.kind == "sms" else text


def duration(seconds: object) -> str:
    """3:05, or nothing for what is no length."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def linked(text: str) -> Markup:
    """Text with its web addresses as links; everything else is escaped."""
    parts = []
    for n, part in enumerate(_URL.split(text[:TEXT_CHARS_MAX])):
        if n % 2 == 0:
            parts.append(escape(part))
            continue
        url = part.rstrip(_TRAILING)
        parts.append(
            Markup('<a href="{0}" target="_blank" rel="noopener noreferrer nofollow">{0}</a>{1}').format(
                url, part[len(url) :]
            )
        )
    return Markup().join(parts)


def folded(one: InteractionView, most: int = TEXT_CHARS_MAX) -> tuple[str, str]:
    """The new words of an interaction, and what they quote; so many characters of each at most."""
    text = (one.body_text or "").strip()[:most]
    reply = (one.reply_text or "").strip()[:most]
    if reply and reply != text:
        return reply, text.removeprefix(reply).strip() or text
    return split_quote(text)


def split_quote(text: str) -> tuple[str, str]:
    """Cuts off the quotation a text ends with, and the line that introduces it."""
    lines = text.split("\n")
    first = len(lines)
    while first and (lines[first - 1].startswith(">") or not lines[first - 1].strip()):
        first -= 1
    quoted = lines[first:]
    if not any(line.startswith(">") for line in quoted):
        return text, ""
    start = first
    if start and lines[start - 1].rstrip().endswith(":"):
        start -= 1
    new = "\n".join(lines[:start]).strip()
    return (new, "\n".join(lines[start:]).strip()) if new else (text, "")


def newer_than(rows: Sequence[Row], top: str) -> int:
    """How many of these lines stand above the one that was on top before; 0 if that one is gone."""
    ids = [str(row.one.id) for row in rows]
    return ids.index(top) if top in ids else 0
