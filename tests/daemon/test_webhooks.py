"""Webhooks: whatever is not proved leaves no trace, what is proved is stored before the 2xx, secrets are not stored at all."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from structlog.testing import capture_logs

from daemon.journal import Journal
from daemon.webhooks import client_address
from storage.database import Database
from tests.fakes.api import CONFIG, Api, make_api, signed
from tests.fakes.asgi import Answer, ask, scope_of

CALL = {"event": "newCall", "callId": "33", "direction": "in", "from": "84956329816", "to": "+74951234567"}
RAW = json.dumps(CALL).encode()
SECRET = "canary-4d6f-of-the-path"
UNSIGNED = f"""
[[telephony]]
name = "pbx"
type = "generic"
secret = "{SECRET}"
allow_unsigned = true
"""
BEHIND = '\n[http]\ntrusted_proxies = ["127.0.0.0/8"]\n[[telephony]]\nname = "near"\ntype = "generic"\nsecret = "x"\nallow_unsigned = true\nallow_from = ["192.0.2.0/24"]\n'  # fmt: skip


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def journal(database: Database) -> list[dict[str, Any]]:
    async with database.connection() as db:
        return [dict(row) for row in await db.fetch("SELECT * FROM inbound ORDER BY id")]


async def post(api: Api, path: str = "/hooks/main", raw: bytes = RAW, headers: Mapping[str, str] = {}) -> Answer:
    return await ask(api.app, "POST", path, raw, **headers)


async def test_a_signed_webhook_is_stored_as_it_came(api: Api, database: Database) -> None:
    answer = await post(api, "/hooks/main/events/call?a=1&b=%20", headers={**signed(RAW, "m1"), "authorization": "Basic x", "cookie": "a=b"})  # fmt: skip

    assert (answer.status, answer.body) == (200, b"{}")
    [row] = await journal(database)
    assert (row["source"], row["body"], row["rest"], row["query"]) == ("main", RAW, "events/call", "a=1&b=%20")
    assert (row["method"], row["remote"], row["state"]) == ("POST", "127.0.0.1", "todo")
    assert row["headers"]["webhook-id"] == "m1"
    assert not {"authorization", "cookie"} & row["headers"].keys()


async def test_an_unknown_source_is_not_found_and_leaves_nothing(api: Api, database: Database) -> None:
    for path in ("/hooks/other", "/hooks/sales", "/hooks/Main", "/hooks/%00", "/hooks/", "/hooks"):
        assert (await post(api, path, headers=signed(RAW, "m1"))).status in (401, 403, 404), path

    assert await journal(database) == []


async def test_what_is_not_proved_is_refused_and_leaves_nothing(api: Api, database: Database) -> None:
    now = datetime.now(UTC)
    good = signed(RAW, "m1")
    forged: dict[str, dict[str, str]] = {
        "unsigned": {},
        "no id": {name: value for name, value in good.items() if name != "webhook-id"},
        "no time": {name: value for name, value in good.items() if name != "webhook-timestamp"},
        "empty": {**good, "webhook-signature": ""},
        "another secret": signed(RAW, "m1", "whsec_" + "QUJD" * 8),
        "another body": signed(RAW + b" ", "m1"),
        "another id": {**good, "webhook-id": "m2"},
        "cut short": {**good, "webhook-signature": good["webhook-signature"][:-4]},
        "another version": {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v1a,")},
        "old": signed(RAW, "m1", at=now - timedelta(minutes=6)),
        "of the future": signed(RAW, "m1", at=now + timedelta(minutes=6)),
        "no number": {**good, "webhook-timestamp": "now"},
        "a token of ours": {"authorization": f"Bearer {api.token}"},
    }

    for what, headers in forged.items():
        answer = await post(api, headers=headers)
        assert (answer.status, answer.json["code"]) == (403, "forbidden"), what
    assert (await post(api, "/hooks/main/secret", b"x" * 1000)).status == 403
    assert await journal(database) == []


async def test_a_body_over_the_bound_is_too_large_before_any_proof(api: Api, database: Database) -> None:
    raw = b"x" * (10 * 1024 * 1024)

    assert (await post(api, raw=raw, headers=signed(raw, "m1"))).status == 413
    assert await journal(database) == []


async def test_a_repeat_is_answered_the_same_and_is_one_row(api: Api, database: Database) -> None:
    answers = [await post(api, headers=signed(RAW, "m1")) for _ in range(3)]

    assert [(one.status, one.body) for one in answers] == [(200, b"{}")] * 3
    assert len(await journal(database)) == 1


async def test_what_can_not_be_read_is_stored_too_and_ends_in_quarantine(api: Api, database: Database) -> None:
    for n, raw in enumerate([b"", b"\xff\x00{", b'{"event":"newCall"}', b"[" * 5000]):
        assert (await post(api, raw=raw, headers=signed(raw, f"m{n}"))).status == 200
    await api.work_off()

    assert [row["state"] for row in await journal(database)] == ["quarantine"] * 4
    found = (await api.get("/quarantine")).json["items"]
    assert len(found) == 4
    assert all(one["reason"] and one["source"] == "main" for one in found)


async def test_odd_headers_and_long_queries_are_cut_not_refused(api: Api, database: Database) -> None:
    many = {f"x-{n}": "y" * 5000 for n in range(200)}

    answer = await post(api, "/hooks/main?" + "q" * 50_000, headers={**signed(RAW, "m1"), **many})

    assert answer.status == 200
    [row] = await journal(database)
    assert len(row["query"]) == 8000
    assert len(row["headers"]) == 64
    assert max(map(len, row["headers"].values())) == 2000


async def test_a_secret_in_the_path_is_neither_stored_nor_logged(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path, CONFIG + UNSIGNED)

    with capture_logs() as logs:
        right = await post(api, f"/hooks/pbx/{SECRET}")
        longer = await post(api, f"/hooks/pbx/calls/{SECRET}", RAW.replace(b"33", b"34"))
        wrong = await post(api, f"/hooks/pbx/{SECRET}x")
        await api.work_off()

    assert (right.status, longer.status, wrong.status) == (200, 200, 403)
    rows = await journal(database)
    assert [row["state"] for row in rows] == ["done", "done"]
    assert SECRET not in repr(rows) + repr(logs) + repr([one.body for one in (right, longer, wrong)])
    assert [one["event"] for one in logs] == ["a webhook was refused"]


async def test_an_error_that_nobody_thought_of_asks_for_another_try_and_tells_no_secret(
    database: Database, tmp_path: Path
) -> None:
    api = await make_api(database, tmp_path, CONFIG + UNSIGNED)
    async with database.connection() as db:
        await db.execute("ALTER TABLE inbound ADD CHECK (source <> 'pbx')")

    with capture_logs() as logs:
        answer = await post(api, f"/hooks/pbx/{SECRET}")

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert SECRET not in repr(logs)


async def test_while_the_database_is_away_the_provider_is_asked_to_come_again(api: Api) -> None:
    away = await Database.open("postgresql://x@127.0.0.1:9/x")
    api.serving.journal = Journal(away)

    proved = await post(api, headers=signed(RAW, "m1"))
    forged = await post(api)

    assert (proved.status, proved.json["code"], proved.headers["retry-after"]) == (503, "unavailable", "5")
    assert forged.status == 403
    await away.close()


async def test_methods_that_no_provider_uses_are_refused(api: Api, database: Database) -> None:
    for method in ("DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = await ask(api.app, method, "/hooks/main", RAW, **signed(RAW, "m1"))
        assert (answer.status, answer.headers["content-type"]) == (405, "application/problem+json")
    assert await journal(database) == []


async def test_networks_are_those_of_the_sender_behind_our_proxy(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path, CONFIG + BEHIND)

    near = await post(api, "/hooks/near/x", headers={"x-forwarded-for": "203.0.113.9, 192.0.2.7"})
    far = await post(api, "/hooks/near/x", headers={"x-forwarded-for": "192.0.2.7, 203.0.113.9"})
    plain = await post(api, "/hooks/near/x")

    assert (near.status, far.status, plain.status) == (200, 403, 403)
    assert [row["remote"] for row in await journal(database)] == ["192.0.2.7"]


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        ("198.51.100.1", ["192.0.2.1"], "198.51.100.1"),  # a stranger may write what it likes
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["10.0.0.3, 192.0.2.1,10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.66", "192.0.2.1"], "192.0.2.1"),  # the proxy added a line of its own
        ("10.0.0.1", ["10.0.0.9"], "10.0.0.9"),
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [", ,"], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1, unknown"], "unknown"),
        ("10.0.0.1", ["x" * 9000], "x" * 64),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
    ],
)
def test_who_is_at_the_other_end(peer: str, lines: Iterable[str], expected: str) -> None:
    scope = scope_of("POST", "/hooks/main", [("x-forwarded-for", line) for line in lines])
    request = Request({**scope, "client": (peer, 1)})

    assert client_address(request, (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))) == expected
    assert client_address(request, ()) == peer
