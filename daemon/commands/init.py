"""`ringmail init`: from an e-mail address to a configuration that works, by asking or, with `--yes`, from flags.

    ask ─► find the mail server, log in ─► write the files ─► read them back ─► the first user, a link to sign in
                └ refused, not found: asked again; with --yes exit code 4, nothing is written

What was written stays: begun again, it goes on with what is missing. A configuration that is there is never touched
without `--force`; where no user exists yet, one is made by it.

The login is tried by the very code that will read the mailbox, with the text that will be written.
"""

import asyncio
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from config.load import FILE_NAME, load
from config.settings import DATA_DIR_DEFAULT, Settings
from config.write import Answers, render
from daemon.commands import founding, show
from daemon.commands.answers import LISTEN_DEFAULT, Wanted, from_flags, whole_path
from daemon.commands.asking import from_person
from daemon.commands.given import ExitCode, Failed, Given, given_of
from daemon.commands.users import key_of, make_link, say_link
from daemon.opening import opened
from daemon.staff import add_user
from daemon.wiring import public_url
from storage import people

app = typer.Typer(rich_markup_mode=None)


@app.command("init")
def init(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; all comes from the flags.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a configuration that is there.")] = False,
    email: Annotated[str, typer.Option(help="Address of the mailbox to read.")] = "",
    password_env: Annotated[str, typer.Option(metavar="NAME", help="Variable that holds its password.")] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read its password from stdin.")] = False,
    imap: Annotated[str, typer.Option(metavar="URL", help="Its server, like imaps://imap.example.org:993.")] = "",
    smtp: Annotated[str, typer.Option(metavar="URL", help="Its outgoing server.")] = "",
    login: Annotated[str, typer.Option(help="Its login, where that is not the address.")] = "",
    tls_ca: Annotated[str, typer.Option(metavar="PATH", help="A company's own authority, as PEM.")] = "",
    data_dir: Annotated[str, typer.Option(metavar="PATH", help="Where everything is kept.")] = DATA_DIR_DEFAULT,
    listen: Annotated[str, typer.Option(help="Where the pages listen.")] = LISTEN_DEFAULT,
    public_url: Annotated[str, typer.Option("--public-url", metavar="URL", help="What people and providers see.")] = "",
    language: Annotated[str, typer.Option(help="ru or en.")] = "ru",
    timezone: Annotated[str, typer.Option(help="Of reports and pages.")] = "Europe/Moscow",
    region: Annotated[str, typer.Option(help="Country of numbers without one.")] = "RU",
    user_email: Annotated[str, typer.Option(help="Address of the first user; else that of the mailbox.")] = "",
    user_name: Annotated[str, typer.Option(help="Name of the first user.")] = "",
    phone_line: Annotated[
        list[str] | None, typer.Option(metavar="NUMBER", help="A telephone line; repeatable.")
    ] = None,
    telephony: Annotated[bool, typer.Option("--telephony", help="Take calls and SMS of a PBX.")] = False,
    json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False,
) -> None:
    """Writes a configuration, tries the login, and makes the first user."""
    path = target(given_of(context))
    wanted = Wanted(
        email, sys.stdin.readline().rstrip("\r\n") if password_stdin else "", password_env, imap, smtp, login, whole_path(tls_ca),
        data_dir, listen, public_url, language, timezone, region, user_email, user_name,
        tuple(phone_line or ()), telephony or bool(phone_line),
    )  # fmt: skip
    if path.exists() and not force:
        asyncio.run(resume(path, wanted, json=json))
        return
    wanted, answers, words = from_flags(wanted, path) if yes else from_person(wanted, path)
    if words:
        show.warn(words)
    settings = write(path, answers, wanted)
    show.warn(f"Wrote {path}.")
    asyncio.run(finish(path, settings, wanted, json=json))


def target(given: Given) -> Path:
    """Where the configuration goes."""
    named = given.config or os.environ.get("RINGMAIL_CONFIG") or FILE_NAME
    return Path(named).expanduser().absolute()


def write(path: Path, answers: Answers, wanted: Wanted) -> Settings:
    """Writes everything, the configuration last, and reads it back. Raises OSError or Mistakes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    founding.keep_or_write(path.with_name(founding.SECRET_KEY), founding.new_key())
    for mailbox in answers.mailboxes:
        if wanted.password:
            founding.write_private(path.with_name(f"{mailbox.name}.password"), wanted.password + "\n", replaces=True)
    for phone in answers.telephony:
        founding.keep_or_write(path.with_name(f"{phone.name}.secret"), founding.new_webhook_secret())
    old = founding.keep_old(path)
    if old is not None:
        show.warn(f"The configuration that was there is kept as {old}.")
    founding.write_private(path, render(answers), replaces=True)
    return load(path, os.environ).settings


async def resume(path: Path, wanted: Wanted, *, json: bool) -> None:
    """Goes on with a configuration that is there: makes the first user if there is none. Raises Failed otherwise."""
    settings = load(path, os.environ).settings
    async with opened(settings) as storage, storage.database.connection() as db:
        has_users = bool(await people.list_all(db))
    if has_users:
        raise Failed(
            f"{path} is there already and stays as it is. `ringmail check` looks at it; --force writes a new one."
        )
    show.warn(f"{path} is there already and stays as it is; only the first user is missing.")
    email = wanted.user_email or wanted.email or (settings.mailboxes[0].address if settings.mailboxes else "")
    if not email:
        raise Failed("Name the first user with --user-email.", ExitCode.USAGE)
    await finish(path, settings, replace(wanted, user_email=email), json=json)


async def finish(path: Path, settings: Settings, wanted: Wanted, *, json: bool) -> None:
    """Makes the first user, an admin, unless there is one already, and says how to go on."""
    key = key_of(wanted.user_email)
    now = datetime.now(UTC)
    async with opened(settings) as storage:
        async with storage.database.connection() as db:
            known = await people.find_by_email(db, key.value)
        if known is not None:
            user_id = known[0].id
        else:
            name = wanted.user_name or key.value
            user_id = await storage.database.in_transaction(
                lambda db: add_user(db, settings, key, name, "admin", None, now)
            )
        link = await make_link(settings, storage, user_id, now)
    if json:
        hooks = [f"{public_url(settings)}/hooks/{phone.name}" for phone in settings.telephony]
        show.as_json({"config": str(path), "user": key.value, "link": link, "hooks": list(hooks)})
        return
    show.say(f"The first user is {key.value}.")
    say_link(link)
    option = "" if path == Path.cwd() / FILE_NAME else f" --config {path}"
    show.say("Next:")
    show.say(f"  ringmail{option} check    looks at every setting and every peer")
    show.say(f"  ringmail{option} run      starts the daemon; then open the link")
    for phone in settings.telephony:
        show.say(
            f"  let your PBX post to {public_url(settings)}/hooks/{phone.name}, signed with the secret in "
            f"{path.with_name(f'{phone.name}.secret')}"
        )
