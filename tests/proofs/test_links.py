"""The long form of `tests/daemon/test_matching.py`: `make proof PART=links SECONDS=3600`.

5,000 random histories of contacts (added, changed, moved, merged, deleted, decided by hand, attached, promoted), or as many
as there is time for. After every step the links are those of a fresh matching, and what is taken back is as it was. Another
seed is another run: PROOF_SEED.
"""

import os
import time

import pytest

from storage.database import Database
from tests.fakes.histories import play
from tests.fakes.postgres import Cluster

SECONDS = float(os.environ.get("PROOF_SECONDS", "0"))
SEED = int(os.environ.get("PROOF_SEED", "20261125"))
HISTORIES = 5000

pytestmark = pytest.mark.skipif(not SECONDS, reason="a long proof: make proof PART=links SECONDS=3600")


async def test_thousands_of_histories_leave_fresh_links_and_can_be_taken_back(cluster: Cluster) -> None:
    until, done, undone = time.monotonic() + SECONDS, 0, 0
    while done < HISTORIES and time.monotonic() < until:
        address = cluster.clone()
        database = await Database.open(address)
        undone += await play(database, SEED + done)
        await database.close()
        cluster.drop(address)
        done += 1

    print(f"\nseed {SEED}: {done} histories, {undone} changes taken back")
    assert undone > done
