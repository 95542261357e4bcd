"""What every table of the configuration is made of: the base of the models, and the types of single values.

A `Table` is frozen and knows all its keys. It reports *all* that is wrong with it at once: the mistakes of single
values, the unknown keys (with the nearest known one), and the `faults` between keys, which pydantic alone would show
only after everything else is right.

Types are strict where TOML is: `"120"` is no number and `1` is no yes. Every validator raises ValueError with a
sentence that says what is allowed and never shows a secret."""

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from config.secrets_at import surroundings_of

TEXT_CHARACTERS_MAX = 2_000
ITEMS_MAX = 1_000
KEY_CHARACTERS_COMPARED = 70  # comparing takes the square of it

Fault = tuple[tuple[str | int, ...], str]


class Table(BaseModel):
    """A table of the file. Unknown keys are mistakes, values never change, nothing is shown in errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True, validate_default=True
    )

    @classmethod
    def faults(cls, _raw: Mapping[str, Any]) -> Iterator[Fault]:
        """What is wrong between the keys of this table: where and why. The raw values may be of any type."""
        yield from ()

    @classmethod
    def keys(cls) -> dict[str, str]:
        """TOML key → attribute."""
        return {str(field.alias or name): name for name, field in cls.model_fields.items()}

    @model_validator(mode="wrap")
    @classmethod
    def _report_everything(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        wrong: list[InitErrorDetails] = []
        made: Self | None = None
        try:
            made = handler(raw)
        except ValidationError as error:
            wrong.extend(_said_by_us(cls, one) for one in error.errors(include_url=False))
        if isinstance(raw, Mapping):
            for where, message in cls.faults(raw):
                kind = PydanticCustomError("fault", "{message}", {"message": message})
                wrong.append({"type": kind, "loc": where, "input": None})
        if wrong or made is None:
            raise ValidationError.from_exception_data(cls.__name__, wrong, hide_input=True)
        return made


def _said_by_us(table: type[Table], one: Any) -> InitErrorDetails:
    """An error of pydantic as we say it. Unknown keys are answered here, where the known ones are at hand."""
    kind, where, context = one["type"], one["loc"], one.get("ctx", {})
    if kind == "extra_forbidden" and len(where) == 1:
        message = unknown_key(str(where[0]), list(table.keys()))
    elif kind == "fault":
        message = context["message"]
    elif kind == "value_error":
        message = str(context["error"])
    else:
        message = _plain(kind, context, one["msg"])
    return {"type": PydanticCustomError("fault", "{message}", {"message": message}), "loc": where, "input": None}


def unknown_key(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key[:KEY_CHARACTERS_COMPARED], known, n=1, cutoff=0.6)
    if near:
        return f"unknown key; did you mean {near[0]!r}?"
    return f"unknown key; known here are {', '.join(sorted(known))}"


_SENTENCES = {
    "missing": "is missing and has no default",
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "tuple_type": "must be a list: [ … ]",
    "dict_type": "must be a table: {{ … }}",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "too_long": "has too many items; at most {max_length}",
    "string_too_long": "is too long; at most {max_length} characters",
    "string_too_short": "must not be empty",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
}


def _plain(kind: str, context: Mapping[str, Any], otherwise: str) -> str:
    return _SENTENCES[kind].format(**context) if kind in _SENTENCES else otherwise


# Single values. -------------------------------------------------------------------------------------------------------

Text = Annotated[str, Field(strict=True, max_length=TEXT_CHARACTERS_MAX)]
Filled = Annotated[str, Field(strict=True, min_length=1, max_length=TEXT_CHARACTERS_MAX)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")
    if len(value) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"is too long; at most {TEXT_CHARACTERS_MAX} characters")
    return value


def _name(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", text):
        raise ValueError(
            f"{text[:70]!r} is no name: small latin letters, digits, '_' and '-', "
            "starting with a letter or digit, at most 63"
        )
    return text


def _email(value: object) -> str:
    text = _text(value).strip()
    if not re.fullmatch(r"[^\s@<>,;:\"]{1,64}@[^\s@<>,;:\"/]{1,253}", text):
        raise ValueError(f"{text[:70]!r} is no e-mail address; it looks like anna@example.org")
    return text


def _email_or_none(value: object) -> str | None:
    return None if value is None or value == "" else _email(value)


def _host(value: object) -> str:
    text = _text(value).strip().lower()
    if not re.fullmatch(r"[^\s@/:\[\]]{1,253}", text):
        raise ValueError(f"{text[:70]!r} is no host name; it looks like mail.example.org")
    return text


def _network(value: object) -> IPv4Network | IPv6Network:
    text = _text(value).strip()
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{text[:70]!r} is no network; it looks like 192.168.0.0/16, 10.1.2.3 or fd00::/8") from None


def _zone(value: object) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    text = _text(value)
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{text[:70]!r} is no time zone; it looks like Europe/Moscow or UTC") from None


def _zone_or_none(value: object) -> ZoneInfo | None:
    return None if value is None or value == "" else _zone(value)


def _date_or_none(value: object) -> date | None:
    if value is None or value == "":
        return None
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise ValueError("must be a date like 2026-01-31, or empty for everything") from None


def _path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    text = _text(value)
    if not text or "\0" in text:
        raise ValueError("must be a path")
    return surroundings_of(info).path(text)


def _file_or_none(value: object, info: ValidationInfo) -> Path | None:
    if value is None or value == "":
        return None
    path = _path(value, info)
    if not is_file(path):
        raise ValueError(f"there is no file {path}; leave it empty to use the system's authorities only")
    return path


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that is closed to us
        return False


def split_url(text: str, schemes: tuple[str, ...]) -> SplitResult:
    """The parts of an address of a server. Refuses a user or password in it: those have keys of their own."""
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError(f"is no address; it starts with {wanted}") from None
    if parts.scheme not in schemes or not parts.hostname or re.search(r"[\s\x00-\x1f]", text):
        raise ValueError(f"must be an address that starts with {wanted} and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password; they have keys of their own")
    return parts


def _web_address(value: object) -> str:
    text = _text(value).strip()
    if split_url(text, ("https", "http")).fragment:
        raise ValueError("must not have a #fragment")
    return text


def _web_address_or_none(value: object) -> str | None:
    return None if value is None or value == "" else _web_address(value)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A mail server: where it is and how the connection becomes private. `scheme` is `imap` or `smtp`."""

    scheme: str
    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]

    def __str__(self) -> str:
        written = {"implicit": f"{self.scheme}s", "starttls": f"{self.scheme}+starttls", "none": self.scheme}[self.tls]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{written}://{host}:{self.port}"


# Scheme → protocol, port, privacy. RFC 8314 §3 prefers implicit TLS; RFC 6409 §3.1 gives 587 to submission.
_SERVERS: dict[str, tuple[str, int, Literal["implicit", "starttls", "none"]]] = {
    "imaps": ("imap", 993, "implicit"),
    "imap+starttls": ("imap", 143, "starttls"),
    "imap": ("imap", 143, "none"),
    "smtps": ("smtp", 465, "implicit"),
    "smtp+starttls": ("smtp", 587, "starttls"),
    "smtp": ("smtp", 25, "none"),
}


def parse_server(text: str, protocol: str) -> ServerUrl:
    """Reads imaps://host:port and its relatives. Plain text goes to this machine only: a password would be readable."""
    schemes = tuple(scheme for scheme, (name, _, _) in _SERVERS.items() if name == protocol)
    parts = split_url(text.strip(), schemes)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f"names a server only, nothing after the port: {parts.scheme}://host:port")
    _, port, tls = _SERVERS[parts.scheme]
    host = (parts.hostname or "").lower()
    if tls == "none" and not is_loopback(host):
        raise ValueError(
            f"plain {parts.scheme}:// would show the password to the network and is allowed to this machine only; "
            f"use {parts.scheme}s:// or {parts.scheme}+starttls://"
        )
    if parts.port == 0:
        raise ValueError("the port must be between 1 and 65535")
    return ServerUrl(protocol, host, parts.port or port, tls)


def _imap(value: object) -> ServerUrl:
    return value if isinstance(value, ServerUrl) else parse_server(_text(value), "imap")


def _smtp_or_none(value: object) -> ServerUrl | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, ServerUrl) else parse_server(_text(value), "smtp")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where we listen. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(value: object) -> Endpoint:
    if isinstance(value, Endpoint):
        return value
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@]+)):([0-9]{1,5})", _text(value).strip())
    if not found or int(found[3]) > 65535:
        raise ValueError("must be an address and a port, like 127.0.0.1:8025 or [::1]:8025")
    return Endpoint(found[1] or found[2], int(found[3]))


def _several(value: object) -> object:
    """TOML has lists; ours never change. A lone text stays wrong: `"a"` is not a list of letters."""
    return tuple(value) if isinstance(value, list) else value


Several = BeforeValidator(_several)
Name = Annotated[str, BeforeValidator(_name)]
Email = Annotated[str, BeforeValidator(_email)]
EmailOrNone = Annotated[str | None, BeforeValidator(_email_or_none)]
Host = Annotated[str, BeforeValidator(_host)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
ZoneOrNone = Annotated[ZoneInfo | None, BeforeValidator(_zone_or_none)]
DateOrNone = Annotated[date | None, BeforeValidator(_date_or_none)]
PathText = Annotated[Path, BeforeValidator(_path)]
FileOrNone = Annotated[Path | None, BeforeValidator(_file_or_none)]
WebAddress = Annotated[str, BeforeValidator(_web_address)]
WebAddressOrNone = Annotated[str | None, BeforeValidator(_web_address_or_none)]
ImapServer = Annotated[ServerUrl, BeforeValidator(_imap)]
SmtpServerOrNone = Annotated[ServerUrl | None, BeforeValidator(_smtp_or_none)]
Listen = Annotated[Endpoint, BeforeValidator(parse_endpoint)]
Texts = Annotated[tuple[Filled, ...], Field(strict=True, max_length=ITEMS_MAX), Several]
Emails = Annotated[tuple[Email, ...], Field(strict=True, max_length=ITEMS_MAX), Several]
Hosts = Annotated[tuple[Host, ...], Field(strict=True, max_length=ITEMS_MAX), Several]
Networks = Annotated[tuple[Network, ...], Field(strict=True, max_length=ITEMS_MAX), Several]
Lowered = AfterValidator(str.lower)
