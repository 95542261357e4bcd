"""`ringmail check`: every setting and every peer of the configuration, each with its state and what to do.

    ok          as it should be
    warning     it works; a person should look
    broken      it does not work, and what to do about it
    not built   the setting is read and has no effect yet

Peers that the file names (database, mail servers, a PBX that we connect to) are always tried; `--online` also asks our
public address, by way of whatever lies in front of us. Everything is tried, whatever else is broken, so that one run
tells all. Nothing is changed: no migration is applied, no mail read or sent.

Exit code: 3 where the configuration is wrong, else 4 where a peer refuses or cannot be reached, else 1 where something
else is broken, else 0. What the configuration says about people needs the database and is left out without it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Protocol

import typer

from config.load import Loaded, Mistakes
from config.not_built import not_built_yet
from config.settings import Settings
from connectors.base import ConnectorError, Refused, Unavailable
from connectors.oauth import Vault
from connectors.registry import SOURCES, mailbox_sender, mailbox_source, telephony_source
from daemon.commands import show
from daemon.commands.given import ExitCode, given_of
from daemon.commands.surroundings import Item, check_database, check_folder, check_listen, check_online, check_telephony
from daemon.opening import reached, vault_of
from storage.errors import StorageError
from storage.people import User

PROBE_SECONDS = 60.0
AT_ONCE = 8

app = typer.Typer(rich_markup_mode=None)
_NEEDS: dict[str, ExitCode] = {
    "configuration": ExitCode.CONFIGURATION,
    "peer": ExitCode.PEER,
    "here": ExitCode.FAILED,
}


class Probed(Protocol):
    """Who can try a peer."""

    async def check(self) -> str: ...


@app.command("check")
def check(
    context: typer.Context,
    online: Annotated[bool, typer.Option("--online", help="Ask our public address too.")] = False,
    json: Annotated[bool, typer.Option("--json", help=show.JSON_HELP)] = False,
) -> None:
    """Checks every setting and every peer, and says what to do."""
    given = given_of(context)
    path = ""
    try:
        path = str(given.path())
        loaded = given.loaded()
    except Mistakes as mistakes:
        items = [
            Item(_where(one.path, one.table) or "configuration", "broken", str(one), "", "configuration")
            for one in mistakes.mistakes
        ]
    else:
        items = asyncio.run(check_all(loaded, path, online=online))
    code = exit_code(items)
    if json:
        show.as_json({"ok": code is ExitCode.DONE, "items": [one.as_json() for one in items]})
    else:
        _show(items)
    if code:
        raise typer.Exit(code)


def _where(path: str, table: str) -> str:
    return f"{path} ({table})" if table else path


def exit_code(items: Sequence[Item]) -> ExitCode:
    """The worst of what is broken."""
    broken = {one.concerns for one in items if one.state == "broken"}
    return next((code for concerns, code in _NEEDS.items() if concerns in broken), ExitCode.DONE)


def _show(items: Sequence[Item]) -> None:
    for one in items:
        show.state_line(one.state, one.name, one.means)
        if one.remedy:
            show.say(f"           → {one.remedy}")
    counted = [f"{n} {state}" for state in ("broken", "warning", "not built", "ok")
               if (n := sum(one.state == state for one in items))]  # fmt: skip
    show.say()
    show.say(", ".join(counted) or "nothing to check")


async def check_all(loaded: Loaded, path: str, *, online: bool) -> list[Item]:
    """Every item, in the order of the file."""
    settings = loaded.settings
    items = [Item("configuration", "ok", f"{path} holds")]
    items += [_warning(text) for text in loaded.warnings]
    if settings.login.secret_key is None:
        items.append(
            Item("login.secret_key", "warning", "there is no secret.key beside the configuration",
                 "ringmail init makes one; or: openssl rand -base64 32 > secret.key && chmod 600 secret.key")
        )  # fmt: skip
    items += [_not_built(text) for text in not_built_yet(settings)]
    items += check_folder(settings)
    database = await check_database(settings)
    items += database.items
    items.append(await check_listen(settings, is_running=database.is_running))
    turns = asyncio.Semaphore(AT_ONCE)
    async with AsyncExitStack() as stack:
        vault = None
        if database.users is not None and any(mailbox.oauth is not None for mailbox in settings.mailboxes):
            with contextlib.suppress(StorageError):  # it answered a moment ago
                storage = await stack.enter_async_context(reached(settings))
                vault = await stack.enter_async_context(vault_of(settings, storage))
        items += await asyncio.gather(*(probe(*one, turns) for one in probes(settings, vault)))
    items += check_telephony(settings)
    if database.users is not None:
        items += check_people(settings, database.users)
    if online:
        items.append(await check_online(settings))
    return items


def _warning(text: str) -> Item:
    name, _, words = text.partition(": ")
    return Item(name, "warning", words or text, concerns="configuration")


def _not_built(text: str) -> Item:
    name, _, words = text.partition(": ")
    return Item(name, "not built", words, concerns="configuration")


def probes(settings: Settings, vault: Vault | None = None) -> list[tuple[str, str, Callable[[], Probed | None]]]:
    """What is logged in to: the name of the item, the table it is in, and how the one who tries is made; None in place of
    whom nothing can be tried with."""
    found: list[tuple[str, str, Callable[[], Probed | None]]] = []
    for mailbox in settings.mailboxes:
        is_ready = mailbox.oauth is None or vault is not None
        source = partial(mailbox_source, mailbox, vault) if is_ready else _nobody
        found.append((f"mailbox {mailbox.name}", "[[mailbox]]", source))
        if mailbox.smtp is not None:
            sender = partial(mailbox_sender, mailbox, vault) if is_ready else _nobody
            found.append((f"mailbox {mailbox.name}: smtp", "[[mailbox]]", sender))
    return found + [
        (f"telephony {phone.name}", "[[telephony]]", partial(telephony_source, phone))
        for phone in settings.telephony
        if phone.type in SOURCES
    ]


def _nobody() -> None:
    """Who tries tokens while there is no place to keep what the provider exchanges them for."""


async def probe(name: str, table: str, make: Callable[[], Probed | None], turns: asyncio.Semaphore) -> Item:
    """Logs in to one peer and says what was found."""
    try:
        peer = make()
        if peer is None:
            means = "its tokens (oauth) are kept in the database, which is not ready, so they are not tried"
            return Item(name, "warning", means, "start the daemon once, or run `ringmail migrate`", "peer")
        async with turns, asyncio.timeout(PROBE_SECONDS):
            return Item(name, "ok", await peer.check(), concerns="peer")
    except TimeoutError:
        means = f"it does not finish answering within {PROBE_SECONDS:.0f} seconds"
        return Item(name, "broken", means, "try later, or look at the network", "peer")
    except ConnectorError as error:
        return Item(name, "broken", str(error), remedy(error, table), "peer")
    except StorageError as error:
        return Item(name, "broken", str(error), "look at the database")


def remedy(error: ConnectorError, table: str) -> str:
    """What a person can do about a peer that does not answer as it should."""
    if isinstance(error, Refused) and error.state == "needs_reauth":
        return (
            "check user and password; many providers want a password for applications, made in the account's settings"
        )
    if isinstance(error, Refused):
        return f"change what the sentence names in {table}"
    if isinstance(error, Unavailable) and error.state == "throttled":
        return "wait; the daemon asks again by itself"
    return f"check host and port in {table}, the network and the firewall; the daemon tries again by itself"


def check_people(settings: Settings, users: Sequence[User]) -> list[Item]:
    """Whether those whom the configuration names are users, and whether anybody can sign in."""
    active = {user.email for user in users if user.disabled_at is None}
    if not active:
        return [
            Item("users", "warning", "there is no user, so nobody can sign in", "ringmail user add EMAIL --role admin")
        ]
    items = [Item("users", "ok", f"{len(active)} can sign in")]
    for name, place in named_people(settings):
        if name.casefold() not in active:
            items.append(
                Item(place, "warning", f"{name} is no user, so nobody is meant by it", f"ringmail user add {name}")
            )
    return items


def named_people(settings: Settings) -> list[tuple[str, str]]:
    """Everybody whom the file names as a user, and where."""
    found = [
        (mailbox.responsible, f"mailbox {mailbox.name}: responsible")
        for mailbox in settings.mailboxes
        if mailbox.responsible
    ]
    for mailbox in settings.mailboxes:
        found += [(user, f"mailbox {mailbox.name}: members") for user in mailbox.members if "@" in user]
    for phone in settings.telephony:
        found += [(user, f"telephony {phone.name}: lines {line}") for line, user in phone.lines.items() if user]
        found += [(user, f"telephony {phone.name}: extensions {one}") for one, user in phone.extensions.items() if user]
    return found
