"""The journal's two ends: requests go in many to a commit, and come out as records in the transaction that closes them.

`Journal.add` returns after the commit that holds the request. Whoever waits is written by one insert: under load the
commits are shared, and alone a request waits for nobody. `work_off` takes events by the same rules right after they came
and after a restart, a turn of many at once; what can't be read goes to quarantine with its reason. One event never holds
up another: where a turn holds anything odd, its events are taken one by one. What fails for a reason of its own is put
off, the rest of its turn is committed, and after a few tries it is in quarantine too.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog

from connectors.base import Receiver, Unreadable, WebhookRequest
from daemon.intake.desk import Desk
from interactions.arrivals import Arrival
from storage import inbound, sources
from storage.database import Connection, Database, is_passing
from storage.errors import StorageError

LOG = structlog.get_logger()
TOGETHER_MAX = 200
WAITING_MAX = 5000
CLAIM_AT_ONCE = 100
CLAIM_WHEN_BUSY = 20  # so that whoever posts is not kept waiting while a turn is read
BUSY_COUNT, BUSY_SECONDS = 20, 0.05  # so many in that time: answering them goes first
SHARE_WHEN_BUSY = 0.2  # of the time, for making records
PAUSE_SECONDS_MAX = 0.5
IDLE_SECONDS = 1.0
REASON_CHARS_MAX = 1000


class Full(Exception):
    """More requests wait to be stored than are kept in memory; the provider is told to come again."""


class Journal:
    """Stores requests durably, grouping those that come at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[inbound.Event, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._lately: deque[float] = deque(maxlen=BUSY_COUNT)
        self.arrived = asyncio.Event()
        self.worked_off = asyncio.Event()  # there are new records, for whoever numbers the feed

    @property
    def is_busy(self) -> bool:
        """Whether requests pour in."""
        lately = self._lately
        return len(lately) == BUSY_COUNT and asyncio.get_running_loop().time() - lately[0] < BUSY_SECONDS

    async def add(self, event: inbound.Event) -> None:
        """Returns when the event is committed; raises StorageError or Full when it is not."""
        if len(self._waiting) >= WAITING_MAX:
            raise Full
        loop = asyncio.get_running_loop()
        self._lately.append(loop.time())
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((event, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
            events = [event for event, _ in some]
            try:
                async with self._database.connection() as db:
                    await inbound.add(db, events)
            except Exception as error:
                for _, done in some:
                    if not done.done():
                        done.set_exception(error)
            else:
                for _, done in some:
                    if not done.done():
                        done.set_result(None)
                self.arrived.set()


async def work_off(
    database: Database, desk: Desk, receivers: Mapping[str, Receiver], at_once: int = CLAIM_AT_ONCE
) -> int:
    """Turns a few stored events into records; returns how many were looked at."""

    async def work(db: Connection) -> int:
        events = await inbound.claim(db, at_once)
        done = [event.source for event in events]
        if len(events) < 2 or not await _together(db, events, desk, receivers):
            done = [event.source for event in events if await _one(db, event, desk, receivers)]
        await sources.mark_success(db, set(done))
        return len(events)

    return await database.in_transaction(work)


async def _together(
    db: Connection, events: Sequence[inbound.Event], desk: Desk, receivers: Mapping[str, Receiver]
) -> bool:
    """Admits a whole turn source by source, which costs hardly more than one event. False, and nothing is written, if
    anything about any of them is odd: then each is looked at by itself."""
    arrivals: dict[str, list[Arrival]] = {}
    try:
        for event in events:
            arrivals.setdefault(event.source, []).extend(receivers[event.source].read(_request(event)))
        async with db.transaction():
            for source, some in arrivals.items():
                await desk.admit_events(db, source, some, datetime.now(UTC))
    except Exception as error:
        if is_passing(error):
            raise  # the whole turn is worked again
        return False
    await inbound.mark_done(db, [event.id for event in events])
    return True


async def _one(db: Connection, event: inbound.Event, desk: Desk, receivers: Mapping[str, Receiver]) -> bool:
    """Whether the event became what it says."""
    receiver = receivers.get(event.source)
    if receiver is None:
        await inbound.mark_failed(db, event, "its source is no longer in the configuration", final=True)
        return False
    try:
        arrivals = receiver.read(_request(event))
        async with db.transaction():
            await desk.admit_events(db, event.source, arrivals, datetime.now(UTC))
    except Unreadable as reason:
        await inbound.mark_failed(db, event, str(reason), final=True)
    except Exception as error:
        if is_passing(error):
            raise  # the whole turn is worked again
        LOG.exception("an event could not be turned into a record", source=event.source, attempts=event.attempts + 1)
        await inbound.mark_failed(db, event, f"{type(error).__name__}: {error}"[:REASON_CHARS_MAX])
    else:
        await inbound.mark_done(db, [event.id])
        return True
    return False


def _request(event: inbound.Event) -> WebhookRequest:
    return WebhookRequest(
        event.source, event.method, event.rest, event.query, event.headers, event.body, event.received_at, event.remote
    )


async def run(database: Database, desk: Desk, receivers: Mapping[str, Receiver], journal: Journal) -> None:
    """Works off the journal until cancelled. While requests pour in, answering them goes first."""
    clock = asyncio.get_running_loop().time
    while True:
        journal.arrived.clear()  # before looking: what comes from here on is looked for once more
        began, is_busy = clock(), journal.is_busy
        try:
            done = await work_off(database, desk, receivers, CLAIM_WHEN_BUSY if is_busy else CLAIM_AT_ONCE)
        except StorageError as error:
            LOG.warning("the journal waits for the database", reason=str(error))
            done = 0
        except Exception:
            LOG.exception("the journal could not be worked off; it is tried again")
            done = 0
        if done:
            journal.worked_off.set()
            if is_busy:
                took = clock() - began
                await asyncio.sleep(min(took * (1 / SHARE_WHEN_BUSY - 1), PAUSE_SECONDS_MAX))
        else:
            with contextlib.suppress(TimeoutError):  # not by wait_for: Python 3.11's may forget that we are to end
                async with asyncio.timeout(IDLE_SECONDS):
                    await journal.arrived.wait()
