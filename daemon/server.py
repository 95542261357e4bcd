"""One listening server for webhooks, the API and the pages.

    Bounds            size and time of bodies
     └ Gate           who is asking; shut to whom it does not know
        └ FastAPI     /healthz /readyz /hooks/… /api/v1/… and the pages

The server runs in the daemon's own loop. Its socket is bound here, before anything else starts, so that a taken port is a
sentence and not a traceback. While the database is away or not yet migrated `/readyz` is 503, and webhooks are asked to
come again.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from config.tables import Endpoint
from daemon import webhooks
from daemon.api import contacts, records, system
from daemon.api.problems import Problem, problem_response
from daemon.auth import Gate
from daemon.bounds import Asgi, Bounds
from daemon.serving import Serving
from daemon.web import pages
from storage.errors import Conflict, NotFound, StorageDown, StorageError

LOG = structlog.get_logger()
BACKLOG = 2048
CONNECTIONS_MAX = 2000
KEEP_ALIVE_SECONDS = 20
GRACE_SECONDS = 4
READY_SECONDS = 2.0
API = "/api/v1"
Handler = Callable[[Request, Any], Awaitable[Response]]


class PortTaken(Exception):
    """Somebody else listens there."""


def build(serving: Serving) -> Asgi:
    """The application, with everything in front of it."""
    app = FastAPI(
        title="Ringmail", version="1", openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None,
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
            Route("/hooks/{source}", webhooks.receive, methods=["GET", "POST", "PUT"]),
            Route("/hooks/{source}/{rest:path}", webhooks.receive, methods=["GET", "POST", "PUT"]),
        ],
    )  # fmt: skip
    app.state.serving = serving
    for router in (records.router, contacts.router, system.router):
        app.include_router(router, prefix=API)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=str(files("daemon.web") / "static")), name="static")
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, answer)
    return Bounds(Gate(app, serving))


async def healthz(_: Request) -> Response:
    """The process lives."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """The database answers and is migrated."""
    serving: Serving = request.app.state.serving
    if serving.is_ready:
        with contextlib.suppress(StorageError, TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                await serving.database.ping()
            return PlainTextResponse("ready\n")
    return PlainTextResponse("the database is away\n", 503, {"Retry-After": "2"})


# ---- what was raised, as answers


async def _problem(_: Request, error: Any) -> Response:
    return problem_response(error)


async def _invalid(_: Request, error: Any) -> Response:
    found = [(_path(one["loc"]), str(one["msg"]).removeprefix("Value error, ")) for one in error.errors()[:50]]
    words = "; ".join(f"{path or 'body'}: {message}" for path, message in found[:5])
    return problem_response(Problem("invalid", f"The request can't be used: {words}.", errors=found))


def _path(where: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in where if part not in ("body", "query", "path"))


async def _not_found(_: Request, error: Any) -> Response:
    return problem_response(Problem("not_found", _sentence(error)))


async def _conflict(_: Request, error: Any) -> Response:
    return problem_response(Problem("conflict", _sentence(error)))


async def _down(request: Request, error: Any) -> Response:
    LOG.warning("a request waits for the database", path=request.url.path, reason=str(error))
    return problem_response(Problem("unavailable", "The database is away. Please try again in a moment."))


async def _http(_: Request, error: Any) -> Response:
    code = {404: "not_found", 405: "invalid", 413: "too_large"}.get(error.status_code, "invalid")
    detail = "There is nothing here." if error.status_code == 404 else HTTPStatus(error.status_code).phrase
    return problem_response(Problem(code, detail, status=error.status_code, headers=error.headers))


async def _unexpected(request: Request, error: Any) -> Response:
    LOG.error("a request failed", path=request.url.path, exc_info=error)
    body = Problem("unavailable", "Something went wrong here; the log of the daemon says what.", status=500)
    return problem_response(body)


def _sentence(error: object) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


_ANSWERS: Mapping[type[Exception], Handler] = {
    Problem: _problem,
    RequestValidationError: _invalid,
    NotFound: _not_found,
    Conflict: _conflict,
    StorageDown: _down,
    HTTPException: _http,
    Exception: _unexpected,
}


# ---- listening


def bind(where: Endpoint) -> socket.socket:
    """A listening socket. Raises PortTaken with a sentence."""
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            where.host, where.port, family=0 if where.host == "localhost" else family, type=socket.SOCK_STREAM
        )
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortTaken(
            f"Cannot listen on {where}: {reason}. Another program uses this address, or it is not one of this machine; "
            "stop that program, or set http.listen to another port."
        ) from None
    return listener


class Server(uvicorn.Server):
    """Leaves signals to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(app: Asgi) -> Server:
    """The server, ready for `serve(sockets=[…])`; `should_exit` ends it."""
    return Server(
        uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, proxy_headers=False, server_header=False,
            limit_concurrency=CONNECTIONS_MAX, timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS, h11_max_incomplete_event_size=64 * 1024, ws="none",
        )
    )  # fmt: skip
