"""Chromium from the system's packages in front of a real server on a port of this machine."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

from config.tables import Endpoint
from daemon.bounds import Asgi
from daemon.server import bind, make_server

CHROMIUM = "chromium"
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
START_SECONDS = 20


def chromium() -> str:
    """Where it is; skips the test where it is not, and fails where it has to be."""
    found = shutil.which(CHROMIUM)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("chromium is missing; apt-get install chromium")
    if found is None:
        pytest.skip("chromium is not installed")
    return found


@asynccontextmanager
async def served(app: Asgi) -> AsyncIterator[str]:
    """The application behind a socket; its address."""
    listener = bind(Endpoint("127.0.0.1", 0))
    server = make_server(app)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(START_SECONDS):
            while not server.started:
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()
