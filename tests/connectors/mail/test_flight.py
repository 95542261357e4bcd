"""What is handed over and not committed yet: in order, bounded, and nothing is lost or left behind when something fails."""

import asyncio
from collections.abc import Callable

import pytest

from connectors.base import Accepted, After, Batch, Checkpoint, Unavailable
from connectors.mail.flight import IN_FLIGHT_MAX, Flight
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import CLOSE, Box, ImapScript
from tests.fakes.imap_source import bodies, running, source_of


class Slow(MemoryIntake):
    """An intake that reads at once, and commits when it may, or fails."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Semaphore(0)
        self.fails_at = 0
        self.begun: list[int] = []
        self.ended = 0

    async def accept(self, batch: Batch, after: After = None) -> Accepted:
        number = _number(batch)
        self.begun.append(number)
        try:
            if after is not None:
                await asyncio.wait([after])
                after.result()
            await self.may.acquire()
            if number == self.fails_at:
                raise OSError(f"the database is away at {number}")
            return await super().accept(batch)
        finally:
            self.ended += 1

    @property
    def committed(self) -> list[int]:
        return [_number(one) for one in self.batches]


def _number(batch: Batch) -> int:
    assert batch.checkpoint is not None
    number = batch.checkpoint.state["number"]
    assert isinstance(number, int)
    return number


def batch(number: int) -> Batch:
    return Batch([], Checkpoint("INBOX", {"number": number}))


def noting(landed: list[int], number: int) -> Callable[[], None]:
    return lambda: landed.append(number)


async def bring(flight: Flight, count: int, landed: list[int], breaks: bool = False) -> None:
    """Hands over so many portions, one after the other; then the connection may break."""
    async with flight.under_way():
        for number in range(1, count + 1):
            await flight.add(batch(number), noting(landed, number))
            await asyncio.sleep(0)  # the fetch of the next one
        if breaks:
            raise Unavailable("the connection broke")


async def turn_of_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_portions_are_read_ahead_up_to_a_bound_and_committed_in_their_order() -> None:
    intake, landed = Slow(), list[int]()
    flight = Flight(intake)

    bringing = asyncio.create_task(bring(flight, 5, landed))
    await turn_of_the_loop()

    assert intake.begun == list(range(1, IN_FLIGHT_MAX + 1))
    assert landed == []

    for _ in range(5):
        intake.may.release()
    await bringing
    assert intake.committed == landed == [1, 2, 3, 4, 5]
    assert not flight.is_busy


async def test_a_fetch_that_fails_loses_nothing_that_was_handed_over_before() -> None:
    intake, landed = Slow(), list[int]()
    flight = Flight(intake)

    bringing = asyncio.create_task(bring(flight, 2, landed, breaks=True))
    await turn_of_the_loop()
    assert not bringing.done()
    intake.may.release()
    intake.may.release()

    with pytest.raises(Unavailable, match="broke"):
        await bringing
    assert intake.committed == landed == [1, 2]


@pytest.mark.parametrize("fails_at", [1, 2])
async def test_after_a_commit_that_fails_nothing_is_committed(fails_at: int) -> None:
    intake, landed = Slow(), list[int]()
    intake.fails_at = fails_at
    flight = Flight(intake)
    for _ in range(9):
        intake.may.release()

    with pytest.raises(OSError, match=f"away at {fails_at}"):
        await bring(flight, 4, landed)

    assert intake.committed == landed == list(range(1, fails_at))
    assert intake.ended == len(intake.begun)
    assert not flight.is_busy


async def test_a_commit_that_fails_while_the_fetch_fails_is_what_is_told() -> None:
    intake = Slow()
    intake.fails_at = 1
    intake.may.release()
    flight = Flight(intake)

    with pytest.raises(OSError, match="away at 1"):
        await bring(flight, 1, [], breaks=True)


async def test_cancelled_in_the_middle_nothing_is_left_behind() -> None:
    intake, landed = Slow(), list[int]()
    flight = Flight(intake)

    bringing = asyncio.create_task(bring(flight, 8, landed))
    await turn_of_the_loop()
    intake.may.release()
    await turn_of_the_loop()
    bringing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bringing

    assert intake.committed == [1]
    assert landed == [1]
    assert intake.ended == len(intake.begun)
    assert [one for one in asyncio.all_tasks() if one.get_name() == "a portion"] == []


async def test_outside_each_portion_is_committed_before_the_next() -> None:
    intake, landed = Slow(), list[int]()
    flight = Flight(intake)
    intake.may.release()

    await flight.add(batch(1), noting(landed, 1))

    assert landed == [1]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await flight.add(batch(2), noting(landed, 2))
    assert intake.ended == 2


class Gated(MemoryIntake):
    """An intake whose first commits wait."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()

    async def accept(self, batch: Batch, after: After = None) -> Accepted:
        await self.may.wait()
        return await super().accept(batch, after)


async def test_history_is_fetched_while_what_came_before_waits_for_its_commit() -> None:
    intake = Gated()
    async with ImapScript(Box(bodies(*range(1, 1001))).book()) as server, running(server, intake):

        def fetches() -> int:
            return sum("BODY.PEEK[]" in line for line in server.asked)

        async with asyncio.timeout(20):
            while fetches() <= IN_FLIGHT_MAX:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)

        assert fetches() == IN_FLIGHT_MAX + 1  # and no more is held
        assert intake.checkpoints == {}
        intake.may.set()
        await intake.until_ok()

    assert sorted(intake.uids()) == list(range(1, 1001))


async def test_a_connection_that_breaks_keeps_what_was_fetched_before() -> None:
    box, intake = Box(bodies(*range(1, 601))), MemoryIntake()
    fetch = box.book()["FETCH"]
    assert callable(fetch)

    def broken(words: str) -> bytes:
        answer: bytes = fetch(words)
        return CLOSE if "BODY.PEEK[]" in words and "400" in words.partition(" ")[0] else answer

    async with ImapScript(box.book(FETCH=broken)) as server:
        with pytest.raises(Unavailable):
            await source_of(server).catch_up(intake)

    assert sorted(intake.uids()) == list(range(401, 601))
    assert intake.checkpoints["INBOX"]["backfill_uid"] == 401


async def test_a_mailbox_that_is_stopped_in_the_middle_leaves_nothing_behind() -> None:
    intake = Gated()
    async with ImapScript(Box(bodies(*range(1, 1001))).book()) as server, running(server, intake) as task:
        await server.heard("FETCH", 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await server.alone()
    assert intake.batches == []
    assert [one for one in asyncio.all_tasks() if one.get_name() == "a portion"] == []
