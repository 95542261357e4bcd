"""Whatever breaks is told truly while it is broken, and heals by itself: no restart, and in life within a minute.

The daemon's own pauses are slept through faster (`tests.fakes.ward`); that none is longer than 50 seconds is what the
minute rests on, and that an hour of trouble takes fewer than 150 tries is what the server rests on.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.load import load
from daemon.intake.desk import Desk
from storage.database import Database
from tests.fakes.arrivals import raw_mail
from tests.fakes.daemon import home, running_app, until_rows, write_config
from tests.fakes.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.fakes.imap_script import CLOSE, Answer, Box, ImapScript
from tests.fakes.imap_source import bodies
from tests.fakes.names import deciding_about
from tests.fakes.ward import HOUR, SOON, Ward, assert_kind, at_dovecot, at_script, desk_of, mails, until_mails

NAME = "imap.customer.example"
STATES = "SELECT state FROM source WHERE kind = 'mailbox'"
WELCOME = b"%T OK [CAPABILITY IMAP4rev1 IDLE] welcome\r\n"
REFUSED = b"%T NO [AUTHENTICATIONFAILED] wrong\r\n"

pytestmark = pytest.mark.timeout(150)  # an hour of trouble in many short tries


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return desk_of(database, tmp_path)


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    made = dovecot.new_user()
    dovecot.deliver(made, raw_mail("before", "ivan@customer.example"))
    return made


# ---- passwords


@pytest.mark.peer("dovecot")
async def test_a_wrong_password_heals_at_once_with_the_configuration(dovecot: Dovecot, user: str, dsn: str) -> None:
    with home() as folder:
        right = write_config(folder, [("sales", user)], dovecot, dsn)
        text = right.read_text()
        right.write_text(text.replace(PASSWORD, "wrong"))
        async with running_app(right) as app:
            await until_rows(dsn, STATES, [("needs_reauth",)])
            await until_rows(
                dsn, "SELECT next_try_at > now() + interval '25 s' FROM source WHERE kind = 'mailbox'", [(True,)]
            )
            right.write_text(text)

            await app.reload(load(right, {}).settings)

            await until_rows(dsn, STATES, [("ok",)])
            await until_rows(dsn, "SELECT next_try_at IS NULL FROM source WHERE kind = 'mailbox'", [(True,)])
            await until_rows(dsn, "SELECT count(*) FROM interaction", [(1,)])


async def test_a_password_that_is_put_right_at_the_server_is_noticed_and_nobody_is_locked_out(
    database: Database, desk: Desk
) -> None:
    async with (
        ImapScript(Box(bodies(1)).book(AUTHENTICATE=REFUSED)) as server,
        Ward(database, desk, {"sales": at_script(server)}, speed=2000).open() as ward,
    ):
        told = await ward.until("needs_reauth", "check user and password")
        seen = await ward.outlast(HOUR)
        tries = server.connections
        server.book["AUTHENTICATE"] = WELCOME
        await ward.until("ok")

    assert told["last_success"] is None
    assert seen == {"needs_reauth"}
    assert 10 <= tries <= 16
    assert max(ward.pauses[:2]) <= SOON
    assert min(ward.pauses[2:]) >= 300.0
    assert "secret" not in str(told)


# ---- the server is away


@pytest.mark.peer("dovecot")
async def test_a_name_that_is_gone_and_comes_back(dovecot: Dovecot, user: str, database: Database, desk: Desk) -> None:
    with deciding_about(NAME) as names:
        names.is_there = False
        async with Ward(database, desk, {"sales": at_dovecot(dovecot, user, NAME)}).open() as ward:
            await ward.until("unreachable", f"the name {NAME} was not found")
            names.is_there = True
            await ward.until("ok")

    assert await mails(database) == 1
    assert names.asked > 1
    assert max(ward.pauses) <= SOON


@pytest.mark.peer("dovecot")
async def test_an_hour_in_which_nothing_listens(user: str, dovecot: Dovecot, database: Database, desk: Desk) -> None:
    async with Ward(database, desk, {"sales": at_dovecot(dovecot, user)}, speed=1000).open() as ward:
        await ward.until("ok")
        dovecot.halt()
        try:
            await ward.until("unreachable")
            seen = await ward.outlast(HOUR)
        finally:
            dovecot.resume()
        dovecot.deliver(user, raw_mail("meanwhile", "ivan@customer.example"))
        await ward.until("ok")
        await until_mails(database, 2)

    assert seen == {"unreachable"}
    assert_kind(ward)


MAINTENANCE: dict[str, dict[str, Answer]] = {
    "bye": {"GREETING": b"* BYE down for maintenance\r\n" + CLOSE},
    "hangs-up": {"GREETING": CLOSE},
    "unavailable": {"AUTHENTICATE": b"%T NO [UNAVAILABLE] back in an hour\r\n"},
    "no-folders": {"LIST": b"%T NO [UNAVAILABLE] back in an hour\r\n"},
    "inbox-refused": {"EXAMINE": b"%T NO [SERVERBUG] mailbox is being moved\r\n"},
}


@pytest.mark.parametrize("how", list(MAINTENANCE))
async def test_an_hour_of_maintenance(database: Database, desk: Desk, how: str) -> None:
    box = Box(bodies(1))
    async with (
        ImapScript(box.book()) as server,
        Ward(database, desk, {"sales": at_script(server)}, speed=2000).open() as ward,
    ):
        before = dict(server.book)
        await ward.until("ok")
        server.book |= MAINTENANCE[how]
        server.hang_up()
        await ward.until("unreachable")
        seen = await ward.outlast(HOUR)
        box.mails |= bodies(2, 3)
        server.book |= before
        await ward.until("ok")
        await until_mails(database, 3)

    assert seen == {"unreachable"}
    assert_kind(ward)


async def test_a_server_that_asks_for_time_gets_it(database: Database, desk: Desk) -> None:
    slow = b"%T NO [THROTTLED] Suggested Backoff Time: 1200000 milliseconds\r\n"
    async with (
        ImapScript(Box(bodies(1)).book(AUTHENTICATE=[slow, WELCOME])) as server,
        Ward(database, desk, {"sales": at_script(server)}, speed=10_000).open() as ward,
    ):
        await ward.until("throttled", "slow down")

    assert 1200.0 <= ward.pauses[0] <= 1201.0


# ---- certificates


def certify(dovecot: Dovecot, until: datetime) -> None:
    """Starts the server anew with a certificate that holds until then."""
    dovecot.halt()
    leaf = dovecot.authority.issue_cert("localhost", not_before=until - timedelta(days=30), not_after=until)
    (dovecot.folder / "server.key").write_bytes(leaf.private_key_pem.bytes())
    (dovecot.folder / "server.pem").write_bytes(b"".join(piece.bytes() for piece in leaf.cert_chain_pems))
    dovecot.resume()


@pytest.mark.peer("dovecot")
async def test_a_certificate_that_expired_and_was_renewed(database: Database, desk: Desk) -> None:
    with running_dovecot() as server:
        user = server.new_user()
        now = datetime.now(UTC)
        certify(server, now - timedelta(hours=1))
        async with Ward(database, desk, {"sales": at_dovecot(server, user)}).open() as ward:
            told = await ward.until("misconfigured", "has expired")
            server.deliver(user, raw_mail("waiting", "ivan@customer.example"))
            certify(server, now + timedelta(days=20))
            await ward.until("ok")
            await until_mails(database, 1)

    assert "its administrator has to renew it" in told["detail"]
    assert max(ward.pauses) <= SOON
