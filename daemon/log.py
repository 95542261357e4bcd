"""Logs: one line an event, for people on a terminal, as JSON elsewhere; to stderr.

Nothing that could be a secret is logged by us; what libraries say is passed on from their warnings upwards only, without
their own tracebacks of connections. A traceback names lines of code and never what was in their variables: a password, a
token.
"""

import logging
import re
import sys
from typing import Any, cast

import structlog

TEXT_CHARS_MAX = 2000
# Control characters, line separators, and marks that turn the direction of writing.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def set_up(*, debug: bool = False, quiet: bool = False) -> None:
    """Called once, by whoever starts the process. `quiet` leaves out what goes as it should."""
    level = logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, stream=sys.stderr, format="%(message)s")
    is_terminal = sys.stderr.isatty()
    for_people = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = for_people if is_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _bounded,
            *([] if is_terminal else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(Any, sys.stderr)),
        cache_logger_on_first_use=True,
    )


def _bounded(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Long texts from outside do not flood the log; none begins a new line or steers the terminal."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = _CONTROLS.sub(" ", value[:TEXT_CHARS_MAX])
    return event
