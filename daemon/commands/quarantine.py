"""`ringmail quarantine`: mails and events that nobody could read, kept raw with their reasons, and read again."""

import sys
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from config.settings import Settings
from daemon.commands import show
from daemon.commands.given import ExitCode, Failed, with_storage
from daemon.intake.desk import Desk
from daemon.opening import Storage
from daemon.quarantine import retry
from daemon.wiring import intake_settings
from daemon.workers import Workers
from interactions.records import Json
from storage import quarantine
from storage.errors import NotFound
from storage.quarantine import Entry

LIMIT = 200
LIMIT_MAX = 10_000

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What could not be read, with its reason.")
AsJson = Annotated[bool, typer.Option("--json", help=show.JSON_HELP)]


@app.command("list")
def list_open(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="At most so many, the newest.")] = LIMIT,
    json: AsJson = False,
) -> None:
    """Lists what waits there, newest first."""

    async def work(_: Settings, storage: Storage) -> list[Entry]:
        async with storage.database.connection() as db:
            return await quarantine.list_open(db, limit)

    found = with_storage(context, work)
    if json:
        show.as_json([entry_json(one) for one in found])
        return
    now = datetime.now(UTC)
    rows = [
        (show.moment(one.created_at, now), one.source, one.kind, place(one.locator), one.reason, one.id)
        for one in found
    ]
    show.table(("since", "source", "kind", "where", "reason", "id"), rows, "The quarantine is empty.")


def place(locator: Json) -> str:
    """Where the mail lies on the server."""
    return " ".join(str(locator[key]) for key in ("folder", "uid") if key in locator)


def entry_json(one: Entry) -> Json:
    """An entry as it is listed."""
    return {
        "id": str(one.id),
        "source": one.source,
        "kind": one.kind,
        "reason": one.reason,
        "locator": dict(one.locator),
        "attempts": one.attempts,
        "created_at": show.time_text(one.created_at),
    }


@app.command("show")
def show_one(
    context: typer.Context,
    entry: Annotated[str, typer.Argument(metavar="ID", help="As `quarantine list` names it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the kept bytes to standard output.")] = False,
    json: AsJson = False,
) -> None:
    """Shows one entry; with --raw the bytes as they came, to look at with care."""
    entry_id = entry_id_of(entry)

    async def work(_: Settings, storage: Storage) -> tuple[Entry, bytes]:
        async with storage.database.connection() as db:
            found = await quarantine.find(db, entry_id)
            if found is None:
                raise NotFound(f"There is nothing {entry_id} in the quarantine.")
            if not raw or found.raw_sha256 is None:
                return found.entry, found.body or b""
            return found.entry, await storage.blobs.read(db, found.raw_sha256)

    one, content = with_storage(context, work)
    if raw:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    elif json:
        show.as_json(entry_json(one))
    else:
        show.fields(entry_json(one))


@app.command("retry")
def retry_some(
    context: typer.Context,
    entry: Annotated[str, typer.Argument(metavar="ID|all", help="As `quarantine list` names it, or all of them.")],
    json: AsJson = False,
) -> None:
    """Tries to read again what could not be read, for instance after an update."""
    wanted = None if entry == "all" else entry_id_of(entry)

    async def work(settings: Settings, storage: Storage) -> dict[str, int]:
        outcomes = {"read": 0, "queued": 0, "kept": 0}
        workers = Workers()
        await workers.start()
        try:
            desk = Desk(storage.database, storage.blobs, intake_settings(settings), workers.parse)
            async with storage.database.connection() as db:
                open_ones = await quarantine.list_open(db, LIMIT_MAX) if wanted is None else []
            for one in [wanted] if wanted is not None else [found.id for found in open_ones]:
                outcomes[await retry(storage.database, storage.blobs, desk, one)] += 1
        finally:
            await workers.stop()
        return outcomes

    done = with_storage(context, work)
    if json:
        show.as_json(dict(done))
        return
    show.say(f"{done['read']} read, {done['queued']} put back into the journal, {done['kept']} still can't be read.")


def entry_id_of(text: str) -> UUID:
    """The id of an entry. Raises Failed."""
    try:
        return UUID(text)
    except ValueError:
        raise Failed(f"{text[:60]!r} is no id; `ringmail quarantine list` shows them.", ExitCode.USAGE) from None
