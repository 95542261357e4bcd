"""TLS between a plain transport and the protocol above it, with buffers as small as they can be.

The loops' own TLS keeps a buffer of 256 KB for each connection, and another one of the size of the largest read: most of
the memory of a mailbox that only waits. Here what came is given to OpenSSL `FED_BYTES` at a time and taken out at once, so
that nothing grows, whatever passed; the plain transport below shares its buffer with all others of the loop.

    connection_made ──► handshake ──done──► `on_ready`, then data goes up as it is read and down as it is written
                            └──error──► `handshaken` raises it as OpenSSL says it

The one above writes, aborts and asks for the socket here as it would of a transport.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

FED_BYTES = 16 * 1024


class Tls(asyncio.Protocol):
    """One connection as a client. `above` gets the data and hears of the end once the handshake is done."""

    def __init__(
        self,
        above: asyncio.Protocol,
        context: ssl.SSLContext,
        host: str,
        on_ready: Callable[["Tls"], None] | None = None,
    ) -> None:
        """Raises ValueError where `host` is no name."""
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._above = above
        self._on_ready = on_ready
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_over = False

    async def handshaken(self) -> None:
        """Waits for the handshake; raises what went wrong with it."""
        await asyncio.shield(self._handshake)

    # What is below calls --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._shake()

    def data_received(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), FED_BYTES):
            if self._is_over:
                return
            self._in.write(view[start : start + FED_BYTES])
            if not self._handshake.done():
                self._shake()
            if self._handshake.done() and not self._is_over:
                self._read()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._transport = None
        if not self._handshake.done():
            self._fail(exc or ConnectionResetError("the connection was closed during the TLS handshake"))
        elif self._handshake.exception() is None:
            self._above.connection_lost(exc)

    # What is above calls --------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Sends data."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError:
            self.abort()
        self._flush()

    def abort(self) -> None:
        """Drops the connection."""
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Lets nothing more come for a while; what the last read brought comes all the same."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Goes on."""
        if self._transport is not None:
            self._transport.resume_reading()

    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport below knows, and the TLS."""
        if name == "ssl_object":
            return self._tls
        return default if self._transport is None else self._transport.get_extra_info(name, default)

    # ------------------------------------------------------------------------------------------------------------------

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._flush()  # the other side hears why
            self._fail(error)
            self.abort()
            return
        self._flush()
        self._handshake.set_result(None)
        if self._on_ready is not None:
            self._on_ready(self)

    def _fail(self, error: Exception) -> None:
        self._is_over = True
        self._handshake.set_exception(error)
        self._handshake.exception()  # seen: nobody may be left to await it

    def _read(self) -> None:
        try:
            while not self._is_over and (data := self._tls.read(FED_BYTES)):
                self._above.data_received(data)
            self._is_over = True  # they said good-bye
            if self._transport is not None:
                self._transport.close()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            self._is_over = True
            self.abort()

    def _flush(self) -> None:
        if self._out.pending and self._transport is not None:
            self._transport.write(self._out.read())
