"""Two daemons on one configuration: beside an embedded database there is only one, beside an external one they share the
work, and whoever dies or falls asleep is replaced. Nothing is doubled.

Leases are two seconds long here; in life they are twenty.
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fakes.arrivals import raw_mail
from tests.fakes.daemon import Daemon, home, rows, until_rows, write_config
from tests.fakes.dovecot import Dovecot, running_dovecot
from tests.fakes.first_read import FirstRead
from tests.fakes.telephone import Telephone, call, sms

LEASE_SECONDS = 2.0
MAILS = 60
EVENTS = 30
HOLDERS = "SELECT split_part(lease_owner, '/', 2) FROM source WHERE kind = 'mailbox' ORDER BY name"
TOKENS = "SELECT lease_token FROM source WHERE kind = 'mailbox'"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def folder() -> Iterator[Path]:
    with home() as made:
        yield made


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.new_user()


@pytest.fixture
def config(folder: Path, dovecot: Dovecot, user: str, dsn: str) -> Path:
    return write_config(folder, [("sales", user)], dovecot, dsn)


@pytest.fixture
async def pair(config: Path) -> AsyncIterator[tuple[Daemon, Daemon]]:
    """Both, not yet started."""
    async with (
        Daemon(config, name="first", lease_seconds=LEASE_SECONDS) as first,
        Daemon(config, name="second", lease_seconds=LEASE_SECONDS) as second,
    ):
        yield first, second


@pytest.fixture
async def reading(dovecot: Dovecot, pair: tuple[Daemon, Daemon], config: Path, user: str) -> FirstRead:
    """A mailbox in which mail lies, and both daemons started on it at once."""
    found = FirstRead(dovecot, pair[0], config, random.Random(7))
    found.deliver(user, MAILS)
    await asyncio.gather(*(one.start() for one in pair))
    return found


async def post_to_both(reading: FirstRead, pair: tuple[Daemon, Daemon]) -> None:
    """The same calls and SMS with the same ids to each of them, at once and in two orders."""
    phones = [Telephone(lambda daemon=daemon: daemon.url, reading.rng) for daemon in pair]  # type: ignore[misc]
    messages = [one for number in range(EVENTS) for one in (*call(number), *sms(number))]
    orders = [reading.rng.sample(messages, len(messages)) for _ in phones]
    await asyncio.gather(*(phone.post_all(order) for phone, order in zip(phones, orders, strict=True)))
    for phone in phones:
        assert phone.acknowledged == set(messages)
        assert phone.wrong == []
    reading.telephone = phones[0]


async def holder(dsn: str, pair: tuple[Daemon, Daemon]) -> tuple[Daemon, Daemon]:
    """Who runs the mailbox, and the other one."""
    [(pid,)] = await rows(dsn, HOLDERS)
    [mine] = [one for one in pair if str(one.pid) == pid]
    [other] = [one for one in pair if one is not mine]
    return mine, other


def more_mail(reading: FirstRead, user: str, name: str) -> None:
    """One more thread; it comes to INBOX, of which news is told at once."""
    reading.deliver(user, 3, name, ["INBOX"])


async def test_beside_an_embedded_database_the_second_names_the_first_and_ends(folder: Path) -> None:
    config = write_config(folder)
    async with Daemon(config) as first:
        await first.start()
        second = Daemon(config, name="second")
        second.launch()

        assert await second.ended() == 1

        [sentence] = second.log().splitlines()
        assert f"in use by process {first.pid} (" in sentence
        assert first.is_running


@pytest.mark.peer("dovecot")
async def test_both_take_webhooks_one_reads_the_mailbox_and_nothing_is_doubled(
    reading: FirstRead, pair: tuple[Daemon, Daemon], dsn: str
) -> None:
    await post_to_both(reading, pair)

    await reading.finish()

    await reading.check(dsn)
    assert await rows(dsn, TOKENS) == [(1,)]  # taken once, so nobody else has run it


@pytest.mark.peer("dovecot")
async def test_when_the_one_that_reads_is_killed_the_other_takes_over(
    reading: FirstRead, pair: tuple[Daemon, Daemon], dsn: str, user: str
) -> None:
    await until_rows(dsn, "SELECT count(*) > 0 FROM mail_location", [(True,)])
    mine, other = await holder(dsn, pair)

    mine.kill()
    more_mail(reading, user, "late")

    await post_to_both(reading, (other, other))
    await until_rows(dsn, TOKENS, [(2,)])
    await reading.finish()
    await reading.check(dsn)
    assert await rows(dsn, HOLDERS) == [(str(other.pid),)]


@pytest.mark.peer("dovecot")
async def test_one_that_stops_in_order_leaves_the_mailbox_to_the_other_at_once(
    reading: FirstRead, pair: tuple[Daemon, Daemon], dsn: str, user: str
) -> None:
    await post_to_both(reading, pair)
    mine, other = await holder(dsn, pair)

    assert await mine.stop() == 0
    more_mail(reading, user, "late")

    await until_rows(dsn, HOLDERS, [(str(other.pid),)])
    await reading.finish()
    await reading.check(dsn)


@pytest.mark.peer("dovecot")
async def test_one_that_slept_beyond_its_lease_has_lost_the_mailbox_and_doubles_nothing(
    reading: FirstRead, pair: tuple[Daemon, Daemon], dsn: str, user: str
) -> None:
    await post_to_both(reading, pair)
    await reading.finish()
    mine, other = await holder(dsn, pair)

    mine.tell(signal.SIGSTOP)
    more_mail(reading, user, "meanwhile")
    await until_rows(dsn, HOLDERS, [(str(other.pid),)])
    mine.tell(signal.SIGCONT)
    more_mail(reading, user, "later")

    await reading.finish()
    await reading.check(dsn)
    assert await rows(dsn, HOLDERS) == [(str(other.pid),)]
    assert mine.is_running


SHARES = "SELECT count(*) FROM source WHERE kind = 'mailbox' AND lease_until > now() GROUP BY lease_owner ORDER BY 1"
STATES = "SELECT DISTINCT state FROM source WHERE kind = 'mailbox'"


@pytest.mark.timeout(150)
@pytest.mark.peer("dovecot")
async def test_one_that_joins_later_gets_its_share_and_one_that_is_killed_is_replaced(
    dovecot: Dovecot, folder: Path, dsn: str
) -> None:
    users = [dovecot.new_user() for _ in range(4)]
    config = write_config(folder, [(f"box{n}", user) for n, user in enumerate(users)], dovecot, dsn)

    def deliver(name: str) -> None:
        for user in users:
            dovecot.deliver(user, raw_mail(f"{name}-{user}", "ivan@customer.example"))

    async with (
        Daemon(config, name="first", lease_seconds=LEASE_SECONDS) as first,
        Daemon(config, name="second", lease_seconds=LEASE_SECONDS) as second,
    ):
        deliver("before")
        await first.start()
        await until_rows(dsn, SHARES, [(4,)])
        await until_rows(dsn, STATES, [("ok",)])
        await second.start()
        await until_rows(dsn, SHARES, [(2,), (2,)])
        deliver("shared")
        await until_rows(dsn, "SELECT count(*) FROM mail_location", [(8,)])
        moved = sum(token for (token,) in await rows(dsn, TOKENS))

        first.kill()
        deliver("after")

        await until_rows(dsn, SHARES, [(4,)])
        await until_rows(dsn, "SELECT count(*), count(DISTINCT interaction_id) FROM mail_location", [(12, 12)])
        assert await rows(dsn, "SELECT count(*) FROM interaction") == [(12,)]
    assert moved == 4 + 2  # each was taken once, and two of them a second time
