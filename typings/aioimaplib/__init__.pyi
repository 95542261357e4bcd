"""What we use of aioimaplib 2.0.3: its command table, states, tags, commands and the hook that makes the client."""

import asyncio
from collections.abc import Callable
from enum import Enum
from ssl import SSLContext
from typing import Any, NamedTuple

class Exec(Enum):
    is_sync = 1
    is_async = 2

class Cmd(NamedTuple):
    name: str
    valid_states: tuple[str, ...]
    exec: Exec

STARTED: str
CONNECTED: str
NONAUTH: str
AUTH: str
SELECTED: str
LOGOUT: str
Commands: dict[str, Cmd]

class Response(NamedTuple):
    result: str
    lines: list[bytes]

class Command:
    name: str
    tag: str
    def __init__(
        self,
        name: str,
        tag: str,
        *args: str,
        prefix: str | None = ...,
        untagged_resp_name: str | None = ...,
        loop: asyncio.AbstractEventLoop | None = ...,
        timeout: float | None = ...,
    ) -> None: ...

class IMAP4ClientProtocol(asyncio.Protocol):
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport | None
    state: str
    capabilities: set[str]
    def __init__(
        self, loop: asyncio.AbstractEventLoop | None, conn_lost_cb: Callable[[Exception | None], None] | None = ...
    ) -> None: ...
    def new_tag(self) -> str: ...

class IMAP4:
    TIMEOUT_SECONDS: float
    timeout: float
    host: str
    port: int
    protocol: Any
    _client_task: asyncio.Task[Any]
    def __init__(
        self,
        host: str = ...,
        port: int = ...,
        loop: asyncio.AbstractEventLoop | None = ...,
        timeout: float = ...,
        conn_lost_cb: Callable[[Exception | None], None] | None = ...,
        ssl_context: SSLContext | None = ...,
    ) -> None: ...
    def create_client(
        self,
        host: str,
        port: int,
        loop: asyncio.AbstractEventLoop | None,
        conn_lost_cb: Callable[[Exception | None], None] | None = ...,
        ssl_context: SSLContext | None = ...,
    ) -> None: ...
    async def wait_hello_from_server(self) -> None: ...
