"""What comes at once is worked off in turns, in order and whole, on both loops."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from connectors.base import ConnectorError, Unavailable
from connectors.mail.inflow import BYTES_PER_COST, TURN_COST, Inflow
from connectors.mail.responses import Response, ResponseReader
from connectors.mail.session import opened
from tests.fakes.imap_script import OK, ImapScript
from tests.fakes.imap_source import account_of
from tests.fakes.loop_watch import watched_loop

LINES = 20_000
MANY = b"".join(b"* %d EXISTS\r\n" % number for number in range(LINES))


class Below(asyncio.Transport):
    """A transport that only notes whether it may read."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def pause_reading(self) -> None:
        self.said.append("pause")

    def resume_reading(self) -> None:
        self.said.append("resume")

    def is_closing(self) -> bool:
        return False


class Rig:
    def __init__(self) -> None:
        self.came: list[Response] = []
        self.failed: list[ConnectorError] = []
        self.below = Below()
        loop = asyncio.get_running_loop()
        self.inflow = Inflow(loop, ResponseReader("peer"), self.came.append, self.failed.append)

    async def settle(self) -> None:
        while not self.inflow.is_empty:
            await asyncio.sleep(0)

    def texts(self) -> list[bytes]:
        return [response.text for response in self.came]


EXPECTED = [b"* %d EXISTS" % number for number in range(LINES)]


async def test_much_at_once_waits_for_others_and_comes_in_order() -> None:
    rig = Rig()

    rig.inflow.take(MANY, rig.below)
    at_once = len(rig.came)
    rig.inflow.take(b"* 7 EXISTS\r\n", rig.below)  # a layer below had this already
    await rig.settle()

    assert 0 < at_once < TURN_COST
    assert rig.texts() == [*EXPECTED, b"* 7 EXISTS"]
    assert rig.below.said[0] == "pause"


async def test_many_reads_in_one_turn_of_the_loop_count_together() -> None:
    rig = Rig()
    piece = b"* 7 EXISTS\r\n" * 100

    taken = 0
    while not rig.below.said:
        rig.inflow.take(piece, rig.below)
        taken += 1
    await rig.settle()
    await asyncio.sleep(0)

    assert taken <= TURN_COST // (100 + len(piece) // BYTES_PER_COST) + 1
    assert rig.below.said == ["pause", "resume"]
    assert len(rig.came) == 100 * taken


async def test_what_waits_as_the_connection_ends_is_not_lost() -> None:
    rig = Rig()

    rig.inflow.take(MANY, rig.below)
    rig.inflow.finish()

    assert rig.texts() == EXPECTED


async def test_what_waits_as_it_is_given_up_is_forgotten() -> None:
    rig = Rig()
    rig.inflow.take(MANY, rig.below)
    so_far = len(rig.came)

    rig.inflow.drop()
    for _ in range(10):
        await asyncio.sleep(0)

    assert len(rig.came) == so_far


async def test_an_error_in_a_later_turn_is_told_too() -> None:
    rig = Rig()

    rig.inflow.take(MANY + b"* 1 FETCH {99999999999}\r\n", rig.below)
    while not rig.failed:
        await asyncio.sleep(0)

    assert isinstance(rig.failed[0], Unavailable)
    assert rig.texts() == EXPECTED


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_noise_without_end_holds_up_nobody_on_either_loop(run: Callable[[Awaitable[None]], None]) -> None:
    async def scenario() -> None:
        noise = b"* 1 FETCH (FLAGS ())\r\n* 7 EXISTS\r\n" * 100_000
        server = ImapScript({"NOOP": noise + OK})
        async with server, watched_loop() as watch, opened(account_of(server)) as one:
            await one.noop()
        assert watch.longest < 0.25

    run(scenario())
