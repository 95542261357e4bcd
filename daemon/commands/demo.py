"""`ringmail demo`: the whole program on a sample company, in a folder that is thrown away.

The real daemon runs here, on its embedded database, with its real connectors; only the world around it is made up
(`daemon.demo`): a mail server on this machine with sixty days of mail, calls and SMS that come as signed webhooks, and
something new every few seconds. Ctrl-C stops everything.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from config.load import loads
from config.settings import Settings
from config.tables import Endpoint
from daemon import log
from daemon.app import App
from daemon.commands.run import in_loop, serve
from daemon.demo.seeding import review_past, seed
from daemon.demo.world import World
from daemon.opening import opened
from daemon.passwords import digest, new_secret
from daemon.server import PortTaken, bind
from storage import people, sources
from storage.errors import StorageError

PORT = 8025
LINK_HOURS = 24
OLD = timedelta(days=2)
READ_SECONDS_MAX = 120.0


def demo(port: int | None = None, keep: Path | None = None, *, debug: bool = False) -> int:
    """Runs until Ctrl-C. `keep` names a folder that stays; without `port` the usual one, or any that is free."""
    log.set_up(debug=debug, quiet=True)
    with _folder(keep) as folder:
        return in_loop(lambda: _demo(folder, _free_port() if port is None else port))


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="ringmail-demo-"))
    made.chmod(0o711)  # run by root, the database's account has to pass through
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _free_port() -> int:
    for port in (PORT, 0):
        with contextlib.suppress(PortTaken), bind(Endpoint("127.0.0.1", port)) as listener:
            return int(listener.getsockname()[1])
    return PORT


async def _demo(folder: Path, port: int) -> int:
    now = datetime.now(UTC)
    world = World(now)
    await world.start()
    try:
        settings = _settings(world, folder, port)
        admin, is_new = await _people(settings, world, now)

        async def beside(app: App) -> None:
            await _life(app, world, admin, now, is_new=is_new)

        return await serve(settings, None, beside)
    finally:
        await world.stop()


def _settings(world: World, folder: Path, port: int) -> Settings:
    """The configuration of the demonstration, written down where a person can read it."""
    text = world.config_text(str(folder / "data"), port, "ru" if _speaks_russian() else "en")
    key, file = folder / "secret.key", folder / "ringmail.toml"
    for path, content in ((key, key.read_text() if key.exists() else new_secret()), (file, text)):
        path.touch(mode=0o600)
        path.write_text(content, "utf-8")
    return loads(text, folder, {}).settings


def _speaks_russian() -> bool:
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return spoken.startswith("ru")


async def _people(settings: Settings, world: World, now: datetime) -> tuple[UUID, bool]:
    """The users and contacts; who of them is the administrator, and whether they are new."""
    async with opened(settings) as storage:
        async with storage.database.connection() as db:
            known = await people.list_all(db)
        if known:
            return next(user.id for user in known if user.role == "admin"), False
        users = await storage.database.in_transaction(lambda db: seed(db, world, now))
        return next(iter(users.values())), True


async def _life(app: App, world: World, admin: UUID, now: datetime, *, is_new: bool) -> None:
    """Tells where the page is, then lets things happen."""
    await app.ready.wait()
    secret = new_secret()
    expires = datetime.now(UTC) + timedelta(hours=LINK_HOURS)
    async with app.serving.database.connection() as db:
        await people.add_once_link(db, digest(secret), admin, expires)
    print(  # noqa: T201
        f"\nRingmail demo: {app.url}\nSign in: {app.url}/login?once={secret}\n\n"
        "Sixty days of mail are being read; calls, SMS and new mail go on arriving. Ctrl-C stops everything.\n",
        flush=True,
    )
    hook = f"{app.url}/hooks/main"
    if is_new:
        await world.post_history(hook, world.secret)
        await _until_read(app)
        with contextlib.suppress(StorageError):
            await app.serving.database.in_transaction(lambda db: review_past(db, now - OLD, admin))
    await world.live(hook, world.secret)


async def _until_read(app: App) -> None:
    """Until every mailbox is read and the journal is worked off."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READ_SECONDS_MAX):
            while True:
                async with app.serving.database.connection() as db:
                    found = await sources.list_all(db)
                if all(one.state == "ok" for one in found):
                    return
                await asyncio.sleep(0.2)
