"""Figures of one run, and how they are told: medians over interleaved rounds, and their ratios within the round.

Other work on the machine moves every wall time, often twofold; the ratio of two that were taken one after the other
moves much less. So ratios are the result, and seconds are given beside them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import TypeVar

import uvloop

T = TypeVar("T")
ROUNDS = 3


def on_fast_loop(work: Callable[[], Awaitable[T]]) -> T:
    """Runs on the loop that the daemon runs on."""

    async def main() -> T:
        return await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def ratio(ours: Sequence[float], peers: Sequence[float]) -> float:
    """The median of the rounds' own ratios."""
    return median(one / other for one, other in zip(ours, peers, strict=True))


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The median, and the smallest and largest in brackets."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def line(name: str, value: str) -> None:
    print(f"  {name:<58} {value}", flush=True)
