"""The long form of `benchmarks/growth.py`: `make proof PART=growth`, ten million stored mails, or PROOF_MAILS of them.

What a mail costs to admit must hardly grow with what is stored. Filling takes long: four million took 16 minutes on two cores
that were busy with other work.
"""

import os

import pytest

from benchmarks import growth

SECONDS = float(os.environ.get("PROOF_SECONDS", "0"))
MAILS = int(os.environ.get("PROOF_MAILS", "10000000"))
INTAKE_MAX, LOOK_UPS_MAX = 1.3, 5.0

pytestmark = pytest.mark.skipif(not SECONDS, reason="a long proof: make proof PART=growth")


def test_a_mail_costs_hardly_more_after_ten_million() -> None:
    ratios = growth.run(MAILS)

    assert ratios["intake"] <= INTAKE_MAX
    assert ratios["look-ups"] <= LOOK_UPS_MAX
