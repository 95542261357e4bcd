"""Recorded requests of providers (`tests/data/webhooks`), and requests made up in the same form."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

from connectors.base import WebhookRequest
from interactions.arrivals import Arrival
from interactions.calls import Call

FOLDER = Path(__file__).parents[1] / "data/webhooks"
AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def request(
    body: bytes,
    rest: str = "",
    headers: dict[str, str] | None = None,
    at: datetime = AT,
    remote: str = "",
    query: str = "",
) -> WebhookRequest:
    """A request to the source `main`."""
    return WebhookRequest("main", "POST", rest, query, headers or {}, body, at, remote)


def form(fields: dict[str, str], rest: str = "", headers: dict[str, str] | None = None) -> WebhookRequest:
    """A form posted to the source `main`."""
    return request(urlencode(fields).encode(), rest, headers)


def samples(provider: str) -> list[Path]:
    """The recorded requests of a provider; beside each lies what is read from it."""
    return sorted((FOLDER / provider).glob("*.http"))


def recorded(sample: Path) -> WebhookRequest:
    """A recorded request, letter by letter."""
    head, body = sample.read_bytes().split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    path, _, query = first.split(" ")[1].partition("?")
    return request(body, path.removeprefix("/hooks/main").lstrip("/"), headers, query=query)


def expected(sample: Path) -> list[dict[str, Any]]:
    """What is to be read from a recorded request: one object for each arrival, with the fields that matter."""
    found = json.loads(sample.with_suffix(".json").read_text("utf-8"))
    return found if isinstance(found, list) else [found]


def said(arrival: Arrival) -> dict[str, Any]:
    """An arrival as JSON has it."""

    def plain(value: object) -> object:
        return value.isoformat() if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value

    return {name: plain(value) for name, value in dataclasses.asdict(arrival).items()}


def mutated(text: bytes, chance: Random) -> bytes:
    """The same but for one byte."""
    changed = bytearray(text)
    changed[chance.randrange(len(changed))] ^= chance.randrange(1, 256)
    return bytes(changed)


def in_words(call: Call) -> str:
    """A call in a line."""
    words = [f"{call.direction} {call.other_number} {call.result or call.state}"]
    words[0] += f" by {call.answered_by}" if call.answered_by else ""
    words[0] += f" ({call.missed_reason})" if call.missed_reason else ""
    if call.state == "ended":
        words += [f"rings {call.ring_seconds}", f"talks {call.talk_seconds}"]
    words += [f"{one.from_who}→{one.to_who}" for one in call.transfers]
    return ", ".join([*words, *(f"recorded {one}" for one in call.recordings)])
