"""Any history of changes: links are always those of a fresh matching, and what is taken back is as it was."""

import pytest

from storage.database import Database
from tests.fakes.histories import play


@pytest.mark.parametrize("seed", range(4))
async def test_any_change_leaves_fresh_links_and_can_be_taken_back(database: Database, seed: int) -> None:
    assert await play(database, seed) > 0
