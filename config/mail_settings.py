"""Settings of mail: the `[mail]` table, every `[[mailbox]]`, and its OAuth account."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from config.secrets_at import SecretText
from config.tables import (
    ITEMS_MAX,
    DateOrNone,
    Email,
    EmailOrNone,
    Emails,
    Fault,
    FileOrNone,
    Filled,
    Flag,
    Hosts,
    ImapServer,
    Name,
    Several,
    SmtpServerOrNone,
    Table,
    Text,
    Texts,
    WebAddressOrNone,
    Whole,
)


class Mail(Table):
    """What holds for all mailboxes."""

    auth_servers: Hosts = ()
    unproved: Literal["link", "claims"] = "link"
    never_log: Texts = ()


class MailOAuth(Table):
    """Access to a mailbox by tokens instead of a password."""

    provider: Literal["google", "microsoft", "yandex360", "mailru", "custom"]
    client_id: Filled
    client_secret: SecretText | None = None
    refresh_token: SecretText | None = None
    token_url: WebAddressOrNone = None
    scope: Text = ""
    tenant: Text = ""

    @classmethod
    def faults(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        url = raw.get("token_url")
        if raw.get("provider") == "custom" and not url:
            yield ("token_url",), "is needed with provider = 'custom': where access tokens are fetched"
        if isinstance(url, str) and url.startswith("http://"):
            yield ("token_url",), "must start with https://: tokens go through it"


def _member(value: object) -> str:
    if not isinstance(value, str) or not ("@" in value or (value.startswith("dept:") and len(value) > 5)):
        raise ValueError("must be the e-mail of a user, or dept:NAME for a department")
    return value


Members = Annotated[
    tuple[Annotated[str, BeforeValidator(_member)], ...], Field(strict=True, max_length=ITEMS_MAX), Several
]


class Mailbox(Table):
    """One account on a mail server. `user` is the address where none is given."""

    name: Name
    address: Email
    aliases: Emails = ()
    imap: ImapServer
    smtp: SmtpServerOrNone = None
    unknown: Literal["hold", "resend"] = "hold"
    connections: Annotated[Whole, Field(ge=1, le=20)] = 3
    bytes_a_day: Annotated[Whole, Field(ge=1_000_000, le=10**15)] = 2_000_000_000
    user: Text = ""
    password: SecretText | None = None
    oauth: MailOAuth | None = None
    tls_ca: FileOrNone = None
    folders: Texts = ("*", "-\\Junk", "-\\Trash", "-\\Drafts")
    junk: Literal["ignore", "known_contacts"] = "ignore"
    since: DateOrNone = None
    responsible: EmailOrNone = None
    members: Members = ()
    mode: Literal["push", "poll"] = "push"
    poll_seconds: Annotated[Whole, Field(ge=5, le=86_400)] = 120
    message_bytes_max: Annotated[Whole, Field(ge=10_000, le=1_000_000_000)] = 50_000_000
    privacy: Literal["shared", "headers_only", "private"] = "shared"
    handled_elsewhere: Flag = False

    @model_validator(mode="before")
    @classmethod
    def _fill_user(cls, raw: Any) -> Any:
        if isinstance(raw, Mapping) and raw.get("user", "") == "" and isinstance(raw.get("address"), str):
            return {**raw, "user": raw["address"]}
        return raw

    @classmethod
    def faults(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        if "password" in raw and "oauth" in raw:
            yield ("oauth",), "stands beside password; keep one of the two"
        if "password" not in raw and "oauth" not in raw:
            yield (), 'needs a password or oauth, e.g. password = "env:SALES_PASSWORD"'
        folders = raw.get("folders")
        if isinstance(folders, list) and all(isinstance(one, str) and one.startswith("-") for one in folders):
            yield ("folders",), "leaves out every folder; name at least one without '-', e.g. \"*\""
