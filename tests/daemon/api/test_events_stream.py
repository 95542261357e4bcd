"""The feed as it happens: server-sent events over a real socket, resumed by number, bounded."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from daemon.api.events import STREAMS_OF_ONE_MAX, as_event
from storage import feed
from storage.database import Database
from tests.fakes.api import Api, make_api
from tests.fakes.browser import served

SECONDS = 10


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def add(api: Api, topic: str) -> str:
    made = (await api.post("/interactions", {"type": "meeting", "topic": topic})).json
    await api.serving.database.in_transaction(feed.number)
    return str(made["id"])


@asynccontextmanager
async def streaming(api: Api, url: str, query: str = "", **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
    given = {"Authorization": f"Bearer {api.token}", **headers}
    async with aiohttp.ClientSession() as http, http.get(f"{url}/api/v1/events/stream{query}", headers=given) as answer:
        yield answer


async def events(answer: aiohttp.ClientResponse, count: int) -> list[tuple[int, str, str]]:
    """So many events: number, type, topic."""
    found: list[tuple[int, str, str]] = []
    fields: dict[str, str] = {}
    async with asyncio.timeout(SECONDS):
        while len(found) < count:
            line = (await answer.content.readline()).decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                event = json.loads(fields["data"])
                assert event["data"]["seq"] == int(fields["id"])
                found.append((int(fields["id"]), fields["event"], event["data"]["object"]["topic"]))
                fields = {}
    return found


async def test_what_happens_is_told_as_it_happens_and_nothing_from_before(api: Api) -> None:
    await add(api, "before")
    async with served(api.app) as url, streaming(api, url) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        await add(api, "one\ntwo")
        assert await events(answer, 1) == [(2, "interaction.created", "one\ntwo")]
        await add(api, "three")
        assert await events(answer, 1) == [(3, "interaction.created", "three")]


@pytest.mark.parametrize(("query", "headers"), [("", {"Last-Event-ID": "1"}), ("?after=1", {}), ("?after=0", {"Last-Event-ID": "1"})])  # fmt: skip
async def test_a_stream_goes_on_where_it_broke_off(api: Api, query: str, headers: dict[str, str]) -> None:
    for topic in ("a", "b", "c"):
        await add(api, topic)

    async with served(api.app) as url, streaming(api, url, query, **headers) as answer:
        assert [topic for _, _, topic in await events(answer, 2)] == ["b", "c"]


async def test_streams_are_bounded_and_their_places_come_free(api: Api) -> None:
    async with served(api.app) as url:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {api.token}"}) as http:
            held = [await http.get(f"{url}/api/v1/events/stream") for _ in range(STREAMS_OF_ONE_MAX)]
            for one in held:
                await one.content.readline()
            async with http.get(f"{url}/api/v1/events/stream") as refused:
                assert (refused.status, (await refused.json())["code"]) == (429, "rate_limited")
            for one in held:
                one.close()
        async with asyncio.timeout(SECONDS):
            while True:
                async with streaming(api, url) as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.05)


async def test_a_stream_needs_a_viewer(api: Api) -> None:
    api.token = "rm_nobody"
    async with served(api.app) as url, streaming(api, url) as answer:
        assert answer.status == 401


async def test_numbers_for_prometheus_need_a_viewer_too(api: Api) -> None:
    async with served(api.app) as url, aiohttp.ClientSession() as http:
        async with http.get(f"{url}/metrics") as refused:
            assert refused.status == 401
        async with http.get(f"{url}/metrics", headers={"Authorization": f"Bearer {api.token}"}) as answer:
            text = await answer.text()
    assert 'ringmail_source_state{source="sales",state="catching_up"} 1' in text


def test_nothing_in_an_event_begins_a_field() -> None:
    sent = as_event(7, {"type": "interaction.created", "data": {"object": {"topic": "a\nid: 8\r\n\r\ndata: x\u2028"}}})

    assert sent.count(b"\n") == 4
    assert b"\r" not in sent
