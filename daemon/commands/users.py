"""`ringmail user`: the people who sign in.

A user is a contact of kind user that owns its e-mail, with a login: both are written in one transaction. Without a
password a user signs in by the link that `add` prints: it works once, within a day, and leads to the pages, where nothing
else is needed. `password` sets one, `link` prints another link.

A user who leaves is disabled: at once no session and no link of theirs holds, and their history stays. `handover` gives
what is still open to somebody else; what the configuration names (mailboxes, lines) is changed there.
"""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import typer

from config.settings import Settings
from daemon import handover
from daemon.commands import show
from daemon.commands.given import ExitCode, Failed, with_storage
from daemon.opening import Storage
from daemon.passwords import digest, hash_password, new_secret
from daemon.staff import ROLE_DEFAULT, ROLES, add_user
from daemon.wiring import public_url
from interactions.addresses import clean_name, email_key
from interactions.records import Json, Key
from storage import people
from storage.database import Connection
from storage.errors import Conflict, NotFound
from storage.people import User

LINK_HOURS = 24

Email = Annotated[str, typer.Argument(help="The e-mail address of the user.")]
AsJson = Annotated[bool, typer.Option("--json", help=show.JSON_HELP)]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="People who sign in: add, list, disable, password, link."
)


@app.command("add")
def add(
    context: typer.Context,
    email: Email,
    name: Annotated[str, typer.Option(help="As others see it; the address where none is given.")] = "",
    role: Annotated[str, typer.Option(help=f"What the user may do: {', '.join(ROLES)}.")] = ROLE_DEFAULT,
    password_stdin: FromStdin = False,
    json: AsJson = False,
) -> None:
    """Adds a user and prints a link that signs in once."""
    key = key_of(email)
    if role not in ROLES:
        raise Failed(f"--role takes one of {', '.join(ROLES)}, not {role!r}.", ExitCode.USAGE)
    password = hashed(read_password()) if password_stdin else None

    async def work(settings: Settings, storage: Storage) -> tuple[UUID, str]:
        now = datetime.now(UTC)
        user_id = await storage.database.in_transaction(
            lambda db: add_user(db, settings, key, clean_name(name) or key.value, role, password, now)
        )
        return user_id, await make_link(settings, storage, user_id, now)

    user_id, link = with_storage(context, work)
    if json:
        show.as_json({"id": str(user_id), "email": key.value, "role": role, "link": link})
        return
    show.say(f"Added {key.value} ({role}).")
    say_link(link)


def key_of(email: str) -> Key:
    """The canonical form of an address. Raises Failed."""
    key = email_key(email)
    if key is None:
        raise Failed(f"{email[:80]!r} is no e-mail address.", ExitCode.USAGE)
    return key


async def make_link(settings: Settings, storage: Storage, user_id: UUID, now: datetime) -> str:
    """A link that signs this user in, once and within a day."""
    secret = new_secret()
    ends_at = now + timedelta(hours=LINK_HOURS)
    await storage.database.in_transaction(lambda db: people.add_once_link(db, digest(secret), user_id, ends_at))
    return f"{public_url(settings)}/login?once={quote(secret)}"


def say_link(link: str) -> None:
    """The link, and what is to be known of it."""
    show.say(f"Sign in: {link}")
    show.warn(f"The link works once, within {LINK_HOURS} hours, while the daemon runs.")


def read_password() -> str:
    """From standard input, or asked for twice on a terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def hashed(password: str) -> str:
    """The hash of a password. Raises Failed for one that will not do."""
    try:
        return hash_password(password)
    except ValueError as error:
        raise Failed(f"This will not do: {error}.") from None


@app.command("list")
def list_all(context: typer.Context, json: AsJson = False) -> None:
    """Lists the users, those who left too."""

    async def work(_: Settings, storage: Storage) -> list[User]:
        async with storage.database.connection() as db:
            return await people.list_all(db)

    found = with_storage(context, work)
    if json:
        show.as_json([user_json(one) for one in found])
        return
    rows = [(one.name, one.email, one.role, "disabled" if one.disabled_at else "active", one.id) for one in found]
    show.table(
        ("name", "e-mail", "role", "state", "id"), rows, "There are no users; `ringmail user add EMAIL` adds one."
    )


def user_json(one: User) -> Json:
    """A user as listed."""
    return {
        "id": str(one.id),
        "name": one.name,
        "email": one.email,
        "role": one.role,
        "disabled_at": show.time_text(one.disabled_at),
    }


async def find_user(db: Connection, email: str) -> User:
    """The user of this address. Raises NotFound."""
    found = await people.find_by_email(db, key_of(email).value)
    if found is None:
        raise NotFound(f"There is no user {email}. `ringmail user list` shows who there is.")
    return found[0]


@app.command("disable")
def disable(
    context: typer.Context,
    email: Email,
    undo: Annotated[bool, typer.Option("--undo", help="Let the user in again.")] = False,
) -> None:
    """Locks a user out at once; the history stays."""

    async def change(db: Connection) -> None:
        await people.mark_disabled(db, (await find_user(db, email)).id, not undo)

    async def work(_: Settings, storage: Storage) -> None:
        await storage.database.in_transaction(change)

    with_storage(context, work)
    show.say(f"{email} may sign in again." if undo else f"{email} is disabled and signed out everywhere.")


@app.command("password")
def password(context: typer.Context, email: Email, password_stdin: FromStdin = False) -> None:
    """Sets a password, asked for or read from standard input, and signs the user out everywhere."""
    if not password_stdin and not sys.stdin.isatty():
        raise Failed("There is no terminal to ask on; give the password with --password-stdin.", ExitCode.USAGE)
    new = hashed(read_password())

    async def change(db: Connection) -> None:
        user = await find_user(db, email)
        await people.set_password(db, user.id, new)
        await people.sign_out(db, user.id)

    async def work(_: Settings, storage: Storage) -> None:
        await storage.database.in_transaction(change)

    with_storage(context, work)
    show.say(f"The password of {email} is set.")


@app.command("link")
def link(context: typer.Context, email: Email, json: AsJson = False) -> None:
    """Prints a link that signs a user in once."""

    async def work(settings: Settings, storage: Storage) -> str:
        async with storage.database.connection() as db:
            user = await find_user(db, email)
        if user.disabled_at is not None:
            raise Conflict(f"{email} is disabled; `ringmail user disable --undo` lets in again.")
        return await make_link(settings, storage, user.id, datetime.now(UTC))

    made = with_storage(context, work)
    if json:
        show.as_json({"email": key_of(email).value, "link": made})
        return
    say_link(made)


class _Counted(Exception):
    """Ends the transaction of a dry run."""

    def __init__(self, moved: dict[str, int]) -> None:
        super().__init__()
        self.moved = moved


@app.command("handover")
def hand_over(
    context: typer.Context,
    leaver: Annotated[str, typer.Argument(metavar="FROM", help="The e-mail address of who leaves.")],
    heir: Annotated[str, typer.Argument(metavar="TO", help="The e-mail address of who takes over.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    json: AsJson = False,
) -> None:
    """Gives open work to somebody else in one act; closed records keep their responsible."""

    async def act(db: Connection) -> tuple[dict[str, int], str]:
        who, to = await find_user(db, leaver), await find_user(db, heir)
        moved, token = await handover.hand_over(db, who.id, to.id, None)
        if dry_run:
            raise _Counted(moved)
        return moved, token

    async def work(_: Settings, storage: Storage) -> tuple[dict[str, int], str]:
        try:
            return await storage.database.in_transaction(act)
        except _Counted as counted:
            return counted.moved, ""

    moved, token = with_storage(context, work)
    if json:
        show.as_json({**moved, "undo": token or None})
        return
    words = ", ".join(f"{count} {name}" for name, count in moved.items())
    show.say(f"Would hand over {words}." if dry_run else f"Handed over {words}.")
    if token:
        show.say(f"To take it back: POST /api/v1/undo/{token}")
