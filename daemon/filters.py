"""The filters of lists as they stand in a URL: the same names for the API and the pages.

    type (several)  direction  status  responsible  author  contact  partner  chain  subject  department  source
    since  until  q  importance  call_result  tag  has=attachment  unmatched=1  ambiguous=1  tree=1  number  external_ref
    order=newest|oldest  cursor  limit

`read_filter` reports all that is wrong at once, with the name of the parameter. Unknown names are mistakes: a filter
that was misspelt must not show everything.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from daemon.cursors import read_cursor
from interactions.records import Importance, Kind
from interactions.search import parse_query
from storage.lists import Filter

STATUSES = ("to_review", "postponed", "reviewed", "all")
DIRECTIONS = ("incoming", "outgoing", "internal")
RESULTS = "answered missed no_answer busy rejected cancelled voicemail failed blocked unknown".split()
LIMIT_MAX = 200
LIMIT_DEFAULT = 50
VALUE_CHARS_MAX = 500
NUMBER_MAX = 2**63 - 1
_IDS = {
    "responsible": "responsible_id",
    "author": "author_id",
    "contact": "contact_id",
    "partner": "partner_id",
    "chain": "chain_id",
    "subject": "subject_id",
    "department": "department_id",
}
_TEXTS = {"source": "source", "tag": "tag", "external_ref": "external_ref"}
_CHOICES = {
    "direction": ("direction", DIRECTIONS),
    "status": ("status", STATUSES),
    "importance": ("importance", tuple(Importance)),
    "call_result": ("call_result", tuple(RESULTS)),
}
_SWITCHES = ("unmatched", "ambiguous", "tree")
NAMES = frozenset(
    {*_IDS, *_TEXTS, *_CHOICES, *_SWITCHES, "type", "since", "until", "q", "has", "number", "order", "cursor", "limit"}
)


def described() -> list[dict[str, object]]:
    """The filters as parameters of an OpenAPI description."""
    allowed: dict[str, tuple[str, ...]] = {name: choices for name, (_, choices) in _CHOICES.items()}
    allowed |= {"has": ("attachment",), "order": ("newest", "oldest"), **dict.fromkeys(_SWITCHES, ("0", "1"))}
    allowed["type"] = tuple(Kind)
    return [_described(name, allowed.get(name)) for name in sorted(NAMES)]


def _described(name: str, allowed: tuple[str, ...] | None) -> dict[str, object]:
    one: dict[str, object] = {"type": "string"}
    if allowed:
        one["enum"] = [str(value) for value in allowed]
    elif name in _IDS:
        one["format"] = "uuid"
    elif name in ("limit", "number"):
        one = {"type": "integer", "minimum": 1}
    schema = {"type": "array", "items": one} if name == "type" else one
    return {"name": name, "in": "query", "required": False, "schema": schema}


class WrongFilter(ValueError):
    """A filter that can't be used; `errors` are pairs of a parameter and what is wrong with it."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name} {message}" for name, message in errors))
        self.errors = errors


def read_filter(
    parameters: Iterable[tuple[str, str]],
    region: str,
    *,
    others: Iterable[str] = (),
    limit_max: int = LIMIT_MAX,
) -> Filter:
    """A filter from the pairs of a query string. `others` are names that mean something else to the caller; `q` may be
    a number in any spelling, read in `region`. Raises WrongFilter."""
    values: dict[str, object] = {"limit": min(LIMIT_DEFAULT, limit_max)}
    errors: list[tuple[str, str]] = []
    types: list[str] = []
    passed = frozenset(others)
    for name, text in parameters:
        if name in passed:
            continue
        if name not in NAMES:
            errors.append((name, f"is no filter; known are {', '.join(sorted(NAMES))}"))
            continue
        if not text:
            continue  # a form sends its empty fields too
        try:
            if len(text) > VALUE_CHARS_MAX or "\x00" in text:
                raise ValueError(f"must be text of at most {VALUE_CHARS_MAX} characters")
            if name == "type":
                types += _kinds(text)
            else:
                values.update(_read(name, text, region, limit_max))
        except ValueError as error:
            errors.append((name, str(error)))
    if errors:
        raise WrongFilter(errors)
    return Filter(types=tuple(dict.fromkeys(types)), **values)  # type: ignore[arg-type]


def _kinds(text: str) -> list[str]:
    kinds = text.split(",")
    if any(kind not in tuple(Kind) for kind in kinds):
        raise ValueError(f"must be one of {', '.join(Kind)}")
    return kinds


def _read(name: str, text: str, region: str, limit_max: int) -> dict[str, object]:
    if name in _IDS:
        return {_IDS[name]: _uuid(text)}
    if name in _TEXTS:
        return {_TEXTS[name]: text}
    if name in _CHOICES:
        attribute, allowed = _CHOICES[name]
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return {attribute: text}
    if name in _SWITCHES:
        return {name: _switch(text)}
    if name in ("since", "until"):
        return {name: read_time(text)}
    if name == "q":
        return {"query": parse_query(text, region)}
    if name == "has":
        if text != "attachment":
            raise ValueError("must be attachment")
        return {"has_attachment": True}
    if name == "order":
        if text not in ("newest", "oldest"):
            raise ValueError("must be newest or oldest")
        return {"oldest_first": text == "oldest"}
    if name == "cursor":
        return {"after": read_cursor(text)}
    return {name: _whole(text, limit_max if name == "limit" else NUMBER_MAX)}


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValueError("must be an id") from None


def _switch(text: str) -> bool:
    if text not in ("0", "1", "true", "false"):
        raise ValueError("must be 1 or 0")
    return text in ("1", "true")


def _whole(text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text) or not 1 <= int(text) <= most:
        raise ValueError(f"must be a whole number from 1 to {most}")
    return int(text)


def read_time(text: str) -> datetime:
    """A moment (RFC 3339), or a day, which begins at midnight UTC. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise ValueError("must be a time like 2026-11-23T09:30:00Z, or a day like 2026-11-23") from None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("must be a time between the years 2 and 9998") from None
