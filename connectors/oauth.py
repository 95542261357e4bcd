"""Access tokens for mailboxes (OAuth 2.0, RFC 6749 §4.4 and §6): fetched before they are needed, kept until they are old.

    refresh_token given     it is exchanged for access tokens: the mailbox of a person who once agreed
    none, Microsoft 365     client credentials: an application that an administrator let into the mailbox

    access ──► what we remember is good ────────────────────────────────────► the token
       └─────► vault.hold: nobody else renews it meanwhile
                 what is kept is good, somebody else has renewed it ─────────► that one
                 else ask the provider, keep what it gives ──────────────────► the new one

A token is renewed at 80 % of its life, but five minutes before its end at the latest; while the provider cannot be
reached, one that is due is used to its end, and the provider is asked again after a while of its own. Where the provider gives
another refresh token with it, that one is used from then on: many are good once. The `Vault` keeps both, for the next
start and for other daemons; without one they live in memory.

How it fails. `invalid_grant` and `invalid_client` are Refused, needs_reauth: a person has to agree anew. Another refusal
of the request is Refused, misconfigured. Too much, or trouble at the provider's, is Unavailable, whatever it calls it.
Whoever logs in with a token tells when it was refused (`refuse`): only a fresh one that is refused needs a person. No
error quotes a secret, or what the provider says beyond its code.

When the stored refresh token is refused the configured one is tried, if it is another: of a database that was put back
to an earlier day the configuration may have the newer token.

Limits: without a vault a refresh token that the provider exchanged is known until the restart, and then the one of the
configuration must still be good (Google's and Microsoft's are, Microsoft's for 90 days).
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from connectors.base import Refused, Unavailable
from connectors.web import Web, WebAnswer

LIFE_SECONDS = 3600.0  # where the provider does not say
LIFE_SECONDS_MAX = 366 * 86400.0
LIFE_PART = 0.8
SPARE_SECONDS = 300.0
FRESH_SECONDS = 60.0
ASK_AGAIN_SECONDS = 60.0  # of a provider that cannot be reached, while the old token is still good
ASK_SECONDS = 15.0
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
# interaction_required is how Microsoft says that the person has to sign in once more.
_NEEDS_PERSON = frozenset({"invalid_grant", "invalid_client", "interaction_required"})
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down", "rate_limit_exceeded"})
_PASSING_STATUSES = frozenset({408, 425})
_CODE = re.compile(r"[a-z_]{1,40}")
_MICROSOFT_CODE = re.compile(r"\bAADSTS[0-9]{4,8}\b")


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """Where tokens come from, secrets resolved."""

    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""

    @property
    def origin(self) -> bytes:
        """A digest of what tokens depend on: once it changes, those of before are of no use. The client's secret is
        not in it; a new one asks for no new consent."""
        what = [self.token_url, self.client_id, self.scope, self.refresh_token]
        return hashlib.sha256(json.dumps(what).encode()).digest()


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
    if provider == "microsoft" and not refresh_token and not tenant and not token_url:
        raise Refused("oauth of an application of Microsoft 365 needs its tenant: the company's directory")
    url = token_url or _ENDPOINTS.get(provider, "").format(tenant=quote(tenant or "common", safe=""))
    if not url:
        raise Refused("oauth needs a token_url for provider = 'custom'")
    if provider == "microsoft":
        scope = scope or (_MICROSOFT_PERSON if refresh_token else _MICROSOFT_APPLICATION)
    return OAuthSettings(url, client_id, client_secret, refresh_token, scope)


@dataclass(frozen=True, slots=True)
class Kept:
    """The tokens of a mailbox as they are now. `refresh_token` "": the one of the configuration is the newest."""

    refresh_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    age_seconds: float = 0.0
    life_seconds: float = 0.0

    @property
    def left_seconds(self) -> float:
        """How long the access token is good."""
        return self.life_seconds - self.age_seconds

    @property
    def renew_seconds(self) -> float:
        """How long until it is to be renewed."""
        return min(self.life_seconds * LIFE_PART, self.life_seconds - SPARE_SECONDS) - self.age_seconds


@dataclass(frozen=True, slots=True)
class Grant:
    """What a provider gave. `is_given`: the refresh token is still the one of the configuration."""

    access_token: str = field(repr=False)
    life_seconds: float
    refresh_token: str = field(default="", repr=False)
    is_given: bool = True

    def kept(self, age_seconds: float = 0.0) -> Kept:
        return Kept(self.refresh_token, self.access_token, age_seconds, self.life_seconds)


Exchange = Callable[[Kept], Awaitable[Grant | None]]


class Vault(Protocol):
    """Where tokens are kept between runs, and shared with other daemons."""

    async def hold(self, source: str, origin: bytes, exchange: Exchange) -> Kept:
        """Calls `exchange` with what is kept of this origin while nobody else may renew it, keeps what it returns, if
        anything, and returns what is kept then. Raises what `exchange` raises, and Refused for what cannot be read."""


class Memory:
    """The vault of those who have none."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._granted: dict[tuple[str, bytes], tuple[Grant, float]] = {}

    async def hold(self, source: str, origin: bytes, exchange: Exchange) -> Kept:
        granted = await exchange(self._kept(source, origin))
        if granted is not None:
            self._granted[source, origin] = granted, self._clock()
        return self._kept(source, origin)

    def _kept(self, source: str, origin: bytes) -> Kept:
        granted, at = self._granted.get((source, origin), (None, 0.0))
        return granted.kept(self._clock() - at) if granted is not None else Kept()


class GrantRefused(Refused):
    """The provider no longer takes a refresh token. No try of it locks an account."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "needs_reauth", may_lock=False)


class TokenUnavailable(Unavailable):
    """The provider of tokens cannot serve us now, which says nothing of the mail server."""


class Tokens:
    """The access tokens of one mailbox. To be shared by all that log in to it."""

    def __init__(
        self,
        settings: OAuthSettings,
        clock: Callable[[], float] = time.monotonic,
        source: str = "",
        vault: Vault | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._clock = clock
        self._vault = vault or Memory(clock)
        self._turn = asyncio.Lock()
        self._kept = Kept()
        self._kept_at = 0.0
        self._refused = ""  # an access token that the mail server did not take
        self._ask_again_at = 0.0

    async def access(self) -> str:
        """A token that is good for some minutes more. Raises Refused or Unavailable."""
        async with self._turn:
            now, age = self._clock(), self._clock() - self._kept_at
            is_usable = self._is_usable(self._kept, age)
            if not is_usable or (self._kept.renew_seconds <= age and self._ask_again_at <= now):
                self._kept = await self._vault.hold(self._source, self._settings.origin, self._exchange)
                self._kept_at = self._clock()
            return self._kept.access_token

    def refuse(self, token: str) -> bool:
        """Tells that the mail server refused this token; whether it was fresh. It is not used again."""
        if token != self._kept.access_token:
            return False  # another one is there by now
        self._refused = token
        return self._kept.age_seconds + self._clock() - self._kept_at < FRESH_SECONDS

    def _is_usable(self, kept: Kept, age: float = 0.0) -> bool:
        return kept.access_token not in ("", self._refused) and kept.left_seconds > age

    async def _exchange(self, kept: Kept) -> Grant | None:
        """Another token, if it is time; None where what is kept is good, or is as good as there is now."""
        is_usable = self._is_usable(kept)
        if is_usable and kept.renew_seconds > 0:
            return None
        given = self._settings.refresh_token
        try:
            if not kept.refresh_token or kept.refresh_token == given:
                return await self._ask(given)
            return await self._ask_with_both(kept.refresh_token, given)
        except Unavailable as error:
            if not is_usable:
                raise
            self._ask_again_at = self._clock() + (error.retry_after or ASK_AGAIN_SECONDS)
            return None

    async def _ask_with_both(self, newest: str, given: str) -> Grant:
        try:
            return await self._ask(newest)
        except GrantRefused as refusal:
            try:
                return await self._ask(given)
            except (GrantRefused, Unavailable):
                raise refusal from None

    async def _ask(self, refresh_token: str) -> Grant:
        form = {"client_id": self._settings.client_id}
        if self._settings.client_secret:
            form["client_secret"] = self._settings.client_secret
        if refresh_token:
            form |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
        else:
            form["grant_type"] = "client_credentials"
        if self._settings.scope:
            form["scope"] = self._settings.scope
        async with Web() as web:
            answer = await web.post(self._settings.token_url, urlencode(form).encode(), _FORM, ASK_SECONDS)
        said = _object(answer)
        token = said.get("access_token")
        if not answer.is_ok or not isinstance(token, str) or not token:
            raise self._failure(answer, said)
        renewed = said.get("refresh_token")
        if refresh_token and isinstance(renewed, str) and renewed:
            refresh_token = renewed
        return Grant(token, _life(said), refresh_token, refresh_token == self._settings.refresh_token)

    def _failure(self, answer: WebAnswer, said: dict[str, Any]) -> Exception:
        host = self._settings.token_url.split("/")[2] if "//" in self._settings.token_url else "the token endpoint"
        code = str(said.get("error", ""))
        code = code if _CODE.fullmatch(code) else ""
        microsoft = _MICROSOFT_CODE.search(str(said.get("error_description", "")))
        words = ", ".join(filter(None, (f"status {answer.status}", code, microsoft[0] if microsoft else "")))
        what = f"{host} gives no access token ({words})"
        is_passing = answer.status in _PASSING_STATUSES or answer.status >= 500 or code in _PASSING
        if answer.status == 429 or is_passing or answer.is_ok:
            return TokenUnavailable(what, _retry_after(answer), "throttled" if answer.status == 429 else "unreachable")
        if code == "invalid_client":
            return GrantRefused(
                f"{what}; check client_id and client_secret, a secret may have run out at the provider's"
            )
        if code in _NEEDS_PERSON:
            return GrantRefused(f"{what}; agree anew at the provider and put the new refresh_token in")
        return Refused(f"{what}; check token_url, client_id, scope and tenant")


def _object(answer: WebAnswer) -> dict[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _life(said: dict[str, Any]) -> float:
    life = said.get("expires_in")
    if isinstance(life, str) and life.isascii() and life.isdigit():  # some providers quote it
        life = int(life[:12])
    if isinstance(life, bool) or not isinstance(life, int | float) or not 0 <= life <= LIFE_SECONDS_MAX:
        return LIFE_SECONDS
    return float(life)


def _retry_after(answer: WebAnswer) -> float | None:
    text = answer.headers.get("retry-after", "")
    return min(float(text), RETRY_SECONDS_MAX) if text.isascii() and text.isdigit() else None
