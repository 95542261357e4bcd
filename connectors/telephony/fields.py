"""The body of a webhook as flat fields: a JSON object or a form, whichever came and whatever it says it is.

Each field is a list of texts: `user=1&user=2`, `user[]=1`, `user[0]=1` and `{"user": [1, 2]}` read alike. Objects inside
a JSON object are reached by a dotted name (`call.caller`), to `DEPTH_MAX`. Scalars are kept letter by letter, so that
`89161234567` and an id of 64 bits stay what they were. What no database keeps (NUL, half a surrogate pair) is left out
or replaced. Forms in the old Russian encoding (Windows-1251) are read too.

Everything is bounded; beyond a bound the body is Unreadable rather than cut, because the journal keeps it whole.
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from typing import Any, NoReturn, TypeAlias
from urllib.parse import parse_qsl

from connectors.base import Forged, Unreadable

BODY_BYTES_MAX = 256 * 1024
FIELDS_MAX = 500
DEPTH_MAX = 5
NAME_CHARS_MAX = 200
YEARS = range(1990, 2200)

Fields: TypeAlias = dict[str, list[str]]

_ESCAPES = re.compile(rb"%([0-9A-Fa-f]{2})")
_BARE = re.compile(rb"[\x00-\x20\x7f-\xff]|%(?![0-9A-Fa-f]{2})")
_INDEX = re.compile(r"\[\d{0,3}\]\Z")


def read_fields(body: bytes, expected: str) -> Fields:
    """The fields of a body. Raises Unreadable, whose message ends with what was `expected`."""
    if len(body) > BODY_BYTES_MAX:
        raise Unreadable(f"the body has {len(body)} bytes; at most {BODY_BYTES_MAX} are read")
    start = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise Unreadable(f"the body is empty; {expected}")
    pairs = _json_pairs(start, expected) if start[:1] in b'{["' else _form_pairs(start, expected)
    if len(pairs) > FIELDS_MAX:
        raise Unreadable(f"the body has more than {FIELDS_MAX} fields")
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(without_index(name[:NAME_CHARS_MAX]), []).append(_storable(value))
    return fields


def signed_form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form whose decoded values are signed. Raises Forged.

    One form can be spelled in several ways; one that mixes spellings (`%7b` beside `%7B`, a bare space) is refused, so that
    no changed byte passes for the same request."""
    letters = b"".join(_ESCAPES.findall(body))
    is_mixed = letters not in (letters.upper(), letters.lower())
    if len(body) > BODY_BYTES_MAX or is_mixed or _BARE.search(body):
        raise Forged("the body is no form as the provider sends it")
    if not body:
        return []
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        raise Forged("the body is no form as the provider sends it") from None


def fields_of(pairs: Iterable[tuple[str, str]]) -> Fields:
    """Pairs as fields, without what no database keeps."""
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(name[:NAME_CHARS_MAX], []).append(_storable(value))
    return fields


def without_index(name: str) -> str:
    """`user[]` and `user[0]` are `user`."""
    return _INDEX.sub("", name)


def one_of(fields: Fields, name: str) -> str:
    """The first value of a field, or an empty text."""
    return fields.get(name, [""])[0]


def digest(parts: Iterable[str]) -> str:
    """Equal for equal texts only: each goes in with its length."""
    texts = (one.encode("utf-8", "surrogatepass") for one in parts)
    return sha256(b"".join(b"%d:%b" % (len(one), one) for one in texts)).hexdigest()


def read_time(text: str, zone: tzinfo | None = None) -> datetime | None:
    """RFC 3339, Unix seconds or milliseconds, in UTC; None where it says no moment that can be believed. A time without
    zone is believed only where the source has one."""
    try:
        if text.isascii() and text.replace(".", "", 1).isdigit():
            seconds = float(text)
            seconds = seconds / 1000 if seconds > 1e11 else seconds  # the year 5138 in seconds, 1973 in milliseconds
            found = datetime.fromtimestamp(seconds, UTC)
        else:
            found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=found.tzinfo or zone)
        return found.astimezone(UTC) if found.tzinfo and found.year in YEARS else None
    except (ValueError, OverflowError, OSError):
        return None


def _form_pairs(body: bytes, expected: str) -> list[tuple[str, str]]:
    try:
        raw = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=FIELDS_MAX, encoding="latin-1")
    except ValueError:
        raise Unreadable(f"the form has more than {FIELDS_MAX} fields") from None
    if not raw or b"=" not in body:
        raise Unreadable(f"the body is neither a JSON object nor a form; {expected}")
    try:
        return [(name.encode("latin-1").decode(), value.encode("latin-1").decode()) for name, value in raw]
    except UnicodeDecodeError:
        return [(_cyrillic(name), _cyrillic(value)) for name, value in raw]


def _cyrillic(text: str) -> str:
    return text.encode("latin-1").decode("cp1251", "replace")


def _json_pairs(body: bytes, expected: str) -> list[tuple[str, str]]:
    try:
        # Numbers stay text: no rounding, no infinity, and no digit is too many.
        read = json.loads(body.decode(), parse_int=str, parse_float=str, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Unreadable(f"the body is not JSON that can be read; {expected}") from None
    if not isinstance(read, dict):
        raise Unreadable(f"the body is not one JSON object; {expected}")
    pairs: list[tuple[str, str]] = []
    todo: list[tuple[str, Any, int]] = [(name, value, 1) for name, value in reversed(read.items())]
    while todo and len(pairs) <= FIELDS_MAX:
        name, value, depth = todo.pop()
        if isinstance(value, dict):
            if depth < DEPTH_MAX:
                todo.extend((f"{name}.{inner}"[:NAME_CHARS_MAX], one, depth + 1) for inner, one in value.items())
        elif isinstance(value, list):
            pairs.extend((name, _text(one)) for one in value if isinstance(one, str | bool))
        elif value is not None:
            pairs.append((name, _text(value)))
    return pairs


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 §6


def _text(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
