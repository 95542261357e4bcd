"""Bounds on requests, before anything reads them: size and time of a body, whatever a client claims or does.

An ASGI middleware around everything. A body that is too large is answered 413 as soon as that is known (by its
Content-Length, else by counting); one that trickles in for too long ends the request with 408. Frameworks have neither.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

WEBHOOK_BYTES_MAX = 2 * 1024 * 1024
BODY_BYTES_MAX = 32 * 1024 * 1024
BODY_SECONDS_MAX = 20.0


class TooLarge(Exception):
    """The body is over the bound."""


class TooSlow(Exception):
    """The body did not arrive in time."""


class Bounds:
    """Wraps an application: its `receive` raises when a body is over the bounds, and that is answered here."""

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = WEBHOOK_BYTES_MAX if str(scope["path"]).startswith("/hooks/") else BODY_BYTES_MAX
        started = False
        failed: Exception | None = None

        async def bounded_send(message: Message) -> None:
            nonlocal started
            if failed is not None and not started:
                return  # whatever the application makes of the broken body, our own answer follows
            started = started or message["type"] == "http.response.start"
            await send(message)

        count = 0
        deadline = asyncio.get_running_loop().time() + BODY_SECONDS_MAX

        async def bounded_receive() -> Message:
            nonlocal count, failed
            try:
                message = await _within(receive, deadline if not started else None)
                count += len(message.get("body", b""))
                if count > limit:
                    raise TooLarge
            except (TooLarge, TooSlow) as error:
                failed = error
                raise
            return message

        if _declared(scope) > limit:
            await _refuse(send, TooLarge(), limit)
            return
        with contextlib.suppress(TooLarge, TooSlow):
            await self._app(scope, bounded_receive, bounded_send)
        if failed is not None and not started:
            await _refuse(send, failed, limit)


async def _within(receive: Receive, deadline: float | None) -> Message:
    if deadline is None:
        return await receive()
    try:
        async with asyncio.timeout_at(deadline):
            return await receive()
    except TimeoutError:
        raise TooSlow from None


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else 0
    return 0


async def _refuse(send: Send, error: Exception, limit: int) -> None:
    large = isinstance(error, TooLarge)
    status = 413 if large else 408
    detail = (
        f"The body is larger than {limit} bytes, which is the most that is taken here."
        if large
        else f"The body did not arrive within {BODY_SECONDS_MAX:.0f} seconds."
    )
    body: dict[str, object] = {
        "type": "urn:ringmail:problem:too_large",
        "title": "Content Too Large" if large else "Request Timeout",
        "status": status,
        "detail": detail,
        "code": "too_large" if large else "unavailable",
        "errors": [],
    }
    content = json.dumps(body).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
