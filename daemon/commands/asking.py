"""The questions of `ringmail init`, for a person at a terminal.

Each answer is looked at as soon as it is given, and asked for again if no configuration may have it; the mailbox comes first,
with its login. Questions go to standard error.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from config.load import Mistakes
from config.write import Answers
from connectors.base import ConnectorError, Refused
from connectors.mail.discover import Candidate
from daemon.commands import show
from daemon.commands.answers import Wanted, answers_for, find_server, loads_with, password_of, settled
from daemon.commands.given import Failed
from daemon.commands.users import key_of
from interactions.addresses import email_key

PASSWORD_TRIES = 3


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its words, the answer in brackets, and what an answer changes."""

    words: str
    default: Callable[[Wanted], str]
    change: Callable[[Wanted, str], Wanted]


def from_person(wanted: Wanted, path: Path) -> tuple[Wanted, Answers, str]:
    """Answers from a person; flags are the defaults."""
    loads_with(answers_for(settled(wanted), None), wanted, path)  # what the flags say holds, or it is said now
    show.warn(f"This writes {path}. Enter takes what stands in brackets; Ctrl-C stops and leaves nothing behind.\n")
    while True:
        email = ask("E-mail address of the mailbox to read (- for none)", wanted.email or "-")
        if email == "-" or email_key(email):
            break
        show.warn(f"{email[:80]!r} is no e-mail address.")
    wanted = replace(wanted, email="" if email == "-" else email)
    words, server = "", None
    if wanted.email:
        wanted, server, words = ask_for_login(wanted, path)
    for question in QUESTIONS:
        wanted = ask_until_right(question, wanted, server, path)
    wanted = settled(replace(wanted, user_name=ask("Your name", wanted.user_name or wanted.user_email)))
    return wanted, answers_for(wanted, server), words


def with_lines(wanted: Wanted, said: str) -> Wanted:
    """With telephone lines as they are typed."""
    lines = tuple(one.strip() for one in said.split(",") if one.strip(" -"))
    return replace(wanted, phone_lines=lines, with_telephony=wanted.with_telephony or bool(lines))


def with_user(wanted: Wanted, said: str) -> Wanted:
    """With the first user. Raises Failed for what is no address."""
    key_of(said)
    return replace(wanted, user_email=said)


QUESTIONS: Sequence[Question] = (
    Question("Language of the pages, ru or en", lambda w: w.language, lambda w, said: replace(w, language=said)),
    Question("Time zone", lambda w: w.timezone, lambda w, said: replace(w, timezone=said)),
    Question("Country of telephone numbers without one", lambda w: w.region, lambda w, said: replace(w, region=said)),
    Question("Folder for everything that is kept", lambda w: w.data_dir, lambda w, said: replace(w, data_dir=said)),
    Question("Address and port of the pages", lambda w: w.listen, lambda w, said: replace(w, listen=said)),
    Question("Address that people see", lambda w: settled(w).public_url, lambda w, said: replace(w, public_url=said)),
    Question(
        "Your telephone lines, with commas between (- for none)", lambda w: ", ".join(w.phone_lines) or "-", with_lines
    ),
    Question("Your own e-mail address, to sign in", lambda w: settled(w).user_email, with_user),
)


def ask_until_right(question: Question, wanted: Wanted, server: Candidate | None, path: Path) -> Wanted:
    """Asks until the answer is one that a configuration may have."""
    while True:
        try:
            changed = question.change(wanted, ask(question.words, question.default(wanted) or None))
            loads_with(answers_for(settled(changed), server), changed, path)
        except Mistakes as error:
            show.warn("\n".join(f"{one.path}: {one.message}" for one in error.mistakes))
        except Failed as error:
            show.warn(str(error))
        else:
            return changed


def ask(question: str, default: str | None) -> str:
    """One question on standard error, so that the answer of the command stays alone on standard output."""
    return str(typer.prompt(question, default=default, err=True)).strip()


def ask_for_login(wanted: Wanted, path: Path) -> tuple[Wanted, Candidate, str]:
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
            return wanted, found, words
    raise Failed("The login could not be tried.")
