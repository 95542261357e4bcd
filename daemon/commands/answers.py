"""What `ringmail init` is told, by flags or by a person, and what it makes of it: the configuration, and the mail server.

What is told is read exactly as it will be from the file, so that a mistake is said before anything is tried; the login is
tried by the very code that will read the mailbox. Secrets are not written for that: a variable stands in for them.
"""

import asyncio
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from config.load import Mistakes, loads
from config.settings import DATA_DIR_DEFAULT, Settings
from config.write import Answers, MailboxAnswers, TelephonyAnswers, render
from connectors.base import ConnectorError, Refused, Unavailable
from connectors.mail.discover import Candidate, candidates, choose
from connectors.registry import mailbox_sender, mailbox_source
from daemon.commands import founding
from daemon.commands.given import ExitCode, Failed
from daemon.commands.users import key_of

PROBE_SECONDS = 20.0
PASSWORD_VARIABLE = "RINGMAIL_INIT_PASSWORD"  # for the time of the login only
PHONE_SOURCE = "pbx"
LISTEN_DEFAULT = "127.0.0.1:8025"


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


def whole_path(text: str) -> str:
    """A path as it was meant where the command was given: relative ones in the file start at the file's folder."""
    return text if not text or text.startswith("~") else str(Path(text).absolute())


def from_flags(wanted: Wanted, path: Path) -> tuple[Wanted, Answers, str]:
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
        login = wanted.login or wanted.email
        mailboxes = (MailboxAnswers(name, wanted.email, chosen.imap, chosen.smtp, login, secret, wanted.tls_ca),)
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
    if wanted.imap:
        return [Candidate(wanted.imap, wanted.smtp)]
    return [replace(one, smtp=wanted.smtp or one.smtp) for one in candidates(wanted.email)]


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
    """Logs in at the first server that knows the mailbox, then at its outgoing one. Raises Refused or Unavailable."""
    found, words = await find_imap(wanted, path)
    if not found.smtp:
        return found, words
    try:
        return found, f"{words}\n{await try_smtp(wanted, found, path)}"
    except ConnectorError as error:
        if wanted.smtp:
            raise
        return replace(found, smtp=""), f"{words}\nthe outgoing server is left out: {error}"


async def try_smtp(wanted: Wanted, server: Candidate, path: Path) -> str:
    """Logs in at the outgoing server and sends nothing. Raises Refused or Unavailable."""
    (mailbox,) = loads_with(answers_for(wanted, server), wanted, path).mailboxes
    sender = mailbox_sender(mailbox)
    assert sender is not None
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await sender.check()
    except TimeoutError:
        raise Unavailable(f"{server.smtp}: no answer within {PROBE_SECONDS:.0f} seconds") from None


async def find_imap(wanted: Wanted, path: Path) -> tuple[Candidate, str]:
    """Logs in at the first server that knows the mailbox."""
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
