"""What the tests of mailboxes share: the real Dovecot, one for each pytest process."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.fakes.dovecot import Dovecot, running_dovecot

# How fast an example runs says nothing on a busy machine.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server
