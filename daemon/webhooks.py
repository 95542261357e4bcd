"""What providers post: /hooks/{source}[/{rest}]. Stored and committed before the 2xx.

    unknown source          404
    proof wrong or missing  403; nothing is stored
    body too large or slow  413, 408 (`bounds`)
    stored, or a repeat     the 2xx that this provider expects
    database not migrated   503, as long as the daemon is starting
    database in trouble     503 with Retry-After: never a 2xx, never a 4xx, so that the provider comes again

What the request says is read later, by the same rules as after a restart (`journal`). The path may hold a secret and is
stored and logged without it.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from starlette.requests import Request
from starlette.responses import Response

from connectors.base import Forged, WebhookRequest
from daemon.api.problems import Problem, problem_response
from daemon.auth import client_address, serving_of
from daemon.journal import Full
from storage import inbound
from storage.errors import StorageError

LOG = structlog.get_logger()
HEADERS_MAX = 64
HEADER_CHARS_MAX = 2000
QUERY_CHARS_MAX = 8000
COMMIT_SECONDS_MAX = 4.5  # some providers wait no longer than five
NOT_STORED = Problem("unavailable", "It could not be stored just now. Please send it again.")
_NEVER_STORED = frozenset({"authorization", "cookie", "proxy-authorization"})


async def receive(request: Request) -> Response:
    """The route of all webhooks."""
    serving = serving_of(request)
    source = str(request.path_params["source"])
    receiver = serving.receivers.get(source)
    if receiver is None:
        return problem_response(Problem("not_found", "There is no such source of webhooks here."))
    wanted = WebhookRequest(
        source=source,
        method=request.method,
        rest=str(request.path_params.get("rest", "")),
        query=request.scope["query_string"].decode("latin-1")[:QUERY_CHARS_MAX],
        headers=_headers(request.headers),
        body=await request.body(),
        received_at=datetime.now(UTC),
        remote=client_address(request, serving.settings.http.trusted_proxies),
    )
    try:
        receiver.verify(wanted)
    except Forged as reason:
        LOG.warning("a webhook was refused", source=source, remote=wanted.remote, reason=str(reason))
        return problem_response(Problem("forbidden", str(reason)))
    event = inbound.Event(
        source=source,
        dedup_key=receiver.dedup_key(wanted),
        received_at=wanted.received_at,
        method=wanted.method,
        rest=receiver.masked_rest(wanted),
        query=wanted.query,
        headers=dict(wanted.headers),
        body=wanted.body,
        remote=wanted.remote,
    )
    if not serving.is_ready:
        return problem_response(NOT_STORED)
    try:
        async with asyncio.timeout(COMMIT_SECONDS_MAX):
            await serving.journal.add(event)
    except Exception as error:
        expected = isinstance(error, StorageError | Full | TimeoutError)
        why, trace = str(error) or type(error).__name__, None if expected else error
        LOG.error("a webhook could not be stored", source=source, reason=why, exc_info=trace)
        return problem_response(NOT_STORED)
    reply = receiver.answer(wanted)
    return Response(reply.body, reply.status, dict(reply.headers), reply.content_type)


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    kept = [(name.lower(), value) for name, value in given.items() if name.lower() not in _NEVER_STORED]
    return {name: value[:HEADER_CHARS_MAX].replace("\x00", "") for name, value in kept[:HEADERS_MAX]}
