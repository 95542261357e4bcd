"""The connection: whatever the server does, a command ends, with the server's words, and nothing is mixed up."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from connectors.base import Unavailable
from connectors.mail.arguments import Literal
from connectors.mail.client import KEEPALIVE_SECONDS, ImapClient
from connectors.mail.protocol import UNSOLICITED_MAX, ImapProtocol, kind_of
from connectors.mail.refusals import TooMany
from connectors.mail.responses import Garbled, Response
from tests.fakes.imap_script import CLOSE, OK, Book, ImapScript


@asynccontextmanager
async def connected(
    server: ImapScript, literal_bytes_max: int = 10_000, quiet_seconds: float = 5.0
) -> AsyncIterator[ImapProtocol]:
    """A connection that is greeted, and logged in as far as the library can tell."""
    client = ImapClient(server.host, server.port, None, literal_bytes_max, quiet_seconds)
    await client.wait_hello_from_server()
    client.protocol.state = "SELECTED"
    try:
        yield client.protocol
    finally:
        client.protocol.break_off(Unavailable("the test is over"))
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("greeting", "error", "words"),
    [
        (b"* BYE too many connections\r\n" + CLOSE, TooMany, "no more connections from this machine: too many"),
        (b"* BYE back in an hour\r\n" + CLOSE, Unavailable, "refuses the connection: back in an hour"),
        (b"220 smtp.example.org ESMTP\r\n", Garbled, "does not greet as an IMAP server"),
        (b"SSH-2.0-OpenSSH_9\r\n", Garbled, "does not greet as an IMAP server"),
        (b"\x15\x03\x01\x00\x02\x02\x46" * 3 + b"\n", Garbled, "check host and port"),
        (CLOSE, Unavailable, "was lost"),
    ],
)
async def test_greetings(greeting: bytes, error: type[Unavailable], words: str) -> None:
    async with ImapScript({"GREETING": greeting}) as server:
        with pytest.raises(error, match=words):
            async with connected(server):
                pass


@pytest.mark.parametrize("greeting", [b"", b"* O"])
async def test_a_greeting_that_does_not_come_is_not_waited_for_without_end(greeting: bytes) -> None:
    async with ImapScript({"GREETING": greeting}) as server:
        client = ImapClient(server.host, server.port, None, 1000, 5.0)
        client.timeout = 0.05
        with pytest.raises(TimeoutError):
            await client.wait_hello_from_server()


async def test_an_answer_holds_what_was_asked_for_and_the_rest_is_news() -> None:
    said = b"* 3 EXISTS\r\n* SEARCH 1 2\r\n* 1 FETCH (FLAGS ())\r\n* OK still here\r\n* 2 EXPUNGE\r\n%T OK fine\r\n"
    async with ImapScript({"SEARCH": said}) as server, connected(server) as protocol:
        answer = await protocol.run("SEARCH", b"ALL", wanted=(b"SEARCH",), prefix="UID")

        assert (answer.result, answer.text) == ("OK", b"fine")
        assert [response.text for response in answer.responses] == [b"* SEARCH 1 2"]
        assert protocol.take_changes() == [(b"EXISTS", b"3"), (b"FETCH", b"1"), (b"EXPUNGE", b"2")]
        assert protocol.take_changes() == []


async def test_a_refusal_leaves_the_connection_alive() -> None:
    async with ImapScript({"SEARCH": [b"%T NO not now\r\n", OK]}) as server, connected(server) as protocol:
        assert (await protocol.run("SEARCH", b"ALL")).result == "NO"
        assert (await protocol.run("SEARCH", b"ALL")).is_ok


async def test_commands_take_turns() -> None:
    book: Book = {"SEARCH": lambda words: b"* SEARCH %s\r\n" % words.encode() + OK}
    async with ImapScript(book) as server, connected(server) as protocol:
        answers = await asyncio.gather(*(protocol.run("SEARCH", b"%d" % n, wanted=(b"SEARCH",)) for n in range(20)))

    assert [answer.responses[0].text for answer in answers] == [b"* SEARCH %d" % n for n in range(20)]


FAULTS = [
    (b"* BYE going down\r\n", Unavailable, "ended the session: going down"),
    (b"* BYE going down\r\n" + CLOSE, Unavailable, "ended the session: going down"),
    (CLOSE, Unavailable, "was lost"),
    (b"* 1 FETCH (UID 1 BODY[] {5000}\r\nbegun" + CLOSE, Unavailable, "was lost"),
    (b"* 1 FETCH (UID 1 BODY[] {10001}\r\n", Garbled, "announced 10001 bytes"),
    (b"* 1 FETCH (UID 1 BODY[] {99999999999999999999}\r\n", Garbled, "announced"),
    (b"\xff\x00 garbage\r\n", Garbled, "nobody asked for"),
    (b"\r\n", Garbled, "nobody asked for"),
    (b"X999 OK done\r\n", Garbled, "nobody asked for"),
    (b"%T MAYBE done\r\n", Garbled, "nobody asked for"),
    (b"+ more please\r\n", Garbled, "asked for more without reason"),
    (b"* 1 FETCH (X)\r\n" * 600_000, Garbled, "without end"),
]


@pytest.mark.parametrize(("said", "error", "words"), FAULTS)
async def test_a_fault_ends_the_command_and_the_connection(said: bytes, error: type[Unavailable], words: str) -> None:
    async with ImapScript({"FETCH": said}) as server, connected(server) as protocol:
        with pytest.raises(error, match=words):
            await protocol.run("FETCH", b"1", b"(UID)", wanted=(b"FETCH",), prefix="UID")

        with pytest.raises(error, match=words):  # the first reason stays
            await protocol.run("NOOP")
        with pytest.raises(error, match=words):
            await protocol.idle(1)


@pytest.mark.parametrize("said", [b"", b"* SEARCH 1", b"* 1 FETCH (BODY[] {100}\r\nbegun"])
async def test_silence_ends_the_command(said: bytes) -> None:
    async with ImapScript({"SEARCH": said}) as server, connected(server, quiet_seconds=0.05) as protocol:
        with pytest.raises(Unavailable, match="gave no answer to SEARCH"):
            await protocol.run("SEARCH", b"ALL")

        assert protocol.broken is not None


async def test_a_slow_server_is_waited_for_as_long_as_it_goes_on_sending() -> None:
    async with ImapScript({"SEARCH": b""}) as server, connected(server, quiet_seconds=1.5) as protocol:
        asked = asyncio.create_task(protocol.run("SEARCH", b"ALL", wanted=(b"SEARCH",)))
        await server.heard("SEARCH")
        for _ in range(8):
            await asyncio.sleep(0.25)
            server.push(b"* OK still searching\r\n")
        assert not asked.done()
        server.hang_up()

        with pytest.raises(Unavailable):
            await asked


async def test_a_command_that_is_cancelled_takes_the_connection_with_it() -> None:
    async with ImapScript({"SEARCH": b""}) as server, connected(server) as protocol:
        asked = asyncio.create_task(protocol.run("SEARCH", b"ALL"))
        await server.heard("SEARCH")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

        with pytest.raises(Unavailable, match="given up in the middle"):
            await protocol.run("NOOP")


async def test_news_are_bounded() -> None:
    async with ImapScript({"NOOP": b"* 1 EXISTS\r\n" * 50_000 + OK}) as server, connected(server) as protocol:
        await protocol.run("NOOP")

        assert len(protocol.take_changes()) == UNSOLICITED_MAX


async def test_literals_wait_for_the_server_to_agree() -> None:
    async with ImapScript() as server, connected(server) as protocol:
        protocol.state = "NONAUTH"
        await protocol.run("LOGIN", Literal("Анна".encode()), Literal(b"{5}"))

        assert server.asked == ["LOGIN Анна {5}"]


async def test_a_literal_that_is_refused_is_not_sent() -> None:
    heard_after: asyncio.Queue[bytes] = asyncio.Queue()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        first = await reader.readline()
        writer.write(first.split()[0] + b" NO too long\r\n")
        await heard_after.put(await reader.readline())
        writer.close()

    listening = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with listening:
        client = ImapClient("127.0.0.1", listening.sockets[0].getsockname()[1], None, 1000, 5.0)
        await client.wait_hello_from_server()
        answer = await client.protocol.run("LOGIN", Literal(b"secret"), b"x")
        assert answer.result == "NO"
        client.protocol.break_off(Unavailable("over"))
        assert await heard_after.get() == b""


# IDLE -----------------------------------------------------------------------------------------------------------------


async def test_idle_ends_when_mail_comes() -> None:
    async with ImapScript() as server, connected(server) as protocol:
        idling = asyncio.create_task(protocol.idle(60))
        await server.heard("IDLE")
        server.push(b"* 5 EXISTS\r\n")

        assert await idling is True
        assert server.asked == ["IDLE", "DONE"]
        assert protocol.take_changes() == [(b"EXISTS", b"5")]


async def test_news_in_one_breath_with_the_start_are_not_lost() -> None:
    async with ImapScript({"IDLE": b"+ idling\r\n* 5 EXISTS\r\n"}) as server, connected(server) as protocol:
        assert await protocol.idle(60) is True


async def test_news_from_before_are_told_at_once() -> None:
    async with ImapScript({"NOOP": b"* 5 EXISTS\r\n" + OK}) as server, connected(server) as protocol:
        await protocol.run("NOOP")

        assert await protocol.idle(60) is True


async def test_idle_ends_after_its_time_and_the_connection_goes_on() -> None:
    async with ImapScript() as server, connected(server) as protocol:
        assert await protocol.idle(0.02) is False
        assert await protocol.idle(0.02) is False
        assert (await protocol.run("NOOP")).is_ok


@pytest.mark.parametrize("said", [b"%T NO not here\r\n", b"%T BAD what\r\n"])
async def test_a_server_that_will_not_idle_says_so(said: bytes) -> None:
    async with ImapScript({"IDLE": said}) as server, connected(server) as protocol:
        assert await protocol.idle(60) is None
        assert (await protocol.run("NOOP")).is_ok


async def test_a_server_may_end_idle_by_itself() -> None:
    async with ImapScript({"IDLE": b"+ idling\r\n%T OK enough\r\n"}) as server, connected(server) as protocol:
        assert await protocol.idle(60) is False
        assert (await protocol.run("NOOP")).is_ok


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"* BYE Session expired\r\n" + CLOSE, "ended the session: Session expired"),
        (b"+ idling\r\n* BYE Session expired\r\n" + CLOSE, "ended the session: Session expired"),
        (b"+ idling\r\n" + CLOSE, "was lost"),
        (b"+ idling\r\n* 1 FETCH (X {4000}\r\n" + CLOSE, "was lost"),
    ],
)
async def test_a_connection_that_ends_while_idling_is_noticed_at_once(said: bytes, words: str) -> None:
    async with ImapScript({"IDLE": said}) as server, connected(server) as protocol:
        with pytest.raises(Unavailable, match=words):
            await protocol.idle(3600)


async def test_a_server_that_does_not_start_idling_is_left() -> None:
    async with ImapScript({"IDLE": b""}) as server, connected(server, quiet_seconds=0.05) as protocol:
        with pytest.raises(Unavailable, match="gave no answer to IDLE"):
            await protocol.idle(3600)


async def test_an_idle_that_does_not_end_is_found_dead_whatever_else_the_server_says() -> None:
    async with ImapScript({"DONE": b"* OK Still here\r\n"}) as server, connected(server) as protocol:
        assert protocol.done_seconds == 15
        protocol.done_seconds = 0.2
        idling = asyncio.create_task(protocol.idle(0.01))
        await server.heard("DONE")
        while not idling.done():
            server.push(b"* OK Still here\r\n")
            await asyncio.sleep(0.02)

        with pytest.raises(Unavailable, match="gave no answer to IDLE"):
            await idling


async def test_signs_of_life_end_no_idle_and_are_no_news() -> None:
    async with ImapScript() as server, connected(server) as protocol:
        idling = asyncio.create_task(protocol.idle(60))
        await server.heard("IDLE")
        server.push(b"* OK Still here\r\n" * 5)
        await asyncio.sleep(0.05)
        assert not idling.done()
        server.push(b"* 1 EXISTS\r\n")

        assert await idling is True
        assert not protocol.was_deaf


async def test_news_that_come_only_as_idle_ends_are_late() -> None:
    async with ImapScript({"DONE": b"* 5 EXISTS\r\n" + OK}) as server, connected(server) as protocol:
        assert await protocol.idle(0.02) is True
        assert protocol.was_deaf


async def test_the_system_looks_after_a_silent_connection() -> None:
    async with ImapScript() as server, connected(server) as protocol:
        assert protocol.transport is not None
        plug = protocol.transport.get_extra_info("socket")

        assert plug.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == KEEPALIVE_SECONDS


async def test_idle_that_is_cancelled_takes_the_connection_with_it() -> None:
    async with ImapScript() as server, connected(server) as protocol:
        idling = asyncio.create_task(protocol.idle(3600))
        await server.heard("IDLE")
        idling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await idling

        assert protocol.broken is not None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"* 12 EXISTS", b"EXISTS"),
        (b"* list () x", b"LIST"),
        (b"* OK [X] words", b"OK"),
        (b"*", b""),
        (b"", b""),
        (b"* 12", b"12"),
    ],
)
def test_kinds_of_responses(text: bytes, kind: bytes) -> None:
    assert kind_of(Response((text,))) == kind
