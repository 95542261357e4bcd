"""Troubles become sentences that say what to do, and the right kind of error."""

import socket
import ssl

import pytest

from connectors.base import ConnectorError, Refused, Unavailable
from connectors.mail.refusals import NotDone, TooMany, of_command, of_connection, of_farewell, of_greeting, of_login

PEER, HOST = "imap.example.org:993", "imap.example.org"


@pytest.mark.parametrize(
    ("result", "said", "kind", "state", "words"),
    [
        ("NO", b"[AUTHENTICATIONFAILED] Authentication failed.", Refused, "needs_reauth", "check user and password"),
        ("NO", b"LOGIN failed", Refused, "needs_reauth", "app password"),
        ("NO", b"[ALERT] Application-specific password required", Refused, "needs_reauth", "Application-specific"),
        ("BAD", b"syntax error", Refused, "misconfigured", "check host, port and user"),
        ("NO", b"[UNAVAILABLE] try later", Unavailable, "unreachable", "for now"),
        ("NO", b"Temporary authentication failure.", Unavailable, "unreachable", "for now"),
        ("NO", b"Internal error occurred", Unavailable, "unreachable", "for now"),
        ("NO", b"User is authenticated but not connected.", Unavailable, "unreachable", "for now"),
        ("NO", b"[UNAVAILABLE] Temporary authentication failure. [imap:2026-11-25]", Unavailable, "unreachable", "for now"),
        ("NO", b"[AUTHENTICATIONFAILED] Temporary system problem", Unavailable, "unreachable", "for now"),
        ("NO", b"[AUTHENTICATIONFAILED] Invalid credentials, please try again", Refused, "needs_reauth", "check user"),
        ("NO", b"[AUTHENTICATIONFAILED] Backend says no", Refused, "needs_reauth", "check user"),
        ("NO", b"[EXPIRED] your password is too old", Refused, "needs_reauth", "check user"),
        ("NO", b"[ALERT] Invalid credentials (Failure)", Refused, "needs_reauth", "check user"),
        ("NO", b"[SERVERBUG] LOGIN Server error - Please try again", Unavailable, "unreachable", "for now"),
        ("NO", b"System is down for maintenance", Unavailable, "unreachable", "for now"),
        ("NO", b"Service temporarily unavailable", Unavailable, "unreachable", "for now"),
        ("NO", b"Server is starting up", Unavailable, "unreachable", "for now"),
        ("BAD", b"User is authenticated but not connected.", Unavailable, "unreachable", "for now"),
        ("NO", b"[CONTACTADMIN] ask us", Refused, "misconfigured", "administrator"),
        ("NO", b"[AUTHORIZATIONFAILED] not for you", Refused, "misconfigured", "administrator"),
        ("NO", b"[ALERT] Your account is not enabled for IMAP use.", Refused, "misconfigured", "switch on IMAP"),
        ("NO", b"[AUTHENTICATIONFAILED] AUTHENTICATE This user does not have access rights to this service",
         Refused, "misconfigured", "switch on IMAP"),
        ("NO", b"[LIMIT] Too many connections", TooMany, "throttled", "to this account"),
        ("NO", b"Too many simultaneous connections. (Failure)", TooMany, "throttled", "to this account"),
        ("NO", b"Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
         TooMany, "throttled", "to this account"),
        ("NO", b"Too many connections from your IP", TooMany, "throttled", "from this machine"),
        ("NO", b"[INUSE] mailbox is locked by another session", TooMany, "throttled", "to this account"),
        ("NO", b"[LIMIT] LOGIN Rate limit hit", Unavailable, "throttled", "slow down"),
        ("NO", b"[AUTHENTICATIONFAILED] Too many failed login attempts", Unavailable, "throttled", "slow down"),
        ("NO", b"Too many login failures, try again later", Unavailable, "throttled", "slow down"),
        ("BAD", b"Request is throttled. Suggested Backoff Time: 5000 milliseconds", Unavailable, "throttled", "slow"),
    ],
)  # fmt: skip
def test_refused_logins(result: str, said: bytes, kind: type[ConnectorError], state: str, words: str) -> None:
    error = of_login(PEER, "anna@example.org", result, said)

    assert type(error) is kind
    assert error.state == state
    assert words in str(error)
    assert PEER in str(error)


@pytest.mark.parametrize(
    ("said", "kind", "state", "retry_after"),
    [
        (b"no such mailbox", NotDone, "unreachable", None),
        (b"[NONEXISTENT] gone", NotDone, "unreachable", None),
        (b"[INUSE] locked", Unavailable, "unreachable", None),
        (b"[THROTTLED]", Unavailable, "throttled", None),
        (b"Request is throttled. Suggested Backoff Time: 299949 milliseconds", Unavailable, "throttled", 299.949),
        (b"throttled. suggested backoff time 9999999999 milliseconds", Unavailable, "throttled", 3600.0),
        (b"[OVERQUOTA] so much for today", Unavailable, "throttled", None),
        (b"Account exceeded command or bandwidth limits.", Unavailable, "throttled", None),
        (b"message size limit exceeded", NotDone, "unreachable", None),
    ],
)
def test_refused_commands(said: bytes, kind: type[Unavailable], state: str, retry_after: float | None) -> None:
    error = of_command(PEER, "open the folder 'Работа'", said)

    assert type(error) is kind
    assert (error.state, error.retry_after) == (state, retry_after)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("said", "kind", "state", "retry_after"),
    [
        (b"Too many connections", TooMany, "throttled", None),
        (b"[UNAVAILABLE] Maximum number of connections from this address", TooMany, "throttled", None),
        (b"[THROTTLED] not now", Unavailable, "throttled", None),
        (b"Server shutting down.", Unavailable, "unreachable", None),
        (b"", Unavailable, "unreachable", None),
    ],
)
def test_refused_connections(said: bytes, kind: type[Unavailable], state: str, retry_after: float | None) -> None:
    error = of_greeting(PEER, said)

    assert (type(error), error.state, error.retry_after) == (kind, state, retry_after)
    assert getattr(error, "of_host", True)


@pytest.mark.parametrize(
    ("said", "state", "retry_after"),
    [
        (b"Session invalidated - AccessTokenExpired", "unreachable", None),
        (b"Request is throttled. Suggested Backoff Time: 92415 milliseconds", "throttled", 92.415),
        (b"[OVERQUOTA] so much for today", "throttled", None),
    ],
)
def test_sessions_that_a_server_ends(said: bytes, state: str, retry_after: float | None) -> None:
    error = of_farewell(PEER, said)

    assert (error.state, error.retry_after) == (state, retry_after)


def verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "as OpenSSL says"
    return error


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        (verification(18), Refused, "tls_ca"),
        (verification(19), Refused, "tls_ca"),
        (verification(20), Refused, "tls_ca"),
        (verification(10), Refused, "has expired"),
        (verification(62), Refused, "another name than imap.example.org"),
        (verification(64), Refused, "another name than imap.example.org"),
        (verification(99), Refused, "is not valid: as OpenSSL says"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), Refused, "imap+starttls://"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), Unavailable, "was not reached"),
        (socket.gaierror(-2, "Name or service not known"), Unavailable, "was not found"),
        (ConnectionRefusedError(111, "Connect call failed"), Unavailable, "nothing listens"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] Connect call failed"),
         Unavailable, "nothing listens"),
        (OSError("Multiple exceptions: [Errno 111] x, [Errno 101] y"), Unavailable, "was not reached"),
        (OSError(113, "No route to host"), Unavailable, "No route to host"),
        (TimeoutError(), Unavailable, "did not answer in time"),
        (ConnectionResetError(), Unavailable, "ConnectionResetError"),
    ],
)  # fmt: skip
def test_connections_that_are_not_made(trouble: Exception, kind: type[ConnectorError], words: str) -> None:
    error = of_connection(PEER, HOST, trouble)

    assert type(error) is kind
    assert words in str(error)


def test_our_own_errors_pass_as_they_are() -> None:
    error = Unavailable("so")
    assert of_connection(PEER, HOST, error) is error


@pytest.mark.parametrize(
    "text",
    [
        b"[AUTHENTICATIONFAILED] wrong",
        b"[CONTACTADMIN] account is blocked",
        b"[ALERT] Your account is not enabled for IMAP use.",
    ],
)
def test_a_refused_password_may_lock_the_account_whatever_the_reason(text: bytes) -> None:
    error = of_login(PEER, "anna@example.org", "NO", text)

    assert isinstance(error, Refused)
    assert error.may_lock


def test_what_sends_no_password_locks_nobody_out() -> None:
    expired = ssl.SSLCertVerificationError("certificate verify failed")
    expired.verify_code = 10

    error = of_connection(PEER, HOST, expired)

    assert isinstance(error, Refused)
    assert not error.may_lock
