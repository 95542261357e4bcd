"""`ringmail contacts`: contact lists in and out.

`import` reads CSV (`interactions.contactfiles`), .xlsx (`interactions.workbooks`) or vCard (`interactions.vcards`) and may
be repeated (`daemon.contactimports`). Rows that are refused are listed with line and reason, the rest goes in: exit code 0
as long as the file as a whole could be read. Columns with names of their own are told by `--columns FILE`:

    "Моб. менеджера" = "phone:mobile"      a heading and its field
    "Служебное" = ""                       a column that is to be left out

`export` writes what `import` takes back (`daemon.contactexports`), readable by you alone, whole or not at all.

Limits: erase and dossier are not built yet.
"""

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from config.settings import Settings
from daemon import contactexports
from daemon.commands import show
from daemon.commands.founding import write_private
from daemon.commands.given import Failed, with_storage
from daemon.contactimports import Imported, import_contacts
from daemon.contacts import Spelling
from daemon.opening import Storage
from interactions.contactfiles import FILE_BYTES_MAX, ContactFile, UnreadableFile
from interactions.contactlists import read_list

REFUSED_SHOWN_MAX = 50

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Contact lists: import and export them.")


@app.command("import")
def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV or .xlsx whose first line names the columns, or vCard.")],
    columns: Annotated[Path | None, typer.Option(help="A TOML file: heading = field, for columns of your own.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False,
) -> None:
    """Brings a contact list in; repeatable."""
    found = read_file(file, read_columns(columns) if columns else {})

    async def work(settings: Settings, storage: Storage) -> Imported:
        spelling = Spelling(settings.default_region, settings.contacts.default_area_code)
        with show.Progress("contacts", len(found.rows)) as progress:
            result = await import_contacts(
                storage.database, found.rows, spelling, datetime.now(UTC), dry_run=dry_run, progress=progress.advance
            )
        result.join(Imported(refused=list(found.refused)))
        return result

    result = with_storage(context, work)
    if json:
        show.as_json({**result.as_json(), "ignored_columns": list(found.ignored), "dry_run": dry_run})
        return
    if found.ignored:
        show.warn(f"Columns that mean nothing to us were left out: {', '.join(found.ignored)}")
    for one in result.refused[:REFUSED_SHOWN_MAX]:
        show.warn(f"{file}:{one.line}: refused: {one.reason}")
    if len(result.refused) > REFUSED_SHOWN_MAX:
        show.warn(f"… and {len(result.refused) - REFUSED_SHOWN_MAX} more; --json lists them all")
    show.say(
        ("Nothing was written. It would be: " if dry_run else "")
        + f"{result.added} added, {result.changed} changed, {result.unchanged} unchanged, "
        + f"{len(result.refused)} refused"
        + (f"; {result.partners} partners made because rows name them" if result.partners else "")
    )


def read_columns(path: Path) -> dict[str, str]:
    """What a file says of headings. Raises Failed."""
    try:
        found = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise Failed(f"{path} cannot be read as TOML: {error}.") from None
    if not all(isinstance(field, str) for field in found.values()):
        raise Failed(f'{path}: each line must be like "Heading" = "field".')
    return found


def read_file(path: Path, columns: Mapping[str, str]) -> ContactFile:
    """The rows of a file. Raises Failed."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror or error}.") from None
    try:
        return read_list(content, columns)
    except UnreadableFile as error:
        raise Failed(f"{path}: {error}") from None


@app.command("export")
def export_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write; .csv, .xlsx or .vcf (vCard) says how.")],
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False,
) -> None:
    """Writes all contacts as a list that can be imported again."""
    form = contactexports.FORMS.get(file.suffix.lower())
    if form is None:
        raise Failed(f"{file} ends like no list that can be written; there are {', '.join(contactexports.FORMS)}.")
    if file.exists() and not force:
        raise Failed(f"{file} is there already; --force writes over it.")

    async def work(_: Settings, storage: Storage) -> tuple[int, bytes]:
        found: list[contactexports.Serving] = []
        async with storage.database.connection() as db:
            users = await contactexports.emails_of_users(db)
            with show.Progress("contacts") as progress:
                async for some in contactexports.batches(db, datetime.now(UTC)):
                    found += some
                    progress.advance(len(some))
        return len(found), form(found, users)

    count, content = with_storage(context, work)
    try:
        write_private(file.absolute(), content, replaces=True)
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror or error}.") from None
    if json:
        show.as_json({"contacts": count, "file": str(file)})
        return
    show.say(f"{count} contacts written to {file}.")
