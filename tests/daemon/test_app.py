"""The daemon whole: it starts or leaves nothing behind, changes its configuration while it runs, and stops."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from config.load import loads
from config.settings import Settings
from connectors.base import Refused, Source
from daemon.app import App
from daemon.server import PortTaken
from storage import sources as source_rows
from storage.errors import StorageDown, StorageError

WAIT_SECONDS = 20
MAILBOX = """
[[mailbox]]
name = "{name}"
address = "{name}@example.org"
imap = "imaps://127.0.0.1:9"
password = "{password}"
"""


def settings(folder: Path, dsn: str, *mailboxes: str, more: str = "", listen: str = "127.0.0.1:0") -> Settings:
    text = f'data_dir = "data"\nhttp = {{ listen = "{listen}" }}\ndatabase = {{ dsn = "{dsn}" }}\n{more}\n'
    return loads(text + "".join(mailboxes), folder, {}).settings


def mailbox(name: str, password: str = "x", more: str = "") -> str:
    return MAILBOX.format(name=name, password=password) + more


@contextlib.asynccontextmanager
async def running(wanted: Settings, *, ready: bool = True) -> AsyncIterator[App]:
    app = App(wanted, lease_seconds=1.0)
    await app.start()
    try:
        if ready:
            async with asyncio.timeout(WAIT_SECONDS):
                await app.ready.wait()
        yield app
    finally:
        await app.stop()


def sources(app: App) -> dict[str, Source]:
    return dict(app._sources())


async def status(app: App, path: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(app.url + path) as answer:
        return answer.status


def open_sockets() -> int:
    gc.collect()
    links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
    return sum(link.is_symlink() and os.readlink(link).startswith("socket:") for link in links)


async def test_it_listens_works_and_stops(dsn: str, tmp_path: Path) -> None:
    before = open_sockets()

    async with running(settings(tmp_path, dsn)) as app:
        assert [await status(app, path) for path in ("/healthz", "/readyz", "/api/v1/me")] == [200, 200, 401]
        assert app.serving.public_url == app.url
        assert not app.url.endswith(":0")

    with pytest.raises(aiohttp.ClientConnectorError):
        await status(app, "/healthz")
    assert app.failure is None
    assert not app.ended.is_set()
    assert open_sockets() <= before
    assert multiprocessing.active_children() == []


async def test_a_taken_port_ends_the_start_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        before, tasks = open_sockets(), len(asyncio.all_tasks())
        port = taken.getsockname()[1]

        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}"):
            await App(settings(tmp_path, "embedded", listen=f"127.0.0.1:{port}")).start()

        assert open_sockets() == before
    assert len(asyncio.all_tasks()) == tasks
    assert not (tmp_path / "data").exists()


async def test_a_start_that_fails_later_frees_its_port(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    before = open_sockets()

    with pytest.raises(StorageError):
        await App(settings(tmp_path, "embedded")).start()

    assert open_sockets() == before


async def test_a_mailbox_that_can_not_be_used_ends_the_start(dsn: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")

    with pytest.raises(Refused, match=r"ca\.pem"):
        await App(settings(tmp_path, dsn, mailbox("sales", more='tls_ca = "ca.pem"\n'))).start()


async def test_it_listens_while_the_database_is_away(tmp_path: Path) -> None:
    away = settings(tmp_path, "postgresql://x@127.0.0.1:9/x", mailbox("sales"))

    async with running(away, ready=False) as app:
        assert [await status(app, path) for path in ("/healthz", "/readyz")] == [200, 503]
        with pytest.raises(StorageDown, match="not ready yet"):
            await app.reload(away)
        assert app.failure is None


async def test_a_reload_keeps_what_is_the_same_and_makes_the_rest_anew(dsn: str, tmp_path: Path) -> None:
    first = settings(tmp_path, dsn, mailbox("sales"), mailbox("help"), mailbox("old"))

    async with running(first) as app:
        before = sources(app)
        takes_restart = await app.reload(settings(tmp_path, dsn, mailbox("sales"), mailbox("help", "other"), mailbox("new")))  # fmt: skip
        after = sources(app)

        assert takes_restart == []
        assert after.keys() == {"sales", "help", "new"}
        assert after["sales"] is before["sales"]
        assert after["help"] is not before["help"]
        async with app.serving.database.connection() as db:
            rows = await db.fetch("SELECT name FROM source WHERE removed_at IS NULL ORDER BY name")
        assert [row["name"] for row in rows] == ["help", "new", "sales"]


async def test_a_reload_that_is_refused_changes_nothing(dsn: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    first = settings(tmp_path, dsn, mailbox("sales"))
    wrong = [
        settings(tmp_path, dsn, mailbox("sales", more='tls_ca = "ca.pem"\n')),
        settings(tmp_path, dsn, mailbox("new"), '[[telephony]]\nname = "main"\ntype = "generic"\nsecret = "whsec_%"\n'),
    ]

    async with running(first) as app:
        before = sources(app)
        for one in wrong:
            with pytest.raises(Refused):
                await app.reload(one)

        assert sources(app) == before
        assert app.serving.settings is app.settings is first
        assert app.serving.receivers == {}


async def test_a_reload_says_what_takes_a_restart_and_serves_the_rest_at_once(dsn: str, tmp_path: Path) -> None:
    phone = '[[telephony]]\nname = "main"\ntype = "generic"\nsecret = "a-long-secret"\nallow_unsigned = true\n'

    async with running(settings(tmp_path, dsn)) as app:
        assert await status(app, "/hooks/main/a-long-secret") == 404

        takes_restart = await app.reload(
            settings(tmp_path, dsn, phone, more='public_url = "https://crm.example.org/"', listen="127.0.0.1:9")
        )

        assert takes_restart == ["http.listen"]
        assert await status(app, "/hooks/main/a-long-secret") == 200
        assert app.serving.public_url == "https://crm.example.org"


async def test_a_loop_that_fails_for_good_ends_the_daemon_with_its_reason(dsn: str, tmp_path: Path) -> None:
    async with running(settings(tmp_path, dsn)) as app, app.serving.database.connection() as db:
        await db.execute("UPDATE schema_migration SET version = version + 9000 WHERE version = 1")

    again = App(settings(tmp_path, dsn))
    await again.start()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await again.ended.wait()
        assert isinstance(again.failure, StorageError)
        assert "newer" in str(again.failure)
    finally:
        await again.stop()


async def test_no_mailbox_is_read_while_e_mail_is_switched_off(dsn: str, tmp_path: Path) -> None:
    off = "[features]\nmail_client = false"

    async def state(app: App) -> str:
        async with app.serving.database.connection() as db:
            [found] = await source_rows.list_all(db)
        return found.state

    async def until(app: App, wanted: str) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while await state(app) != wanted:
                await asyncio.sleep(0.05)

    async with running(settings(tmp_path, dsn, mailbox("sales"), more=off)) as app:
        assert sources(app) == {}
        assert await state(app) == "paused"

        await app.reload(settings(tmp_path, dsn, mailbox("sales")))
        assert set(sources(app)) == {"sales"}
        await until(app, "unreachable")

        await app.reload(settings(tmp_path, dsn, mailbox("sales"), more=off))
        assert sources(app) == {}
        await until(app, "paused")
