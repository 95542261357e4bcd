"""Everything that can be set in ringmail.toml, as frozen models: the whole file, with all defaults.

`Settings` is the file. Its tables are named as in TOML; what may stand several times has a plural attribute
(`[[mailbox]]` is `mailboxes`). Tables of their own size live in `mail_settings`, `telephony_settings` and
`program_settings`, the types of single values in `tables`. Values are ready to use: paths are absolute, networks are
networks, secrets are `Secret`s.

Read it with `config.load`, which reports mistakes with their lines. What is wrong *between* tables is found in
`Settings.faults`. What can be set but is not built yet is said by `config.not_built`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from phonenumbers import SUPPORTED_REGIONS
from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from config.mail_settings import Mail, Mailbox
from config.program_settings import Directory, Rule, Subscriber
from config.secrets_at import Secret, SecretText, read, surroundings_of
from config.tables import (
    ITEMS_MAX,
    Endpoint,
    Fault,
    Filled,
    Flag,
    Hosts,
    Listen,
    Networks,
    PathText,
    Several,
    Table,
    Texts,
    WebAddress,
    Whole,
    Zone,
    parse_endpoint,
    split_url,
)
from config.telephony_settings import Telephony

SOURCES_MAX = 1_000
DATA_DIR_DEFAULT = "~/.local/share/ringmail"
SECRET_KEY_DEFAULT = "file:secret.key"  # where it is, not what it is
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Features(Table):
    """Switched at run time by editing and SIGHUP."""

    mail_client: Flag = True
    other_interactions: Flag = True
    review_flags: Flag = True


def _days(value: object) -> tuple[int, ...]:
    """mon-fri, sun-thu, or mon,wed,sat → 0 for Monday to 6 for Sunday, sorted."""
    if isinstance(value, tuple):
        return value
    wrong = "must be days like mon-fri or mon,wed,sat (mon tue wed thu fri sat sun)"
    if not isinstance(value, str) or len(value) > 100:
        raise ValueError(wrong)
    found: set[int] = set()
    for part in value.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise ValueError(wrong)
        start, length = WEEKDAYS.index(first), WEEKDAYS.index(last or first) - WEEKDAYS.index(first)
        found.update((start + step) % 7 for step in range(length % 7 + 1))
    return tuple(sorted(found))


def _clock(value: object) -> time:
    if type(value) is time:
        return value.replace(second=0, microsecond=0)
    if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError("must be a time like 09:00")
    return time(int(value[:2]), int(value[3:]))


def _holidays(value: object, info: ValidationInfo) -> str | Path:
    if isinstance(value, Path) or value in ("", "ru"):
        return value if isinstance(value, Path) else str(value)
    if not isinstance(value, str) or not value.lower().endswith(".ics") or "\0" in value:
        raise ValueError('must be "ru", a path to an .ics file, or "" for none')
    return surroundings_of(info).path(value)


class Hours(Table):
    """Working hours. The TOML keys `from` and `to` are the attributes `opens` and `closes`."""

    days: Annotated[tuple[int, ...], BeforeValidator(_days)] = (0, 1, 2, 3, 4)
    opens: Annotated[time, BeforeValidator(_clock)] = Field(default=time(9), alias="from")
    closes: Annotated[time, BeforeValidator(_clock)] = Field(default=time(18), alias="to")
    holidays: Annotated[str | Path, BeforeValidator(_holidays)] = "ru"

    @classmethod
    def faults(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        try:
            opens, closes = _clock(raw.get("from", "09:00")), _clock(raw.get("to", "18:00"))
        except ValueError:
            return
        if closes <= opens:
            yield ("to",), "must be later than from"


def _days_or_forever(value: object) -> int | None:
    if value is None or value == "forever":
        return None
    if type(value) is not int or not 1 <= value <= 36_500:
        raise ValueError('must be "forever" or a number of days from 1 to 36500')
    return value


class Retention(Table):
    """How long things are kept; `interactions` is None for ever."""

    interactions: Annotated[int | None, BeforeValidator(_days_or_forever)] = None
    recordings_days: Annotated[Whole, Field(ge=1, le=36_500)] = 365
    journal_days: Annotated[Whole, Field(ge=1, le=36_500)] = 90


def _dsn(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if value == "embedded":
        return Secret("embedded")
    if not isinstance(value, str):
        raise ValueError('must be "embedded" or postgresql://user:password@host/database')
    around = surroundings_of(info)
    if re.match(r"postgres(ql)?://[^@/]*@", value) is None and not value.startswith(("env:", "file:", "cred:")):
        secret = Secret(value)  # no user in it, so no password either: nothing to warn of
    else:
        secret = read(value, around)
    if secret.reveal() != "embedded" and not re.match(r"postgres(ql)?://\S*\Z", secret.reveal()):
        raise ValueError('must be "embedded" or postgresql://user:password@host/database, or a reference to one')
    return secret


class Database(Table):
    """Our own server or an external one. The DSN may hold a password, so it is a secret."""

    dsn: Annotated[Secret, BeforeValidator(_dsn)] = Secret("embedded")
    pooler: Flag = False

    @property
    def is_embedded(self) -> bool:
        return self.dsn.reveal() == "embedded"


def _ancestor(value: object) -> str:
    if value in ("'self'", "self"):
        return "'self'"
    if not isinstance(value, str) or not re.fullmatch(r"https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]{1,5}|:\*)?/?", value):
        raise ValueError("must be an origin like https://crm.example.org")  # CSP 3 §6.4.2: no path in frame-ancestors
    return value.rstrip("/")


class Http(Table):
    """Where we listen, whose X-Forwarded-* we believe, and who may show us in a frame."""

    listen: Listen = Endpoint("127.0.0.1", 8025)
    trusted_proxies: Networks = ()
    frame_ancestors: Annotated[
        tuple[Annotated[str, BeforeValidator(_ancestor)], ...], Field(strict=True, max_length=ITEMS_MAX), Several
    ] = ()


class Chains(Table):
    join_hours: Annotated[Whole, Field(ge=0, le=87_600)] = 72
    stranger: Literal["flag", "new_chain"] = "flag"


class Oidc(Table):
    """Sign-in by a company's identity provider. `allow` holds addresses, or domains with a leading @."""

    issuer: WebAddress
    client_id: Filled
    client_secret: SecretText
    allow: Texts = ()


def _secret_key(value: object, info: ValidationInfo) -> Secret | None:
    """`ringmail init` makes the default one; until then there is none, and that is no mistake."""
    if value is None or isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text: env:NAME, file:PATH or cred:NAME")
    around = surroundings_of(info)
    if value == SECRET_KEY_DEFAULT and not around.path(value.removeprefix("file:")).exists():
        return None
    return read(value, around)


class Login(Table):
    oidc: Oidc | None = None
    # The default is a reference, which the validator turns into a secret, or None while the file is not made.
    secret_key: Annotated[Secret | None, BeforeValidator(_secret_key)] = SECRET_KEY_DEFAULT  # type: ignore[assignment]


def _area_code(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{0,6}", value):
        raise ValueError('must be digits in quotes like "495", or "" for none')
    return value


class Contacts(Table):
    auto_create: Literal["never", "sent", "sent_and_received"] = "never"
    freemail_domains: Hosts = ()
    default_area_code: Annotated[str, BeforeValidator(_area_code)] = ""


def _region(value: object) -> str:
    if not isinstance(value, str) or value.upper() not in SUPPORTED_REGIONS:
        raise ValueError("must be a country of two letters, like RU or DE")
    return value.upper()


def _public_url(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes, like https://crm.example.org")
    if not value.strip():
        return ""
    parts = split_url(value.strip(), ("https", "http"))
    if parts.query or parts.fragment:
        raise ValueError("must not have a ?query or #fragment")
    return value.strip().rstrip("/")


Mailboxes = Annotated[tuple[Mailbox, ...], Field(strict=True, max_length=SOURCES_MAX), Several]
Telephonies = Annotated[tuple[Telephony, ...], Field(strict=True, max_length=SOURCES_MAX), Several]
Subscribers = Annotated[tuple[Subscriber, ...], Field(strict=True, max_length=SOURCES_MAX), Several]
Rules = Annotated[tuple[Rule, ...], Field(strict=True, max_length=SOURCES_MAX), Several]
Directories = Annotated[tuple[Directory, ...], Field(strict=True, max_length=SOURCES_MAX), Several]


class Settings(Table):
    """The file. Without `public_url` the pages are where we listen."""

    # Text, which the validator turns into a path: whose home it is in, only the environment knows.
    data_dir: PathText = DATA_DIR_DEFAULT  # type: ignore[assignment]
    public_url: Annotated[str, BeforeValidator(_public_url)] = ""
    default_region: Annotated[str, BeforeValidator(_region)] = "RU"
    language: Literal["ru", "en"] = "ru"
    timezone: Zone = ZoneInfo("Europe/Moscow")
    features: Features = Field(default_factory=Features)
    hours: Hours = Field(default_factory=Hours)
    retention: Retention = Field(default_factory=Retention)
    database: Database = Field(default_factory=Database)
    http: Http = Field(default_factory=Http)
    chains: Chains = Field(default_factory=Chains)
    mail: Mail = Field(default_factory=Mail)
    # An empty table, not a made one: its default is a file in the folder of the configuration.
    login: Login = Field(default_factory=dict)  # type: ignore[assignment]
    contacts: Contacts = Field(default_factory=Contacts)
    mailboxes: Mailboxes = Field(default=(), alias="mailbox")
    telephony: Telephonies = ()
    subscribers: Subscribers = Field(default=(), alias="subscriber")
    rules: Rules = Field(default=(), alias="rule")
    directories: Directories = Field(default=(), alias="directory")

    @model_validator(mode="before")
    @classmethod
    def _fill_public_url(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping) or raw.get("public_url"):
            return raw
        http = raw.get("http")
        listen = http.get("listen", "") if isinstance(http, Mapping) else http.listen if isinstance(http, Http) else ""
        try:
            endpoint = parse_endpoint(listen or "127.0.0.1:8025")
        except ValueError:
            return raw
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(endpoint.host, endpoint.host)  # noqa: S104  # not bound here
        return {**raw, "public_url": f"http://{Endpoint(host, endpoint.port)}"}

    @classmethod
    def faults(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        seen: dict[str, str] = {}
        for kind in ("mailbox", "telephony", "subscriber", "directory"):
            tables = raw.get(kind)
            for index, table in enumerate(tables if isinstance(tables, list | tuple) else ()):
                name = table.get("name") if isinstance(table, Mapping) else None
                if not isinstance(name, str):
                    continue
                if name in seen:
                    yield (
                        (kind, index, "name"),
                        f"{name[:70]!r} is the name of {seen[name]} already; every name is given once",
                    )
                seen.setdefault(name, f"{kind}[{index}]")
