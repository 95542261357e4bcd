"""What was given to every command: where the configuration is, whether a traceback is wanted; and the way from there.

    given_of(context).settings()       the configuration, or Mistakes
    with_storage(context, work)        work(settings, storage) with the database open; the result. What is changed then
                                       is written down as done at the command line (`storage.audit`)

A command that cannot do what it was asked raises Failed, or lets the error of a floor below through: `daemon.cli` makes
of each of them one sentence and an exit code.
"""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

import typer

from config.load import Loaded, find, load
from config.settings import Settings
from daemon.opening import Storage, opened, reached
from storage.audit import Actor, acting
from storage.database import Database

T = TypeVar("T")


class ExitCode(IntEnum):
    """What the shell hears: docs/operations.md."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    PEER = 4
    INTERRUPTED = 130


class Failed(Exception):
    """Why a command could not do what it was asked, in one line for a person."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Given:
    """The options before the command."""

    config: Path | None = None
    debug: bool = False

    def path(self) -> Path:
        """The configuration file. Raises Mistakes."""
        return find(self.config, os.environ, Path.cwd())

    def loaded(self) -> Loaded:
        """The configuration, and what a person should look at. Raises Mistakes."""
        return load(self.path(), os.environ)

    def settings(self) -> Settings:
        """The configuration. Raises Mistakes."""
        return self.loaded().settings


def given_of(context: typer.Context) -> Given:
    """The options before the command."""
    given: Given = context.obj
    return given


def with_storage(context: typer.Context, work: Callable[[Settings, Storage], Awaitable[T]]) -> T:
    """Opens the database, started for the time of the work where no daemon runs, and does the work."""
    settings = given_of(context).settings()

    async def run() -> T:
        async with opened(settings) as storage:
            return await work(settings, storage)

    if context.info_name == "sync":  # reading a mailbox is nobody's act
        return asyncio.run(run())
    with acting(Actor("program", context.command_path, remote=_login())):
        return asyncio.run(run())


def _login() -> str:
    """Who sits at the command line, as the system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a number without a name
        return str(os.getuid())


def with_database(settings: Settings, work: Callable[[Settings, Database], Awaitable[T]]) -> T:
    """The same with the database as it is, not brought to this version."""

    async def run() -> T:
        async with reached(settings) as storage:
            return await work(settings, storage.database)

    return asyncio.run(run())
