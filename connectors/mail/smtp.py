"""The way out for mail: an SMTP submission server (RFC 6409), as `ringmail check` and `ringmail init` try it.

    smtps://           TLS from the start (RFC 8314 §3.3)
    smtp+starttls://   STARTTLS, and nothing is said before it that matters; a server without it is refused
    smtp://            plain, for this machine only

TLS is never left to chance: aiosmtplib upgrades by itself where it can, and a line in between could forbid it. Whoever has
tokens logs in with one (XOAUTH2), the same that opens his mailbox.

Limits: nothing is sent yet.
"""

import ssl
from dataclasses import dataclass, field
from typing import Literal

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPNotSupported,
    SMTPResponseException,
)

from connectors.base import ConnectorError, Refused, Unavailable
from connectors.mail.account import default_context, is_loopback
from connectors.mail.refusals import of_connection
from connectors.oauth import Tokens

CONNECT_SECONDS = 15.0
WORDS_CHARS_MAX = 200
_PASSING = range(400, 500)  # RFC 5321 §4.2.1: a transient negative completion


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """One submission server and the account on it. `ssl_context` None: the system's authorities."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    timeout_seconds: float = CONNECT_SECONDS
    tokens: Tokens | None = field(default=None, repr=False)  # in place of the password

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"


class SmtpServer:
    """A submission server. One connection for each probe."""

    def __init__(self, settings: SmtpSettings) -> None:
        self.settings = settings

    async def check(self) -> str:
        """Logs in and sends nothing: what was found, in a sentence. Raises Refused or Unavailable."""
        ours = self.settings
        if ours.tls == "none" and not is_loopback(ours.host):
            raise Refused(
                f"{ours.peer} would get the password in the clear; use smtps:// or smtp+starttls://, "
                "plain smtp:// is for this machine only"
            )
        client = aiosmtplib.SMTP(
            hostname=ours.host,
            port=ours.port,
            use_tls=ours.tls == "implicit",
            start_tls=ours.tls == "starttls",
            tls_context=ours.ssl_context or default_context(),
            timeout=ours.timeout_seconds,
        )
        try:
            await client.connect()
            await client.ehlo()
            await self._log_in(client)
            size = client.esmtp_extensions.get("size", "").strip()
        except (SMTPException, OSError, TimeoutError, UnicodeError) as error:
            raise self._meaning(error) from error
        finally:
            client.close()
        privacy = {"implicit": "TLS", "starttls": "STARTTLS", "none": "no TLS"}[ours.tls]
        most = f"; mails of at most {int(size):,} bytes" if size.isascii() and size.isdigit() and int(size) else ""
        return f"logged in to {ours.peer} as {ours.user} ({privacy}{most})"

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        ours = self.settings
        if ours.tokens is None:
            if ours.password:
                await client.login(ours.user, ours.password)
            return
        token = await ours.tokens.access()
        try:
            await client.auth_xoauth2(ours.user, token)
        except SMTPAuthenticationError as error:
            if error.code in _PASSING:
                raise
            if not ours.tokens.refuse(token):
                raise Unavailable(
                    f"{ours.peer} no longer takes our access token; another one is fetched", 0.0
                ) from error
            raise Refused(
                f"{ours.peer} refuses a fresh access token of {ours.user}: {_shown(error.message.replace(token, '***'))}; "
                "see that the token is its own and its scope is for sending, or agree anew at the provider",
                "needs_reauth",
                may_lock=False,
            ) from error

    def _meaning(self, error: Exception) -> ConnectorError:
        ours = self.settings
        if isinstance(error, SMTPAuthenticationError) and error.code not in _PASSING:
            return Refused(
                f"{ours.peer} refuses the login of {ours.user}: {_shown(error.message)}; check user and password "
                "(many providers want an app password for mail programs)",
                "needs_reauth",
            )
        if isinstance(error, SMTPNotSupported) or (ours.tls == "starttls" and "STARTTLS" in str(error)):
            what = "STARTTLS" if "STARTTLS" in str(error).upper() else "a way to log in that we know"
            return Refused(f"{ours.peer} does not offer {what}; check the port: smtps:// is for TLS from the start")
        if isinstance(error, SMTPResponseException):
            return Unavailable(f"{ours.peer} answers {error.code}: {_shown(error.message)}")
        cause = error.__cause__ if isinstance(error, SMTPConnectError) else None
        return of_connection(ours.peer, ours.host, cause or error)


def _shown(words: str) -> str:
    """A server's words in one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())[:WORDS_CHARS_MAX]
