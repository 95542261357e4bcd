"""What the intake knows of us: the sources of the configuration, and who we are, read once a batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from interactions.addresses import email_key
from interactions.admission import OurSide
from interactions.never_log import NeverLog
from interactions.records import AddressKind, Key
from interactions.rules import Rule
from interactions.threads import House
from storage import people
from storage.database import Connection


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What the intake needs of one source's configuration. E-mails name users."""

    name: str
    responsible: str | None = None
    lines: Mapping[Key, str | None] = field(default_factory=dict)
    extensions: Mapping[str, str | None] = field(default_factory=dict)
    review_answered: bool = True
    keep_internal: bool = False
    keep_recordings: bool = True
    store_recordings: bool = False
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """The part of the configuration that decisions rest on. Replaced as a whole when the configuration is read again."""

    region: str = "RU"
    join_hours: float = 72
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    own: frozenset[Key] = frozenset()
    auth_servers: frozenset[str] = frozenset()
    unproved_claims: bool = False
    strangers_apart: bool = False
    signing_key: bytes = b""
    never_log: NeverLog = field(default_factory=NeverLog)
    rules: tuple[Rule, ...] = ()
    auto_create: str = "never"
    erasure_keys: tuple[bytes, ...] = field(default=(), repr=False)
    review_flags: bool = True

    def house(self, ours: OurSide) -> House:
        """Who we are, for threading."""
        own = {key.value for key in self.own if key.kind is AddressKind.EMAIL}
        return House(frozenset(own | ours.users.keys()), self.signing_key, self.strangers_apart)

    def source(self, name: str) -> SourceSettings:
        return self.sources.get(name) or SourceSettings(name)


async def our_side(db: Connection, settings: IntakeSettings, source: str, now: datetime) -> OurSide:
    """Who we are, for decisions about what this source brings."""
    own = settings.source(source)
    staff = await people.staff(db, source, now)

    def user(address: str | None) -> UUID | None:
        key = email_key(address) if address else None
        return staff.users.get(key.value) if key else None

    extensions = {number: user(address) for number, address in own.extensions.items()}
    lines = {key: user(address) for key, address in own.lines.items()}
    return OurSide(
        users=staff.users,
        extensions={**{n: u for n, u in extensions.items() if u}, **staff.extensions},
        lines={key: u for key, u in lines.items() if u},
        default=user(own.responsible),
        active=staff.active,
        standing_in=staff.standing_in,
        region=settings.region,
        review_answered=own.review_answered,
        auth_servers=settings.auth_servers,
        unproved_claims=settings.unproved_claims,
    )
