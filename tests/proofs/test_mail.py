"""The long form of `tests/flows/test_mail_truth.py`: `make proof PART=mail SECONDS=2400`.

300 rounds, or as many as there is time for, over all three servers at once: one daemon reads a mailbox on each. Without
root only Dovecot and Cyrus are there to be asked. Another seed is another run: PROOF_SEED; other servers: PROOF_SERVERS.
"""

import os
import time

import pytest

from tests.fakes.mail_truth import truth

SECONDS = float(os.environ.get("PROOF_SECONDS", "0"))
SEED = int(os.environ.get("PROOF_SEED", "20261125"))
SERVERS = os.environ.get("PROOF_SERVERS", "dovecot,cyrus,courier").split(",")
ROUNDS = 300
TOLD_EVERY = 10
ROUND_SECONDS = 30.0  # kept of the time for the last one

pytestmark = [
    pytest.mark.peer("dovecot"),
    pytest.mark.peer("cyrus"),
    pytest.mark.peer("courier"),
    pytest.mark.skipif(not SECONDS, reason="a long proof: make proof PART=mail SECONDS=2400"),
]


async def test_in_three_hundred_rounds_nothing_is_missed_doubled_or_changed() -> None:
    until = time.monotonic() + SECONDS - ROUND_SECONDS
    async with truth(SERVERS, SEED) as rounds:
        try:
            for number in range(ROUNDS):
                if time.monotonic() > until:
                    break
                await rounds.round(number)
                if number % TOLD_EVERY == TOLD_EVERY - 1:
                    print(f"\n{rounds.story}", flush=True)
        finally:
            print(f"\n{rounds.story}", flush=True)
        assert await rounds.daemon.stop() == 0
