"""Logs in to an IMAP server: STARTTLS, then a password (AUTHENTICATE PLAIN, else LOGIN) or a token (XOAUTH2, OAUTHBEARER).

What the server says it can do is asked before and after; what it said before TLS is forgotten. A password is never put
into a sentence, whatever the server repeats of it.
"""

import ssl
from base64 import b64encode
from collections.abc import Collection

from aioimaplib import AUTH, NONAUTH

from connectors.base import Refused, Unavailable
from connectors.mail.account import Account
from connectors.mail.arguments import string
from connectors.mail.protocol import ImapProtocol
from connectors.mail.refusals import of_command, of_login
from connectors.mail.responses import shown
from connectors.oauth import Tokens

# Servers cut long lines; a token that is longer goes in a line of its own (Microsoft's are up to 5,000 characters).
INITIAL_BYTES_MAX = 3000


async def start_tls(protocol: ImapProtocol, account: Account, context: ssl.SSLContext) -> None:
    """Goes over to TLS; nothing that was said before counts any more."""
    if protocol.state != NONAUTH:
        # RFC 9051 §11.3: who greets with PREAUTH keeps us from asking for TLS.
        raise Refused(f"{account.peer} claims that we are logged in before TLS; somebody may be meddling")
    answer = await protocol.run("STARTTLS")
    if not answer.is_ok:
        raise Refused(
            f"{account.peer} does not offer STARTTLS ({shown(answer.text)}); use imaps:// if it has a TLS port"
        )
    await protocol.start_tls(context, account.host)


async def log_in(protocol: ImapProtocol, account: Account) -> None:
    """Raises Refused when a person must act, Unavailable when waiting may help."""
    if protocol.state != NONAUTH:
        return
    await _ask_capabilities(protocol)
    offered = protocol.capabilities
    if account.tokens is not None:
        await _log_in_by_token(protocol, account, offered, account.tokens)
        return
    user, password = account.user, account.password
    name, password_form = string(user, "user name"), string(password, "password")
    protocol.capabilities = set()  # they change with the login
    if "AUTH=PLAIN" in offered:
        secret = b64encode(f"\0{user}\0{password}".encode())
        if "SASL-IR" in offered:
            answer = await protocol.run("AUTHENTICATE", b"PLAIN", secret)
        else:
            answer = await protocol.run("AUTHENTICATE", b"PLAIN", after=secret + b"\r\n")
    elif "LOGINDISABLED" not in offered:
        answer = await protocol.run("LOGIN", name, password_form)
    else:
        raise Refused(f"{account.peer} takes no password on this connection; use TLS, or another way to log in")
    if not answer.is_ok:
        said = answer.text.replace(password.encode(), b"***") if password else answer.text
        raise of_login(account.peer, user, answer.result, said)
    await _be_logged_in(protocol)


async def _log_in_by_token(protocol: ImapProtocol, account: Account, offered: Collection[str], tokens: Tokens) -> None:
    user = account.user
    name = next((one for one in ("XOAUTH2", "OAUTHBEARER") if f"AUTH={one}" in offered), "")
    if not name:
        raise Refused(f"{account.peer} takes no tokens (it offers neither XOAUTH2 nor OAUTHBEARER); use a password")
    token = await tokens.access()
    said = f"user={user}\x01auth=Bearer {token}\x01\x01"
    if name == "OAUTHBEARER":  # RFC 7628 §3.1
        gs2 = user.replace("=", "=3D").replace(",", "=2C")
        said = f"n,a={gs2},\x01host={account.host}\x01port={account.port}\x01auth=Bearer {token}\x01\x01"
    secret = b64encode(said.encode())
    protocol.capabilities = set()
    if "SASL-IR" in offered and len(secret) <= INITIAL_BYTES_MAX:
        answer = await protocol.run("AUTHENTICATE", name.encode(), secret)
    else:
        answer = await protocol.run("AUTHENTICATE", name.encode(), after=secret + b"\r\n")
    if not answer.is_ok:
        said_back = answer.text.replace(token.encode(), b"***")
        error = of_login(account.peer, user, answer.result, said_back)
        if not isinstance(error, Refused):
            raise error
        if error.state != "needs_reauth":
            error.may_lock = False  # no server counts tokens as guesses
            raise error
        if not tokens.refuse(token):
            raise Unavailable(f"{account.peer} no longer takes our access token; another one is fetched", 0.0)
        raise Refused(
            f"{account.peer} refuses a fresh access token of {user}: {shown(said_back)}; see that IMAP is on for the mailbox "
            "and that the token is its own and for mail, or agree anew at the provider",
            "needs_reauth",
            may_lock=False,
        )
    await _be_logged_in(protocol)


async def _be_logged_in(protocol: ImapProtocol) -> None:
    protocol.state = AUTH
    if not protocol.capabilities:
        await _ask_capabilities(protocol)


async def _ask_capabilities(protocol: ImapProtocol) -> None:
    if not protocol.capabilities:
        answer = await protocol.run("CAPABILITY")
        if not answer.is_ok:
            raise of_command(protocol.peer, "tell what it can do", answer.text)
