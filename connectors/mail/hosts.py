"""How many connections and commands mail servers get from us: all sources of the daemon that go to one host together.

    Hosts ── one for the program
      └─ a host: address and port      connections a second, so many at a time as it bears, commands a second
           └─ a door: one login there  connections at a time, commands a second, held while the server says so

A connection waits for room, first come first served, then for its turn of the host and of the program: a start with a
thousand mailboxes logs in to one host `LOGINS_A_SECOND` at a time. To this machine all goes faster.

What a server bears is learned from its refusals (`refusals.TooMany`): as many as were open then, to the account or from
this machine. After `LEARNED_SECONDS` one more is tried.

Where more sources want in than have room, they take turns: whoever has been in for `TURN_SECONDS` is asked to leave
(`Place.is_wanted`), second connections at once, and queues again. So a host that bears four connections serves forty
mailboxes, each a little later, and none never.

`Door.hold` closes an account for a while: all its connections end, and new ones fail with the time that is left. A
server's "Suggested Backoff Time" is obeyed so, whichever connection heard it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from config.tables import is_loopback
from connectors.base import Unavailable
from connectors.mail.refusals import TooMany
from connectors.oauth import TokenUnavailable

LOGINS_A_SECOND, LOGINS_AT_ONCE = 5.0, 10.0
LOCAL_A_SECOND, LOCAL_AT_ONCE = 50.0, 50.0
ALL_A_SECOND, ALL_AT_ONCE = 50.0, 50.0
COMMANDS_A_SECOND, COMMANDS_AT_ONCE = 200.0, 500.0
ACCOUNT_COMMANDS_A_SECOND, ACCOUNT_COMMANDS_AT_ONCE = 50.0, 200.0
LEARNED_SECONDS = 3600.0
TURN_SECONDS = 60.0
ASK_SECONDS = 5.0
# A wait that a person should know of.
WAIT_SECONDS_TOLD = 2.0

Waiting = Callable[[str], Awaitable[None]]


class Bucket:
    """So many a second, so many at once. Turns are given in the order of asking."""

    def __init__(self, a_second: float, at_once: float) -> None:
        self.a_second = a_second
        self.at_once = at_once
        self._left = at_once
        self._at = 0.0

    def take(self, now: float) -> float:
        """Takes one; how many seconds later it may be used."""
        self._left = min(self.at_once, self._left + max(now - self._at, 0.0) * self.a_second)
        self._at = now
        self._left -= 1.0
        return max(0.0, -self._left / self.a_second)


@dataclass(slots=True)
class Limit:
    """How many at a time: what is set, and what was learned of it."""

    most: int | None = None
    learned: int | None = None
    learned_at: float = 0.0

    def allows(self, count: int, now: float) -> bool:
        """Whether one more may come to so many."""
        if self.learned is not None and now - self.learned_at >= LEARNED_SECONDS:
            self.learned, self.learned_at = self.learned + 1, now
        bounds = [bound for bound in (self.most, self.learned) if bound is not None]
        return not bounds or count < max(min(bounds), 1)

    def learn(self, count: int, now: float) -> None:
        """So many were open when another one was refused."""
        self.learned, self.learned_at = max(count, 1), now


@dataclass(eq=False, slots=True)
class Place:
    """The right to one connection. `is_wanted`: others wait, and it should be given back soon; `on_wanted` hears of it."""

    door: "Door"
    is_extra: bool
    since: float
    is_wanted: bool = False
    is_in: bool = False
    on_wanted: Callable[[], None] | None = None

    def want(self) -> None:
        """Asks for it back."""
        self.is_wanted = True
        if self.on_wanted is not None:
            self.on_wanted()


@dataclass(eq=False, slots=True)
class Host:
    """One host: who is connected, who waits."""

    name: str
    logins: Bucket
    commands: Bucket | None
    limit: Limit = field(default_factory=Limit)
    places: list[Place] = field(default_factory=list)
    waiting: list[tuple["Door", asyncio.Event]] = field(default_factory=list)

    def wake(self) -> None:
        """Lets all that wait look whether it is their turn."""
        for _, event in self.waiting:
            event.set()


class Hosts:
    """All hosts. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, turn_seconds: float = TURN_SECONDS) -> None:
        self.clock = clock
        self.turn_seconds = turn_seconds
        self.logins = Bucket(ALL_A_SECOND, ALL_AT_ONCE)
        self._hosts: dict[tuple[str, int], Host] = {}
        self._doors: dict[tuple[str, int, str], Door] = {}

    def door(self, host: str, port: int, user: str) -> "Door":
        """What all connections of one account share."""
        name = host.lower()
        if (name, port) not in self._hosts:
            logins = Bucket(LOGINS_A_SECOND, LOGINS_AT_ONCE)
            commands: Bucket | None = Bucket(COMMANDS_A_SECOND, COMMANDS_AT_ONCE)
            if is_loopback(host):
                logins, commands = Bucket(LOCAL_A_SECOND, LOCAL_AT_ONCE), None
            self._hosts[name, port] = Host(f"{host}:{port}", logins, commands)
        key = (name, port, user)
        if key not in self._doors:
            self._doors[key] = Door(self, self._hosts[name, port])
        return self._doors[key]


class Door:
    """One account at one host."""

    def __init__(self, hosts: Hosts, host: Host) -> None:
        self.host = host
        self.limit = Limit()
        self._hosts = hosts
        self._commands = Bucket(ACCOUNT_COMMANDS_A_SECOND, ACCOUNT_COMMANDS_AT_ONCE) if host.commands else None
        self._held_until = 0.0

    @contextlib.asynccontextmanager
    async def entered(self, is_extra: bool = False, waiting: Waiting | None = None) -> AsyncIterator[Place]:
        """The right to a connection for the length of a `with`; waits for it, an extra one only for its turn. `waiting`
        hears of long waits. Raises Unavailable while the account is held, or if there is no room for an extra one."""
        self._check()
        await self._room(is_extra, waiting)
        place = Place(self, is_extra, self._hosts.clock())
        self.host.places.append(place)
        try:
            await self._pause(waiting)
            yield place
        except TooMany as error:
            if not place.is_in:
                self._learn(error)
            raise
        except Unavailable as error:
            is_of_host = not isinstance(error, TokenUnavailable)
            if error.state == "throttled" and error.retry_after and is_of_host:
                self.hold(error.retry_after)
            raise
        finally:
            self.host.places.remove(place)
            self.host.wake()

    def hold(self, seconds: float) -> None:
        """No connection for so long."""
        self._held_until = max(self._held_until, self._hosts.clock() + seconds)

    def suit(self, connections: int | None, commands_a_second: float | None) -> None:
        """What is known of the server, now that it has spoken."""
        self.limit.most = connections
        if commands_a_second is not None and self._commands is not None:
            self._commands.a_second = commands_a_second

    async def pace(self) -> None:
        """Waits until another command may be sent."""
        now = self._hosts.clock()
        wait = max((bucket.take(now) for bucket in (self._commands, self.host.commands) if bucket), default=0.0)
        if wait:
            await asyncio.sleep(wait)

    # Waiting --------------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        left = self._held_until - self._hosts.clock()
        if left > 0:
            raise Unavailable(
                f"{self.host.name} asked us to slow down and waits for {left:.0f} seconds more", left, "throttled"
            )

    def _has_room(self) -> bool:
        now = self._hosts.clock()
        ours = sum(place.door is self for place in self.host.places)
        return self.limit.allows(ours, now) and self.host.limit.allows(len(self.host.places), now)

    async def _room(self, is_extra: bool, waiting: Waiting | None) -> None:
        host = self.host
        if is_extra:
            if host.waiting or not self._has_room():
                raise Unavailable(f"{host.name} has no room for another connection", state="throttled")
            return
        if not host.waiting and self._has_room():
            return
        if waiting is not None:
            await waiting(
                f"{host.name} bears {len(host.places)} connections of ours at a time; this mailbox has its turn soon"
            )
        mine = (self, asyncio.Event())
        host.waiting.append(mine)
        try:
            while not (self._is_next(mine[1]) and self._has_room()):
                self._ask_for_room()
                mine[1].clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(ASK_SECONDS, self._hosts.turn_seconds)):
                        await mine[1].wait()
                self._check()
        finally:
            host.waiting.remove(mine)
            host.wake()

    def _is_next(self, event: asyncio.Event) -> bool:
        """Whether nobody who could go in waits longer."""
        for door, other in self.host.waiting:
            if other is event:
                return True
            if door._has_room():
                return False
        return True

    def _ask_for_room(self) -> None:
        """Asks as many to leave as wait: second connections, then whoever is longest in."""
        now, host = self._hosts.clock(), self.host
        is_ours = not self.limit.allows(sum(place.door is self for place in host.places), now)
        candidates = [place for place in host.places if place.door is self or not is_ours]
        asked = sum(place.is_wanted for place in candidates)
        for place in sorted(candidates, key=lambda one: (not one.is_extra, one.since)):
            if asked >= len(host.waiting):
                return
            if not place.is_wanted and (place.is_extra or now - place.since >= self._hosts.turn_seconds):
                place.want()
                asked += 1

    async def _pause(self, waiting: Waiting | None) -> None:
        now = self._hosts.clock()
        wait = max(self.host.logins.take(now), self._hosts.logins.take(now))
        if wait > WAIT_SECONDS_TOLD and waiting is not None:
            await waiting(f"many mailboxes log in to {self.host.name}; this one does in {wait:.0f} seconds")
        if wait:
            await asyncio.sleep(wait)
            self._check()

    def _learn(self, error: TooMany) -> None:
        now, host = self._hosts.clock(), self.host
        if error.of_host:
            host.limit.learn(sum(place.is_in for place in host.places), now)
        else:
            self.limit.learn(sum(place.is_in for place in host.places if place.door is self), now)


# The one of this program.
HOSTS = Hosts()
