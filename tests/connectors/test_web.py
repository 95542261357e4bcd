"""The HTTP client against a small server of our own: what comes back, and where it stops."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.base import Unavailable
from connectors.web import Web


class Server:
    """Takes one request a connection and lets `answerer` answer it."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[bytes, bytes]] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: 1\r\n\r\n{}"
        self.endless = False
        self.silent = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            self.requests.append((head, await reader.readexactly(size)))
            if self.silent:
                await reader.read()
            writer.write(self.answer)
            while self.endless:
                writer.write(b"x" * 10_000)
                await writer.drain()
        except OSError:
            pass  # the client had enough
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield made
    listening.close()
    await listening.wait_closed()


async def test_a_body_arrives_as_it_is_and_the_answer_comes_back(server: Server) -> None:
    async with Web() as web:
        answer = await web.post(f"{server.url}/hooks/main?a=1", "тело".encode(), {"X-Proof": "yes"})

    head, body = server.requests[0]
    assert head.startswith(b"POST /hooks/main?a=1 HTTP/1.1\r\n")
    assert b"\r\nX-Proof: yes\r\n" in head
    assert body == "тело".encode()
    assert (answer.status, answer.body, answer.headers["x-one"], answer.is_cut) == (200, b"{}", "1", False)


@pytest.mark.parametrize(("status", "is_ok"), [(204, True), (302, False), (403, False), (503, False)])
async def test_a_status_is_told_and_no_redirect_is_followed(server: Server, status: int, is_ok: bool) -> None:
    server.answer = f"HTTP/1.1 {status} X\r\nLocation: {server.url}/other\r\nContent-Length: 0\r\n\r\n".encode()

    async with Web() as web:
        answer = await web.post(server.url, b"")

    assert (answer.status, answer.is_ok) == (status, is_ok)
    assert len(server.requests) == 1


async def test_an_endless_answer_is_cut(server: Server) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\n\r\n"
    server.endless = True

    async with Web(answer_bytes_max=25_000) as web:
        answer = await web.post(server.url, b"")

    assert answer.is_cut
    assert len(answer.body) == 25_000


async def test_a_silent_server_is_given_up(server: Server) -> None:
    server.silent = True

    async with Web() as web:
        with pytest.raises(Unavailable, match="no answer within"):
            await web.post(server.url, b"", seconds=0.2)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/secret", "nonsense", "http://[::1", "ftp://a.example/"])
async def test_what_cannot_be_reached_is_unavailable_and_tells_no_path(url: str) -> None:
    async with Web() as web:
        with pytest.raises(Unavailable) as told:
            await web.post(url, b"")

    assert "secret" not in str(told.value)


async def test_a_broken_answer_is_unavailable(server: Server) -> None:
    server.answer = b"SMTP is not HTTP\r\n\r\n"

    async with Web() as web:
        with pytest.raises(Unavailable):
            await web.post(server.url, b"")


async def test_a_closed_client_opens_anew(server: Server) -> None:
    web = Web()
    await web.post(server.url, b"1")
    await web.close()
    await web.post(server.url, b"2")
    await web.close()

    assert [body for _, body in server.requests] == [b"1", b"2"]


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1", id="usual"),
        pytest.param("127.1", id="short"),
        pytest.param("2130706433", id="one number"),
        pytest.param("127.0.0.1.", id="with a dot behind"),
        pytest.param("\uff11\uff12\uff17.0.0.1", id="wide digits"),
        pytest.param("127\u30020\u30020\u30021", id="dots of another script"),
        pytest.param("[::ffff:127.0.0.1]", id="within IPv6"),
        pytest.param("localhost", id="a name"),
    ],
)
async def test_a_private_address_is_not_asked_in_whatever_way_it_is_written(server: Server, host: str) -> None:
    url = server.url.replace("127.0.0.1", host)

    async with Web() as web:
        with pytest.raises(Unavailable):
            await web.get(f"{url}/1.mp3", bytes_max=1000, types=("audio/",), seconds=5.0)

    assert server.requests == []
