"""`ringmail run`: the daemon in the foreground.

SIGTERM and Ctrl-C drain it within ten seconds, SIGHUP reads the configuration again and keeps the old one if the new one
is wrong. It never ends because of a mailbox or a provider.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvloop

from config.load import Mistakes, find, load
from config.not_built import not_built_yet
from config.settings import Settings
from connectors.base import Refused
from daemon import log, systemd
from daemon.app import App
from storage.errors import StorageError

LOG = structlog.get_logger()
Beside = Callable[[App], Awaitable[None]]


def run(config_path: Path | None, *, debug: bool = False) -> int:
    """Runs until a signal ends it; the exit code. Raises Mistakes, PortTaken, StorageError or Refused."""
    log.set_up(debug=debug)
    path = find(config_path, os.environ, Path.cwd())
    loaded = load(path, os.environ)
    for warning in (*loaded.warnings, *not_built_yet(loaded.settings)):
        LOG.warning(warning)
    return in_loop(lambda: serve(loaded.settings, path))


def in_loop(work: Callable[[], Awaitable[int]]) -> int:
    """Runs on the fast event loop."""

    async def main() -> int:
        return await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def serve(settings: Settings, path: Path | None, beside: Beside | None = None) -> int:
    """Starts the daemon and waits for its end. `beside` runs along with it, and its end ends nothing."""
    app = App(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.ended.set)
    await app.start()
    systemd.notify("READY=1")
    waiting: set[asyncio.Task[None]] = set()
    if path is not None:
        loop.add_signal_handler(signal.SIGHUP, lambda: _hold(waiting, loop.create_task(_reload(app, path))))
    companion = asyncio.ensure_future(beside(app)) if beside is not None else None
    try:
        await app.ended.wait()
    finally:
        systemd.notify("STOPPING=1")
        if companion is not None:
            companion.cancel()
            await asyncio.gather(companion, return_exceptions=True)
        await app.stop()
    if app.failure is not None:
        raise app.failure
    return 0


def _hold(waiting: "set[asyncio.Task[None]]", task: "asyncio.Task[None]") -> None:
    waiting.add(task)
    task.add_done_callback(waiting.discard)


async def _reload(app: App, path: Path) -> None:
    systemd.notify("RELOADING=1")
    try:
        loaded = load(path, os.environ)
        later = await app.reload(loaded.settings)
    except Mistakes as error:
        for mistake in error.mistakes:
            LOG.error("the new configuration is wrong; the old one stays", mistake=str(mistake))
    except (Refused, StorageError) as error:
        LOG.error("the new configuration can't be used; the old one stays", reason=str(error))
    else:
        LOG.info("the configuration was read again", after_restart=later)
    systemd.notify("READY=1")
