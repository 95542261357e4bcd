"""The probe of a submission server, on real sockets with real TLS: what it finds, and what it says of each trouble."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme

from connectors.base import Refused, Unavailable
from connectors.mail.smtp import SmtpServer, SmtpSettings
from connectors.oauth import OAuthSettings, Tokens
from tests.fakes.token_endpoint import running_endpoint

PASSWORD = "correct horse"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Submission:
    """A submission server in a few lines; it says what it heard before and after TLS."""

    def __init__(self, context: ssl.SSLContext | None, *, offers: str = "AUTH PLAIN LOGIN", greeting: str = "220 hi") -> None:  # fmt: skip
        self.context, self.offers, self.greeting = context, offers, greeting
        self.heard_in_clear: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_private = writer.get_extra_info("ssl_object") is not None
        writer.write(self.greeting.encode() + b"\r\n")
        while line := (await reader.readline()).decode("latin-1").strip():
            if not is_private:
                self.heard_in_clear.append(line.split()[0].upper())
            writer.write("".join(f"{one}\r\n" for one in self.answer(line)).encode())
            await writer.drain()
            if line.upper() == "STARTTLS" and self.context is not None:
                await writer.start_tls(self.context)
                is_private = True

    def answer(self, line: str) -> list[str]:
        verb = line.split(maxsplit=1)[0].upper()
        if verb == "EHLO":
            lines = ["mx.example", "SIZE 1000000", *self.offers.split(",")]
            return [f"250-{one}" for one in lines[:-1]] + [f"250 {lines[-1]}"]
        if verb == "STARTTLS":
            return ["220 go on"]
        if verb == "AUTH":
            said = base64.b64decode(line.split()[2]).decode().split("\x00")
            return ["235 welcome" if said[-1] == PASSWORD else "535 5.7.8 no such password\tat all"]
        return ["221 bye"] if verb == "QUIT" else ["500 what?"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def server_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@asynccontextmanager
async def listening(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if connections:
            await asyncio.wait(connections, timeout=5)


def at(port: int, tls: str, context: ssl.SSLContext, password: str = PASSWORD, host: str = "127.0.0.1") -> SmtpServer:
    return SmtpServer(SmtpSettings(host, port, "sales@example.org", password, tls, context, 5))  # type: ignore[arg-type]


async def test_a_login_over_tls_is_told_with_the_largest_mail(
    trusting: ssl.SSLContext, server_side: ssl.SSLContext
) -> None:
    async with listening(Submission(server_side).serve, server_side) as port:
        said = await at(port, "implicit", trusting).check()

    assert said == f"logged in to 127.0.0.1:{port} as sales@example.org (TLS; mails of at most 1,000,000 bytes)"


async def test_nothing_but_greetings_goes_before_starttls(
    trusting: ssl.SSLContext, server_side: ssl.SSLContext
) -> None:
    server = Submission(server_side, offers="STARTTLS,AUTH PLAIN")
    async with listening(server.serve) as port:
        assert "STARTTLS" in await at(port, "starttls", trusting).check()

    assert set(server.heard_in_clear) <= {"EHLO", "STARTTLS"}


async def test_a_server_without_starttls_hears_no_password(
    trusting: ssl.SSLContext, server_side: ssl.SSLContext
) -> None:
    server = Submission(server_side)
    async with listening(server.serve) as port:
        with pytest.raises(Refused, match="STARTTLS"):
            await at(port, "starttls", trusting).check()

    assert "AUTH" not in server.heard_in_clear


async def test_a_wrong_password_wants_a_person(trusting: ssl.SSLContext, server_side: ssl.SSLContext) -> None:
    async with listening(Submission(server_side).serve, server_side) as port:
        with pytest.raises(Refused, match=r"refuses the login of sales@example.org: .*no such password at all") as told:
            await at(port, "implicit", trusting, "wrong").check()

    assert told.value.state == "needs_reauth"
    assert "wrong;" not in str(told.value)


async def test_a_certificate_nobody_trusts_is_refused(server_side: ssl.SSLContext) -> None:
    async with listening(Submission(server_side).serve, server_side) as port:
        with pytest.raises(Refused, match="signed by nobody this machine trusts"):
            await at(port, "implicit", ssl.create_default_context()).check()


async def test_a_plain_server_behind_a_tls_address_is_a_wrong_port(trusting: ssl.SSLContext) -> None:
    async with listening(Submission(None).serve) as port:
        with pytest.raises((Refused, Unavailable)) as told:
            await at(port, "implicit", trusting).check()

    assert f"127.0.0.1:{port}" in str(told.value)


async def test_a_busy_server_may_be_asked_again(trusting: ssl.SSLContext, server_side: ssl.SSLContext) -> None:
    async with listening(Submission(server_side, greeting="421 too busy").serve, server_side) as port:
        with pytest.raises(Unavailable, match=r"421|busy|not reached"):
            await at(port, "implicit", trusting).check()


async def test_a_closed_port_is_said(trusting: ssl.SSLContext) -> None:
    async with listening(Submission(None).serve) as port:
        pass

    with pytest.raises(Unavailable, match=f"nothing listens on 127.0.0.1:{port}"):
        await at(port, "implicit", trusting).check()


async def test_no_password_goes_in_the_clear_to_another_machine(trusting: ssl.SSLContext) -> None:
    with pytest.raises(Refused, match="in the clear"):
        await at(25, "none", trusting, host="192.0.2.1").check()


class Tokened(Submission):
    """One that takes tokens, and asks for an empty line after one that it refuses."""

    def __init__(self, context: ssl.SSLContext, good: str) -> None:
        super().__init__(context, offers="AUTH XOAUTH2 PLAIN")
        self.good = good

    def answer(self, line: str) -> list[str]:
        if line.upper().startswith("AUTH XOAUTH2 "):
            said = base64.b64decode(line.split()[2]).decode()
            is_good = said == f"user=sales@example.org\x01auth=Bearer {self.good}\x01\x01"
            return ["235 welcome"] if is_good else [f"535 5.7.3 not {said.split('Bearer ')[1].strip(chr(1))}"]
        return super().answer(line)


@pytest.mark.parametrize(("good", "outcome"), [("canary", None), ("another", Refused)], ids=["good", "refused"])
async def test_a_mailbox_with_tokens_sends_with_one(
    trusting: ssl.SSLContext, server_side: ssl.SSLContext, good: str, outcome: type[Refused] | None
) -> None:
    async with (
        running_endpoint((200, {"access_token": "canary"})) as endpoint,
        listening(Tokened(server_side, good).serve, server_side) as port,
    ):
        tokens = Tokens(OAuthSettings(endpoint.url, "we", "", "again"))
        server = SmtpServer(
            SmtpSettings("127.0.0.1", port, "sales@example.org", "", "implicit", trusting, 5, tokens=tokens)
        )
        if outcome is None:
            assert "logged in" in await server.check()
            return
        with pytest.raises(outcome, match="refuses a fresh access token") as raised:
            await server.check()

    assert (raised.value.state, raised.value.may_lock) == ("needs_reauth", False)
    assert "canary" not in str(raised.value)
    assert "canary" not in repr(server.settings)
