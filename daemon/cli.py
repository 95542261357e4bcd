"""The command `ringmail`: its options, its commands, and what becomes of an error.

Each command is a module of `daemon.commands`. An error ends as one sentence on standard error and an exit code; the
traceback is for `--debug`:

    0    done
    1    failed: StorageError, a taken port, Failed, and whatever nobody expected
    2    wrong usage
    3    the configuration is wrong (Mistakes): each mistake on its line
    4    a peer refuses or cannot be reached (ConnectorError), in init, check and sync
    130  interrupted with Ctrl-C
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from config.load import Mistakes
from connectors.base import ConnectorError
from daemon import contacts as contact_changes
from daemon.commands import check, contacts, health, init, migrate, quarantine, show, status, sync, tokens, users
from daemon.commands.demo import demo as run_demo
from daemon.commands.given import ExitCode, Failed, Given, given_of
from daemon.commands.run import run as run_daemon
from daemon.server import PortTaken
from daemon.workers import NoWorker
from storage.errors import StorageError

# What these say is a whole sentence for a person.
_SAID = (Failed, StorageError, PortTaken, NoWorker, contact_changes.Invalid)

app = typer.Typer(
    name="ringmail",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Mail, calls, SMS and meetings of a company in one list.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        show.say(f"ringmail {program_version()}")
        raise typer.Exit


def program_version() -> str:
    """The version that is installed."""
    try:
        return version("ringmail")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "(not installed)"


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The configuration file; else ./ringmail.toml and so on.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and all that is logged.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Mail, calls, SMS and meetings of a company in one list."""
    given = given_of(context)
    given.config, given.debug = config, debug


@app.command("run")
def run(context: typer.Context) -> int:
    """Runs the daemon in the foreground until SIGTERM or Ctrl-C."""
    given = given_of(context)
    return run_daemon(given.config, debug=given.debug)


@app.command("demo")
def demo(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Where the page listens.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep everything in this folder.")] = None,
) -> int:
    """Shows Ringmail with sample mail and calls, in a temporary folder, until Ctrl-C."""
    return run_demo(port, keep, debug=given_of(context).debug)


for _family in (init, check, status, sync, migrate, health):
    app.add_typer(_family.app)
app.add_typer(contacts.app, name="contacts")
app.add_typer(users.app, name="user")
app.add_typer(tokens.app, name="token")
app.add_typer(quarantine.app, name="quarantine")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    given = Given()
    _log_to_stderr()
    try:
        done = app(args=arguments, prog_name="ringmail", obj=given, standalone_mode=False)
        sys.stdout.flush()
        return done if isinstance(done, int) else ExitCode.DONE
    except BrokenPipeError:  # whoever read our answer has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except (typer.Abort, KeyboardInterrupt):
        show.warn("Stopped.")
        return ExitCode.INTERRUPTED
    except Exception as error:
        if given.debug:
            traceback.print_exc()
        return _explain(error)


def _explain(error: Exception) -> int:
    """Says on standard error what went wrong. The exit code."""
    if isinstance(error, Mistakes):
        show.warn(str(error))
        return ExitCode.CONFIGURATION
    if isinstance(error, ConnectorError):
        show.warn(f"ringmail: {error}")
        return ExitCode.PEER
    if isinstance(error, _SAID):
        show.warn(f"ringmail: {error}")
        return error.code if isinstance(error, Failed) else ExitCode.FAILED
    if isinstance(error, typer.TyperException):
        return _explain_usage(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        show.warn(f"ringmail: {where}{error.strerror or error}")
        return ExitCode.FAILED
    words = " ".join(str(error).split())[:300]
    show.warn(f"ringmail: {type(error).__name__}: {words or 'no reason given'}; --debug before the command shows where")
    return ExitCode.FAILED


def _explain_usage(error: typer.TyperException) -> int:
    message = error.format_message().strip()
    context: Any = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "ringmail"
    is_help = "\n" in message  # of a family that was named without one of its commands
    show.warn(message if is_help else f"ringmail: {message} ({path} --help says more)")
    return error.exit_code


def _log_to_stderr() -> None:
    """What modules log in a command goes beside the answer, warnings only; `run` and `demo` set up logs of their own."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.KeyValueRenderer(key_order=["event"])],
        wrapper_class=structlog.make_filtering_bound_logger(30),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
