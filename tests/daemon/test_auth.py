"""The gate: every route there is, asked by everybody who may not; and the ways round it that others have fallen for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from daemon.auth import COOKIE, SAFE_METHODS, comes_from_us
from daemon.passwords import TOKEN_PREFIX, digest, new_secret
from daemon.server import build, routes
from storage import people
from storage.database import Database
from tests.fakes.api import Api, make_api
from tests.fakes.asgi import Answer, ask, scope_of
from tests.fakes.routes import table
from tests.fakes.rows import user

# Whatever else there is needs a viewer. A line here is a decision. Webhooks have a door of their own in front of it.
OPEN = {"/healthz", "/readyz", "/login", "/static", "/calendar/{secret}.ics"}
OURS = {"sec_fetch_site": "same-origin"}


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def token(api: Api, *scopes: str) -> str:
    made = TOKEN_PREFIX + new_secret()
    async with api.serving.database.connection() as db:
        await people.add_token(db, "other", digest(made), scopes)
    return made


async def session(api: Api, role: str = "member", hours: int = 1, name: str = "anna") -> tuple[UUID, str]:
    """A user who is signed in, and the cookie."""
    secret = new_secret()
    async with api.serving.database.connection() as db:
        user_id = await user(db, name)
        await db.execute("UPDATE login SET role = $1 WHERE user_id = $2", role, user_id)
        await people.add_session(db, digest(secret), user_id, datetime.now(UTC) + timedelta(hours=hours))
    return user_id, f"{COOKIE}={secret}"


def filled(path: str) -> str:
    names = {"{source}": "main", "{rest:path}": "x", "{external_ref:path}": "x", "{n}": "0", "{name}": "sales"}
    for name, value in names.items():
        path = path.replace(name, value)
    while "{" in path:
        path = path[: path.index("{")] + str(uuid4()) + path[path.index("}") + 1 :]
    return path


def shut(api: Api) -> list[tuple[str, str]]:
    found = [(method, path) for method, path in table(routes(api.serving).routes) if path not in OPEN]
    assert {path for _, path in table(routes(api.serving).routes)} >= OPEN
    assert len(found) > 20
    return [(method, filled(path)) for method, path in found]


async def statuses(api: Api, asked: list[tuple[str, str]], **headers: str) -> dict[tuple[str, str], int]:
    return {(method, path): (await ask(api.app, method, path, **headers)).status for method, path in asked}


async def test_no_route_opens_to_nobody(api: Api) -> None:
    asked = shut(api)
    given: dict[str, dict[str, str]] = {
        "nothing": {},
        "an empty token": {"authorization": "Bearer "},
        "garbage": {"authorization": f"Bearer {TOKEN_PREFIX}{new_secret()}"},
        "a word": {"authorization": "Bearer admin"},
        "a password": {"authorization": "Basic YWRtaW46YWRtaW4="},
        "a novel": {"authorization": f"Bearer {TOKEN_PREFIX}{'x' * 5000}"},
        "a cookie": {"cookie": f"{COOKIE}={new_secret()}"},
        "an empty cookie": {"cookie": f"{COOKIE}="},
        "signs": {"authorization": "Bearer rm_\xff\xfe", "cookie": f"{COOKIE}=\xff"},
        "another method": {"x_http_method_override": "GET"},
    }

    for what, headers in given.items():
        assert set((await statuses(api, asked, **headers)).values()) == {401}, what


async def test_what_was_taken_away_opens_nothing(api: Api) -> None:
    asked = shut(api)
    async with api.serving.database.connection() as db:
        await db.execute("UPDATE api_token SET revoked_at = now()")
    _, expired = await session(api, hours=-1)
    gone, disabled = await session(api, name="boris")
    async with api.serving.database.connection() as db:
        await people.mark_disabled(db, gone, True)

    for headers in (
        {"authorization": f"Bearer {api.token}"},
        {"cookie": expired, **OURS},
        {"cookie": disabled, **OURS},
    ):
        assert set((await statuses(api, asked, **headers)).values()) == {401}


async def test_readers_change_nothing(api: Api) -> None:
    asked = [(method, path) for method, path in shut(api) if method not in SAFE_METHODS]
    _, cookie = await session(api, "reader")
    by_token = {"authorization": f"Bearer {await token(api, 'read')}"}

    found = await statuses(api, asked, **by_token)
    by_cookie = await statuses(api, [one for one in asked if one[1] != "/logout"], cookie=cookie, **OURS)

    assert set(by_cookie.values()) == {403}
    assert {status for (_, path), status in found.items() if path != "/logout"} == {403}
    assert (await ask(api.app, "GET", "/api/v1/me", **by_token)).json["role"] == "reader"
    assert (await ask(api.app, "GET", "/api/v1/me", **by_token, x_http_method_override="DELETE")).status == 200


async def test_a_session_changes_nothing_without_a_proof_that_our_page_sent_it(api: Api) -> None:
    asked = [(method, path) for method, path in shut(api) if method not in SAFE_METHODS]
    _, cookie = await session(api, "admin")
    foreign: list[dict[str, str]] = [
        {}, {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"sec_fetch_site": ""},
        {"origin": "https://evil.example", "host": "crm.example.org"}, {"origin": "null", "host": "crm.example.org"},
        {"origin": "https://crm.example.org.evil.example", "host": "crm.example.org"}, {"host": ""},
    ]  # fmt: skip

    for headers in foreign:
        assert set((await statuses(api, asked, cookie=cookie, **headers)).values()) == {403}, headers

    assert (await ask(api.app, "POST", "/api/v1/interactions", {}, cookie=cookie, **OURS)).status == 422
    assert (await ask(api.app, "GET", "/api/v1/me", cookie=cookie)).json["role"] == "admin"


async def test_no_spelling_of_a_path_opens_it(api: Api) -> None:
    spellings = [
        "/api/v1/me/", "//api/v1/me", "/API/v1/me", "/api/v1/me%00", "/api/v1/me;/healthz", "/healthz/", "/healthz/../api/v1/me",
        "/login/../api/v1/me", "/login/", "/readyz?/api/v1/me", "/hooks/../api/v1/me", "/hooks/..%2fapi/v1/me",
        "/static/../api/v1/me", "/static/..%2f..%2fpages.py", "/static/%2e%2e/pages.py", "/calendar/../api/v1/me",
        "/calendar/x.ics", "/api/v1/openapi.json", "/docs", "/redoc", "/openapi.json", "/nothing", "",
    ]  # fmt: skip

    for path in spellings:
        answer = await ask(api.app, "GET", path)
        assert answer.status in (400, 401, 403, 404, 405, 422) or path.startswith("/readyz"), path
        assert b'"role"' not in answer.body, path


async def test_no_rule_rests_on_the_host_that_a_client_sends(api: Api) -> None:
    reader = {"authorization": f"Bearer {await token(api, 'read')}"}

    for host in ("x/healthz?", "x/logout?", "x/login#", "evil.example", "", "[::1", "x\\logout"):
        assert (await ask(api.app, "GET", "/api/v1/me", host=host)).status == 401
        assert (await ask(api.app, "POST", "/api/v1/interactions", {"type": "sms", "topic": "x"}, host=host, **reader)).status == 403  # fmt: skip
    assert (await api.get("/interactions")).json["items"] == []


async def test_a_wrong_token_is_nobody_whatever_cookie_stands_beside(api: Api) -> None:
    _, cookie = await session(api)

    assert (await ask(api.app, "GET", "/api/v1/me", cookie=cookie, authorization="Bearer rm_no")).status == 401


async def test_whoever_asks_for_a_page_is_sent_to_sign_in_and_back(api: Api) -> None:
    answer = await ask(api.app, "GET", "/interactions?status=to_review&q=a%26b", accept="text/html,*/*")

    assert answer.status == 303
    assert answer.headers["location"] == "/login?next=" + quote("/interactions?status=to_review&q=a%26b", safe="")
    for host in ("evil.example", "x/y?"):
        moved = await ask(api.app, "GET", "//evil.example/", accept="text/html", host=host)
        assert moved.headers["location"] == "/login?next=" + quote("//evil.example/", safe="")


async def test_programs_and_changes_are_never_sent_to_a_page(api: Api) -> None:
    for method, path in [("GET", "/api/v1/me"), ("POST", "/logout"), ("POST", "/api/v1/interactions")]:
        answer = await ask(api.app, method, path, accept="text/html")
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("scopes", "role"), [(("read",), "reader"), (("write",), "member"), (("admin",), "admin"), ((), "reader")])  # fmt: skip
async def test_the_scopes_of_a_token_say_what_it_may(api: Api, scopes: tuple[str, ...], role: str) -> None:
    answer = await ask(api.app, "GET", "/api/v1/me", authorization=f"bearer  {await token(api, *scopes)}")

    assert answer.json == {"id": None, "name": "other", "role": role, "language": None}


async def test_nothing_but_http_comes_through(api: Api) -> None:
    reached = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        reached.append(message)

    await build(api.serving)({**scope_of("GET", "/healthz"), "type": "websocket"}, receive, send)

    assert reached == []


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "https://a", "host": "a"}, False),
        ({"origin": "https://a:8", "host": "a:8"}, True),
        ({"origin": "https://a:8", "host": "a"}, False),
        ({"host": "a"}, False),
        ({}, False),
    ],
)
def test_what_a_browser_says_of_where_a_request_began(headers: dict[str, str], ours: bool) -> None:
    assert comes_from_us(headers) is ours


async def test_the_gate_shuts_while_the_database_is_away(tmp_path: Path, database: Database) -> None:
    api = await make_api(database, tmp_path)
    away = await Database.open("postgresql://x@127.0.0.1:9/x")
    api.serving.database = away

    answer: Answer = await api.get("/me")

    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "unavailable", "5")
    await away.close()
