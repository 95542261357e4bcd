"""Opens connections: aioimaplib's client with our protocol in it, by the hook that it has for that.

Errors of sockets and of TLS come out as they are, at once; the library itself would keep them until a timeout.

A peer that vanished without a word is noticed even while nothing is said: the system asks after `KEEPALIVE_SECONDS` of
silence whether it is there, and drops the connection after `KEEPALIVE_TRIES` questions without an answer. That is said of
the socket, so it holds after STARTTLS too.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import cast

from aioimaplib import IMAP4

from connectors.base import Unavailable
from connectors.mail.protocol import CONNECT_SECONDS, ImapProtocol
from connectors.mail.tls import Tls

KEEPALIVE_SECONDS = 60
KEEPALIVE_TRY_SECONDS = 15
KEEPALIVE_TRIES = 4


class ImapClient(IMAP4):
    """aioimaplib's client with our protocol in it."""

    protocol: ImapProtocol

    def __init__(
        self,
        host: str,
        port: int,
        tls_at_once: ssl.SSLContext | None,
        literal_bytes_max: int,
        quiet_seconds: float,
    ) -> None:
        self._bounds = (literal_bytes_max, quiet_seconds)
        super().__init__(host, port, asyncio.get_running_loop(), CONNECT_SECONDS, None, tls_at_once)

    def create_client(
        self,
        host: str,
        port: int,
        loop: asyncio.AbstractEventLoop | None,
        conn_lost_cb: Callable[[Exception | None], None] | None = None,  # noqa: ARG002 - the library's signature
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """The library's hook: who speaks on the connection, and the task that opens it."""
        running = loop or asyncio.get_running_loop()
        self.protocol = ImapProtocol(running, f"{host}:{port}", *self._bounds)
        self._client_task = running.create_task(self._open(running, host, port, ssl_context))

    async def _open(
        self, loop: asyncio.AbstractEventLoop, host: str, port: int, context: ssl.SSLContext | None
    ) -> None:
        if context is None:
            transport, _ = await loop.create_connection(lambda: self.protocol, host, port)
            keep_alive(transport.get_extra_info("socket"))
            return
        tls = Tls(self.protocol, context, host, lambda one: self.protocol.connection_made(cast(asyncio.Transport, one)))
        transport, _ = await loop.create_connection(lambda: tls, host, port)
        keep_alive(transport.get_extra_info("socket"))
        try:
            await tls.handshaken()
        finally:
            if self.protocol.transport is None:
                transport.abort()

    async def wait_hello_from_server(self) -> None:
        """Opens the connection and waits for the greeting; errors of sockets and TLS pass as they are."""
        try:
            async with asyncio.timeout(self.timeout):
                await self._client_task
                await asyncio.shield(self.protocol.greeting)
        except BaseException:
            self._client_task.cancel()
            self.protocol.break_off(Unavailable(f"{self.protocol.peer} was not reached"))
            raise


def keep_alive(plug: socket.socket | None) -> None:
    """Lets the system look after a connection on which nothing is said; where it can't, the next command finds out."""
    if plug is None:
        return
    wanted = [(socket.SOL_SOCKET, "SO_KEEPALIVE", 1), (socket.IPPROTO_TCP, "TCP_KEEPIDLE", KEEPALIVE_SECONDS)]
    wanted += [(socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEPALIVE_TRY_SECONDS)]
    wanted += [(socket.IPPROTO_TCP, "TCP_KEEPCNT", KEEPALIVE_TRIES)]
    for level, name, value in wanted:
        if (option := getattr(socket, name, None)) is not None:  # not every system has all
            with contextlib.suppress(OSError):
                plug.setsockopt(level, option, value)
