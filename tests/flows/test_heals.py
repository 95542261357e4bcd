"""Whatever breaks is told truly while it is broken, and heals by itself: no restart, and in life within a minute.

The daemon's own pauses are slept through faster (`tests.fakes.ward`); that none is longer than 50 seconds is what the
minute rests on, and that an hour of trouble takes fewer than 150 tries is what the server rests on.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.load import load
from config.secrets_at import Secret
from connectors.mail.source import ImapSource, MailboxSettings
from connectors.oauth import OAuthSettings, Tokens
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from daemon.vault import TokenVault
from interactions.mime import ParsedMail, parse
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import raw_mail
from tests.fakes.daemon import home, running_app, until_rows, write_config
from tests.fakes.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.fakes.imap_script import CLOSE, NO, OK, Answer, Box, ImapScript
from tests.fakes.imap_source import bodies
from tests.fakes.names import deciding_about
from tests.fakes.token_endpoint import TokenEndpoint, running_endpoint
from tests.fakes.ward import Ward

HOUR = 3600.0
SOON = 50.0
NAME = "imap.customer.example"
STATES = "SELECT state FROM source WHERE kind = 'mailbox'"
WELCOME = b"%T OK [CAPABILITY IMAP4rev1 IDLE] welcome\r\n"
REFUSED = b"%T NO [AUTHENTICATIONFAILED] wrong\r\n"
TOKENS_OFFERED = b"* CAPABILITY IMAP4rev1 IDLE AUTH=XOAUTH2 SASL-IR\r\n" + OK


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    return Desk(database, Blobs(tmp_path), IntakeSettings(), parse_here)


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    made = dovecot.new_user()
    dovecot.deliver(made, raw_mail("before", "ivan@customer.example"))
    return made


def at_dovecot(dovecot: Dovecot, user: str, host: str = "localhost") -> ImapSource:
    context = dovecot.trusting()
    context.check_hostname = host == "localhost"
    return ImapSource(
        MailboxSettings("sales", user, host, dovecot.imaps, user, PASSWORD, ssl_context=context, poll_seconds=5.0)
    )


def at_script(server: ImapScript, **more: Any) -> ImapSource:
    settings = MailboxSettings(
        "sales", "anna@example.org", server.host, server.port, "anna@example.org", "secret", "none", poll_seconds=5.0
    )
    return ImapSource(replace(settings, **more))


async def mails(database: Database) -> int:
    async with database.connection() as db:
        return int(await db.fetchval("SELECT count(*) FROM mail_location WHERE gone_at IS NULL"))


async def until_mails(database: Database, count: int) -> None:
    async with asyncio.timeout(40):
        while await mails(database) != count:
            await asyncio.sleep(0.01)


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


def assert_kind(ward: Ward) -> None:
    """Soon enough for whoever waits for the mail, and seldom enough for the server."""
    assert max(ward.pauses) <= SOON
    assert sum(ward.pauses) / len(ward.pauses) > 25.0


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


# ---- tokens


class Tokened:
    """A mail server that takes one access token, and the provider of tokens."""

    def __init__(self, server: ImapScript, endpoint: TokenEndpoint, database: Database) -> None:
        self.server, self.endpoint = server, endpoint
        self.vault = TokenVault(database, Secret("a secret key of this house"))
        self.taken = "one"
        server.book |= {"CAPABILITY": TOKENS_OFFERED, "AUTHENTICATE": self._answer}

    def source(self, refresh_token: str = "given") -> ImapSource:
        return at_script(self.server, oauth=self.oauth(refresh_token), vault=self.vault, password="")

    def oauth(self, refresh_token: str) -> OAuthSettings:
        return OAuthSettings(self.endpoint.url, "we", "", refresh_token)

    def gives(self, name: str) -> None:
        """What the provider answers from now on."""
        self.endpoint.answers = [(200, {"access_token": name, "expires_in": 3600})]

    def refuses(self, status: int, error: str = "") -> None:
        self.endpoint.answers = [(status, {"error": error})]

    def _answer(self, arguments: str) -> bytes:
        said = base64.b64decode(arguments.split()[1]).decode()
        return WELCOME if f"Bearer {self.taken}\x01" in said else NO


@pytest.fixture
async def tokened(database: Database) -> AsyncIterator[Tokened]:
    async with ImapScript(Box(bodies(1)).book()) as server, running_endpoint((200, {})) as endpoint:
        found = Tokened(server, endpoint, database)
        found.gives("one")
        yield found


async def test_a_token_that_ran_out_is_renewed_and_no_trouble_is_told(
    database: Database, desk: Desk, tokened: Tokened
) -> None:
    await Tokens(tokened.oauth("given"), source="sales", vault=tokened.vault).access()
    async with database.connection() as db:
        await db.execute("UPDATE source_token SET fetched_at = now() - interval '20 min'")
    tokened.taken = "two"  # the server has forgotten the other one before its time
    tokened.gives("two")

    async with Ward(database, desk, {"sales": tokened.source()}).open() as ward:
        await ward.until("ok")

    assert "needs_reauth" not in ward.states
    assert len(tokened.endpoint.asked) == 2


async def test_a_token_endpoint_that_is_away_needs_nobody(database: Database, desk: Desk, tokened: Tokened) -> None:
    tokened.refuses(503)
    async with Ward(database, desk, {"sales": tokened.source()}, speed=2000).open() as ward:
        await ward.until("unreachable", "gives no access token (status 503)")
        seen = await ward.outlast(HOUR)
        tokened.gives("one")
        await ward.until("ok")

    assert seen == {"unreachable"}
    assert_kind(ward)


async def test_a_token_endpoint_that_says_too_much_is_throttled(
    database: Database, desk: Desk, tokened: Tokened
) -> None:
    tokened.refuses(429)
    tokened.endpoint.headers = "Retry-After: 600\r\n"
    async with Ward(database, desk, {"sales": tokened.source()}, speed=10_000).open() as ward:
        await ward.until("throttled")
        tokened.gives("one")
        tokened.endpoint.headers = ""
        await ward.until("ok")

    assert 600.0 <= ward.pauses[0] <= 601.0


async def test_a_consent_that_was_taken_back_is_told_and_a_new_one_heals_at_once(
    database: Database, desk: Desk, tokened: Tokened
) -> None:
    tokened.refuses(400, "invalid_grant")
    async with Ward(database, desk, {"sales": tokened.source()}, speed=1.0).open() as ward:
        await ward.until("needs_reauth", "agree anew")
        tokened.gives("one")
        ward.supervisor.replace({"sales": tokened.source("agreed anew")})
        await ward.until("ok")

    assert tokened.endpoint.asked[-1]["refresh_token"] == "agreed anew"


@pytest.mark.parametrize("trouble", ["consent", "mailbox"])
async def test_what_is_put_right_at_the_provider_is_noticed(
    database: Database, desk: Desk, tokened: Tokened, trouble: str
) -> None:
    if trouble == "consent":
        tokened.refuses(401, "invalid_client")
    else:
        tokened.taken = "none of ours"
    async with Ward(database, desk, {"sales": tokened.source()}, speed=2000).open() as ward:
        told = await ward.until("needs_reauth")
        seen = await ward.outlast(HOUR)
        tokened.gives("one")
        tokened.taken = "one"
        await ward.until("ok")

    assert seen == {"needs_reauth"}
    assert max(ward.pauses) <= SOON
    assert "client_secret" in told["detail"] if trouble == "consent" else "fresh access token" in told["detail"]


async def test_a_secret_key_that_was_changed_is_told_and_the_old_one_heals(
    database: Database, desk: Desk, tokened: Tokened
) -> None:
    tokened.endpoint.answers = [(200, {"access_token": "one", "expires_in": 3600, "refresh_token": "second"})]
    key = Secret("a secret key of this house")
    await Tokens(tokened.oauth("given"), source="sales", vault=tokened.vault).access()
    tokened.vault.use(Secret("another key"))

    async with Ward(database, desk, {"sales": tokened.source()}).open() as ward:
        await ward.until("needs_reauth", "the stored token cannot be read with this secret key")
        tokened.vault.use(key)
        await ward.until("ok")

    assert len(tokened.endpoint.asked) == 1
