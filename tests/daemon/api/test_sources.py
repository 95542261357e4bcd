"""Pausing, resuming and syncing sources over HTTP."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import leases, sources
from storage.database import Database
from tests.fakes.api import Api, make_api

AGAIN = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path, scopes=("admin",))


async def held(api: Api) -> list[str]:
    """What a daemon that looks now would take up."""
    async with api.serving.database.connection() as db:
        return [one.name for one in await leases.acquire(db, "daemon", ["sales", "main"], 10, 60)]


async def test_a_mailbox_is_paused_and_resumed(api: Api) -> None:
    paused = [await api.post("/sources/sales/pause", None) for _ in range(2)]
    taken = await held(api)
    resumed = [await api.post("/sources/sales/resume", None) for _ in range(2)]

    assert [(one.status, one.json["state"]) for one in paused] == [(200, "paused")] * 2
    assert "sales" not in taken
    assert [(one.status, one.json["state"]) for one in resumed] == [(200, "catching_up")] * 2
    assert "sales" in await held(api)


async def test_a_sync_does_not_wait_for_the_next_try(api: Api) -> None:
    await held(api)
    async with api.serving.database.connection() as db:
        await sources.report(db, "sales", "unreachable", "no answer", AGAIN)

    answer = await api.post("/sources/sales/sync", None)

    assert (answer.status, answer.json["next_try"]) == (200, None)
    assert await held(api) == ["sales"]


async def test_a_paused_source_is_not_synced(api: Api) -> None:
    await api.post("/sources/sales/pause", None)

    answer = await api.post("/sources/sales/sync", None)

    assert (answer.status, answer.json["code"]) == (409, "conflict")


@pytest.mark.parametrize("act", ["pause", "resume", "sync"])
async def test_what_can_not_be_asked_is_said(api: Api, act: str) -> None:
    nobody = await api.post(f"/sources/nobody/{act}", None)
    webhooks = await api.post(f"/sources/main/{act}", None)

    assert (nobody.status, nobody.json["code"]) == (404, "not_found")
    assert (webhooks.status, webhooks.json["code"]) == (409, "conflict")


async def test_members_sync_and_do_not_pause(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path, scopes=("read", "write"))

    statuses = [(await api.post(f"/sources/sales/{act}", None)).status for act in ("pause", "resume", "sync")]

    assert statuses == [403, 403, 200]
