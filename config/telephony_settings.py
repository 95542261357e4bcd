"""Settings of telephony: every `[[telephony]]`, with the keys of all providers.

Each provider needs its own proof and its own keys (`NEEDED`). A source without what proves its webhooks is a mistake,
never an open door: `generic` always needs `secret`, and providers that sign nothing need `allow_unsigned = true`
spelled out, because then the secret in the path of the webhook is all that protects them."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from config.secrets_at import SecretText
from config.tables import (
    EmailOrNone,
    Fault,
    FileOrNone,
    Filled,
    Flag,
    Host,
    Name,
    Networks,
    Table,
    Text,
    Whole,
    ZoneOrNone,
)

MAP_ITEMS_MAX = 10_000

Provider = Literal[
    "generic", "mango", "uis", "megafon", "beeline", "zadarma", "sms_ru", "smsc", "twilio", "telnyx", "vonage", "plivo",
    "asterisk",
]  # fmt: skip

# Every group must have one of its keys. What each provider calls them is written in docs/configuration.md.
NEEDED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "generic": (("secret",),),
    "mango": (("api_key",), ("api_salt",)),
    "uis": (("secret",),),
    "megafon": (("secret",),),
    "beeline": (("secret",),),
    "zadarma": (("api_key",), ("secret",)),
    "sms_ru": (("api_key", "api_id"),),
    "smsc": (("api_key", "password"),),
    "twilio": (("account_sid",), ("auth_token",)),
    "telnyx": (("public_key",),),
    "vonage": (("secret",),),
    "plivo": (("auth_id",), ("auth_token",)),
    "asterisk": (("host",), ("user",), ("password",)),
}
UNSIGNED = frozenset({"uis", "beeline", "smsc"})


def _line(value: object) -> str:
    digits = re.sub(r"[\s()./-]", "", value) if isinstance(value, str) else ""
    if not re.fullmatch(r"\+?[0-9]{2,20}|[A-Za-z0-9 _.-]{1,64}", digits):
        raise ValueError("must be one of our numbers, like +74951234567")
    return str(value)


def _extension(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[^\s]{1,64}", value):
        raise ValueError("must be an extension, like 101")
    return value


class Telephony(Table):
    """One PBX or SMS provider."""

    name: Name
    type: Provider
    mode: Literal["push", "poll"] = "push"
    reconcile_minutes: Annotated[Whole, Field(ge=1, le=10_080)] = 60
    timezone: ZoneOrNone = None
    lines: Annotated[
        dict[Annotated[str, BeforeValidator(_line)], EmailOrNone], Field(strict=True, max_length=MAP_ITEMS_MAX)
    ] = Field(default_factory=dict)
    extensions: Annotated[
        dict[Annotated[str, BeforeValidator(_extension)], EmailOrNone], Field(strict=True, max_length=MAP_ITEMS_MAX)
    ] = Field(default_factory=dict)
    recordings: Literal["store", "link", "never"] = "store"
    internal_calls: Literal["skip", "keep"] = "skip"
    review_answered: Flag = True
    allow_from: Networks = ()
    networks: Networks = ()
    allow_unsigned: Flag = False
    map: Annotated[dict[Filled, Filled], Field(strict=True, max_length=MAP_ITEMS_MAX)] = Field(default_factory=dict)
    tls_ca: FileOrNone = None

    secret: SecretText | None = None
    api_key: SecretText | None = None
    api_salt: SecretText | None = None
    api_secret: SecretText | None = None
    api_id: SecretText | None = None
    account_sid: Text = ""
    auth_id: Text = ""
    auth_token: SecretText | None = None
    application_id: Text = ""
    public_key: SecretText | None = None
    private_key: SecretText | None = None
    user: Text = ""
    password: SecretText | None = None
    host: Host | None = None
    port: Annotated[Whole, Field(ge=1, le=65_535)] | None = None
    sender: Text = ""

    @classmethod
    def faults(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        provider, unsigned = raw.get("type"), raw.get("allow_unsigned") is True
        if not isinstance(provider, str):
            return
        for group in NEEDED.get(provider, ()):
            if not any(raw.get(key) for key in group):
                yield (group[0],), f"is missing: type = {provider!r} needs {' or '.join(group)}"
        if provider in UNSIGNED and not unsigned:
            yield (
                ("allow_unsigned",),
                f"must be true for type = {provider!r}, which signs nothing: only the path's secret proves it",
            )
        if provider != "generic" and raw.get("map"):
            yield ("map",), "works with type = 'generic' only"
