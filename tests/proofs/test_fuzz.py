"""Any bytes at all: whatever reads strangers' bytes raises nothing, and in the long form is done in time.

Each run: some hundred seeded changes of good input for each reader, and every input that failed one once. The long form,
`make proof PART=fuzz SECONDS=900`: inputs led by coverage, the time shared among the readers; a minute each is 14 minutes.
Another seed is another run: PROOF_SEED. An input that fails is named, and belongs into tests/data/fuzz then.
"""

import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fakes.fuzzing import KEPT, mutations, readers, seeds

SECONDS = float(os.environ.get("PROOF_SECONDS", "0"))
SEED = int(os.environ.get("PROOF_SEED", "20261125"))
CHANGES = 300
START_SECONDS = 60.0

READERS = readers()
LED = [
    pytest.mark.skipif(not SECONDS, reason="a long proof: make proof PART=fuzz SECONDS=900"),
    pytest.mark.skipif(
        find_spec("atheris") is None, reason="atheris is not there; it has no package for this Python or system"
    ),
]


@pytest.mark.parametrize("name", sorted(READERS))
def test_changed_input_is_read_without_an_exception(name: str) -> None:
    for raw in mutations(seeds()[name], random.Random(f"{SEED} {name}"), CHANGES):
        try:
            READERS[name](raw)
        except Exception as error:
            raise AssertionError(f"{name} raises on {raw!r}") from error


@pytest.mark.parametrize("name", sorted(READERS))
def test_what_failed_once_is_read_now(name: str) -> None:
    for path in sorted(KEPT.glob(f"{name}-*")):
        READERS[name](path.read_bytes())


@pytest.mark.parametrize("name", [pytest.param(name, marks=LED) for name in sorted(READERS)])
def test_input_led_by_coverage_fails_no_reader(name: str, tmp_path: Path) -> None:
    seconds = max(int(SECONDS / len(READERS)), 1)
    program = [sys.executable, "-m", "tests.fakes.fuzzing_led", name, str(seconds), str(tmp_path)]

    run = subprocess.run(program, capture_output=True, text=True, timeout=seconds + START_SECONDS, check=False)

    told = [line for line in run.stderr.splitlines() if line.startswith("stat::")]
    print(f"\n{name}: {', '.join(line.removeprefix('stat::') for line in told)}")
    failed = [path.read_bytes() for path in tmp_path.glob("*-*")]
    assert run.returncode == 0, f"{failed!r}\n{run.stderr[-4000:]}"
