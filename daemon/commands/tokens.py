"""`ringmail token`: API tokens of programs. A token is shown once, when it is made; only its hash is kept."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from config.settings import Settings
from daemon.commands import show
from daemon.commands.given import ExitCode, Failed, with_storage
from daemon.opening import Storage
from daemon.passwords import TOKEN_PREFIX, digest, new_secret
from interactions.addresses import clean_name
from interactions.records import Json
from storage import people
from storage.database import Connection
from storage.errors import Conflict
from storage.people import Token

SCOPES = ("read", "write", "admin")
SCOPES_DEFAULT = "read,write,admin"  # who may run this command is the administrator; --scopes narrows it down
NAME_CHARS_MAX = 100

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API tokens: make, list and revoke them.")


@app.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the token is for, such as the program that uses it.")],
    scopes: Annotated[
        str, typer.Option(help=f"What it may do, with commas between: {', '.join(SCOPES)}.")
    ] = SCOPES_DEFAULT,
    json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False,
) -> None:
    """Makes a token and shows it, this once."""
    name, wanted = clean_name(name), parse_scopes(scopes)
    if not name or len(name) > NAME_CHARS_MAX:
        raise Failed(f"A token needs a name of 1 to {NAME_CHARS_MAX} characters.", ExitCode.USAGE)
    secret = TOKEN_PREFIX + new_secret()

    async def add(db: Connection) -> str:
        if any(one.name == name and one.revoked_at is None for one in await people.list_tokens(db)):
            raise Conflict(
                f"There is a token called {name!r} already. Choose another name, or revoke it first: "
                f"ringmail token revoke {name!r}"
            )
        return str(await people.add_token(db, name, digest(secret), wanted))

    async def work(_: Settings, storage: Storage) -> str:
        return await storage.database.in_transaction(add)

    token_id = with_storage(context, work)
    if json:
        show.as_json({"id": token_id, "name": name, "token": secret})
        return
    show.say(secret)
    show.warn("Keep it now: it is not shown again. Programs send it as  Authorization: Bearer TOKEN")


def parse_scopes(text: str) -> list[str]:
    """Scopes in their own order, each once. Raises Failed."""
    given = {one.strip() for one in text.split(",") if one.strip()}
    unknown = sorted(given - set(SCOPES))
    if unknown or not given:
        named = f"unknown: {', '.join(unknown)}; " if unknown else ""
        raise Failed(f"--scopes takes one or more of {', '.join(SCOPES)}; {named}got {text!r}.", ExitCode.USAGE)
    return [one for one in SCOPES if one in given]


@app.command("list")
def list_all(
    context: typer.Context, json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False
) -> None:
    """Lists the tokens, without showing them."""

    async def work(_: Settings, storage: Storage) -> list[Token]:
        async with storage.database.connection() as db:
            return await people.list_tokens(db)

    found = with_storage(context, work)
    if json:
        show.as_json([token_json(one) for one in found])
        return
    now = datetime.now(UTC)
    rows = [
        (one.name, ", ".join(one.scopes), show.moment(one.created_at, now), show.moment(one.last_used_at, now),
         f"revoked {show.moment(one.revoked_at, now)}" if one.revoked_at else "valid", one.id)
        for one in found
    ]  # fmt: skip
    show.table(
        ("name", "scopes", "made", "last used", "state", "id"),
        rows,
        "There are no tokens; `ringmail token create NAME` makes one.",
    )


def token_json(one: Token) -> Json:
    """A token as it is listed."""
    return {
        "id": str(one.id),
        "name": one.name,
        "scopes": list(one.scopes),
        "created_at": show.time_text(one.created_at),
        "last_used_at": show.time_text(one.last_used_at),
        "revoked_at": show.time_text(one.revoked_at),
    }


@app.command("revoke")
def revoke(context: typer.Context, name: Annotated[str, typer.Argument(help="Its name or its id.")]) -> None:
    """Revokes a token at once."""

    async def work(_: Settings, storage: Storage) -> None:
        await storage.database.in_transaction(lambda db: people.revoke_token(db, name))

    with_storage(context, work)
    show.say(f"The token {name} is revoked.")
