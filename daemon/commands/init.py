"""`ringmail init`: from an e-mail address to a configuration that works, by asking or, with `--yes`, from flags.

    ask ─► find the mail server, log in ─► write the files ─► read them back ─► the first user, a link to sign in
                └ refused, not found: asked again; with --yes exit code 4, nothing is written

What was written stays: begun again, it goes on with what is missing. A configuration that is there is never touched
without `--force`; where no user exists yet, one is made by it.

The login is tried by the very code that will read the mailbox, with the text that will be written.
"""

import asyncio
import os
import re
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from config.load import FILE_NAME, Mistakes, load, loads
from config.settings import DATA_DIR_DEFAULT, Settings
from config.write import Answers, MailboxAnswers, TelephonyAnswers, render
from connectors.base import ConnectorError, Refused, Unavailable
from connectors.mail.discover import Candidate, candidates, choose
from connectors.registry import mailbox_source
from daemon.commands import founding, show
from daemon.commands.given import ExitCode, Failed, Given, given_of
from daemon.commands.users import add_user, key_of, make_link, say_link
from daemon.opening import opened
from daemon.wiring import public_url
from interactions.addresses import email_key
from storage import people

PROBE_SECONDS = 20.0
PASSWORD_TRIES = 3
PASSWORD_VARIABLE = "RINGMAIL_INIT_PASSWORD"  # for the time of the login only
PHONE_SOURCE = "pbx"
LISTEN_DEFAULT = "127.0.0.1:8025"

app = typer.Typer(rich_markup_mode=None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for, by flags or by a person. Empty: not said."""

    email: str = ""
    password: str = ""
    password_env: str = ""
    imap: str = ""
    smtp: str = ""
    login: str = ""
    tls_ca: str = ""
    data_dir: str = DATA_DIR_DEFAULT
    listen: str = LISTEN_DEFAULT
    public_url: str = ""
    language: str = "ru"
    timezone: str = "Europe/Moscow"
    region: str = "RU"
    user_email: str = ""
    user_name: str = ""
    phone_lines: tuple[str, ...] = ()
    with_telephony: bool = False


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
    wanted, answers, words = prepare_yes(wanted, path) if yes else prepare_asking(wanted, path)
    if words:
        show.warn(words)
    settings = write(path, answers, wanted)
    show.warn(f"Wrote {path}.")
    asyncio.run(finish(path, settings, wanted, json=json))


def target(given: Given) -> Path:
    """Where the configuration goes."""
    named = given.config or os.environ.get("RINGMAIL_CONFIG") or FILE_NAME
    return Path(named).expanduser().absolute()


# ---- answers


def whole_path(text: str) -> str:
    """A path as it was meant where the command was given: relative ones in the file start at the file's folder."""
    return text if not text or text.startswith("~") else str(Path(text).absolute())


def prepare_yes(wanted: Wanted, path: Path) -> tuple[Wanted, Answers, str]:
    """Answers from flags. Raises Failed, Mistakes, Refused or Unavailable."""
    if not (wanted.user_email or wanted.email):
        raise Failed("--yes needs --email, or --user-email for the first user.", ExitCode.USAGE)
    if wanted.email and not password_of(wanted):
        raise Failed("--yes with --email needs --password-stdin or --password-env NAME (and that set).", ExitCode.USAGE)
    wanted = settled(wanted)
    key_of(wanted.user_email)
    answers = answers_for(wanted, None)
    loads_with(answers, wanted, path)  # mistakes come before any password goes out
    if not wanted.email:
        return wanted, answers, ""
    found, words = asyncio.run(find_server(wanted, path))
    return wanted, answers_for(wanted, found), words


def prepare_asking(wanted: Wanted, path: Path) -> tuple[Wanted, Answers, str]:
    """Answers from a person; flags are the defaults."""
    show.warn(f"This writes {path}. Enter takes what stands in brackets; Ctrl-C stops and leaves nothing behind.\n")
    while True:
        email = ask("E-mail address of the mailbox to read (- for none)", wanted.email or "-")
        if email == "-" or email_key(email):
            break
        show.warn(f"{email[:80]!r} is no e-mail address.")
    wanted = replace(wanted, email="" if email == "-" else email)
    found, words = ask_for_login(wanted, path) if wanted.email else ((wanted, None), "")
    wanted, server = found
    wanted = replace(
        wanted,
        language=ask("Language of the pages, ru or en", wanted.language),
        timezone=ask("Time zone", wanted.timezone),
        region=ask("Country of telephone numbers without one", wanted.region),
        data_dir=ask("Folder for everything that is kept", wanted.data_dir),
        listen=ask("Address and port of the pages", wanted.listen),
    )
    wanted = replace(wanted, public_url=ask("Address that people see", wanted.public_url or f"http://{wanted.listen}"))
    lines = ask("Your telephone lines, with commas between (- for none)", ", ".join(wanted.phone_lines) or "-")
    lines_given = tuple(one.strip() for one in lines.split(",") if one.strip(" -"))
    wanted = replace(wanted, phone_lines=lines_given, with_telephony=wanted.with_telephony or bool(lines_given))
    while True:
        user = ask("Your own e-mail address, to sign in", wanted.user_email or wanted.email or None)
        if email_key(user):
            break
        show.warn(f"{user[:80]!r} is no e-mail address.")
    wanted = settled(replace(wanted, user_email=user, user_name=ask("Your name", wanted.user_name or user)))
    answers = answers_for(wanted, server)
    loads_with(answers, wanted, path)
    return wanted, answers, words


def ask(question: str, default: str | None) -> str:
    """One question on standard error, so that the answer of the command stays alone on standard output."""
    return str(typer.prompt(question, default=default, err=True)).strip()


def ask_for_login(wanted: Wanted, path: Path) -> tuple[tuple[Wanted, Candidate | None], str]:
    """Asks for the password, finds the server and logs in; asks again as long as a person wants to."""
    for tries_left in reversed(range(PASSWORD_TRIES)):
        if not password_of(wanted):
            wanted = replace(
                wanted, password=str(typer.prompt(f"Password of {wanted.email}", hide_input=True, err=True))
            )
        show.warn("Looking for the server and logging in …")
        try:
            found, words = asyncio.run(find_server(wanted, path))
        except ConnectorError as error:
            if not tries_left:
                raise
            show.warn(f"{error}\n")
            if isinstance(error, Refused) and error.state == "needs_reauth":
                wanted = replace(wanted, login=ask("Login", wanted.login or wanted.email), password="", password_env="")
            else:
                wanted = replace(
                    wanted, imap=ask("IMAP server, like imaps://imap.example.org:993", wanted.imap or None)
                )
        else:
            return (wanted, found), words
    raise Failed("The login could not be tried.")


def settled(wanted: Wanted) -> Wanted:
    """With what follows from the rest filled in."""
    return replace(
        wanted,
        data_dir=whole_path(wanted.data_dir),
        public_url=wanted.public_url or f"http://{wanted.listen}",
        user_email=wanted.user_email or wanted.email,
    )


def password_of(wanted: Wanted) -> str:
    """The password of the mailbox, wherever it is."""
    return wanted.password or (os.environ.get(wanted.password_env, "") if wanted.password_env else "")


def mailbox_name(email: str) -> str:
    """A name for the mailbox: what stands before the @, as far as names allow it."""
    name = re.sub(r"[^a-z0-9_-]+", "-", email.partition("@")[0].lower()).strip("-_")[:60]
    return name or "mail"


def answers_for(wanted: Wanted, server: Candidate | None) -> Answers:
    """What is written. Without a server yet, the first that would be tried."""
    mailboxes: tuple[MailboxAnswers, ...] = ()
    if wanted.email:
        name = mailbox_name(wanted.email)
        chosen = server or next(iter(servers(wanted)), Candidate("imaps://localhost", ""))
        secret = f"env:{wanted.password_env}" if not wanted.password else f"file:{name}.password"
        smtp = wanted.smtp or chosen.smtp
        login = wanted.login or wanted.email
        mailboxes = (MailboxAnswers(name, wanted.email, chosen.imap, smtp, login, secret, wanted.tls_ca),)
    phones: tuple[TelephonyAnswers, ...] = ()
    if wanted.with_telephony:
        # A mailbox may be called so too, and every name is given once.
        name = PHONE_SOURCE if all(one.name != PHONE_SOURCE for one in mailboxes) else f"{PHONE_SOURCE}-calls"
        lines = dict.fromkeys(wanted.phone_lines, wanted.user_email)
        phones = (TelephonyAnswers(name, f"file:{name}.secret", lines),)
    return Answers(
        wanted.data_dir, wanted.public_url, wanted.region, wanted.language, wanted.timezone, wanted.listen, mailboxes,
        phones,
    )  # fmt: skip


def servers(wanted: Wanted) -> list[Candidate]:
    """Where to look for the mailbox."""
    return [Candidate(wanted.imap, wanted.smtp)] if wanted.imap else candidates(wanted.email)


def loads_with(answers: Answers, wanted: Wanted, path: Path) -> Settings:
    """What the answers mean, with secrets that are not written yet. Raises Mistakes."""
    stand_in = f"env:{PASSWORD_VARIABLE}"
    tried = replace(
        answers,
        mailboxes=tuple(replace(one, password=stand_in) for one in answers.mailboxes),
        telephony=tuple(replace(one, secret=stand_in) for one in answers.telephony),
    )
    environ = {**os.environ, PASSWORD_VARIABLE: password_of(wanted) or founding.new_webhook_secret()}
    try:
        return loads(render(tried), path.parent, environ).settings
    except Mistakes as error:
        told = [replace(mistake, line=None, file="answers") for mistake in error.mistakes]
        raise Mistakes(told) from None


async def find_server(wanted: Wanted, path: Path) -> tuple[Candidate, str]:
    """Logs in at the first server that knows the mailbox. Raises Refused or Unavailable."""
    found = servers(wanted)
    if not found:
        raise Failed(f"{wanted.email[:80]!r} has no domain to look for a server in; give --imap.", ExitCode.USAGE)

    async def probe(candidate: Candidate) -> str:
        (mailbox,) = loads_with(answers_for(wanted, candidate), wanted, path).mailboxes
        source = mailbox_source(mailbox)
        assert source is not None
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await source.check()
        except TimeoutError:
            raise Unavailable(f"no answer within {PROBE_SECONDS:.0f} seconds") from None

    if len(found) == 1:
        try:
            return found[0], await probe(found[0])
        except Refused as error:
            hint = found[0].hint if error.state == "needs_reauth" else ""
            raise Refused(f"{error}; {hint}" if hint else str(error), error.state) from None
    return await choose(found, probe)


# ---- files and the first user


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
