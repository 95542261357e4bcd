"""Lines of the log: bounded, one line each, and nothing in them steers a terminal."""

import json
import os
import pty
import subprocess
import sys

import pytest

SAY = """
from daemon import log
import structlog
log.set_up({options})
LOG = structlog.get_logger()
{body}
"""


def said(body: str, options: str = "") -> list[str]:
    """What a process of its own says on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", SAY.format(options=options, body=body)], capture_output=True, check=True, timeout=60
    )
    assert done.stdout == b""
    return done.stderr.decode().splitlines()


@pytest.mark.parametrize("text", ["a\\r\\n{}", "\\x1b[2J\\x9b1m", "\\u202egnp.exe", "a\\u2028b\\u2029c", "\\x00\\x7f"])
def test_no_text_from_outside_begins_a_line_or_steers_the_terminal(text: str) -> None:
    [line] = said(f'LOG.warning("refused", reason="{text}")')

    reason = json.loads(line)["reason"]
    assert all(c.isprintable() for c in reason)


def test_long_texts_are_cut() -> None:
    [line] = said('LOG.info("x", reason="y" * 100_000)')

    assert len(line) < 3000


def test_an_event_is_one_line_with_its_level_and_time_also_with_its_error() -> None:
    [line] = said("try:\n    1 / 0\nexcept ZeroDivisionError:\n    LOG.exception('failed', source='sales')")

    event = json.loads(line)
    assert (event["event"], event["level"], event["source"]) == ("failed", "error", "sales")
    assert event["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in event["exception"]


FAILING = """
def log_in(password):
    token = password.upper()
    raise ZeroDivisionError("no")
try:
    log_in("can" + "ary")
except ZeroDivisionError:
    LOG.exception("failed")
"""


def test_on_a_terminal_too_a_traceback_shows_no_variables() -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", SAY.format(options="", body=FAILING)], stderr=theirs, check=True, timeout=60
        )
        shown = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert "ZeroDivisionError" in shown
    assert "canary" not in shown.lower()


def test_whoever_is_quiet_says_only_what_is_wrong() -> None:
    assert said('LOG.info("all is well")', "quiet=True") == []
    assert len(said('LOG.warning("not so well")', "quiet=True")) == 1
    assert said('LOG.debug("x")') == []
    assert len(said('LOG.debug("x")', "debug=True")) == 1


def test_libraries_are_heard_from_their_warnings_upwards() -> None:
    assert said("import logging; logging.getLogger('uvicorn').info('hello')") == []
    assert len(said("import logging; logging.getLogger('uvicorn').warning('hello')")) == 1
