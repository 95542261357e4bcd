"""What the troubles of a mail server mean: errors of sockets, of TLS and of commands become sentences for a person.

    not found, refused, no answer     Unavailable     it may pass by itself
    certificate, wrong kind of port   Refused         misconfigured: says which setting
    login refused                     Refused         needs_reauth, with the server's words
    too much, too fast                Unavailable     throttled, `retry_after` if the server said so
    any other NO or BAD               NotDone         the command failed; the connection lives

Codes are those of RFC 5530 and RFC 9051 §7.1; words of servers count only where they send no code.
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
_PASSING = (b"temporar", b"internal error", b"server busy", b"timed out", b"authenticated but not connected")
_THROTTLED_CODES = frozenset({b"THROTTLED", b"LIMIT", b"OVERQUOTA"})
_PASSING_CODES = frozenset({b"UNAVAILABLE", b"INUSE", b"SERVERBUG", b"CORRUPTION"})
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


def of_command(peer: str, what: str, text: bytes) -> ConnectorError:
    """The error for a NO or BAD to a command; `what` completes "could not …"."""
    slow = throttling(peer, text)
    if slow is not None:
        return slow
    if code_of(text) in _PASSING_CODES:
        return Unavailable(f"{peer} could not {what} for now: {shown(text)}")
    return NotDone(f"{peer} could not {what}: {shown(text)}", text)


def of_login(peer: str, user: str, result: str, text: bytes) -> ConnectorError:
    """The error for a refused login. Busy servers and throttles are not wrong passwords."""
    slow = throttling(peer, text)
    if slow is not None:
        return slow
    # "Authenticated but not connected": Exchange, when sessions are churned, or IMAP is off for the mailbox.
    lowered = text.lower()
    if code_of(text) in _PASSING_CODES or any(words in lowered for words in _PASSING):
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
