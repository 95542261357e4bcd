"""Signed webhooks over HTTP into the journal, beside a bare insert through the same pool and beside a handler that does nothing.

The daemon runs in this process on its embedded database (fsync on) and turns events into records meanwhile, as in life;
the client is a process of its own with 64 connections on loopback. `bare insert`: 64 tasks, each inserting one row of
the journal and committing, through the pool of the daemon and without HTTP. `empty handler`: the same server and bounds,
a handler that reads the body and answers.
"""

import asyncio
import json
import socket
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.load import request
from benchmarks.measured import ROUNDS, line, on_fast_loop, ratio, spread
from daemon.bounds import Bounds
from daemon.server import make_server
from storage import inbound
from storage.database import Database
from tests.fakes.daemon import home, running_app, write_config

COUNT = 3000
CLIENTS = 64
POLL_SECONDS = 0.05
_LEFT = "SELECT count(*) FROM inbound WHERE state = 'todo'"
_STORED = "SELECT count(*) FROM inbound WHERE remote <> ''"


@dataclass(frozen=True)
class Round:
    """Requests a second of each, and of the daemon's the answer times in ms and the seconds until all were records."""

    ringmail: float
    insert: float
    empty: float
    p50: float
    p99: float
    worked_off: float


def run(count: int = COUNT, clients: int = CLIENTS, rounds: int = ROUNDS) -> None:
    """Measures and prints."""
    print(f"{count} signed webhooks, {clients} connections")
    found = on_fast_loop(lambda: measure(count, clients, rounds))
    ours = [one.ringmail for one in found]
    line("empty handler, requests a second", spread([one.empty for one in found], ".0f"))
    line("bare insert without HTTP, rows a second", spread([one.insert for one in found], ".0f"))
    line("ringmail, requests a second", spread(ours, ".0f"))
    line("answers of ringmail, ms, median and 99th percentile", f"{_ms(found, 'p50')} and {_ms(found, 'p99')}")
    line("until all are records, s after the last answer", spread([one.worked_off for one in found]))
    line("RATIO ringmail / empty handler", f"{ratio(ours, [one.empty for one in found]):.2f}")
    line("RATIO ringmail / bare insert", f"{ratio(ours, [one.insert for one in found]):.2f}")


def _ms(found: list[Round], name: str) -> str:
    return f"{1000 * median(getattr(one, name) for one in found):.1f}"


async def measure(count: int, clients: int, rounds: int) -> list[Round]:
    """Interleaved rounds against one daemon."""
    with home() as folder:
        async with running_app(write_config(folder)) as app, _Empty() as empty:
            database = app.serving.database
            port = int(app.url.rpartition(":")[2])
            await load(port, count // 10, clients)
            found = []
            for number in range(rounds):
                nothing = await load(empty.port, count, clients)
                bare = await insert_all(database, count, clients)
                ours = await load(port, count, clients)
                answered = time.perf_counter()
                async with database.connection() as db:
                    while await db.fetchval(_LEFT):
                        await asyncio.sleep(POLL_SECONDS)
                    stored = await db.fetchval(_STORED)
                assert stored == count // 10 + (number + 1) * count, "a webhook that was acknowledged is not there"
                rates = [count / one for one in (float(ours["seconds"]), bare, float(nothing["seconds"]))]
                found.append(Round(*rates, ours["p50"], ours["p99"], time.perf_counter() - answered))
            return found


async def load(port: int, count: int, clients: int) -> "dict[str, float]":
    """Runs the client, and fails if not every answer was a 2xx."""
    what = [sys.executable, "-m", "benchmarks.load", "127.0.0.1", str(port), str(count), str(clients)]
    child = await asyncio.create_subprocess_exec(*what, stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate()
    told = json.loads(said)
    assert told.pop("statuses") == {"200": count}
    return dict(told)


async def insert_all(database: Database, count: int, tasks: int) -> float:
    """Seconds for so many inserts, each with a commit of its own. Nothing wakes the journal, and the rows go afterwards."""
    run_id = uuid4().hex
    bodies = [request(number, run_id) for number in range(count)]
    waiting = iter(range(count))
    now = datetime.now(UTC)

    async def task() -> None:
        for number in waiting:
            event = inbound.Event("bare", f"{run_id}-{number}", now, "POST", "", "", {}, bodies[number], "")
            async with database.connection() as db:
                await inbound.add(db, [event])

    started = time.perf_counter()
    await asyncio.gather(*(task() for _ in range(tasks)))
    return time.perf_counter() - started


class _Empty:
    """The same server with a handler that does nothing."""

    async def __aenter__(self) -> "_Empty":
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        app = Starlette(routes=[Route("/hooks/{source}", _nothing, methods=["POST"])])
        self._server = make_server(Bounds(app))
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task


async def _nothing(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse({})
