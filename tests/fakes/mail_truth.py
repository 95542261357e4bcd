"""Whether what we say of a mailbox is true: real servers, a bad line, a person who tidies up, a daemon that is killed.

    person ──imaplib──────────────► server ◄──fault proxy── daemon, killed and started again
    (seeded acts)                      │                       │
                                    listing  ══ compare ══  database

One daemon reads one mailbox on each of the servers. A round: faults, acts and kills for some seconds; then the line is
good, the daemon is asked to read what there is, and says `ok` when it is sure; in every tenth round nobody asks it, and it
has two minutes. At that moment

    missed      a mail that lies on the server, and not at that place in the database
    surplus     a place in the database where the server has nothing
    wrong       a place with another mail than the server has there
    doubled     a mail that is two interactions, or was announced twice
    invented    an interaction whose bytes nobody ever wrote
    left over   something in quarantine
    changed     a mail on the server with other flags, or in another place, than the person gave it

must all be empty. After some rounds each server gets a new mailbox, as otherwise everything would be known.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import tomlkit

from config.load import load
from daemon.opening import blobs_of
from daemon.passwords import TOKEN_PREFIX, digest, new_secret
from storage import people
from tests.fakes.command import ask
from tests.fakes.courier import running_courier
from tests.fakes.cyrus import running_cyrus
from tests.fakes.daemon import Daemon, dsn_of, home, rows
from tests.fakes.dovecot import PASSWORD, STOP_SECONDS, Dovecot, running_dovecot
from tests.fakes.fault_proxy import FaultProxy
from tests.fakes.mail_generator import UNREAD, Found, Generator, Interrupted, Letter, Refused
from tests.fakes.mail_server import MailServer

LEASE_SECONDS = 2.0  # a quarter of it passes until a source hears that it is to read
CATCH_UP_SECONDS = 45.0
ROUNDS_UNTIL_PATIENT = 10  # then nobody asks it to read
PATIENCE_SECONDS = 120.0  # the longest pause after failures within a round, and a turn at all folders
ROUNDS_OF_A_MAILBOX = 8
ACTS = 14
SESSIONS = 5  # some servers lose their way in a folder that is renamed while others look at it
PAUSE_SECONDS = 0.2
PREFIXES = {"courier": "INBOX."}
FOLDER_ACTS = {"courier": 0.3}  # it sleeps for two seconds over each
_STATES = "SELECT name, state, audited_at, detail FROM source WHERE removed_at IS NULL AND kind = 'mailbox'"
_PLACES = """
SELECT l.folder, l.uidvalidity, l.uid, b.raw_sha256
FROM mail_location l JOIN source s ON s.id = l.source_id LEFT JOIN body b ON b.interaction_id = l.interaction_id
WHERE s.name = $1 AND l.gone_at IS NULL
"""
_MAILS = (
    "SELECT i.id, b.raw_sha256 FROM interaction i LEFT JOIN body b ON b.interaction_id = i.id WHERE i.kind = 'email'"
)
_TOLD_TWICE = "SELECT ref FROM feed WHERE type = 'interaction.created' GROUP BY ref HAVING count(*) > 1"
_LEFT_OVER = "SELECT source, reason, locator FROM quarantine WHERE resolved_at IS NULL"


@dataclass(slots=True)
class Box:
    """A mailbox: its name in the configuration, and who works in it."""

    name: str
    server: str
    user: str
    person: Generator


@dataclass(slots=True)
class Tally:
    """What happened."""

    rounds: int = 0
    kills: int = 0
    syncs: int = 0
    places: Counter[str] = field(default_factory=Counter)  # compared, by server
    acts: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: float = 0.0


class Truth:
    """Rounds over these servers. Use `proxies` and the daemon within their `with`."""

    def __init__(
        self, config: Path, servers: Mapping[str, MailServer], proxies: Mapping[str, FaultProxy], seed: int
    ) -> None:
        self.config = config
        self.daemon = Daemon(config, lease_seconds=LEASE_SECONDS)
        self.tally = Tally(acts={name: Counter() for name in servers})
        self._servers = servers
        self._proxies = proxies
        self._seed = seed
        self._token = ""
        self._boxes: list[Box] = []
        self._post: dict[bytes, Letter] = {}

    async def round(self, number: int) -> None:
        """One round. Raises AssertionError with what is not true."""
        started = time.monotonic()
        rng = random.Random(f"{self._seed}/{number}")
        if number % ROUNDS_OF_A_MAILBOX == 0 or not self._boxes:
            await self._move_in(number)
        for name, proxy in self._proxies.items():
            proxy.storm(f"{self._seed}/{number}/{name}", rng.choice((0.3, 0.7, 0.9, 0.95)))
        working = asyncio.gather(*(asyncio.to_thread(self._work, box, rng.random()) for box in self._boxes))
        await self._trouble(rng, working)
        await working
        for proxy in self._proxies.values():
            proxy.calm()
        is_patient = number % ROUNDS_UNTIL_PATIENT == ROUNDS_UNTIL_PATIENT - 1
        if not is_patient:
            await self._catch_up()
        found = await asyncio.gather(*(asyncio.to_thread(self._listing, box) for box in self._boxes))
        if is_patient:
            await self._wait_until_it_is_so(found)
        for box, listing in zip(self._boxes, found, strict=True):
            self.tally.places[box.server] += len(listing)
        wrong = [f"seed {self._seed}, round {number}: {one}" for one in await self._compare(found)]
        assert not wrong, "\n".join([*wrong[:20], self.daemon.log()[-3000:]])
        self.tally.rounds += 1
        self.tally.seconds += time.monotonic() - started

    @property
    def story(self) -> str:
        """How it went, a line for each server."""
        tally = self.tally
        begun = f"seed {self._seed}: {tally.rounds} rounds in {tally.seconds:.0f} s, {len(self._post)} mails written"
        lines = [
            f"{begun}, {tally.kills} kills, {tally.syncs} times asked to read; missed 0, doubled 0, flags changed 0"
        ]
        for name, proxy in self._proxies.items():
            done = tally.acts[name] + sum((box.person.done for box in self._boxes if box.server == name), Counter())
            lines.append(
                f"{name}: {tally.places[name]} places compared after {_counted(done)}; "
                f"{proxy.connections} connections, {proxy.met.total()} with a fault: {_counted(proxy.met)}"
            )
        return "\n".join(lines)

    # The round --------------------------------------------------------------------------------------------------------

    async def _move_in(self, number: int) -> None:
        """A new mailbox on each server, and a daemon that knows of them."""
        self._leave()
        self._boxes = []
        for name, server in self._servers.items():
            user = server.new_user()
            person = Generator(user, PREFIXES.get(name, ""), self._post, FOLDER_ACTS.get(name, 1.0))
            self._boxes.append(Box(f"{name}{number}", name, user, person))
        self._configure()
        if not self._token:
            await self.daemon.start()
            self._token = TOKEN_PREFIX + new_secret()
            kept = digest(self._token)
            await ask(dsn_of(self.config), lambda db: people.add_token(db, "test", kept, ("read", "write")))
        else:
            self.daemon.launch()

    def _leave(self) -> None:
        if self.daemon.is_running:
            self.daemon.kill()
        for box in self._boxes:
            self.tally.acts[box.server].update(box.person.done)

    def _configure(self) -> None:
        mailboxes = [
            {
                "name": box.name,
                "address": box.user if "@" in box.user else f"{box.user}@{box.server}.example",
                "user": box.user,
                "password": PASSWORD,
                "imap": f"imap://127.0.0.1:{self._proxies[box.server].port}",
                "poll_seconds": 5,
            }
            for box in self._boxes
        ]
        file = {
            "data_dir": str(self.config.parent / "data"),
            "http": {"listen": "127.0.0.1:0"},
            "database": {"dsn": "embedded"},
            "mailbox": mailboxes,
        }
        self.config.write_text(tomlkit.dumps(file))
        self.config.chmod(0o600)

    def _work(self, box: Box, seed: float) -> None:
        rng, done = random.Random(seed), box.person.done
        until = done.total() + ACTS
        for _ in range(SESSIONS):
            try:
                with self._servers[box.server].client(box.user) as program, contextlib.suppress(Refused):
                    box.person.work(program, until - done.total(), PAUSE_SECONDS, rng)
            except Interrupted:
                with self._servers[box.server].client(box.user) as program:
                    box.person.look_again(program)
            if done.total() >= until:
                return
        raise AssertionError(f"{box.name} can not be worked in: {self._servers[box.server].log()[-2000:]}")

    def _listing(self, box: Box) -> list[Found]:
        with self._servers[box.server].client(box.user) as program:
            return box.person.listing(program)

    async def _trouble(self, rng: random.Random, working: "asyncio.Future[Any]") -> None:
        """While people work, the daemon is asked to read, and killed."""
        kills = rng.choice((0, 1, 1, 2))
        while not working.done():
            await asyncio.wait([working], timeout=rng.uniform(0.05, 1.2))
            if kills and rng.random() < 0.5:
                kills -= 1
                self.tally.kills += 1
                self.daemon.kill()
                self.daemon.launch()
            elif self.daemon.look_for("ready") is not None:
                await self._ask_to_read([rng.choice(self._boxes)])

    async def _ask_to_read(self, boxes: list[Box]) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as web:
            for box in boxes:
                where = f"{self.daemon.url}/api/v1/sources/{box.name}/sync"
                async with web.post(where, headers={"Authorization": f"Bearer {self._token}"}) as answer:
                    assert answer.status in (200, 404, 503), await answer.text()  # 404: its row is not yet made
                    self.tally.syncs += 1

    async def _catch_up(self) -> None:
        """Returns when every mailbox is said to be ok by what was looked at since."""
        if self.daemon.look_for("ready") is None:
            await self.daemon.until_said("ready")
        dsn = dsn_of(self.config)
        [(since,)] = await rows(dsn, "SELECT now()")
        await self._ask_to_read(self._boxes)
        until = time.monotonic() + CATCH_UP_SECONDS
        while True:
            states = await rows(dsn, _STATES)
            if states and all(state == "ok" and at is not None and at > since for _, state, at, _ in states):
                return
            assert time.monotonic() < until, f"not caught up: {states}\n{self.daemon.log()[-4000:]}"
            await asyncio.sleep(0.05)

    async def _wait_until_it_is_so(self, found: list[list[Found]]) -> None:
        """Nobody asks the daemon for anything: what it missed it finds by itself, when its pauses are over."""
        if self.daemon.look_for("ready") is None:
            await self.daemon.until_said("ready")
        until = time.monotonic() + PATIENCE_SECONDS
        while await self._compare(found) and time.monotonic() < until:
            await asyncio.sleep(0.5)

    # The comparison -----------------------------------------------------------------------------------------------------

    async def _compare(self, listings: list[list[Found]]) -> list[str]:
        dsn = dsn_of(self.config)
        wrong = []
        for box, listing in zip(self._boxes, listings, strict=True):
            there = {(one.folder, one.uidvalidity, one.uid): one.letter.key for one in listing if one.folder != UNREAD}
            prefix = PREFIXES.get(box.server, "")
            ours: dict[tuple[str, int, int], str] = {}
            for folder, uidvalidity, uid, sha256 in await rows(dsn, _PLACES, box.name):
                letter = self._post.get(bytes(sha256)) if sha256 is not None else None
                ours[folder.removeprefix(prefix), uidvalidity, uid] = letter.key if letter else "?"
            wrong += [f"{box.name}: missed {one} {there[one]}" for one in sorted(set(there) - set(ours))]
            wrong += [f"{box.name}: surplus {one} {ours[one]}" for one in sorted(set(ours) - set(there))]
            wrong += [
                f"{box.name}: wrong {one}: {ours[one]} and not {there[one]}"
                for one in sorted(set(ours) & set(there))
                if ours[one] != there[one]
            ]
        mails = await rows(dsn, _MAILS)
        letters = [self._post.get(bytes(sha256)) if sha256 is not None else None for _, sha256 in mails]
        counts = Counter(one.key for one in letters if one is not None)
        wrong += [f"doubled {key}: {count} interactions" for key, count in counts.items() if count > 1]
        invented = [(mail, sha256) for (mail, sha256), one in zip(mails, letters, strict=True) if one is None]
        wrong += [f"invented {mail}: {await self._bytes_of(dsn, sha256)!r}" for mail, sha256 in invented]
        wrong += [f"announced twice: {ref}" for (ref,) in await rows(dsn, _TOLD_TWICE)]
        wrong += [f"left over: {row}" for row in await rows(dsn, _LEFT_OVER)]
        return wrong

    async def _bytes_of(self, dsn: str, sha256: bytes | None) -> bytes:
        if sha256 is None:
            return b""
        blobs = blobs_of(load(self.config, {}).settings)
        return await ask(dsn, lambda db: blobs.read(db, sha256))


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


class _Dovecot(Dovecot):
    """With its indexes beside the mails, as Dovecot has them where nobody says otherwise. Where they are elsewhere, they
    are not renamed at the same moment as their folder."""

    def _configure(self, imap: int, imaps: int) -> None:
        super()._configure(imap, imaps)
        path = self.folder / "dovecot.conf"
        path.write_text(path.read_text().replace(f":INDEX={self.folder}/index/%u", ""))


_RUNNING: dict[str, Callable[[], contextlib.AbstractContextManager[MailServer]]] = {
    "dovecot": lambda: running_dovecot(_Dovecot),
    "cyrus": running_cyrus,
    "courier": running_courier,
}


@contextlib.asynccontextmanager
async def truth(names: Sequence[str], seed: int) -> AsyncIterator[Truth]:
    """The servers of these names, and all that belongs to them, for the length of a `with`."""
    async with contextlib.AsyncExitStack() as stack:
        servers: dict[str, MailServer] = {name: stack.enter_context(_RUNNING[name]()) for name in names}
        folder = stack.enter_context(home())
        proxies = {
            name: await stack.enter_async_context(FaultProxy(server.imap, random.Random(seed)))
            for name, server in servers.items()
        }
        made = Truth(folder / "ringmail.toml", servers, proxies, seed)
        try:
            yield made
        finally:
            await made.daemon.__aexit__()
            async with asyncio.timeout(STOP_SECONDS):  # a database whose daemon was killed ends by itself
                while any(folder.rglob("postmaster.pid")):
                    await asyncio.sleep(0.05)
