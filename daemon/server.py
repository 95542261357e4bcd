"""One listening server for webhooks, the API and the pages.

    Patient           size and time of headers
     └ Bounds         size and time of bodies
        └ Gate        who is asking; shut to whom it does not know
           └ FastAPI  /healthz /readyz /hooks/… /api/v1/… and the pages

The server runs in the daemon's own loop. Its socket is bound here, before anything else starts, so that a taken port is a
sentence and not a traceback. While the database is away or not yet migrated `/readyz` is 503, and webhooks are asked to
come again.
"""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from config.tables import Endpoint
from daemon import webhooks
from daemon.access import Withheld
from daemon.api import (
    acts,
    attachments,
    audit,
    calendars,
    completing,
    contactacts,
    contacts,
    events,
    parties,
    personal,
    records,
    sources,
    subjects,
    system,
    undo,
    uploads,
    users,
)
from daemon.api.problems import Problem, problem_response
from daemon.auth import Gate, path_of
from daemon.bounds import BODY_SECONDS_MAX, Asgi, Bounds, OutOfBounds, Receive, Scope, Send
from daemon.serving import Serving
from daemon.web import pages
from daemon.web.render import not_found, wants_page
from storage.errors import Conflict, NotFound, StorageDown, StorageError

LOG = structlog.get_logger()
BACKLOG = 2048
CONNECTIONS_MAX = 8000
CONNECTIONS_MIN = 32
CONNECTIONS_OVER_MAX = 64  # so many more hear 503; those beyond are hung up on
FILES_FOR_OTHERS = 256  # of what the system lets us have open: the database, mailboxes, processes that read
KEEP_ALIVE_SECONDS = 20
GRACE_SECONDS = 4
READY_SECONDS = 2.0
HEADER_BYTES_MAX = 64 * 1024
HEADER_SECONDS_MAX = 10.0
API = "/api/v1"
NO_JSON = "The body can't be read as JSON in UTF-8."
Handler = Callable[[Request, Any], Awaitable[Response]]


class PortTaken(Exception):
    """Somebody else listens there."""


def build(serving: Serving, body_seconds_max: float = BODY_SECONDS_MAX) -> Asgi:
    """The application, with everything in front of it."""
    return Bounds(Doors(hooks(serving), Gate(routes(serving), serving)), body_seconds_max)


class Doors:
    """Webhooks have a door of their own: they come in crowds, and nothing of what people and programs need concerns them."""

    def __init__(self, hooks: Asgi, others: Asgi) -> None:
        self._hooks = hooks
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_hook = scope["type"] == "http" and str(scope["path"]).startswith("/hooks/")
        await (self._hooks if is_hook else self._others)(scope, receive, send)


def hooks(serving: Serving) -> Asgi:
    """The routes of webhooks."""
    methods = ["GET", "POST", "PUT"]
    app = Starlette(
        routes=[
            Route("/hooks/{source}", webhooks.receive, methods=methods),
            Route("/hooks/{source}/{rest:path}", webhooks.receive, methods=methods),
        ],
        exception_handlers=dict(_ANSWERS),
    )
    app.router.redirect_slashes = False
    app.state.serving = serving
    return app


def routes(serving: Serving) -> FastAPI:
    """The routes, and what becomes of their errors."""
    app = FastAPI(
        title="Ringmail", version="1", openapi_url=f"{API}/openapi.json", docs_url=None, redoc_url=None,
        redirect_slashes=False,  # there is one address for each thing
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
        ],
    )  # fmt: skip
    app.state.serving = serving
    for router in (
        acts.router,
        attachments.router,
        calendars.router,
        audit.router,
        completing.router,
        uploads.router,  # before the one that takes records of the same address
        records.router,
        contactacts.router,
        contacts.router,
        events.router,
        personal.router,
        sources.router,
        subjects.router,
        system.router,
        undo.router,
        users.router,
        parties.router,
    ):
        app.include_router(router, prefix=API)
    app.include_router(system.metrics_router)
    app.include_router(calendars.open_router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=str(files("daemon.web") / "static")), name="static")
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, answer)
    return app


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
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return problem_response(Problem("invalid", NO_JSON, status=400, errors=[("", "is no JSON")]))
    words = "; ".join(f"{path or 'body'}: {message}" for path, message in found[:5])
    return problem_response(Problem("invalid", f"The request can't be used: {words}.", errors=found))


def _path(where: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in where if part not in ("body", "query", "path"))


async def _not_found(_: Request, error: Any) -> Response:
    return problem_response(Problem("not_found", _sentence(error)))


async def _conflict(_: Request, error: Any) -> Response:
    return problem_response(Problem("conflict", _sentence(error)))


async def _withheld(_: Request, error: Any) -> Response:
    return problem_response(Problem("forbidden", _sentence(error)))


async def _down(request: Request, error: Any) -> Response:
    LOG.warning("a request waits for the database", path=_shown_path(request), reason=str(error))
    return problem_response(Problem("unavailable", "The database is away. Please try again in a moment."))


async def _http(request: Request, error: Any) -> Response:
    if error.status_code == 404 and wants_page(request):
        return not_found(request)
    code = {404: "not_found", 405: "invalid", 413: "too_large"}.get(error.status_code, "invalid")
    detail = "There is nothing here." if error.status_code == 404 else f"{HTTPStatus(error.status_code).phrase}."
    if error.status_code == HTTPStatus.BAD_REQUEST:  # what the framework makes of bytes that are no text
        detail = NO_JSON
    return problem_response(Problem(code, detail, status=error.status_code, headers=error.headers))


async def _unexpected(request: Request, error: Any) -> Response:
    LOG.error("a request failed", path=_shown_path(request), exc_info=error)
    body = Problem("unavailable", "Something went wrong here; the log of the daemon says what.", status=500)
    return problem_response(body)


async def _not_read(_: Request, __: Any) -> Response:
    return Response(status_code=400)  # nobody hears it: `Bounds` answers, or the client has gone


def _shown_path(request: Request) -> str:
    """A path as it may be logged: what follows the name of a source, or stands for a calendar or an undo, may be
    a secret."""
    path = path_of(request.scope)
    first, second, *rest = [*path.strip("/").split("/", 2), "", ""]
    if first == "calendar":
        return "/calendar/…"
    if path.startswith(f"{API}/undo/"):
        return f"{API}/undo/…"
    return f"/hooks/{second}/…" if first == "hooks" and rest[0] else path


def _sentence(error: object) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


_ANSWERS: Mapping[type[Exception], Handler] = {
    Problem: _problem,
    RequestValidationError: _invalid,
    NotFound: _not_found,
    Conflict: _conflict,
    Withheld: _withheld,
    StorageDown: _down,
    HTTPException: _http,
    OutOfBounds: _not_read,
    ClientDisconnect: _not_read,
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
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            listener.setblocking(False)
            undo.pop_all()
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortTaken(
            f"Cannot listen on {where}: {reason}. Another program uses this address, or it is not one of this machine; "
            "stop that program, or set http.listen to another port."
        ) from None
    return listener


class Patient(HttpToolsProtocol):
    """Waits for the headers of a request, but neither for ever nor for any size; the library has no bound for either."""

    header_seconds_max = HEADER_SECONDS_MAX
    _timer: asyncio.TimerHandle | None = None
    _bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency + CONNECTIONS_OVER_MAX:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        before: RequestResponseCycle | None = self.cycle
        if self._timer is None and (before is None or before.response_complete):
            self._wait()  # the next request on this connection begins
        super().data_received(data)
        if self._timer is not None:
            self._bytes += len(data)
            if self._bytes > HEADER_BYTES_MAX:
                self._stop_waiting()
                self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._wait()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._bytes = 0
        self._timer = self.loop.call_later(self.header_seconds_max, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Server(uvicorn.Server):
    """Leaves signals to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def connections_max() -> int:
    """How many connections there may be at once. Systems grant few open files at first and many to who asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + CONNECTIONS_OVER_MAX + FILES_FOR_OTHERS
    granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < granted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    return max(granted - CONNECTIONS_OVER_MAX - FILES_FOR_OTHERS, CONNECTIONS_MIN)


def make_server(app: Asgi, protocol: type[Patient] = Patient, connections: int | None = None) -> Server:
    """The server, ready for `serve(sockets=[…])`; `should_exit` ends it."""
    return Server(
        uvicorn.Config(
            app, http=protocol, lifespan="off", log_config=None, access_log=False, proxy_headers=False, server_header=False,
            limit_concurrency=connections or connections_max(), timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS, ws="none",
        )
    )  # fmt: skip
