"""TLS of our own: what goes through it comes out the same on both loops, however large, and every end is noticed."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme
import uvloop

from connectors.base import Unavailable
from connectors.mail.account import Account, Tls
from connectors.mail.session import ImapSession, opened
from tests.fakes.imap_script import ImapScript, folder, mails

LOOPS = [asyncio.run, uvloop.run]
BODY = random.Random(1).randbytes(3_000_000).hex().encode()


@asynccontextmanager
async def session(tls: Tls, server: ImapScript, authority: trustme.CA) -> AsyncIterator[ImapSession]:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with server, opened(Account("localhost", server.port, tls, "anna", "secret", trusting)) as one:
        yield one


def script(tls: Tls, authority: trustme.CA) -> ImapScript:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(serving)
    return ImapScript({"EXAMINE": folder(1), "FETCH": mails({1: BODY})}, serving, tls == "implicit")


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_large_mail_comes_through_unchanged(tls: Tls, run: Callable[[Awaitable[None]], None]) -> None:
    authority = trustme.CA()

    async def scenario() -> None:
        async with session(tls, script(tls, authority), authority) as one:
            await one.examine(b"INBOX")
            assert [mail.body == BODY for mail in await one.fetch([1])] == [True]

    run(scenario())


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_connection_that_ends_is_noticed_while_idling(tls: Tls, run: Callable[[Awaitable[None]], None]) -> None:
    authority = trustme.CA()

    async def scenario() -> None:
        server = script(tls, authority)
        async with session(tls, server, authority) as one:
            await one.examine(b"INBOX")
            idling = asyncio.create_task(one.idle(60))
            await server.heard("IDLE")
            server.hang_up()
            with pytest.raises(Unavailable, match="was lost"):
                await idling

    run(scenario())


@pytest.mark.parametrize("run", LOOPS)
def test_a_server_that_never_shakes_hands_is_given_up_with_the_task(run: Callable[[Awaitable[None]], None]) -> None:
    async def scenario() -> None:
        gone = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await reader.read()
            gone.set()
            writer.close()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connecting = asyncio.create_task(ImapSession.connect(Account("127.0.0.1", port, "implicit", "a", "b")))
            await asyncio.sleep(0.1)
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            async with asyncio.timeout(20):
                await gone.wait()

    run(scenario())
