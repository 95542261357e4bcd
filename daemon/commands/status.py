"""`ringmail status`: how every source is, what waits where, and how large all is.

Limits: sizes of the packs of raw mail beside the database are not counted.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from config.settings import Settings
from daemon.commands import show
from daemon.commands.given import with_storage
from daemon.opening import Storage
from daemon.wiring import source_rows
from interactions.records import Json
from storage import counts, leases, sources
from storage.counts import KeptHere, Waiting
from storage.sources import SourceRow

DAEMON_SEEN_SECONDS = leases.LEASE_SECONDS

app = typer.Typer(rich_markup_mode=None)


@dataclass(frozen=True, slots=True)
class Status:
    """All that `status` tells."""

    daemons: int
    sources: list[SourceRow]
    waiting: Waiting
    kept: KeptHere
    at: datetime


@app.command("status")
def status(context: typer.Context, json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False) -> None:
    """How every source is, what waits, and how large the database is."""

    async def work(settings: Settings, storage: Storage) -> Status:
        async with storage.database.connection() as db:
            configured = {name for name, _, _ in source_rows(settings)}
            return Status(
                await leases.alive(db, DAEMON_SEEN_SECONDS),
                [one for one in await sources.list_all(db) if one.name in configured],
                await counts.waiting(db),
                await counts.kept(db),
                datetime.now(UTC),
            )

    found = with_storage(context, work)
    if json:
        show.as_json(as_json(found))
        return
    show.say(f"{found.daemons} daemon(s) running" if found.daemons else "No daemon is running; states are its last.")
    show.say()
    rows = [
        (one.name, one.type, one.state, show.moment(one.since, found.at), show.moment(one.last_success_at, found.at),
         backlog(one), show.moment(one.next_try_at, found.at) if one.next_try_at else "", one.detail)
        for one in found.sources
    ]  # fmt: skip
    headings = ("source", "type", "state", "since", "last success", "backlog", "next try", "detail")
    show.table(headings, rows, "No source has run yet; `ringmail run` starts those of the configuration.")
    show.say()
    waiting = found.waiting
    show.fields(
        {
            "webhooks to read": waiting.journal,
            "records to index": waiting.search,
            "changes to number": waiting.feed,
            "in quarantine": f"{waiting.quarantine}" + (" (ringmail quarantine list)" if waiting.quarantine else ""),
            "interactions": f"{'about ' if found.kept.interactions > counts.COUNTED_MAX else ''}{found.kept.interactions}",
            "database": show.size(found.kept.database_bytes),
        }
    )


def backlog(one: SourceRow) -> str:
    """How far a source is with what it catches up with, at which rate, and for how long still."""
    if one.state != "catching_up" or one.total is None:
        return ""
    known = f"{one.done or 0} of {one.total}"
    if one.per_second is None or one.seconds_left is None:
        return known
    return f"{known}, {one.per_second:.0f} a second, {show.span(timedelta(seconds=one.seconds_left))} left"


def as_json(found: Status) -> Json:
    """The status for a program."""
    return {
        "daemons": found.daemons,
        "at": show.time_text(found.at),
        "sources": [
            {
                "name": one.name,
                "kind": one.kind,
                "type": one.type,
                "state": one.state,
                "detail": one.detail,
                "since": show.time_text(one.since),
                "last_success_at": show.time_text(one.last_success_at),
                "next_try_at": show.time_text(one.next_try_at),
                "done": one.done,
                "total": one.total,
                "per_second": one.per_second,
                "seconds_left": one.seconds_left,
            }
            for one in found.sources
        ],
        "waiting": asdict(found.waiting),
        "database_bytes": found.kept.database_bytes,
        "interactions": found.kept.interactions,
        "users": found.kept.users,
    }
