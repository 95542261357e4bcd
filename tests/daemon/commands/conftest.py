"""Fixtures of the commands: the command on a database of the test's own, and a mail server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.command import Ringmail
from tests.fakes.dovecot import Dovecot, running_dovecot


@pytest.fixture
def ringmail(tmp_path: Path, dsn: str) -> Ringmail:
    """The command, configured for the test's database and nothing else."""
    command = Ringmail(tmp_path, dsn)
    command.configure()
    return command


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server
