"""Logging in and asking, against a server that says what the test tells it to."""

import itertools
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date

import pytest
import trustme

from connectors.base import ConnectorError, Refused, Unavailable
from connectors.mail.account import Account, Tls, is_loopback
from connectors.mail.refusals import NotDone
from connectors.mail.session import ImapSession, opened
from connectors.oauth import OAuthSettings, Tokens
from tests.fakes.imap_script import CLOSE, NO, OK, Book, ImapScript, folder, mails
from tests.fakes.token_endpoint import running_endpoint

SECRET = 'p"a\\ß 1'


def account(server: ImapScript, tls: Tls = "none", context: ssl.SSLContext | None = None) -> Account:
    host = server.host if tls == "none" else "localhost"
    return Account(host, server.port, tls, "anna@example.org", SECRET, context, 10_000, 5.0)


@asynccontextmanager
async def session(book: Book | None = None) -> AsyncIterator[tuple[ImapSession, ImapScript]]:
    async with ImapScript(book) as server, opened(account(server)) as one:
        yield one, server


async def refusal(book: Book, tls: Tls = "none") -> ConnectorError:
    async with ImapScript(book) as server:
        with pytest.raises(ConnectorError) as error:
            async with opened(account(server, tls)):
                pass
    return error.value


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def serving(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


# Logging in -----------------------------------------------------------------------------------------------------------

PLAIN = "AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5vcmcAcCJhXMOfIDE="


@pytest.mark.parametrize(
    ("capabilities", "asked"),
    [
        (b"IMAP4rev1 AUTH=PLAIN SASL-IR", [PLAIN]),
        (b"IMAP4rev1 auth=plain sasl-ir LOGINDISABLED", [PLAIN]),
        (b"IMAP4rev1", [f"LOGIN anna@example.org {SECRET}", "CAPABILITY"]),
        (b"IMAP4rev1 AUTH=XOAUTH2", [f"LOGIN anna@example.org {SECRET}", "CAPABILITY"]),
    ],
)
async def test_the_login_is_what_the_server_offers(capabilities: bytes, asked: list[str]) -> None:
    async with session({"CAPABILITY": b"* CAPABILITY " + capabilities + b"\r\n" + OK}) as (_, server):
        assert server.asked == ["CAPABILITY", *asked]


async def test_a_server_without_initial_responses_is_told_when_it_asks() -> None:
    book: Book = {
        "CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" + OK,
        "AUTHENTICATE": b"+ \r\n",
        # The secret comes as a line of its own: its first word is taken for a tag.
        "": b"XX OK\r\n",
    }
    async with ImapScript(book) as server:
        with pytest.raises(Unavailable):
            async with opened(account(server)):
                pass

    assert server.asked[:2] == ["CAPABILITY", "AUTHENTICATE PLAIN"]
    assert len(server.asked) == 3


async def test_capabilities_in_the_greeting_and_in_the_welcome_save_questions() -> None:
    book: Book = {
        "GREETING": b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n",
        "AUTHENTICATE": b"%T OK [CAPABILITY IMAP4rev1 IDLE MOVE] welcome\r\n",
    }
    async with session(book) as (one, server):
        assert server.asked == [PLAIN]
        assert one.capabilities == {"IMAP4REV1", "IDLE", "MOVE"}


async def test_a_server_that_knows_us_already_asks_for_no_password() -> None:
    async with session({"GREETING": b"* PREAUTH welcome\r\n"}) as (_, server):
        assert server.asked == []


async def test_a_refused_login_says_what_to_do_and_not_the_password() -> None:
    error = await refusal({"AUTHENTICATE": b"%T NO [AUTHENTICATIONFAILED] not " + SECRET.encode() + b"\r\n"})

    assert (type(error), error.state) == (Refused, "needs_reauth")
    assert "not ***; check user and password" in str(error)


async def test_a_refusal_with_a_challenge_is_answered() -> None:
    error = await refusal({"AUTHENTICATE": b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n%T NO wrong\r\n"})

    assert error.state == "needs_reauth"


async def by_token(book: Book, clock: Callable[[], float] = time.monotonic) -> tuple[list[str], ConnectorError | None]:
    """Logs in twice with tokens; what was asked, and the last error."""
    error: ConnectorError | None = None
    async with running_endpoint((200, {"access_token": "tok"})) as endpoint, ImapScript(book) as server:
        tokens = Tokens(OAuthSettings(endpoint.url, "we", "", "again"), clock)
        for _ in range(2):
            try:
                async with opened(replace(account(server), tokens=tokens)):
                    pass
            except ConnectorError as raised:
                error = raised
    return server.asked, error


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        (b"AUTH=XOAUTH2 AUTH=PLAIN SASL-IR", "XOAUTH2 dXNlcj1hbm5hQGV4YW1wbGUub3JnAWF1dGg9QmVhcmVyIHRvawEB"),
        (b"AUTH=OAUTHBEARER SASL-IR", "OAUTHBEARER bixhPWFubmFAZXhhbXBsZS5vcmcsAWhvc3Q9MTI3LjAuMC4xAXBvcnQ9"),
    ],
)
async def test_a_token_is_given_as_the_server_offers(offered: bytes, asked: str) -> None:
    said, error = await by_token({"CAPABILITY": b"* CAPABILITY IMAP4rev1 " + offered + b"\r\n" + OK})

    assert error is None
    assert said[1].startswith(f"AUTHENTICATE {asked}")


async def test_a_token_that_is_refused_is_named_by_its_age() -> None:
    refusing: Book = {
        "CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR\r\n" + OK,
        "AUTHENTICATE": b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n%T NO not tok\r\n",
    }
    ages = itertools.count(0, 100)

    _, fresh = await by_token(refusing)
    _, old = await by_token(refusing, lambda: float(next(ages)))

    assert isinstance(fresh, Refused)
    assert fresh.state == "needs_reauth"
    assert "tok" not in str(fresh).replace("token", "")
    assert isinstance(old, Unavailable)
    assert "another one is fetched" in str(old)


async def test_a_server_without_tokens_is_named() -> None:
    _, error = await by_token({"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" + OK})

    assert isinstance(error, Refused)
    assert "takes no tokens" in str(error)


async def test_a_server_that_takes_no_password_is_named() -> None:
    error = await refusal({"CAPABILITY": b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n" + OK})

    assert isinstance(error, Refused)
    assert "takes no password" in str(error)


async def test_nothing_is_sent_in_the_clear_to_another_machine() -> None:
    with pytest.raises(Refused, match="in the clear"):
        await ImapSession.connect(Account("mail.example.org", 143, "none", "anna", SECRET))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("LOCALHOST", True),
     ("10.0.0.1", False), ("localhost.example.org", False), ("", False)],
)  # fmt: skip
def test_which_hosts_are_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_an_account_does_not_show_its_password() -> None:
    assert SECRET not in repr(Account("h", 1, "implicit", "anna", SECRET))


@pytest.mark.parametrize("host", ["a..b", "x" * 300, "\udcff"])
async def test_a_name_that_is_no_host_is_refused_or_not_found(host: str) -> None:
    with pytest.raises(ConnectorError):
        await ImapSession.connect(Account(host, 1, "implicit", "anna", SECRET))


# TLS ------------------------------------------------------------------------------------------------------------------


async def test_tls_from_the_start(serving: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async with (
        ImapScript(tls=serving, tls_at_once=True) as server,
        opened(account(server, "implicit", trusting)) as one,
    ):
        assert await one.list_folders()


async def test_starttls_comes_before_anything_else(serving: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async with ImapScript(tls=serving) as server, opened(account(server, "starttls", trusting)) as one:
        assert await one.list_folders()

    assert server.asked == ["STARTTLS", "CAPABILITY", PLAIN, 'LIST "" "*"', "LOGOUT"]


async def test_what_is_said_before_starttls_is_forgotten(serving: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    greeting = b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n"
    async with ImapScript({"GREETING": greeting}, serving) as server, opened(account(server, "starttls", trusting)):
        assert server.asked == ["STARTTLS", "CAPABILITY", PLAIN]


@pytest.mark.parametrize("injected", [b"%T OK go\r\n* OK hello\r\n", b"%T OK go\r\n* PREAUTH", b"%T OK go\r\nX"])
async def test_words_slipped_in_before_the_handshake_end_it(injected: bytes) -> None:
    error = await refusal({"STARTTLS": injected}, "starttls")

    assert "meddling" in str(error)


async def test_a_server_without_starttls_is_refused() -> None:
    error = await refusal({"STARTTLS": b"%T BAD unknown command\r\n"}, "starttls")

    assert isinstance(error, Refused)
    assert "does not offer STARTTLS (unknown command); use imaps://" in str(error)


async def test_a_greeting_that_skips_tls_is_refused() -> None:
    assert "meddling" in str(await refusal({"GREETING": b"* PREAUTH welcome\r\n"}, "starttls"))


async def test_a_port_without_tls_is_refused_with_the_way_out() -> None:
    error = await refusal({}, "implicit")

    assert isinstance(error, Refused)
    assert "imap+starttls://" in str(error)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_a_certificate_of_a_stranger_is_refused(serving: ssl.SSLContext, tls: Tls) -> None:
    async with ImapScript(tls=serving, tls_at_once=tls == "implicit") as server:
        with pytest.raises(Refused, match=r"signed by nobody this machine trusts.*tls_ca"):
            await ImapSession.connect(account(server, tls, ssl.create_default_context()))

    assert not any(SECRET in line or "PLAIN" in line for line in server.asked)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_a_certificate_for_another_name_is_refused(
    serving: ssl.SSLContext, trusting: ssl.SSLContext, tls: Tls
) -> None:
    async with ImapScript(tls=serving, tls_at_once=tls == "implicit") as server:
        with pytest.raises(Refused, match=r"for another name than 127\.0\.0\.1"):
            await ImapSession.connect(replace(account(server, tls, trusting), host="127.0.0.1"))


async def test_a_server_that_hangs_up_during_the_handshake_is_unavailable(trusting: ssl.SSLContext) -> None:
    async with ImapScript({"STARTTLS": b"%T OK go\r\n" + CLOSE}) as server:
        with pytest.raises(Unavailable):
            await ImapSession.connect(account(server, "starttls", trusting))


# Asking ---------------------------------------------------------------------------------------------------------------


async def test_a_folder_is_opened_for_reading_only_by_its_name_on_the_wire() -> None:
    async with session({"EXAMINE": folder(3, 9, uidvalidity=5)}) as (one, server):
        state = await one.examine(b'&BB4EQgQ,- "x"')

    assert (state.uidvalidity, state.uidnext, state.exists) == (5, 10, 2)
    assert server.asked[-2] == 'EXAMINE "&BB4EQgQ,- \\"x\\""'


async def test_special_uses_are_asked_for_where_there_are_any() -> None:
    book: Book = {
        "AUTHENTICATE": b"%T OK [CAPABILITY IMAP4rev1 SPECIAL-USE LIST-EXTENDED] ok\r\n",
        "LIST": b'* LIST (\\Sent) "/" Sent\r\n* LIST () "/" {4}\r\na\\"b\r\n* LIST\r\n' + OK,
    }
    async with session(book) as (one, server):
        assert [folder.name for folder in await one.list_folders()] == ["Sent", 'a\\"b']

    assert 'LIST "" "*" RETURN (SPECIAL-USE)' in server.asked


async def test_a_failed_command_is_never_an_empty_answer() -> None:
    async with session({"SEARCH": NO, "FETCH": NO, "LIST": NO, "EXAMINE": [NO, folder(1)]}) as (one, _):
        for asking in (one.list_folders(), one.examine(b"INBOX")):
            with pytest.raises(NotDone, match="I will not"):
                await asking
        await one.examine(b"INBOX")
        for asking in (one.uid_search("1:*"), one.fetch([1]), one.sizes([1])):
            with pytest.raises(NotDone, match="I will not"):
                await asking


async def test_a_search_names_no_charset() -> None:
    async with session({"EXAMINE": folder(1), "SEARCH": b"* SEARCH 7 3\r\n" + OK}) as (one, server):
        await one.examine(b"INBOX")
        assert list(await one.uid_search("1:*", date(2026, 1, 2))) == [3, 7]

    assert "SEARCH UID 1:* SINCE 2-Jan-2026" in server.asked


async def test_mails_are_fetched_without_marking_them() -> None:
    async with session({"EXAMINE": folder(1, 2, 3), "FETCH": mails({1: b"one", 3: b"three"})}) as (one, server):
        await one.examine(b"INBOX")
        assert [(mail.uid, mail.body) for mail in await one.fetch([3, 2, 1])] == [(1, b"one"), (3, b"three")]
        assert [(mail.uid, mail.body) for mail in await one.fetch([3], 2)] == [(3, b"th")]

    assert server.asked[-3:-1] == [
        "FETCH 1:3 (UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[])",
        "FETCH 3 (UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[]<0.2>)",
    ]


async def test_a_mail_larger_than_it_may_be_ends_the_session() -> None:
    async with session({"EXAMINE": folder(1), "FETCH": mails({1: b"x" * 3_000_000})}) as (one, _):
        await one.examine(b"INBOX")
        with pytest.raises(Unavailable, match="announced 3000000 bytes"):
            await one.fetch([1])
        assert not one.is_alive


async def test_what_nobody_asked_for_is_no_mail_of_ours() -> None:
    said = b"* 1 FETCH (UID 99 BODY[] {1}\r\nx)\r\n* 2 FETCH (FLAGS ())\r\n* 1 FETCH (UID 1 BODY[] {1}\r\ny)\r\n" + OK
    async with session({"EXAMINE": folder(1), "FETCH": said}) as (one, _):
        await one.examine(b"INBOX")
        assert [(mail.uid, mail.body) for mail in await one.fetch([1])] == [(1, b"y")]


async def test_long_lists_of_uids_are_asked_for_in_several_commands() -> None:
    uids = range(1, 20_000, 2)
    async with session({"EXAMINE": folder(1)}) as (one, server):
        await one.examine(b"INBOX")
        await one.sizes(uids)

    asked = [line for line in server.asked if line.startswith("FETCH")]
    assert max(map(len, asked)) < 4096
    assert sum(line.count(",") + 1 for line in asked) == len(uids)


async def test_the_end_is_polite() -> None:
    async with session() as (_, server):
        pass

    assert server.asked[-1] == "LOGOUT"


async def test_a_server_that_is_rude_at_the_end_does_no_harm() -> None:
    async with session({"LOGOUT": CLOSE}):
        pass
    async with session({"LOGOUT": b"* BYE\r\n" + CLOSE}):
        pass
    async with session({"LOGOUT": NO}):
        pass
