"""Bounds on requests, before anything reads them: size and time of a body, whatever a client claims or does.

An ASGI middleware around everything. A body that is too large is answered 413 as soon as that is known (by its
Content-Length, else by counting); one that trickles in for too long ends the request with 408. Frameworks have neither.
An address with a NUL in it, which no text of the database can hold, is refused here for all routes.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from daemon.api.problems import Problem, problem_response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

WEBHOOK_BYTES_MAX = 2 * 1024 * 1024
BODY_BYTES_MAX = 32 * 1024 * 1024
BODY_SECONDS_MAX = 20.0
LINGER_SECONDS_MAX = 2.0


class OutOfBounds(Exception):
    """A body that is not read to its end."""


class TooLarge(OutOfBounds):
    """The body is over the bound."""


class TooSlow(OutOfBounds):
    """The body did not arrive in time."""


class Bounds:
    """Wraps an application: its `receive` raises when a body is over the bounds, and that is answered here."""

    def __init__(self, app: Asgi, body_seconds_max: float = BODY_SECONDS_MAX) -> None:
        self._app = app
        self._seconds = body_seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_webhook = str(scope["path"]).startswith("/hooks/")
        if not is_webhook and ("\x00" in scope["path"] or b"%00" in scope["query_string"]):
            await problem_response(Problem("invalid", "The address holds the character NUL."))(scope, receive, send)
            return
        limit = WEBHOOK_BYTES_MAX if is_webhook else BODY_BYTES_MAX
        is_answered = False
        failed: OutOfBounds | None = None
        count = 0
        deadline: float | None = asyncio.get_running_loop().time() + self._seconds

        async def bounded_send(message: Message) -> None:
            nonlocal is_answered
            if failed is not None and not is_answered:
                return  # whatever the application makes of the broken body, our own answer follows
            is_answered = is_answered or message["type"] == "http.response.start"
            await send(message)

        async def bounded_receive() -> Message:
            nonlocal count, failed, deadline
            try:
                message = await _within(receive, deadline)
                count += len(message.get("body", b""))
                if count > limit:
                    raise TooLarge
            except OutOfBounds as error:
                failed = error
                raise
            if not message.get("more_body", False):
                deadline = None  # it is all there; how long the answer takes is not the client's doing
            return message

        if _declared(scope) > limit:
            failed = TooLarge()
        else:
            with contextlib.suppress(OutOfBounds):
                await self._app(scope, bounded_receive, bounded_send)
        if failed is not None and not is_answered:
            if isinstance(failed, TooLarge):
                await _let_finish(receive, min(self._seconds, LINGER_SECONDS_MAX))
            await problem_response(_problem(failed, limit, self._seconds))(scope, receive, send)


async def _within(receive: Receive, deadline: float | None) -> Message:
    try:
        async with asyncio.timeout_at(deadline):
            return await receive()
    except TimeoutError:
        raise TooSlow from None


async def _let_finish(receive: Receive, seconds: float) -> None:
    """Reads on for a moment and forgets it: most clients hear an answer only after they have said everything, and a
    connection that is closed before takes the answer with it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive()).get("more_body", False):
                pass


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else 0
    return 0


def _problem(error: OutOfBounds, limit: int, seconds: float) -> Problem:
    close = {"Connection": "close"}
    if isinstance(error, TooLarge):
        detail = f"The body is larger than {limit} bytes, which is the most that is taken here."
        return Problem("too_large", detail, headers=close)
    return Problem("unavailable", f"The body did not arrive within {seconds:g} seconds.", status=408, headers=close)
