"""Settings of the programs around us: `[[subscriber]]` (who hears of changes), `[[rule]]` (what is set on arrival),
`[[directory]]` (contacts kept elsewhere)."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from config.secrets_at import SecretText
from config.tables import (
    ITEMS_MAX,
    EmailOrNone,
    Fault,
    Filled,
    Flag,
    Name,
    Networks,
    Several,
    Table,
    Text,
    Texts,
    WebAddress,
    Whole,
)

EVENTS = (
    "interaction.created", "interaction.updated", "interaction.deleted",
    "call.ringing", "call.answered", "call.ended",
    "contact.created", "contact.updated", "contact.merged", "contact.deleted", "contact.erased",
    "chain.merged", "chain.split", "subject.created", "subject.updated",
    "outgoing.updated", "source.state_changed", "reminder.due",
)  # fmt: skip


def _event(value: object) -> str:
    if not isinstance(value, str) or not any(fnmatchcase(event, value) for event in EVENTS):
        raise ValueError(
            f"names no event; known are {', '.join(EVENTS)}, and * stands for any part, as in interaction.*"
        )
    return value


def _one_or_several(value: object) -> object:
    return (value,) if isinstance(value, str) else _as_tuple(value)


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Events = Annotated[
    tuple[Annotated[str, BeforeValidator(_event)], ...], Field(strict=True, max_length=ITEMS_MAX), Several
]
OneOrSeveral = Annotated[tuple[Filled, ...], Field(strict=True, max_length=ITEMS_MAX), BeforeValidator(_one_or_several)]


class BasicAuth(Table):
    user: Filled
    password: SecretText


class SubscriberAuth(Table):
    """What a subscriber wants beside our signature: nothing, or one of three."""

    basic: BasicAuth | None = None
    bearer: SecretText | None = None
    header: Text = ""
    value: SecretText | None = None

    @classmethod
    def faults(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        ways = sum((("basic" in raw), ("bearer" in raw), ("header" in raw or "value" in raw)))
        if ways > 1:
            yield (), "takes one of basic, bearer, or header with value"
        if ("header" in raw) != ("value" in raw):
            yield (), "header and value go together"


class SubscriberFilter(Table):
    """Only what concerns these; a key that is not given lets everything through."""

    contact: OneOrSeveral = ()
    partner: OneOrSeveral = ()
    source: OneOrSeveral = ()
    department: OneOrSeveral = ()
    subject_kind: OneOrSeveral = ()


class Subscriber(Table):
    """A program that hears of changes by Standard Webhooks."""

    name: Name
    url: WebAddress
    secret: SecretText
    auth: SubscriberAuth = SubscriberAuth()
    networks: Networks = ()
    events: Events = ("interaction.*", "contact.*", "subject.*")
    only: SubscriberFilter = SubscriberFilter()


class RuleWhen(Table):
    """All that is given must hold; of several values one is enough."""

    source: OneOrSeveral = ()
    from_: OneOrSeveral = Field(default=(), alias="from")
    domain: OneOrSeveral = ()
    topic: OneOrSeveral = ()
    mark: OneOrSeveral = ()
    line: OneOrSeveral = ()
    direction: Annotated[tuple[Literal["incoming", "outgoing", "internal"], ...], BeforeValidator(_one_or_several)] = ()
    type: Annotated[
        tuple[Literal["phone_call", "meeting", "email", "sms", "planned"], ...], BeforeValidator(_one_or_several)
    ] = ()


class RuleSet(Table):
    """What the rule sets; None leaves it as it is."""

    responsible: EmailOrNone = None
    reviewed: Flag | None = None
    importance: Literal["low", "normal", "high"] | None = None
    tags: Texts = ()
    on_control: Flag | None = None
    skip: Flag = False

    @classmethod
    def faults(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        if not raw:
            yield (), "sets nothing; give at least one of responsible, reviewed, importance, tags, on_control, skip"


class Rule(Table):
    """The first rule whose `when` holds wins. The TOML key `set` is the attribute `sets`."""

    when: RuleWhen = RuleWhen()
    sets: RuleSet = Field(alias="set")


class Directory(Table):
    """Contacts and users kept elsewhere, read by reference."""

    name: Name
    type: Literal["1c_odata", "carddav"]
    url: WebAddress
    user: Text = ""
    password: SecretText | None = None
    every_minutes: Annotated[Whole, Field(ge=1, le=10_080)] = 10
    networks: Networks = ()
