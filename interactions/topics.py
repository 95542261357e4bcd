"""The base subject of a mail: what is left when reply and forward marks, list tags and spacing are taken off.

RFC 5256 §2.1 knows Re, Fw and Fwd only; mail programs write dozens of others. Marks and `[tags]` are stripped by turns
until nothing changes; a ticket mark such as `[#123]` stays.
"""

import re
import unicodedata

SUBJECT_CHARS_MAX = 1000
_REPLY = (
    "re res ref aw antw antwort sv vs rif odp ynt atb bls vá απ σχετ השב رد 回复 回覆 答复 "
    "返信 회신 отв ответ на відп adj"
)
_FORWARD = "fw fwd wg tr trs rv enc fs vl vb doorst pd ilt πρθ továbbítás הועבר 转发 轉寄 пересл пер переадр"
_AUTO = (
    "automatic reply", "out of office", "автоответ", "abwesenheitsnotiz", "automatische antwort",
    "réponse automatique", "undeliverable", "autoreply", "auto",
)  # fmt: skip


def _marks(words: str) -> str:
    return "|".join(re.escape(word) for word in words.split())


_MARK = re.compile(
    rf"(?:(?P<reply>{_marks(_REPLY)})|(?P<forward>{_marks(_FORWARD)})|(?P<auto>{'|'.join(map(re.escape, _AUTO))}))"
    r"\s*(?:\[\d{1,3}\]|\(\d{1,3}\)|\^?\d{1,3})?\s*:\s*"
)
_TAG = re.compile(r"\[(?!#)[^\[\]]{1,60}\]\s*")


def base_subject(subject: str) -> tuple[str, str]:
    """The subject to compare by, and what stood before it: `reply`, `forward`, `auto` or an empty text."""
    text = unicodedata.normalize("NFKC", subject[:SUBJECT_CHARS_MAX]).casefold()
    text = " ".join(text.replace("：", ":").split())
    kind = ""
    while True:
        mark = _MARK.match(text)
        tag = None if mark else _TAG.match(text)
        found = mark or tag
        if found is None or (tag and found.end() == len(text)):
            return text.removesuffix("(fwd)").strip(), kind
        if mark and not kind:
            kind = str(mark.lastgroup)
        text = text[found.end() :]
