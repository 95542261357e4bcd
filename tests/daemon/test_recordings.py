"""Recordings are fetched and kept; from private addresses only where that is allowed, and nothing that is no sound."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from connectors.web import Web, WebAnswer
from daemon import recordings
from storage import recordings as stored
from storage.database import Database
from tests.fakes.api import CONFIG, Api, make_api

SOUND = b"ID3" + bytes(range(256)) * 20


@pytest.fixture
async def provider() -> AsyncIterator[str]:
    """A provider on this machine, with a recording, a page, a way around, and something endless."""

    async def sound(_: web.Request) -> web.Response:
        return web.Response(body=SOUND, content_type="audio/mpeg")

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>sign in</html>", content_type="text/html")

    async def around(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query.get("to", "/around"))

    app = web.Application()
    app.router.add_get("/sound", sound)
    app.router.add_get("/page", page)
    app.router.add_get("/around", around)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def call_with(api: Api, link: str) -> str:
    """A call of which this is the recording; its id."""
    body = {
        "callId": "c1",
        "direction": "in",
        "from": "84956329816",
        "to": "+74951234567",
        "at": "2026-11-23T09:30:00Z",
    }
    for event in ("newCall", "answer", "hangup"):
        assert (await api.hook({**body, "event": event, "recording": link})).status == 200
    await api.work_off()
    [one] = (await api.get("/interactions?type=phone_call")).json["items"]
    async with api.serving.database.connection() as db:
        await stored.want(db, one["id"], [link], "main")
    return str(one["id"])


async def files(api: Api, call: str) -> list[tuple[str, int]]:
    found = (await api.get(f"/interactions/{call}")).json["attachments"]
    return [(one["content_type"], one["size"]) for one in found]


async def why(api: Api) -> str:
    async with api.serving.database.connection() as db:
        return str(await db.fetchval("SELECT error FROM recording"))


ALLOWED = CONFIG + 'networks = ["127.0.0.0/8"]\n'


async def test_a_recording_is_kept_once_with_its_call(database: Database, tmp_path: Path, provider: str) -> None:
    api = await make_api(database, tmp_path, ALLOWED)
    call = await call_with(api, f"{provider}/around?to=/sound")

    async with Web() as client:
        done = [await recordings.work(api.serving, client) for _ in range(2)]

    assert done == [1, 0]
    assert await files(api, call) == [("audio/mpeg", len(SOUND))]
    assert (await api.get(f"/interactions/{call}/attachments/0")).body == SOUND


@pytest.mark.parametrize(
    ("config", "path", "words"),
    [
        pytest.param(CONFIG, "/sound", "private address", id="a private address"),
        pytest.param(ALLOWED, "/around?to=http://10.1/x", "failed", id="a way around to half a number"),
        pytest.param(ALLOWED, "/page", "not what was asked for", id="a page"),
        pytest.param(ALLOWED, "/missing", "answered with 404", id="nothing"),
        pytest.param(ALLOWED, "/around?to=http://10.0.0.1/x", "private address", id="a way around to a private one"),
        pytest.param(ALLOWED, "/around?to=file:///etc/passwd", "no plain address", id="a way around to a file"),
        pytest.param(ALLOWED, "/around", "sent on more than", id="round and round"),
    ],
)
async def test_what_must_not_be_fetched_is_not_and_is_tried_again_later(
    database: Database, tmp_path: Path, provider: str, config: str, path: str, words: str
) -> None:
    api = await make_api(database, tmp_path, config)
    call = await call_with(api, provider + path)

    async with Web() as client:
        done = [await recordings.work(api.serving, client) for _ in range(2)]

    assert done == [1, 0]
    assert await files(api, call) == []
    said = await why(api)
    assert any(part in said for part in words.split("|")), said


async def test_it_is_given_up_in_the_end_and_where_it_is_not_wanted_not_tried(
    database: Database, tmp_path: Path, provider: str
) -> None:
    api = await make_api(database, tmp_path, ALLOWED)
    await call_with(api, f"{provider}/page")

    async with Web() as client:
        for _ in range(len(recordings.PAUSES) + 2):
            async with database.connection() as db:
                await db.execute("UPDATE recording SET not_before = now()")
            await recordings.work(api.serving, client)

    async with database.connection() as db:
        assert await db.fetchval("SELECT done_at IS NOT NULL AND error LIKE 'given up%' FROM recording")
        assert await db.fetchval("SELECT attempts FROM recording") == len(recordings.PAUSES) + 1


async def test_one_that_somebody_else_brought_or_whose_call_was_erased_is_not_kept(
    database: Database, tmp_path: Path, provider: str
) -> None:
    api = await make_api(database, tmp_path, ALLOWED)
    call = await call_with(api, f"{provider}/sound")
    async with database.connection() as db:
        [due] = await stored.take(db, 1, 0)
        await db.execute("DELETE FROM recording")

    await recordings._store(api.serving, due, WebAnswer(200, {"content-type": "audio/mpeg"}, SOUND))

    assert await files(api, call) == []
