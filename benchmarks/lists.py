"""Pages of /api/v1/interactions over 100,000 records, beside SELECT 1 through the same pool and beside /healthz.

One connection, one request after another; each round asks for every page in turn.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

import aiohttp

from benchmarks.measured import line, on_fast_loop, percentile
from config.load import load
from daemon.opening import opened
from daemon.passwords import TOKEN_PREFIX, digest, new_secret
from storage import people
from tests.fakes import history
from tests.fakes.daemon import dsn_of, home, rows, running_app, write_config

RECORDS = 100_000
ROUNDS = 100
SETTLE_SECONDS = 2.0
_NUMBERED = "UPDATE sequencer SET last_seq = (SELECT max(seq) FROM feed)"
PAGES = {
    "first page": "",
    "first page, to review": "?status=to_review",
    "first page, calls": "?type=phone_call",
    "first page, a word that few have": "?q=word4711",
    "first page, a word that many have": "?q=word",
}


def run(records: int = RECORDS, rounds: int = ROUNDS) -> None:
    """Measures and prints."""
    print(f"pages of interactions over {records} records, ms: median, 95th percentile, ratio of the median to SELECT 1")
    found = on_fast_loop(lambda: measure(records, rounds))
    limit = median(found["SELECT 1"])
    for name, times in found.items():
        values = f"{1000 * median(times):7.2f} {1000 * percentile(times, 0.95):7.2f} {median(times) / limit:7.1f}"
        line(name, values)


async def measure(records: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of every request, by name."""
    with home() as folder:
        config = write_config(folder)
        async with opened(load(config, {}).settings):
            await history.fill(dsn_of(config), records)
            await rows(dsn_of(config), _NUMBERED)
        async with running_app(config) as app:
            secret = TOKEN_PREFIX + new_secret()
            await app.serving.database.in_transaction(
                lambda db: people.add_token(db, "bench", digest(secret), ["read", "write"])
            )
            await asyncio.sleep(SETTLE_SECONDS)
            async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {secret}"}) as web:

                def asking(path: str) -> Callable[[], Awaitable[None]]:
                    async def ask() -> None:
                        async with web.get(app.url + path) as answer:
                            text = await answer.read()
                            assert answer.status == 200, text

                    return ask

                work = {"SELECT 1": app.serving.database.ping, "/healthz": asking("/healthz")}
                work |= {name: asking(f"/api/v1/interactions{query}") for name, query in PAGES.items()}
                return await _timed(work, rounds)


async def _timed(work: dict[str, Callable[[], Awaitable[None]]], rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, one in work.items():
            started = time.perf_counter()
            await one()
            found[name].append(time.perf_counter() - started)
    return found
