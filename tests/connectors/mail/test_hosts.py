"""What all sources share that go to one host: turns to log in, places, limits that are learned, and holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from connectors.base import Unavailable
from connectors.mail.hosts import LEARNED_SECONDS, LOGINS_A_SECOND, LOGINS_AT_ONCE, Bucket, Door, Hosts, Limit
from connectors.mail.refusals import TooMany


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """One host of this machine, and a clock that a test turns."""

    def __init__(self, turn_seconds: float = 60.0) -> None:
        self.clock = Clock()
        self.hosts = Hosts(self.clock, turn_seconds)

    def door(self, user: str = "anna") -> Door:
        return self.hosts.door("127.0.0.1", 143, user)


@asynccontextmanager
async def inside(door: Door, is_extra: bool = False) -> AsyncIterator[None]:
    """A connection that was made."""
    async with door.entered(is_extra) as place:
        place.is_in = True
        yield


async def entering(door: Door, log: list[str], name: str) -> None:
    """Goes in, stays until it is asked to leave."""
    async with door.entered() as place:
        wanted = asyncio.Event()
        place.is_in, place.on_wanted = True, wanted.set
        log.append(name)
        if not place.is_wanted:
            await wanted.wait()


# A start ----------------------------------------------------------------------------------------------------------------


def test_a_thousand_mailboxes_log_in_to_one_host_neither_at_once_nor_within_an_hour() -> None:
    bucket = Bucket(LOGINS_A_SECOND, LOGINS_AT_ONCE)

    waits = [bucket.take(1000.0) for _ in range(1000)]

    assert waits == sorted(waits)
    assert sum(wait <= 1.0 for wait in waits) == LOGINS_AT_ONCE + LOGINS_A_SECOND
    assert 120 < waits[-1] < 600


def test_a_host_elsewhere_is_not_held_up() -> None:
    hosts = Hosts(Clock())

    first, same, other = (hosts.door(host, 993, "x") for host in ("Imap.example.org", "imap.example.org", "b.example"))

    assert first is same
    assert first.host is not other.host


def test_what_was_not_taken_is_saved_up_to_a_bound() -> None:
    bucket = Bucket(1.0, 2.0)
    assert [bucket.take(0.0), bucket.take(0.0), bucket.take(0.0)] == [0.0, 0.0, 1.0]

    assert [bucket.take(100.0) for _ in range(4)] == [0.0, 0.0, 1.0, 2.0]


async def test_who_has_to_wait_long_is_told() -> None:
    rig, told = Rig(), list[str]()
    for _ in range(400):
        rig.door().host.logins.take(rig.clock())

    async def waiting(words: str) -> None:
        told.append(words)

    entering = asyncio.create_task(rig.door().entered(waiting=waiting).__aenter__())
    while not told:
        await asyncio.sleep(0)
    entering.cancel()
    await asyncio.gather(entering, return_exceptions=True)

    assert told == ["many mailboxes log in to 127.0.0.1:143; this one does in 7 seconds"]
    assert rig.door().host.places == []


# Limits -----------------------------------------------------------------------------------------------------------------


def test_a_limit_is_what_is_set_or_less_if_less_was_learned() -> None:
    limit = Limit(most=3)
    assert [limit.allows(count, 0.0) for count in (2, 3)] == [True, False]

    limit.learn(1, 0.0)
    assert [limit.allows(count, 1.0) for count in (0, 1)] == [True, False]

    assert [limit.allows(count, LEARNED_SECONDS) for count in (1, 2)] == [True, False]
    assert Limit().allows(10_000, 0.0)


def test_one_connection_is_always_tried() -> None:
    limit = Limit(most=0)
    limit.learn(0, 0.0)

    assert limit.allows(0, 1.0)


@pytest.mark.parametrize(("of_host", "others"), [(True, False), (False, True)])
async def test_a_refused_connection_teaches_whose_limit_it_was(of_host: bool, others: bool) -> None:
    rig = Rig()
    async with inside(rig.door()), inside(rig.door()):
        with pytest.raises(TooMany):
            async with rig.door().entered(is_extra=True):
                raise TooMany("no more", of_host)

        with pytest.raises(Unavailable, match="no room"):
            async with inside(rig.door(), is_extra=True):
                pass
        assert rig.door("boris")._has_room() is others


async def test_two_connections_of_one_account_may_be_all() -> None:
    rig = Rig()
    rig.door().suit(1, None)
    async with inside(rig.door()):
        with pytest.raises(Unavailable, match="no room"):
            async with inside(rig.door(), is_extra=True):
                pass


# Turns ------------------------------------------------------------------------------------------------------------------


async def test_more_mailboxes_than_a_host_bears_take_turns() -> None:
    rig, log = Rig(turn_seconds=0.01), list[str]()
    rig.door().host.limit.learn(1, rig.clock())
    running = [asyncio.create_task(entering(rig.door(name), log, name)) for name in ("a", "b", "c")]
    while len(log) < 3:
        rig.clock.now += 1.0
        await asyncio.sleep(0.005)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    assert log == ["a", "b", "c"]
    assert rig.door().host.places == []
    assert rig.door().host.waiting == []


async def test_second_connections_are_given_back_first() -> None:
    rig, log = Rig(), list[str]()
    async with AsyncExitStack() as stack:
        for user in ("a", "b"):
            place = await stack.enter_async_context(rig.door(user).entered())
            place.is_in = True
        extra = rig.door("a").entered(is_extra=True)
        second = await extra.__aenter__()
        rig.door().host.limit.learn(3, rig.clock())
        waiting = asyncio.create_task(entering(rig.door("c"), log, "c"))
        while not second.is_wanted:
            await asyncio.sleep(0)
        await extra.__aexit__(None, None, None)
        while not log:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert log == ["c"]


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    rig, log = Rig(turn_seconds=0.01), list[str]()
    rig.door().host.limit.learn(1, rig.clock())
    first = rig.door("a").entered()
    await first.__aenter__()
    gone, staying = (asyncio.create_task(entering(rig.door(name), log, name)) for name in ("b", "c"))
    await asyncio.sleep(0)
    gone.cancel()
    await first.__aexit__(None, None, None)
    while not log:
        await asyncio.sleep(0.001)
    staying.cancel()
    await asyncio.gather(gone, staying, return_exceptions=True)

    assert log == ["c"]


# Holds ------------------------------------------------------------------------------------------------------------------


async def test_a_server_that_asks_for_time_holds_the_whole_account_and_no_other() -> None:
    rig = Rig()
    with pytest.raises(Unavailable, match="slow down"):
        async with inside(rig.door()):
            raise Unavailable("slow down", 300.0, "throttled")

    with pytest.raises(Unavailable, match="waits for 300 seconds more") as error:
        async with inside(rig.door()):
            pass
    assert (error.value.state, error.value.retry_after) == ("throttled", 300.0)
    async with inside(rig.door("boris")):
        pass
    rig.clock.now += 301.0
    async with inside(rig.door()):
        pass


async def test_commands_of_a_host_elsewhere_are_counted_and_those_to_this_machine_are_not() -> None:
    far, near = Hosts(Clock()).door("imap.example.org", 993, "a"), Rig().door()
    assert far.host.commands is not None
    far.host.commands.at_once = 2.0

    async with asyncio.timeout(20):
        for _ in range(1000):
            await near.pace()
        await far.pace()

    assert near.host.commands is None
    assert far.host.commands.take(1000.0) == 0.0
    assert far.host.commands.take(1000.0) > 0.0
