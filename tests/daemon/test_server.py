"""The server: a real socket, errors as problems, headers that do not come, and a port that is taken."""

import asyncio
import contextlib
import io
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from config.load import loads
from config.tables import Endpoint
from daemon.bounds import Asgi, Bounds, Receive, Scope, Send
from daemon.filters import NAMES
from daemon.server import (
    CONNECTIONS_MAX,
    CONNECTIONS_MIN,
    CONNECTIONS_OVER_MAX,
    HEADER_BYTES_MAX,
    Patient,
    PortTaken,
    bind,
    build,
    connections_max,
    make_server,
    routes,
)
from storage.database import Database
from storage.errors import Conflict, NotFound
from tests.fakes.api import Api, make_api
from tests.fakes.asgi import ask, ask_in_pieces, scope_of


class Hasty(Patient):
    header_seconds_max = 0.1


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


def endpoint(listen: str) -> Endpoint:
    return loads(f'[http]\nlisten = "{listen}"', Path(), {}).settings.http.listen


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@contextlib.asynccontextmanager
async def served(
    app: Asgi = hello, protocol: type[Patient] = Hasty, connections: int | None = None
) -> AsyncIterator[int]:
    """A server on a port of its own."""
    listener = bind(endpoint("127.0.0.1:0"))
    server = make_server(app, protocol, connections)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def said(port: int, *pieces: bytes) -> bytes:
    """What the server says to these bytes until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(5):
            heard = await reader.read()
    await closed(writer)
    return heard


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_the_process_lives_and_the_database_is_ready(api: Api) -> None:
    assert ((await ask(api.app, "GET", "/healthz")).status, (await ask(api.app, "GET", "/readyz")).status) == (200, 200)


async def test_it_lives_but_is_not_ready_without_a_database(api: Api) -> None:
    api.serving.is_ready = False
    early = await ask(api.app, "GET", "/readyz")
    away = await Database.open("postgresql://x@127.0.0.1:9/x")
    api.serving.is_ready, api.serving.database = True, away
    late = await ask(api.app, "GET", "/readyz")

    assert [(one.status, one.headers["retry-after"]) for one in (early, late)] == [(503, "2")] * 2
    assert (await ask(api.app, "GET", "/healthz")).status == 200
    await away.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/interactions/", 404, "not_found"),
        ("GET", "/interactions/1", 422, "invalid"),
        ("PUT", "/interactions", 405, "invalid"),
        ("DELETE", "/me", 405, "invalid"),
        ("GET", "/events?after=-1", 422, "invalid"),
        ("GET", "/events?limit=201", 422, "invalid"),
        ("GET", "/interactions?typo=1", 422, "invalid"),
    ],
)
async def test_errors_are_problems(api: Api, method: str, path: str, status: int, code: str) -> None:
    answer = await api.ask(method, path)

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status, answer.json["status"], answer.json["code"]) == (status, status, code)
    assert answer.json["type"] == f"urn:ringmail:problem:{code}"
    assert answer.json["title"]
    assert answer.json["detail"].endswith(".")
    assert all(one["message"] for one in answer.json["errors"])
    if status == 405:
        assert answer.headers["allow"]


async def test_what_the_storage_raises_is_told_in_its_own_words(api: Api) -> None:
    app = routes(api.serving)

    @app.get("/raises/{what}")
    async def raises(what: str) -> None:
        raise {"NotFound": NotFound("there is no such chain"), "Conflict": Conflict("it is taken.")}[what]

    missing, taken = [await ask(app, "GET", f"/raises/{what}") for what in ("NotFound", "Conflict")]

    assert (missing.status, missing.json["detail"]) == (404, "There is no such chain.")
    assert (taken.status, taken.json["code"], taken.json["detail"]) == (409, "conflict", "It is taken.")


async def test_an_unexpected_error_is_told_without_what_it_was_and_logged_without_secrets(api: Api) -> None:
    app: FastAPI = routes(api.serving)

    @app.get("/hooks/{source}/x/{rest}")
    @app.get("/calendar/{rest}")
    @app.get("/api/v1/undo/{rest}")
    async def fails(rest: str) -> None:
        raise ZeroDivisionError("inner words")

    app.router.routes.sort(key=lambda route: getattr(route, "endpoint", None) is not fails)
    with capture_logs() as logs:
        for path in ("/hooks/main/x/canary", "/calendar/canary", "/api/v1/undo/canary"):
            parts: list[Any] = []

            async def send(message: object, parts: list[Any] = parts) -> None:
                parts.append(message)

            async def receive() -> dict[str, object]:
                return {"type": "http.request", "body": b""}

            with pytest.raises(ZeroDivisionError):
                await app(scope_of("GET", path), receive, send)
            body = json.loads(parts[1]["body"])
            assert (parts[0]["status"], body["code"]) == (500, "unavailable")
            assert "inner words" not in body["detail"]

    assert [one["path"] for one in logs] == ["/hooks/main/…", "/calendar/…", "/api/v1/undo/…"]


async def test_whoever_hangs_up_in_the_middle_is_no_error_of_ours(api: Api) -> None:
    async def gone() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        pass

    with capture_logs() as logs:
        await api.app(scope_of("POST", "/hooks/main"), gone, send)
        slow = await ask_in_pieces(build(api.serving, 0.05), scope_of("POST", "/hooks/main"), [b"{", None])

    assert slow.status == 408
    assert logs == []


async def test_the_interface_describes_itself(api: Api) -> None:
    described = (await api.get("/openapi.json")).json

    assert described["info"]["title"] == "Ringmail"
    assert "/api/v1/interactions/{interaction_id}" in described["paths"]
    told = {one["name"]: one["schema"] for one in described["paths"]["/api/v1/interactions"]["get"]["parameters"]}
    assert told.keys() >= NAMES
    assert told["direction"]["enum"] == ["incoming", "outgoing", "internal"]
    assert (told["contact"]["format"], told["type"]["type"]) == ("uuid", "array")


# Listening


async def test_requests_are_served_one_after_another_on_one_connection() -> None:
    async with served() as port:
        get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        heard = await said(port, get, get, get.replace(b"Host", b"Connection: close\r\nHost"))

    assert heard.count(b"hello") == 3


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_headers_that_do_not_come_are_not_waited_for(sent: bytes) -> None:
    async with served() as port:
        assert await said(port, sent) == b""
        assert b"hello" in await said(port, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")


async def test_nor_are_those_of_a_second_request_on_the_same_connection() -> None:
    async with served() as port:
        heard = await said(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nX")

    assert heard.count(b"HTTP/1.1 200") == 1


async def test_headers_without_end_are_refused() -> None:
    async with served(protocol=Patient) as port:
        heard = await said(port, b"GET / HTTP/1.1\r\n", *[b"X: " + b"y" * 8000 + b"\r\n"] * (HEADER_BYTES_MAX // 4000))

    assert heard == b"" or heard.startswith(b"HTTP/1.1 400")


async def test_a_large_body_is_answered_also_to_clients_that_first_say_everything() -> None:
    async with served(Bounds(hello, 5.0)) as port, aiohttp.ClientSession() as http:
        for body in (io.BytesIO(b"x" * 3_000_000), pieces(3_000_000)):
            async with http.post(f"http://127.0.0.1:{port}/hooks/main", data=body) as answer:
                assert (answer.status, (await answer.json(content_type=None))["code"]) == (413, "too_large")


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(0, count, 10_000):
        yield b"x" * 10_000


async def test_a_slow_body_is_answered_and_hung_up_on() -> None:
    async with served(Bounds(hello, 0.1)) as port:
        heard = await said(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")

    assert heard.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in heard.lower()


async def test_a_body_has_its_own_time_beside_that_of_the_headers() -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(0.2)
        writer.write(b"abc")
        async with asyncio.timeout(5):
            heard = await reader.read()
        await closed(writer)

    assert heard.endswith(b"hello")


async def test_many_that_send_nothing_hold_up_nobody() -> None:
    async with served(protocol=Patient) as port, contextlib.AsyncExitStack() as slow:
        for n in range(300):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            slow.push_async_callback(closed, writer)
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx" if n % 2 else b"GET / HTTP/1.1\r\nX-")

        assert b"hello" in await said(port, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")


async def test_more_connections_than_there_may_be_are_told_so_and_then_hung_up_on() -> None:
    request = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    async with served(protocol=Patient, connections=2) as port:
        async with contextlib.AsyncExitStack() as slow:
            told = b""
            for n in range(2 + CONNECTIONS_OVER_MAX):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                slow.push_async_callback(closed, writer)
                if n == 2:
                    told = await said(port, request)
            dropped = await said(port, request)

        assert told.startswith(b"HTTP/1.1 503")
        assert dropped == b""
        while b"hello" not in await said(port, request):  # those that waited have left
            await asyncio.sleep(0.01)


def test_the_system_is_asked_for_as_many_files_as_it_grants() -> None:
    first, again = connections_max(), connections_max()

    assert CONNECTIONS_MIN <= first <= CONNECTIONS_MAX
    assert again == first


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
def test_an_address_of_this_machine_can_be_listened_on(listen: str) -> None:
    if "::" in listen and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with bind(endpoint(listen)) as listener:
        assert listener.getsockname()[1] > 0


def test_a_taken_port_is_a_sentence() -> None:
    with bind(endpoint("127.0.0.1:0")) as first:
        port = first.getsockname()[1]

        with pytest.raises(PortTaken, match=rf"Cannot listen on 127\.0\.0\.1:{port}: .* another port\."):
            bind(endpoint(f"127.0.0.1:{port}"))


def test_an_address_of_another_machine_is_a_sentence_too() -> None:
    with pytest.raises(PortTaken, match="not one of this machine"):
        bind(endpoint("192.0.2.1:8025"))


@pytest.mark.parametrize("body", [b"{bad", '{"topic": "тема"}'.encode("cp1251"), b""])
async def test_a_body_that_is_no_json_is_told_so(api: Api, body: bytes) -> None:
    answer = await api.post("/subjects", body)

    assert answer.json["code"] == "invalid"
    assert answer.status == (400 if body else 422)
    if body:
        assert answer.json["detail"] == "The body can't be read as JSON in UTF-8."
