"""What every request may need: the database, the door, the journal, and the configuration of the moment.

One object for a daemon, put into `app.state.serving`; routes take it from their request. A reload replaces `settings`
and `receivers` as a whole, so that one request sees one configuration.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from config.settings import Settings
from connectors.base import Receiver
from daemon.audit import Readings
from daemon.intake.desk import Desk
from daemon.journal import Journal
from interactions.access import Door
from storage.blobs import Blobs
from storage.database import Database


@dataclass(slots=True)
class Serving:
    """`is_ready` becomes true once the database answers and is migrated. `departed` are the narrowed mailboxes that are no
    longer configured (`daemon.access`), None while nobody has looked."""

    settings: Settings
    database: Database
    desk: Desk
    journal: Journal
    blobs: Blobs
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    public_url: str = ""
    is_ready: bool = False
    erased: asyncio.Event = field(default_factory=asyncio.Event)  # there is something to clean from the disk
    departed: Sequence[Door] | None = None
    readings: Readings = field(init=False)

    def __post_init__(self) -> None:
        self.readings = Readings(self.database)
