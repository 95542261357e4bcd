"""`ringmail migrate`: brings the database to this version. The daemon does the same when it starts; this is for those who
want it done before, or by another hand.
"""

from typing import Annotated

import typer

from config.settings import Settings
from daemon.commands import show
from daemon.commands.given import given_of, with_database
from storage import migrate
from storage.database import Database

app = typer.Typer(rich_markup_mode=None)


@app.command("migrate")
def migrate_database(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only name what would be applied.")] = False,
    json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False,
) -> None:
    """Brings the database to this version."""

    async def work(_: Settings, database: Database) -> list[str]:
        return await (migrate.pending(database) if dry_run else migrate.migrate(database))

    applied = with_database(given_of(context).settings(), work)
    if json:
        show.as_json({"pending" if dry_run else "applied": applied})
        return
    for name in applied:
        show.say(f"{'would apply' if dry_run else 'applied'} {name}")
    if not applied:
        show.say("The database is at this version.")
