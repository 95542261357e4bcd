"""The base subject of a mail: what is left when reply and forward marks, list tags and spacing are taken off.

RFC 5256 §2.1 knows Re, Fw and Fwd only; mail programs write dozens of others. Marks and `[tags]` are stripped by turns
until nothing changes; a ticket mark such as `[#123]` stays in front.
"""

import re
import unicodedata
from collections.abc import Iterable

SUBJECT_CHARS_MAX = 1000
_REPLY = (
    "re res ref aw antw antwort sv vs rif odp ynt atb bls vá απ σχετ השב رد 回复 回覆 答复 "
    "返信 회신 отв ответ на відп adj"
)
_FORWARD = "fw fwd wg tr trs rv enc fs vl vb doorst pd ilt πρθ továbbítás הועבר 转发 轉寄 пересл пер переадр"
_FORWARD_PHRASES = ("إعادة توجيه",)
_AUTO = (
    "automatic reply", "out of office", "автоответ", "abwesenheitsnotiz", "automatische antwort",
    "réponse automatique", "undeliverable", "autoreply", "auto",
)  # fmt: skip


def _marks(words: str) -> str:
    return _any(words.split())


def _any(phrases: Iterable[str]) -> str:
    return "|".join(map(re.escape, phrases))


_MARK = re.compile(
    rf"(?:(?P<reply>{_marks(_REPLY)})|(?P<forward>{_marks(_FORWARD)}|{_any(_FORWARD_PHRASES)})|(?P<auto>{_any(_AUTO)}))"
    r"\s*(?:\[\d{1,3}\]|\(\d{1,3}\)|\^?\d{1,3})?\s*:\s*"
)
_TICKET = re.compile(r"\[#[^\[\]]{1,60}\]\s*")
_TAG = re.compile(r"\[(?!#)[^\[\]]{1,60}\]\s*")


def base_subject(subject: str) -> tuple[str, str]:
    """The subject to compare by, and what stood before it: `reply`, `forward`, `auto` or an empty text."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", subject[:SUBJECT_CHARS_MAX]).casefold())
    text = " ".join(text.replace("：", ":").split())
    kind = ""
    tickets: list[str] = []
    while True:
        mark = _MARK.match(text)
        ticket = _TICKET.match(text)
        found = mark or ticket or _TAG.match(text)
        if found is None or (not mark and found.end() == len(text)):
            break
        if mark and not kind:
            kind = str(mark.lastgroup)
        if ticket and ticket.group().strip() not in tickets:
            tickets.append(ticket.group().strip())
        text = text[found.end() :]
    while text.endswith("(fwd)"):
        text = text.removesuffix("(fwd)").rstrip()
    return " ".join([*(one for one in tickets if one != text), text]).strip(), kind
