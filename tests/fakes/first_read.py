"""A first read of a mailbox while webhooks come in and the daemon is killed again and again; and what must hold after it.

The mails are threads of three (a question, our reply, his answer), delivered out of order to three folders, some to two
of them. When everything was brought, `check` counts: what was acknowledged is there, byte for byte, and once; every
mail is one record with all its places and in the chain of its thread; and nothing is left to do.
"""

import asyncio
import json
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from config.load import load
from daemon.opening import blobs_of
from tests.fakes.arrivals import START, raw_mail
from tests.fakes.daemon import Daemon, dsn_of, rows, until_rows
from tests.fakes.dovecot import Dovecot
from tests.fakes.telephone import Telephone

FOLDERS = ("INBOX", "Sent", "Архив")
READ_SECONDS = 50.0
_LEFT_TO_DO = """
SELECT (SELECT count(*) FROM inbound WHERE state = 'todo'), (SELECT count(*) FROM feed WHERE seq IS NULL),
       (SELECT count(*) FROM mail_location), (SELECT count(*) FROM source WHERE kind = 'mailbox' AND state <> 'ok')
"""


class FirstRead:
    """One daemon and one telephone company. `lives` tells how many places of mails were known at the end of each life, -1
    where the database was not there to ask."""

    def __init__(self, dovecot: Dovecot, daemon: Daemon, config: Path, rng: random.Random, dsn: str = "") -> None:
        self.dovecot, self.daemon, self.config, self.rng = dovecot, daemon, config, rng
        self._dsn = dsn
        self.telephone = Telephone(lambda: daemon.url, rng)
        self.mails: dict[str, bytes] = {}
        self.places = 0
        self.lives: list[int] = []

    def deliver(self, user: str, count: int, name: str = "t", folders: Sequence[str] = FOLDERS) -> None:
        """So many mails into a mailbox, in an order of their own; one in ten lies in two folders."""
        letters = [one for number in range(count // 3) for one in _thread(f"{name}{number}", user)]
        self.rng.shuffle(letters)
        for number, (message_id, raw) in enumerate(letters):
            self.mails[message_id] = raw
            chosen = self.rng.sample(folders, min(len(folders), 2 if number % 10 == 0 else 1))
            for folder in chosen:
                self.dovecot.deliver(user, raw, folder)
            self.places += len(chosen)

    async def live_and_die(self, seconds: float, *, from_ready: bool) -> None:
        """One life: started, and killed so long after it was started or ready."""
        self.daemon.launch()
        if from_ready:
            await self.daemon.until_said("ready")
            await asyncio.sleep(seconds)
        else:
            until = asyncio.get_running_loop().time() + seconds
            while (left := until - asyncio.get_running_loop().time()) > 0:
                await asyncio.sleep(min(left, 0.02))
                self.daemon.look_for("listening")  # the telephone company finds it as soon as it listens
        assert self.daemon.is_running, self.daemon.log()
        self.lives.append(await self.count())
        self.daemon.kill()

    @property
    def story(self) -> str:
        """How it went, in one line."""
        phone = self.telephone
        return (
            f"{len(self.lives)} kills, places known at each: {self.lives} of {self.places}; {len(phone.acknowledged)} webhooks "
            f"acknowledged, {phone.unanswered} posts without an answer, {phone.asked_to_wait} asked to come again"
        )

    async def finish(self, seconds: float = READ_SECONDS) -> str:
        """Waits until everything is read; the address of the database."""
        dsn = self._dsn or dsn_of(self.config)
        await until_rows(dsn, _LEFT_TO_DO, [(0, 0, self.places, 0)], seconds)
        return dsn

    async def count(self) -> int:
        """How many places of mails are known; -1 where the database can't be asked."""
        try:
            return int((await rows(dsn_of(self.config), "SELECT count(*) FROM mail_location"))[0][0])
        except (OSError, AssertionError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return -1

    async def check(self, dsn: str) -> None:
        """Raises AssertionError with the first promise that was broken."""
        assert self.telephone.wrong == [], self.telephone.wrong[:5]
        assert self.telephone.acknowledged
        await self._check_journal(dsn)
        await self._check_events(dsn)
        await self._check_mails(dsn)
        assert await rows(dsn, "SELECT kind, reason FROM quarantine") == []
        assert await rows(dsn, "SELECT DISTINCT (state->>'done')::boolean FROM checkpoint") == [(True,)]
        told = "SELECT count(*), count(DISTINCT ref) FROM feed WHERE type = 'interaction.created'"
        [(count,)] = await rows(dsn, "SELECT count(*) FROM interaction")
        assert await rows(dsn, told) == [(count, count)]

    async def _check_journal(self, dsn: str) -> None:
        stored = [bytes(body) for (body,) in await rows(dsn, "SELECT body FROM inbound")]
        assert len(stored) == len(set(stored))
        acknowledged = {one.body for one in self.telephone.acknowledged}
        posted = {one.body for one in self.telephone.posted}
        assert acknowledged - set(stored) == set(), "acknowledged and lost"
        assert set(stored) - posted == set()
        assert await rows(dsn, "SELECT DISTINCT state FROM inbound") == [("done",)]

    async def _check_events(self, dsn: str) -> None:
        for kind, name in (("phone_call", "call"), ("sms", "sms")):
            found = await rows(dsn, "SELECT external_id, block FROM interaction WHERE kind = $1", kind)
            blocks = {key: json.loads(block) for key, block in found}
            assert len(blocks) == len(found), "one event became two records"
            whole = self.telephone.keys(name, whole=True)
            assert whole - set(blocks) == set()
            assert set(blocks) - self.telephone.keys(name, whole=False) == set()
            if name == "call":
                states = {(blocks[key]["state"], blocks[key]["result"]) for key in whole}
                assert states <= {("ended", "answered")}

    async def _check_mails(self, dsn: str) -> None:
        query = """
            SELECT external_id, chain_id, raw_sha256,
                   (SELECT count(*) FROM mail_location WHERE interaction_id = interaction.id)
            FROM interaction JOIN body ON body.interaction_id = interaction.id WHERE kind = 'email'
        """
        found = await rows(dsn, query)
        assert sorted(row[0] for row in found) == sorted(self.mails)
        assert await rows(dsn, "SELECT count(*), count(interaction_id) FROM mail_location") == [(self.places,) * 2]
        assert sum(row[3] for row in found) == self.places
        chain_of_thread: dict[str, set[Any]] = {}
        for message_id, chain_id, _, _ in found:
            chain_of_thread.setdefault(message_id.split(".")[0], set()).add(chain_id)
        assert {len(chains) for chains in chain_of_thread.values()} == {1}
        assert len(set.union(*chain_of_thread.values())) == len(chain_of_thread)
        mails = "SELECT chain_id FROM interaction WHERE kind = 'email'"
        assert await rows(dsn, f"SELECT DISTINCT size FROM chain WHERE id IN ({mails})") == [(3,)]
        blobs = blobs_of(load(self.config, {}).settings)
        db = await asyncpg.connect(dsn)
        try:
            for message_id, _, digest, _ in found:
                kept = await blobs.read(db, digest)
                assert kept.replace(b"\r\n", b"\n") == self.mails[message_id], message_id
        finally:
            await db.close()


def _thread(name: str, user: str) -> list[tuple[str, bytes]]:
    ids = [f"{name}.{part}" for part in ("question", "reply", "answer")]
    customer = f"{name}@customer.example"
    filling = "\n".join(f"{number}: всё, что было условлено в пункте {number}." for number in range(20))
    letters = []
    for number, one in enumerate(ids):
        sender, to = (user, customer) if number == 1 else (customer, user)
        at = START + timedelta(minutes=number)
        before = ids[number - 1] if number else None
        raw = raw_mail(one, sender, to, f"Заказ {name}", filling, before, tuple(ids[:number]), at)
        letters.append((f"{one}@test.example", raw))
    return letters
