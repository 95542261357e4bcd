"""What the daemon stands on breaks, and it goes on by itself: the database, the mail server, the disk, the configuration; and
it stops in order under load. Whatever happens, a webhook is acknowledged only when it is kept, and else asked to come
again.
"""

import asyncio
import io
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.daemon import Daemon, dsn_of, home, rows, until_rows, write_config
from tests.fakes.dovecot import Dovecot, running_dovecot
from tests.fakes.first_read import FirstRead
from tests.fakes.telephone import Message, Telephone, sms

BIG_BYTES = 10 * 1024 * 1024
STATES = "SELECT state FROM source WHERE kind = 'mailbox' ORDER BY name"
WAIT_SECONDS = 40


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def folder() -> Iterator[Path]:
    with home() as made:
        yield made


@pytest.fixture(scope="module")
def embedded() -> Iterator[Daemon]:
    """A daemon with its own database and no mailbox, one for all: setting up a database takes a while."""
    with home() as folder:
        daemon = Daemon(write_config(folder))
        asyncio.run(daemon.start())
        yield daemon
        asyncio.run(daemon.stop())


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.new_user()


@pytest.fixture
async def reading(dovecot: Dovecot, folder: Path, user: str, dsn: str) -> AsyncIterator[FirstRead]:
    """A daemon on an external database; it has read a mailbox."""
    config = write_config(folder, [("sales", user)], dovecot, dsn)
    async with Daemon(config) as daemon:
        found = FirstRead(dovecot, daemon, config, random.Random(7), dsn)
        found.deliver(user, 3, "first")
        await daemon.start()
        await found.finish()
        yield found


def phone_of(daemon: Daemon) -> Telephone:
    return Telephone(lambda: daemon.url, random.Random(7))


async def post(daemon: Daemon, message: Message) -> tuple[int, str]:
    """One webhook, once: the status, and when to come again."""
    async with (
        aiohttp.ClientSession() as web,
        web.post(f"{daemon.url}/hooks/main", data=message.body, headers=message.headers()) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After", "")


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not is_so():
            await asyncio.sleep(0.01)


async def until_more(phone: Telephone) -> None:
    """Until so many more webhooks were taken that not all of them can have been under way before."""
    wanted = len(phone.acknowledged) + 20
    await until(lambda: len(phone.acknowledged) >= wanted)


async def check_journal(dsn: str, phone: Telephone) -> None:
    """Everything is worked off, and what was acknowledged is there."""
    await until_rows(dsn, "SELECT count(*) FROM inbound WHERE state <> 'done'", [(0,)])
    stored = {bytes(body) for (body,) in await rows(dsn, "SELECT body FROM inbound")}
    assert {one.body for one in phone.acknowledged} - stored == set()


def processes_of(daemon: Daemon) -> list[int]:
    """The database of a daemon: its first process, and those that this one started."""
    [found] = (daemon.config.parent / "data").glob("pg*/postmaster.pid")
    first = int(found.read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *map(int, children)]


async def test_the_database_ends_under_load_and_every_webhook_is_kept_or_asked_to_come_again(embedded: Daemon) -> None:
    phone, enough = phone_of(embedded), asyncio.Event()
    calls = asyncio.create_task(phone.live(until=enough))
    dsn = dsn_of(embedded.config)
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        await until_more(phone)
        os.kill(processes_of(embedded)[0], how)
        phone.asked_to_wait = 0
        await until(lambda: phone.asked_to_wait > 0)
    await until_more(phone)

    enough.set()
    await calls
    assert phone.wrong == []
    assert phone.unanswered == 0
    await check_journal(dsn, phone)


async def test_a_database_that_does_not_answer_is_a_503_in_time_and_the_same_webhook_is_kept_later(
    embedded: Daemon,
) -> None:
    [message] = sms(900_001)
    frozen = processes_of(embedded)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        status, come_again = await post(embedded, message)
        waited = time.monotonic() - started
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)

    assert (status, bool(come_again)) == (503, True)
    assert waited < 10  # providers hang up after some seconds; the daemon's own bound is 4.5
    phone = phone_of(embedded)
    await phone.post_all([message])
    dsn = dsn_of(embedded.config)
    key = "WHERE kind = 'sms' AND external_id = 'sms-900001'"
    await until_rows(dsn, f"SELECT count(*) FROM interaction {key}", [(1,)])


async def test_a_daemon_that_starts_before_its_database_waits_for_it(folder: Path, dsn: str) -> None:
    gate = folder / "gate"
    there = re.search(r"host=([^&]+)", dsn)
    assert there is not None
    config = write_config(folder, dsn=dsn.replace(there[1], str(gate)))
    async with Daemon(config) as daemon:
        daemon.launch()
        await daemon.until_said("waiting for the database")
        [message] = sms(1)
        assert (await post(daemon, message))[0] == 503

        gate.symlink_to(there[1].replace("%2F", "/"))

        await daemon.until_said("ready")
        assert (await post(daemon, message))[0] == 200


@pytest.mark.peer("dovecot")
async def test_a_mail_server_that_went_away_and_came_back_is_read_on(reading: FirstRead, dsn: str, user: str) -> None:
    reading.dovecot.halt()
    try:
        await until_rows(dsn, STATES, [("unreachable",)])
    finally:
        reading.dovecot.resume()
    reading.deliver(user, 3, "later")

    await until_rows(dsn, STATES, [("ok",)])
    await reading.telephone.post_all(sms(1))
    await reading.finish()
    await reading.check(dsn)


@pytest.mark.peer("dovecot")
async def test_asked_to_end_under_load_it_ends_within_ten_seconds_and_keeps_what_it_acknowledged(
    dovecot: Dovecot, folder: Path, user: str
) -> None:
    config = write_config(folder, [("sales", user)], dovecot)
    async with Daemon(config) as daemon:
        reading = FirstRead(dovecot, daemon, config, random.Random(7))
        reading.deliver(user, 300)
        enough = asyncio.Event()
        calls = asyncio.create_task(reading.telephone.live(until=enough))
        await daemon.start()
        dsn = dsn_of(config)
        await until_rows(dsn, "SELECT count(*) > 20 FROM inbound", [(True,)])
        with slow_body(daemon), idle_connection(daemon):
            assert await daemon.stop(seconds=10) == 0

        await daemon.start()
        enough.set()
        await calls
        await reading.check(await reading.finish())


@pytest.mark.peer("dovecot")
async def test_a_configuration_that_is_wrong_changes_nothing_and_one_with_a_new_mailbox_starts_it(
    reading: FirstRead, folder: Path, user: str, dsn: str
) -> None:
    good = reading.config.read_text()
    reading.config.write_text(good.replace("[[telephony]]", "[[telephone]]"))
    reading.daemon.tell(signal.SIGHUP)
    said = await reading.daemon.until_said("the new configuration is wrong; the old one stays")
    assert "telephone" in said["mistake"]
    reading.deliver(user, 3, "second", ["INBOX"])
    await reading.telephone.post_all(sms(1))
    await reading.finish()

    another = reading.dovecot.new_user()
    reading.deliver(another, 3, "another")
    write_config(folder, [("sales", user), ("shop", another)], reading.dovecot, dsn)
    reading.daemon.tell(signal.SIGHUP)

    await until_rows(dsn, STATES, [("ok",), ("ok",)])
    await reading.finish()
    await reading.check(dsn)


async def test_a_body_of_ten_megabytes_is_too_large_however_it_comes(embedded: Daemon) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(BIG_BYTES // 10)

    async with aiohttp.ClientSession() as web:
        for data in (io.BytesIO(bytes(BIG_BYTES)), pieces()):
            with suppress(aiohttp.ClientOSError):  # it may hang up before we have said everything
                async with web.post(f"{embedded.url}/hooks/main", data=data) as answer:
                    assert answer.status == 413
    assert (await post(embedded, sms(900_002)[0]))[0] == 200


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
async def test_a_full_disk_loses_nothing_and_room_mends_it(folder: Path) -> None:
    config = write_config(folder)
    data = folder / "data"
    data.mkdir(mode=0o711)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=0711", "tmpfs", data], check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        async with Daemon(config) as daemon:
            await daemon.start()
            fill = data / "fill"
            phone, enough = phone_of(daemon), asyncio.Event()
            calls = asyncio.create_task(phone.live(until=enough))
            await until_rows(dsn_of(config), "SELECT count(*) > 20 FROM inbound", [(True,)])

            subprocess.run(["fallocate", "-l", "1g", fill], check=False, capture_output=True)
            subprocess.run(["dd", "if=/dev/zero", f"of={fill}", "bs=64k"], check=False, capture_output=True)
            await until(lambda: phone.asked_to_wait > 0)
            fill.unlink()
            await until_more(phone)

            enough.set()
            await calls
            assert phone.wrong == []
            await check_journal(dsn_of(config), phone)
    finally:
        subprocess.run(["umount", "--lazy", data], check=True)


def connect(daemon: Daemon) -> socket.socket:
    assert daemon.url is not None
    return socket.create_connection(("127.0.0.1", int(daemon.url.rpartition(":")[2])))


def idle_connection(daemon: Daemon) -> socket.socket:
    """Somebody who asked once, and keeps the line."""
    plug = connect(daemon)
    plug.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert plug.recv(100).startswith(b"HTTP/1.1 200")
    return plug


def slow_body(daemon: Daemon) -> socket.socket:
    """Somebody who promised a body and stopped in the middle of it."""
    plug = connect(daemon)
    plug.sendall(b"POST /hooks/main HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    return plug
