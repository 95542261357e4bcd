"""Requests to an ASGI application in process: what a client would send, and the answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daemon.bounds import Asgi, Message


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(app: Asgi, method: str, target: str, body: object = None, **headers: str) -> Answer:
    """One request. A body that is not bytes is sent as JSON; `if_match` is the header If-Match."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    path, _, query = target.partition("?")
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    parts: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(message: Message) -> None:
        parts.append(message)

    await app(scope, receive, send)
    start, *rest = parts
    got = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], got, b"".join(part.get("body", b"") for part in rest))
