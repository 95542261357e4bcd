"""Names of hosts that the test decides about: the DNS of one event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any


class Names:
    """Names of this machine that are found or not; all others are asked for as ever."""

    def __init__(self, *names: str) -> None:
        self.ours = frozenset(names)
        self.is_there = True
        self.asked = 0


@contextlib.contextmanager
def deciding_about(*names: str) -> Iterator[Names]:
    """Decides about these names in the running loop, for the length of a `with`."""
    loop = asyncio.get_running_loop()
    ask, found = loop.getaddrinfo, Names(*names)

    async def answer(host: Any, port: Any, **more: Any) -> Any:
        if host not in found.ours:
            return await ask(host, port, **more)
        found.asked += 1
        if not found.is_there:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await ask("127.0.0.1", port, **more)

    loop.getaddrinfo = answer  # type: ignore[method-assign]
    try:
        yield found
    finally:
        loop.getaddrinfo = ask  # type: ignore[method-assign]
