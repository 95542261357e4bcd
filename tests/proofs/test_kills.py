"""The long form of `tests/flows/test_kills.py`: `make proof PART=kills SECONDS=600`.

The daemon is killed with its database at 100 random moments, or as many as there is time for, of first reads of 2,000
mails with webhooks coming in; when a mailbox is read to its end, the next one is added. Then everything is counted. Another
seed is another run: PROOF_SEED.
"""

import asyncio
import os
import random
import time

import pytest

from tests.fakes.daemon import Daemon, home, write_config
from tests.fakes.dovecot import running_dovecot
from tests.fakes.first_read import FirstRead

SECONDS = float(os.environ.get("PROOF_SECONDS", "0"))
SEED = int(os.environ.get("PROOF_SEED", "20261125"))
KILLS = 100
MAILS = 2001  # threads of three
LIFE_SECONDS_MAX = 2.0  # after it was ready, or after it was launched
FINISH_SECONDS = 60.0  # kept of the time for reading the rest, and for counting

pytestmark = [
    pytest.mark.peer("dovecot"),
    pytest.mark.skipif(not SECONDS, reason="a long proof: make proof PART=kills SECONDS=600"),
]


async def test_killed_a_hundred_times_it_loses_nothing_and_doubles_nothing() -> None:
    rng = random.Random(SEED)
    until = time.monotonic() + SECONDS - FINISH_SECONDS
    with running_dovecot() as dovecot, home() as folder:
        mailboxes = [("mailbox0", dovecot.new_user())]
        config = write_config(folder, mailboxes, dovecot)
        async with Daemon(config) as daemon:
            reading = FirstRead(dovecot, daemon, config, rng)
            reading.deliver(mailboxes[0][1], MAILS, "m0t")
            enough = asyncio.Event()
            calls = asyncio.create_task(reading.telephone.live(until=enough))

            while len(reading.lives) < KILLS and time.monotonic() < until:
                await reading.live_and_die(rng.uniform(0, LIFE_SECONDS_MAX), from_ready=rng.random() < 0.75)
                if reading.lives[-1] == reading.places:
                    number = len(mailboxes)
                    mailboxes.append((f"mailbox{number}", dovecot.new_user()))
                    write_config(folder, mailboxes, dovecot)
                    reading.deliver(mailboxes[-1][1], MAILS, f"m{number}t")
            await daemon.start()
            enough.set()
            await calls
            database = await reading.finish(FINISH_SECONDS)

            print(f"\nseed {SEED}, {len(mailboxes)} first reads of {MAILS} mails: {reading.story}")
            await reading.check(database)
            print(f"{len(reading.mails)} mails and all that was acknowledged are there once; nothing is left to do")
            assert await daemon.stop() == 0
