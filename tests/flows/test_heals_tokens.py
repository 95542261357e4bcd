"""Tokens that ran out, are refused, or cannot be had: told truly while it is so, and healed by itself.

As in `test_heals`, the daemon's own pauses are slept through faster.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from config.secrets_at import Secret
from connectors.mail.source import ImapSource
from connectors.oauth import OAuthSettings, Tokens
from daemon.intake.desk import Desk
from daemon.vault import TokenVault
from storage.database import Database
from tests.fakes.arrivals import raw_mail
from tests.fakes.dovecot import Dovecot, running_dovecot
from tests.fakes.imap_script import NO, OK, Box, ImapScript
from tests.fakes.imap_source import bodies
from tests.fakes.token_endpoint import TokenEndpoint, running_endpoint
from tests.fakes.ward import HOUR, SOON, Ward, assert_kind, at_dovecot, at_script, desk_of, until_mails

WELCOME = b"%T OK [CAPABILITY IMAP4rev1 IDLE] welcome\r\n"
TOKENS_OFFERED = b"* CAPABILITY IMAP4rev1 IDLE AUTH=XOAUTH2 SASL-IR\r\n" + OK

pytestmark = pytest.mark.timeout(150)  # an hour of trouble in many short tries


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return desk_of(database, tmp_path)


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


class TokenDovecot(Dovecot):
    """One that takes the tokens that an introspection endpoint (RFC 7662) calls active."""

    introspection = ""

    def _configure(self, imap: int, imaps: int) -> None:
        super()._configure(imap, imaps)
        driver = self.folder / "oauth2.conf"
        driver.write_text(
            f"introspection_url = {self.introspection}/?token=\nintrospection_mode = get\n"
            "username_attribute = username\nactive_attribute = active\nactive_value = yes\n"
        )
        driver.chmod(0o644)
        with (self.folder / "dovecot.conf").open("a") as more:
            more.write("auth_mechanisms = plain xoauth2 oauthbearer\n")
            more.write(f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {driver}\n}}\n")


@contextlib.asynccontextmanager
async def introspecting(user: str, good: set[str]) -> AsyncIterator[str]:
    """An endpoint that calls these tokens active, and whose they are."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        token = head.split(b"?token=")[1].split(b"&")[0].decode()
        body = json.dumps({"active": "yes" if token in good else "no", "username": user}).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            % len(body) + body
        )  # fmt: skip
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.mark.peer("dovecot")
@pytest.mark.usefixtures("dovecot")  # or there is none here
async def test_a_real_server_takes_our_tokens_forgets_one_and_takes_the_next(database: Database, desk: Desk) -> None:
    server, good, user = TokenDovecot(), {"one"}, "user1@example.org"
    vault = TokenVault(database, Secret("a secret key of this house"))
    one = {"access_token": "one", "expires_in": 3600}
    async with introspecting(user, good) as server.introspection, running_endpoint((200, one)) as endpoint:
        try:
            await asyncio.to_thread(server.start)
            assert server.new_user() == user
            source = at_dovecot(server, user)
            oauth = OAuthSettings(endpoint.url, "we", "", "given")
            mailbox = ImapSource(replace(source.settings, password="", oauth=oauth, vault=vault))
            async with Ward(database, desk, {"sales": mailbox}).open() as ward:
                await ward.until("ok")
                server.halt()
                good.symmetric_difference_update({"one", "two"})
                server.resume()
                await ward.until("needs_reauth", "refuses a fresh access token")
                endpoint.answers = [(200, {"access_token": "two", "expires_in": 3600})]
                server.deliver(user, raw_mail("later", "ivan@customer.example"))
                await ward.until("ok")
                await until_mails(database, 1)
        finally:
            server.stop()

    assert max(ward.pauses) <= SOON
