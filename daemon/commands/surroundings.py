"""What `ringmail check` looks at around us: the data folder, the database, where we listen, telephony, our public address.

Each function gives items; none raises for what it finds, and none changes anything but that a private server is started,
for as long as it is looked at, where no daemon runs.
"""

import asyncio
import ipaddress
import os
import shutil
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from config.settings import Settings
from config.telephony_settings import Telephony
from connectors.base import Refused
from connectors.registry import SOURCES, receiver_for
from daemon.commands import health, show
from daemon.opening import reached
from daemon.wiring import public_url
from interactions.records import Json
from storage import counts, migrate, people
from storage.binaries import MAJOR_MIN
from storage.database import Database
from storage.errors import FolderInUse, StorageDown, StorageError
from storage.people import User
from storage.state_folder import read_lock, running_dsn

State = Literal["ok", "warning", "broken", "not built"]
Concerns = Literal["configuration", "peer", "here"]
FREE_BYTES_MIN = 1_000_000_000
ONLINE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at: how it is, what that means, what to do. `concerns` decides the exit code."""

    name: str
    state: State
    means: str
    remedy: str = ""
    concerns: Concerns = "here"

    def as_json(self) -> Json:
        return {"name": self.name, "state": self.state, "means": self.means, "remedy": self.remedy}


@dataclass(slots=True)
class DatabaseReport:
    """What was found of the database. `users` is None where it could not be asked."""

    items: list[Item] = field(default_factory=list)
    users: list[User] | None = None
    is_running: bool = False


def check_folder(settings: Settings) -> list[Item]:
    """Whether we can write where everything is kept, who holds it, and how much room there is."""
    folder = Path(settings.data_dir)
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return [
            Item("data_dir", "broken", f"{there} cannot be written by this account",
                 "change its owner, or set data_dir to a folder of yours")
        ]  # fmt: skip
    means = f"{folder} can be written" if there == folder else f"{folder} will be made at the first start"
    if running_dsn(folder) is not None:
        holder = read_lock(folder)
        means += f"; process {holder.pid} ({holder.command}) holds it"
    free = shutil.disk_usage(there).free
    if free < FREE_BYTES_MIN:
        return [Item("data_dir", "warning", f"only {show.size(free)} are free at {there}", "make room on this disk")]
    return [Item("data_dir", "ok", f"{means}; {show.size(free)} free")]


async def check_database(settings: Settings) -> DatabaseReport:
    """Whether the database answers, is of our version, and keeps what was committed."""
    report = DatabaseReport()
    concerns: Concerns = "here" if settings.database.is_embedded else "peer"
    try:
        async with reached(settings) as storage:
            report.is_running = storage.is_running
            report.items.append(await _check_server(storage.database, concerns))
            missing = await migrate.pending(storage.database)
            report.items.append(_tables(missing))
            if not missing:
                async with storage.database.connection() as db:
                    report.users = await people.list_all(db)
    except FolderInUse as error:
        report.items.append(Item("database", "broken", str(error), "wait until that process has started or ended"))
    except StorageDown as error:
        remedy = "check database.dsn, and that the server runs and lets us in"
        report.items.append(Item("database", "broken", str(error), remedy, concerns))
    except StorageError as error:
        report.items.append(Item("database", "broken", str(error)))
    except Exception as error:  # what else a server can say: missing rights, a table that somebody dropped
        means = f"the database answers {' '.join(str(error).split())[:300]!r} ({type(error).__name__})"
        report.items.append(Item("database", "broken", means, "look at the rights of our role, and at the tables"))
    return report


async def _check_server(database: Database, concerns: Concerns) -> Item:
    async with database.connection() as db:
        facts = await counts.server_facts(db)
    found = f"PostgreSQL {facts.version} answers {database.place}"
    if facts.major < MAJOR_MIN:
        return Item("database", "broken", f"{found}; {MAJOR_MIN} or newer is needed", "upgrade the server", concerns)
    if facts.is_standby:
        remedy = "name the primary in database.dsn, or all hosts and ?target_session_attrs=read-write"
        return Item("database", "broken", f"{found}; it is a standby, which takes no writes", remedy, concerns)
    if facts.unsafe:
        means = f"{found}; with {', '.join(facts.unsafe)} a power cut may lose what was confirmed"
        return Item("database", "warning", means, "set them to on, unless this is a machine for trying things out")
    return Item("database", "ok", found)


def _tables(missing: list[str]) -> Item:
    if not missing:
        return Item("tables", "ok", "they are of this version")
    means = f"{len(missing)} migrations are still to be applied, from {missing[0]} to {missing[-1]}"
    return Item("tables", "ok", f"{means}; the next start does it, or `ringmail migrate`")


async def check_listen(settings: Settings, *, is_running: bool) -> Item:
    """Whether we can listen, or our daemon does."""
    listen = settings.http.listen
    name = "http.listen"
    status, _ = await asyncio.to_thread(health.ask, listen, "/healthz")
    if status == health.OK:
        ours = "our daemon" if is_running else "a daemon"
        return Item(name, "ok", f"{ours} answers at {listen}")
    try:
        free = health.is_free(listen)
    except OSError as error:
        remedy = "choose an address of this machine and a port above 1023"
        return Item(name, "broken", f"{listen} cannot be listened on: {error.strerror or error}", remedy)
    if not free:
        return Item(name, "broken", f"another program listens on {listen}", "stop it, or change http.listen")
    if not _is_loopback(listen.host) and not settings.http.trusted_proxies and not _is_https(settings):
        means = f"{listen} is free; whoever reaches it sends passwords unencrypted"
        return Item(name, "warning", means, "put a proxy with TLS before it, and set public_url and trusted_proxies")
    return Item(name, "ok", f"{listen} is free")


def _is_https(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


def check_telephony(settings: Settings) -> list[Item]:
    """Where each provider that posts to us has to post, and whether it can."""
    return [_check_phone(phone, settings) for phone in settings.telephony if phone.type not in SOURCES]


def _check_phone(phone: Telephony, settings: Settings) -> Item:
    name = f"telephony {phone.name}"
    try:
        receiver = receiver_for(phone, settings.default_region)
    except Refused as error:
        return Item(name, "broken", str(error), "correct it in [[telephony]]", "configuration")
    if receiver is None:
        means = f"the provider {phone.type!r} is not built yet, so nothing is taken from it"
        return Item(name, "not built", means, 'a PBX that can post JSON works with type = "generic"')
    means = receiver.instruct(f"{public_url(settings)}/hooks/{phone.name}")
    host = urlsplit(public_url(settings)).hostname or ""
    if _is_loopback(host):
        remedy = "set public_url to the address by which the provider reaches us, unless the PBX runs on this machine"
        return Item(name, "warning", f"{means}; only this machine reaches that address", remedy)
    return Item(name, "ok", means)


async def check_online(settings: Settings) -> Item:
    """Whether our public address leads to a daemon of ours, by way of whatever lies in front of it."""
    address = f"{public_url(settings)}/healthz"
    remedy = "let the proxy in front pass everything to http.listen, and run the daemon"
    try:
        status = await asyncio.to_thread(_status_of, address)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        return Item("public_url", "broken", f"{address} cannot be reached: {reason}", remedy, "peer")
    if status != health.OK:
        return Item("public_url", "broken", f"{address} answers {status}", remedy, "peer")
    return Item("public_url", "ok", f"{address} answers", concerns="peer")


def _status_of(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=ONLINE_SECONDS) as answer:  # noqa: S310  # http or https: checked
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
