"""A token endpoint (RFC 6749 §3.2) that answers what the test says, and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl


class TokenEndpoint:
    """`answers` are given in turn, the last one for ever: a status and an object, or bytes as they are."""

    def __init__(self, *answers: tuple[int, dict[str, Any] | bytes]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, str]] = []
        self.headers = ""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        self.asked.append(dict(parse_qsl((await reader.readexactly(size)).decode())))
        status, said = self.answers[min(len(self.asked), len(self.answers)) - 1]
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{self.headers}\r\n".encode() + body)
        writer.close()


@asynccontextmanager
async def running_endpoint(*answers: tuple[int, dict[str, Any] | bytes]) -> AsyncIterator[TokenEndpoint]:
    """The endpoint for the length of a `with`."""
    endpoint = TokenEndpoint(*answers)
    listening = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/token"
    try:
        yield endpoint
    finally:
        listening.close()
        await listening.wait_closed()
