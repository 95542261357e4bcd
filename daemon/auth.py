"""Who is asking: a session's cookie or a bearer token. One gate in front of all routes; what it does not know, it shuts.

    open to everybody   /healthz /readyz /hooks/… /login /static/… /calendar/….ics
    everything else     a viewer, or 401; a page that was asked for as HTML is sent to /login?next=… with 303

A cookie is only believed for a change (POST, PATCH, PUT, DELETE) when the browser says that our own page sent it
(Sec-Fetch-Site, else Origin against Host): that is what stops other sites from acting in a user's name. Tokens need no
such proof, no browser sends them by itself.

Readers may only read. Whatever a viewer changes is written down in the viewer's name (`storage.audit`). Of sessions and tokens only hashes are stored; neither is ever logged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from config.tables import Networks
from daemon.api.problems import Problem, problem_response
from daemon.bounds import Asgi, Receive, Scope, Send
from daemon.passwords import TOKEN_PREFIX, digest
from daemon.serving import Serving
from storage import people
from storage.audit import Actor, acting
from storage.errors import StorageError

COOKIE = "ringmail_session"
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login"})
OPEN_PREFIXES = ("/hooks/", "/static/", "/calendar/")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
API = "/api/"
SIGN_OUT = "/logout"
SECRET_CHARS_MAX = 200
ADDRESS_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. A token has no `user_id`; `language` is None where none was chosen."""

    name: str
    role: str
    user_id: UUID | None = None
    token_id: UUID | None = None
    language: str | None = None

    @property
    def may_write(self) -> bool:
        return self.role in ("admin", "member")

    @property
    def owner(self) -> str:
        """Whose Idempotency-Keys these are."""
        return f"user:{self.user_id}" if self.user_id else f"token:{self.token_id}"


def serving_of(request: Request) -> Serving:
    """What the daemon lends to a request."""
    found: Serving = request.app.state.serving
    return found


def viewer_of(request: Request) -> Viewer:
    """Who asks; the gate has made sure that it is somebody."""
    found = request.scope.get("ringmail.viewer")
    if not isinstance(found, Viewer):
        raise Problem("unauthenticated", "Sign in, or send a token: Authorization: Bearer …")
    return found


def path_of(scope: Scope) -> str:
    """The path that routes are found by. Never `request.url`: that is put together from the Host a client sends."""
    return str(scope["path"])


def is_open(path: str) -> bool:
    """Whether a path is for everybody."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


class Gate:
    """The ASGI middleware in front of all routes."""

    def __init__(self, app: Asgi, serving: Serving) -> None:
        self._app = app
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # nothing but HTTP is spoken here
        if is_open(path_of(scope)):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal = await self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        with acting(_actor_of(request, viewer_of(request), self._serving.settings.http.trusted_proxies)):
            await self._app(scope, receive, send)

    async def _refusal(self, request: Request) -> Response | None:
        """None for a viewer who may do this; who it is stands in the scope then."""
        try:
            viewer = await find_viewer(self._serving, request)
        except StorageError:
            return problem_response(Problem("unavailable", "The database is away. Please try again in a moment."))
        if viewer is None:
            return _unknown(request)
        if request.method not in SAFE_METHODS:
            if viewer.user_id is not None and not comes_from_us(request.headers):
                return problem_response(Problem("forbidden", "This change was not sent by a page of ours."))
            if not viewer.may_write and path_of(request.scope) != SIGN_OUT:
                return problem_response(Problem("forbidden", f"{viewer.name} may read, but not change anything."))
        request.scope["ringmail.viewer"] = viewer
        return None


async def find_viewer(serving: Serving, request: Request) -> Viewer | None:
    """The person of the session, or the program of the token. A wrong token is nobody, whatever cookie stands beside."""
    given = request.headers.get("authorization")
    if given is not None:
        scheme, _, secret = given.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret.startswith(TOKEN_PREFIX) or len(secret) > SECRET_CHARS_MAX:
            return None
        async with serving.database.connection() as db:
            token = await people.find_token(db, digest(secret))
        if token is None:
            return None
        role = "admin" if "admin" in token.scopes else "member" if "write" in token.scopes else "reader"
        return Viewer(token.name, role, token_id=token.id)
    cookie = request.cookies.get(COOKIE)
    if not cookie or len(cookie) > SECRET_CHARS_MAX:
        return None
    async with serving.database.connection() as db:
        user = await people.user_of_session(db, digest(cookie))
    return Viewer(user.name, user.role, user_id=user.id, language=user.language) if user else None


def comes_from_us(headers: Mapping[str, Any]) -> bool:
    """Whether a browser says that the request began on our own page."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(str(origin)).netloc == headers.get("host")


def _actor_of(request: Request, viewer: Viewer, trusted: Networks) -> Actor:
    kind = "user" if viewer.user_id else "token"
    return Actor(kind, viewer.name, viewer.user_id or viewer.token_id, client_address(request, trusted))


def client_address(request: Request, trusted: Networks) -> str:
    """Who is at the other end: the last address in X-Forwarded-For that no proxy of ours wrote, or the peer itself."""
    peer = request.client.host if request.client else ""
    if not trusted:
        return peer
    lines = request.headers.getlist("x-forwarded-for")  # a proxy may add a line of its own
    chain = [part.strip()[:ADDRESS_CHARS_MAX] for part in ",".join(lines).split(",")]
    while chain and _is_within(peer, trusted):
        peer = chain.pop() or peer
    return peer


def _is_within(address: str, networks: Networks) -> bool:
    try:
        found = ip_address(address)
        found = getattr(found, "ipv4_mapped", None) or found
    except ValueError:
        return False
    return any(found in network for network in networks)


def _unknown(request: Request) -> Response:
    path, query = path_of(request.scope), request.scope["query_string"].decode("latin-1")
    wants_page = "text/html" in request.headers.get("accept", "") and not path.startswith(API)
    if wants_page and request.method in SAFE_METHODS:
        wanted = f"{path}?{query}" if query else path
        return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303)
    return problem_response(
        Problem("unauthenticated", "Who are you? Sign in, or send a token that holds: Authorization: Bearer rm_…")
    )
