"""What the troubles of a mail server mean: errors of sockets, of TLS and of commands become sentences for a person.

    not found, refused, no answer     Unavailable     it may pass by itself
    certificate, wrong kind of port   Refused         misconfigured: says which setting
    login refused                     Refused         needs_reauth, with the server's words
    IMAP or the account is off        Refused         misconfigured: a person has to switch something on, no new password helps
    maintenance, trouble at the server   Unavailable  it passes by itself, and no password is wrong
    too much, too fast                Unavailable     throttled, `retry_after` if the server said so
    too many connections              TooMany         throttled too; whose number is too high (`hosts` learns of it)
    any other NO or BAD               NotDone         the command failed; the connection lives

Codes are those of RFC 5530 and RFC 9051 §7.1. A code that says what is wrong is believed before any words; words count
where there is no code, or one that says nothing (ALERT). Only AUTHENTICATIONFAILED is not the last word: servers send it
also when the machine that knows the passwords is away, and say so.
"""

import errno
import re
import socket
import ssl

from connectors.base import ConnectorError, Refused, Unavailable
from connectors.mail.responses import shown

BACKOFF_SECONDS_MAX = 3600.0

_CODE = re.compile(rb"\[([A-Za-z][A-Za-z0-9-]*)")
_SUGGESTED = re.compile(rb"suggested backoff time:?\s*([0-9]{1,10})\s*milliseconds", re.IGNORECASE)
_THROTTLING = (b"throttl", b"too many", b"rate limit", b"try again later", b"over quota", b"bandwidth limit")
_TOO_MANY = re.compile(
    rb"(?:too many|maximum(?: number of)?|max)[ a-z]*(?:connection|session|login\b)"
    rb"|(?:connection|session)s?[ a-z]* limit|limit[ a-z]* (?:connection|session)s|mail_max_userip_connections",
    re.IGNORECASE,
)
# Said of logins in a row, not of connections at a time.
_TRIES = (b"attempt", b"failed", b"login failure", b"rate")
_OF_HOST = re.compile(rb"\b(?:from|per|for|by)\b[ a-z]*\b(?:ip|host|address|server)\b", re.IGNORECASE)
# Trouble of the server's own, whatever code it sends with it.
_TROUBLE = (b"temporar", b"internal error", b"unavailable", b"maintenance", b"overload", b"shutting down")
_PASSING = (
    *_TROUBLE,
    b"server busy",
    b"server error",
    b"timed out",
    b"timeout",
    b"try again",
    b"backend",
    b"not ready",
    b"starting up",
    b"can't connect",
    b"cannot connect",
    b"authenticated but not connected",
)
# Yandex, Gmail, mail.ru, Microsoft: IMAP is switched off for the mailbox. No other password would help.
_SWITCHED_OFF = (
    b"imap is disabled",
    b"imap access is disabled",
    b"imap disabled",
    b"not enabled for imap",
    b"does not have access rights to this service",
    b"imap is not enabled",
    b"account is disabled",
    b"account disabled",
    b"account is suspended",
    b"account is blocked",
)
_LIMIT_CODES = frozenset({b"LIMIT", b"INUSE"})
_THROTTLED_CODES = frozenset({b"THROTTLED", b"LIMIT", b"OVERQUOTA"})
_PASSING_CODES = frozenset({b"UNAVAILABLE", b"INUSE", b"SERVERBUG", b"CORRUPTION"})
_ADMINISTRATOR_CODES = frozenset({b"CONTACTADMIN", b"AUTHORIZATIONFAILED", b"NOPERM", b"PRIVACYREQUIRED"})
_PASSWORD_CODES = frozenset({b"AUTHENTICATIONFAILED", b"EXPIRED", b"WEBALERT"})
# OpenSSL's X509_V_ERR_*: a chain that ends in nobody we know, expired, other name, other address.
_UNTRUSTED = frozenset({18, 19, 20, 21})
_EXPIRED = 10
_OTHER_NAME = frozenset({62, 64})
_HUNG_UP = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
# A name of several addresses: asyncio joins their errors in one text.
_ERRNO = re.compile(r"\[Errno (\d+)\]")


class NotDone(Unavailable):
    """The server answered NO or BAD to a command other than login; `text` holds its words."""

    def __init__(self, message: str, text: bytes) -> None:
        super().__init__(message)
        self.text = text


class TooMany(Unavailable):
    """Another connection is refused. `of_host`: so many come from this machine; else: to this account."""

    def __init__(self, message: str, of_host: bool) -> None:
        super().__init__(message, state="throttled")
        self.of_host = of_host


def code_of(text: bytes) -> bytes:
    """The response code in a server's words, such as AUTHENTICATIONFAILED, or nothing."""
    found = _CODE.match(text)
    return found[1].upper() if found else b""


def throttling(peer: str, text: bytes) -> Unavailable | None:
    """The error if these words say that we ask too much."""
    lowered = text.lower()
    suggested = _SUGGESTED.search(text)
    if suggested is None and code_of(text) not in _THROTTLED_CODES and not any(w in lowered for w in _THROTTLING):
        return None
    wait = min(int(suggested[1]) / 1000, BACKOFF_SECONDS_MAX) if suggested else None
    return Unavailable(f"{peer} asks us to slow down: {shown(text)}", wait, "throttled")


def too_many(peer: str, text: bytes, before_login: bool) -> TooMany | None:
    """The error if these words say that too many connections are open: before anybody has logged in, from this machine."""
    lowered = text.lower()
    is_said = _TOO_MANY.search(text) is not None and not any(word in lowered for word in _TRIES)
    is_coded = code_of(text) in _LIMIT_CODES and not any(word in lowered for word in _TRIES)
    if not (is_said or is_coded) or _SUGGESTED.search(text):
        return None
    of_host = before_login or _OF_HOST.search(text) is not None
    whose = "from this machine" if of_host else "to this account"
    return TooMany(f"{peer} grants no more connections {whose}: {shown(text)}", of_host)


def of_farewell(peer: str, text: bytes) -> Unavailable:
    """The error for a BYE in the middle of a session."""
    return throttling(peer, text) or Unavailable(f"{peer} ended the session: {shown(text)}")


def of_greeting(peer: str, text: bytes) -> Unavailable:
    """The error for a BYE in place of a greeting."""
    too_much = too_many(peer, text, before_login=True) or throttling(peer, text)
    return too_much or Unavailable(f"{peer} refuses the connection: {shown(text)}")


def of_command(peer: str, what: str, text: bytes) -> ConnectorError:
    """The error for a NO or BAD to a command; `what` completes "could not …"."""
    slow = throttling(peer, text)
    if slow is not None:
        return slow
    if code_of(text) in _PASSING_CODES:
        return Unavailable(f"{peer} could not {what} for now: {shown(text)}")
    return NotDone(f"{peer} could not {what}: {shown(text)}", text)


def of_login(peer: str, user: str, result: str, text: bytes) -> ConnectorError:
    """The error for a refused login. Busy servers, throttles and what is switched off are not wrong passwords."""
    too_much = too_many(peer, text, before_login=False) or throttling(peer, text)
    if too_much is not None:
        return too_much
    code, lowered = code_of(text), text.lower()
    # "Authenticated but not connected": Exchange, when sessions are churned, or IMAP is off for the mailbox.
    passing = _TROUBLE if code in _PASSWORD_CODES else _PASSING
    if any(words in lowered for words in _SWITCHED_OFF) or code in _ADMINISTRATOR_CODES:
        return Refused(
            f"{peer} knows {user} and lets nobody in: {shown(text)}; switch on IMAP for mail programs in the settings of "
            "the account, or ask its administrator",
            may_lock=True,
        )
    if code in _PASSING_CODES or any(words in lowered for words in passing):
        return Unavailable(f"{peer} could not log in {user} for now: {shown(text)}")
    if result == "BAD":
        return Refused(f"{peer} does not understand our login as {user}: {shown(text)}; check host, port and user")
    return Refused(
        f"{peer} refuses the login of {user}: {shown(text)}; check user and password "
        "(many providers want an app password for mail programs)",
        "needs_reauth",
    )


def of_connection(peer: str, host: str, error: BaseException) -> ConnectorError:
    """The error for a connection that was not made."""
    if isinstance(error, ConnectorError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(_certificate(peer, host, error))
    if isinstance(error, ssl.SSLError) and not isinstance(error, _HUNG_UP):
        return Refused(
            f"{peer} does not speak TLS as we do ({getattr(error, 'reason', None) or error}); check the port: "
            "imaps:// and smtps:// are for TLS from the start, imap+starttls:// and smtp+starttls:// for STARTTLS"
        )
    if isinstance(error, socket.gaierror):
        return Unavailable(f"the name {host} was not found ({error.strerror}); check the host name and the DNS")
    if isinstance(error, TimeoutError):
        return Unavailable(
            f"{peer} did not answer in time; check host, port and firewall, and whether the port wants TLS from the start"
        )
    if isinstance(error, ConnectionRefusedError) or set(_ERRNO.findall(str(error))) == {str(errno.ECONNREFUSED)}:
        return Unavailable(f"nothing listens on {peer}; check host and port")
    return Unavailable(f"{peer} was not reached: {str(error) or type(error).__name__}")


def _certificate(peer: str, host: str, error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code in _UNTRUSTED:
        return (
            f"the certificate of {peer} is signed by nobody this machine trusts ({error.verify_message}); "
            "for a company's own authority put the path of its certificate into tls_ca"
        )
    if code == _EXPIRED:
        return f"the certificate of {peer} has expired; its administrator has to renew it"
    if code in _OTHER_NAME:
        return f"the certificate of {peer} is for another name than {host}; use the host name that it carries"
    return f"the certificate of {peer} is not valid: {error.verify_message}"
