"""Access tokens for mailboxes (OAuth 2.0, RFC 6749 §4.4 and §6): fetched before they are needed, kept until they are old.

    refresh_token given     it is exchanged for access tokens: the mailbox of a person who once agreed
    none, Microsoft 365     client credentials: an application that an administrator let into the mailbox

A token is renewed at 80 % of its life, but five minutes before its end at the latest; several who ask at once cause one
request. Where the provider gives another refresh token with it, that one is used from then on.

How it fails. `invalid_grant` and the like are Refused, needs_reauth: a person has to agree anew. Another refusal of the
request is Refused, misconfigured. Too much, or trouble at the provider's, is Unavailable: the old token stays good.
Whoever logs in with a token tells when it was refused (`refuse`): only a fresh one that is refused needs a person.

Limits: tokens live in memory; a refresh token that the provider exchanged is known until the restart, and then the one of
the configuration must still be good (Google's and Microsoft's are, Microsoft's for 90 days).
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from connectors.base import Refused, Unavailable
from connectors.web import Web, WebAnswer

LIFE_SECONDS = 3600.0  # where the provider does not say
LIFE_PART = 0.8
SPARE_SECONDS = 300.0
FRESH_SECONDS = 60.0
RETRY_SECONDS_MAX = 3600.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_ENDPOINTS = {
    "google": "https://oauth2.googleapis.com/token",
    "microsoft": "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
    "yandex360": "https://oauth.yandex.ru/token",
    "mailru": "https://o2.mail.ru/token",
}
_MICROSOFT_PERSON = (
    "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access"
)
_MICROSOFT_APPLICATION = "https://outlook.office365.com/.default"
# RFC 6749 §5.2: the grant or the client is no longer good; a person has to do something at the provider's.
_NEEDS_PERSON = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "interaction_required"})


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """Where tokens come from, secrets resolved."""

    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""


def settings_for(
    provider: str,
    client_id: str,
    client_secret: str = "",
    refresh_token: str = "",
    token_url: str = "",
    scope: str = "",
    tenant: str = "",
) -> OAuthSettings:
    """The settings of a provider, what is given going before what is usual there. Raises Refused."""
    if not refresh_token and (provider != "microsoft" or not client_secret):
        raise Refused("oauth needs a refresh_token; for an application of Microsoft 365, a client_secret")
    url = token_url or _ENDPOINTS.get(provider, "").format(tenant=quote(tenant or "common", safe=""))
    if not url:
        raise Refused("oauth needs a token_url for provider = 'custom'")
    if provider == "microsoft":
        scope = scope or (_MICROSOFT_PERSON if refresh_token else _MICROSOFT_APPLICATION)
    return OAuthSettings(url, client_id, client_secret, refresh_token, scope)


class Tokens:
    """The access tokens of one mailbox. To be shared by all that log in to it."""

    def __init__(self, settings: OAuthSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._refresh_token = settings.refresh_token
        self._clock = clock
        self._turn = asyncio.Lock()
        self._token = ""
        self._fetched_at = 0.0
        self._renew_at = 0.0

    async def access(self) -> str:
        """A token that is good for some minutes more. Raises Refused or Unavailable."""
        async with self._turn:
            if not self._token or self._clock() >= self._renew_at:
                await self._fetch()
            return self._token

    def refuse(self, token: str) -> bool:
        """Tells that the mail server refused this token; whether it was fresh. It is not used again."""
        was_fresh = token == self._token and self._clock() - self._fetched_at < FRESH_SECONDS
        if token == self._token:
            self._token = ""
        return was_fresh

    async def _fetch(self) -> None:
        form = {"client_id": self._settings.client_id}
        if self._settings.client_secret:
            form["client_secret"] = self._settings.client_secret
        if self._refresh_token:
            form |= {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        else:
            form["grant_type"] = "client_credentials"
        if self._settings.scope:
            form["scope"] = self._settings.scope
        async with Web() as web:
            answer = await web.post(self._settings.token_url, urlencode(form).encode(), _FORM)
        said = _object(answer)
        token = said.get("access_token")
        if not answer.is_ok or not isinstance(token, str) or not token:
            raise self._failure(answer, said)
        life = said.get("expires_in")
        seconds = float(life) if isinstance(life, int | float) and not isinstance(life, bool) else LIFE_SECONDS
        self._token, self._fetched_at = token, self._clock()
        self._renew_at = self._fetched_at + max(min(seconds * LIFE_PART, seconds - SPARE_SECONDS), 0.0)
        renewed = said.get("refresh_token")
        if self._refresh_token and isinstance(renewed, str) and renewed:
            self._refresh_token = renewed

    def _failure(self, answer: WebAnswer, said: dict[str, Any]) -> Exception:
        host = self._settings.token_url.split("/")[2] if "//" in self._settings.token_url else "the token endpoint"
        code = said.get("error") if isinstance(said.get("error"), str) else ""
        what = f"{host} gives no access token (status {answer.status}{f', {code[:60]}' if code else ''})"
        if answer.status == 429 or answer.status >= 500 or answer.is_ok:
            return Unavailable(what, _retry_after(answer), "throttled" if answer.status == 429 else "unreachable")
        if code in _NEEDS_PERSON:
            return Refused(f"{what}; agree anew at the provider and put the new refresh_token in", "needs_reauth")
        return Refused(f"{what}; check token_url, client_id, scope and tenant")


def _object(answer: WebAnswer) -> dict[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _retry_after(answer: WebAnswer) -> float | None:
    text = answer.headers.get("retry-after", "")
    return min(float(text), RETRY_SECONDS_MAX) if text.isascii() and text.isdigit() else None
