"""What went wrong, as programs read it: application/problem+json (RFC 9457) with a stable `code`.

Raise `Problem` anywhere below a route; the server turns it, and the errors of the storage, into the answer. The detail is
a sentence for a person and never holds a secret.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.responses import Response

from interactions.records import JsonValue

STATUS_OF: Mapping[str, int] = {
    "unauthenticated": 401,
    "forbidden": 403,
    "feature_off": 403,
    "not_found": 404,
    "conflict": 409,
    "ambiguous_contact": 409,
    "gone": 410,
    "stale": 412,
    "too_large": 413,
    "invalid": 422,
    "rate_limited": 429,
    "unavailable": 503,
}
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that is an error. `errors` are pairs of a path and what is wrong there."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status or STATUS_OF[code]
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def problem_response(problem: Problem) -> Response:
    """The answer to a request that can't be fulfilled."""
    body: dict[str, JsonValue] = {
        "type": f"urn:ringmail:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "errors": [{"path": path, "message": message} for path, message in problem.errors],
        **problem.more,
    }
    headers = dict(problem.headers)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="ringmail"')
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", "5")
    # A path may quote half of a surrogate pair from what was sent: no UTF-8 has it.
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, problem.status, headers, MEDIA_TYPE)
