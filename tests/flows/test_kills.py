"""The daemon is killed while it reads a mailbox for the first time and webhooks come in: nothing acknowledged is lost, and
nothing is there twice. The moments are random; the seed is in the name of the test and in what it prints. A longer form
is `make proof PART=kills`.
"""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.daemon import Daemon, home, write_config
from tests.fakes.dovecot import Dovecot, running_dovecot
from tests.fakes.first_read import FirstRead

pytestmark = pytest.mark.peer("dovecot")

MAILS = 300
KILLS = 4
LIFE_SECONDS_MAX = 0.6


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def folder() -> Iterator[Path]:
    with home() as made:
        yield made


async def survive(dovecot: Dovecot, folder: Path, seed: int, dsn: str = "") -> None:
    rng = random.Random(seed)
    user = dovecot.new_user()
    config = write_config(folder, [("sales", user)], dovecot, dsn)
    lease = 1.0 if dsn else None  # beside an external database a daemon waits until the lease of the killed one is over
    async with Daemon(config, lease_seconds=lease) as daemon:
        reading = FirstRead(dovecot, daemon, config, rng)
        reading.deliver(user, MAILS)
        enough = asyncio.Event()
        calls = asyncio.create_task(reading.telephone.live(until=enough))

        for number in range(KILLS):
            await reading.live_and_die(rng.uniform(0, LIFE_SECONDS_MAX), from_ready=number != 1)
        await daemon.start()
        enough.set()
        await calls
        database = await reading.finish()

        print(f"seed {seed}: {reading.story}")
        await reading.check(database)
        assert await daemon.stop() == 0


@pytest.mark.parametrize("seed", [20261125])
async def test_killed_with_its_database_it_loses_nothing_and_doubles_nothing(
    dovecot: Dovecot, folder: Path, seed: int
) -> None:
    await survive(dovecot, folder, seed)


@pytest.mark.parametrize("seed", [59])
async def test_killed_beside_a_database_that_lives_on_it_loses_nothing_and_doubles_nothing(
    dovecot: Dovecot, folder: Path, dsn: str, seed: int
) -> None:
    await survive(dovecot, folder, seed, dsn)
