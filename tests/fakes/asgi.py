"""Requests to an ASGI application in process: what a client would send, and the answer."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from daemon.bounds import Asgi, Message, Scope


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def scope_of(method: str, target: str, headers: Iterable[tuple[str, str]] = ()) -> Scope:
    """What a server tells an application of a request."""
    path, _, query = target.partition("?")
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip


async def ask(app: Asgi, method: str, target: str, body: object = None, **headers: str) -> Answer:
    """One request. A body that is not bytes is sent as JSON; `if_match` is the header If-Match."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await ask_in_pieces(app, scope_of(method, target, sent.items()), [raw])


async def ask_in_pieces(app: Asgi, scope: Scope, pieces: Sequence[bytes | None]) -> Answer:
    """A request whose body comes piece by piece; None instead of a piece: nothing more ever comes."""
    waiting = list(pieces)
    parts: list[Message] = []

    async def receive() -> Message:
        piece = waiting.pop(0) if waiting else None
        if piece is None:  # the client waits for its answer
            await asyncio.Event().wait()
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        parts.append(message)

    await app(scope, receive, send)
    start, *rest = parts
    got = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], got, b"".join(part.get("body", b"") for part in rest))
