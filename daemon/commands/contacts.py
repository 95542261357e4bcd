"""`ringmail contacts`: contact lists in and out.

`import` reads CSV (`interactions.contactfiles`), .xlsx (`interactions.workbooks`) or vCard (`interactions.vcards`) and may
be repeated (`daemon.contactimports`). Rows that are refused are listed with line and reason, the rest goes in: exit code 0
as long as the file as a whole could be read. Columns with names of their own are told by `--columns FILE`:

    "Моб. менеджера" = "phone:mobile"      a heading and its field
    "Служебное" = ""                       a column that is to be left out

`export` writes what `import` takes back (`daemon.contactexports`), readable by you alone, whole or not at all.

`erase` takes a person's data out of everything for good, the disk included (`daemon.erasing`); `dossier` writes all that is
held of a person into one archive (`daemon.dossier`). While `erase` cleans the disk, a daemon beside it waits for each table.
"""

import os
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from config.settings import Settings
from daemon import contactexports, dossier
from daemon.commands import show
from daemon.commands.founding import write_private
from daemon.commands.given import ExitCode, Failed, with_storage
from daemon.contactimports import Imported, import_contacts
from daemon.contacts import Spelling
from daemon.erasing import Done, erase, finish, hash_keys
from daemon.opening import Storage
from interactions.contactfiles import FILE_BYTES_MAX, ContactFile, UnreadableFile
from interactions.contactlists import read_list
from interactions.contacts import ContactKind
from storage import audit, rewriting

REFUSED_SHOWN_MAX = 50
CLEANING_STEPS = len(rewriting.TABLES) + 3


class Mode(StrEnum):
    """What becomes of interactions that a person had with us alone."""

    ANONYMISE = "anonymise"
    REMOVE = "remove"


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
            await audit.note(db, "contacts.exported", count=len(found))
        some = [one for one in found if file.suffix.lower() != ".vcf" or one.contact.kind is not ContactKind.USER]
        return len(some), form(some, users)

    count, content = with_storage(context, work)
    try:
        write_private(file.absolute(), content, replaces=True)
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror or error}.") from None
    if json:
        show.as_json({"contacts": count, "file": str(file)})
        return
    show.say(f"{count} contacts written to {file}.")


@app.command("erase")
def erase_one(
    context: typer.Context,
    contact: Annotated[str, typer.Argument(metavar="ID", help="The id of the contact.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept, so name nobody.")],
    mode: Annotated[Mode, typer.Option(help="remove: what was with us alone is deleted besides.")] = Mode.ANONYMISE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False,
) -> None:
    """Erases all that is held of a person, for good."""
    contact_id = contact_id_of(contact)

    async def work(settings: Settings, storage: Storage) -> tuple[Done, list[str]]:
        keys = hash_keys(settings)
        done = await erase(
            storage.database, storage.blobs, contact_id, mode.value, reason, None, keys, datetime.now(UTC),
            dry_run=dry_run,
        )  # fmt: skip
        if dry_run:
            return done, []
        with show.Progress("steps", CLEANING_STEPS) as progress:
            return done, await finish(storage.database, settings, storage.blobs, lambda _: progress.advance(1))

    done, left = with_storage(context, work)
    if json:
        show.as_json({**done.as_json(), "not_cleaned": left})
        return
    show.say("Nothing was erased. It would be:" if dry_run else f"Act {done.act.id} of {show.time_text(done.act.at)}:")
    show.fields({name: count for name, count in done.act.counts.items() if count})
    for one in done.mentioned_in:
        show.warn(f"The name stands in the interaction {one} too; look at it.")
    for sentence in left:
        show.warn(f"Not cleaned from the disk: {sentence}")


@app.command("dossier")
def dossier_of(
    context: typer.Context,
    contact: Annotated[str, typer.Argument(metavar="ID", help="The id of the contact.")],
    output: Annotated[Path | None, typer.Option(help="Where to write; else dossier-ID.zip here.")] = None,
    json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False,
) -> None:
    """Writes all that is held of a person into one archive, readable by you alone."""
    contact_id = contact_id_of(contact)
    path = (output or Path(f"dossier-{contact_id}.zip")).absolute()
    if path.exists():
        raise Failed(f"{path} is there already; move it away, or name another with --output.")

    async def work(settings: Settings, storage: Storage) -> int:
        return await dossier.write(storage.database, storage.blobs, contact_id, settings.public_url, path)

    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        count = with_storage(context, work)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror or error}.") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if json:
        show.as_json({"interactions": count, "file": str(path)})
        return
    show.say(f"{count} interactions and all that belongs to them written to {path}.")


def contact_id_of(text: str) -> UUID:
    """The id of a contact. Raises Failed."""
    try:
        return UUID(text)
    except ValueError:
        raise Failed(f"{text[:60]!r} is no id of a contact; its page has it in the address.", ExitCode.USAGE) from None
