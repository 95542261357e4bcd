"""Fixtures of every floor: a real PostgreSQL, a fresh database for each test, and a time that stands still."""

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import settings

from storage.database import Database
from tests.fakes.postgres import Cluster

# The same examples in every run. Another seed is another search: HYPOTHESIS_PROFILE=default, with --hypothesis-seed.
settings.register_profile("same", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One server for each pytest process."""
    server = Cluster()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def dsn(cluster: Cluster) -> Iterator[str]:
    """A migrated database of the test's own."""
    address = cluster.clone()
    yield address
    cluster.drop(address)


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    opened = await Database.open(dsn)
    yield opened
    await opened.close()


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
