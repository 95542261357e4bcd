"""Bytes and words from outside to text: charsets that were declared or lied about, encoded words (RFC 2047),
parameters of a header (RFC 2045 §5.1, RFC 2231).

Everything here is one pass and never raises. Neighbouring encoded words are decoded together, because many programs
cut a long word in the middle of a character, and the raw bytes of a header get the first charset that fits.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

CHARSETS_TRIED = ("utf-8", "cp1251", "latin-1")
PARAMETERS_MAX = 100
PARAMETER_CHARS_MAX = 8000

# Python's own codecs that are no charsets of mails: they are slow, or make of bytes what no mail program would.
_NO_CHARSETS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined"})
_UNCLEAN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_FOLD = re.compile(r"\r?\n[ \t]*")
_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,40})?\?([bBqQ])\?")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_GAP = re.compile(r"[;\s]*")
_PARAMETER = re.compile(r"([^\s=;\"]{1,100})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^;]*))", re.DOTALL)
_PIECE = re.compile(r"([^*]+)\*(\d{1,3})(\*?)")


def clean(text: str) -> str:
    """Without NUL, controls and lone surrogates, which no database keeps."""
    return _UNCLEAN.sub("", text)


def decode_bytes(content: bytes, charset: str = "utf-8") -> str:
    """Text by the declared charset; where that is a lie, by the first that fits. A character that the end of a long
    text cuts off is left out, not a reason to doubt the charset."""
    first = "utf-8" if charset == "utf-8" else _known(charset)
    for candidate in (first, *CHARSETS_TRIED):
        try:
            return content.decode(candidate)
        except UnicodeDecodeError as error:
            if candidate == "utf-8" and len(content) > 1000 and error.start >= len(content) - 3:
                return content[: error.start].decode(candidate)
        except (LookupError, ValueError):
            continue
    return content.decode("latin-1")


def _known(charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if name.replace("-", "_") in _NO_CHARSETS else name


def raw_text(value: bytes) -> str:
    """A header's bytes as text, unfolded: UTF-8 (RFC 6532) or the charset that fits."""
    text = decode_bytes(value).strip("\r\n")
    return _FOLD.sub(" ", text) if "\n" in text else text


def decode_words(text: str) -> str:
    """A header's text with its encoded words read. A word that never ends is left as it is."""
    if "=?" not in text:
        return text
    out: list[str] = []
    held: list[tuple[bytes, str]] = []  # neighbouring words, not decoded yet
    done = 0
    while found := _WORD.search(text, done):
        end = text.find("?=", found.end())
        if end < 0:
            break
        between = text[done : found.start()]
        if between.strip() or not held:
            out.extend((_words(held), between))
            held = []
        held.append((_word(text[found.end() : end], found.group(2)), found.group(1)))
        done = end + 2
    out.extend((_words(held), text[done:]))
    return "".join(out)


def _word(coded: str, encoding: str) -> bytes:
    if encoding in "qQ":
        return binascii.a2b_qp(coded.replace("_", " ").encode("utf-8", "surrogatepass"))
    letters = _NOT_BASE64.sub("", coded)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return base64.b64decode(letters + "=" * (-len(letters) % 4))


def _words(held: list[tuple[bytes, str]]) -> str:
    """Neighbouring words of one charset are one text, cut anywhere."""
    out: list[str] = []
    n = 0
    while n < len(held):
        charset = held[n][1]
        start = n
        while n < len(held) and held[n][1].lower() == charset.lower():
            n += 1
        out.append(decode_bytes(b"".join(content for content, _ in held[start:n]), charset))
    return "".join(out)


def parameters(value: str) -> dict[str, str]:
    """The parameters of a header such as Content-Type, names in lower case, values decoded. Pieces are put together
    and one that is encoded beats its plain double; of two of one name the first counts."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for found in _each(value[:PARAMETER_CHARS_MAX]):
        name = found.group(1).lower()
        quoted = found.group(2)
        text = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if quoted is not None else found.group(3).strip()
        piece = _PIECE.fullmatch(name)
        if piece:
            held = pieces.setdefault(piece.group(1), {})
            held.setdefault(int(piece.group(2)), (_octets(text, bool(piece.group(3))), bool(piece.group(3))))
        elif name.endswith("*") and len(name) > 1:
            pieces.setdefault(name[:-1], {}).setdefault(0, (_octets(text, True), True))
        else:
            plain.setdefault(name, decode_words(text))
    return plain | {name: _joined(held) for name, held in pieces.items()}


def _each(value: str) -> Iterator[re.Match[str]]:
    place = value.find(";")
    for _ in range(PARAMETERS_MAX):
        if place < 0:
            return
        gap = _GAP.match(value, place)
        place = gap.end() if gap else place
        found = _PARAMETER.match(value, place)
        if found:
            yield found
            place = found.end()
        else:
            place = value.find(";", place)


def _octets(text: str, is_encoded: bool) -> bytes:
    octets = text.encode("utf-8", "surrogatepass")
    return unquote_to_bytes(octets) if is_encoded else octets


def _joined(pieces: dict[int, tuple[bytes, bool]]) -> str:
    """RFC 2231 §3 and §4: the first piece may name charset and language before the text."""
    whole = b"".join(pieces[n][0] for n in sorted(pieces))
    first = min(pieces)
    if pieces[first][1] and whole.count(b"'") >= 2:
        charset, _, text = whole.split(b"'", 2)
        return decode_bytes(text, charset.decode("ascii", "replace") or "utf-8")
    return decode_words(decode_bytes(whole))
