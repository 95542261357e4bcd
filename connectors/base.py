"""The roles a connector can play, and all that it sees of us.

A connector plays up to three roles: a `Source` runs until cancelled and brings arrivals, a `Receiver` verifies and reads
what a provider posts, a `Sender` sends. Every role can `check` itself for `ringmail check`.

What leaves a connector when something goes wrong is one of four errors and no other:

    ConnectorError
    ├── Unavailable   try again later; `retry_after` seconds if the other side said so
    ├── Refused       a person must act (wrong password, wrong host name, no such folder); we stop and show it
    ├── Forged        the proof is missing or wrong; answered 403, nothing is stored
    └── Unreadable    it can't be understood; the bytes are kept in quarantine

Each message says what was tried, on what, why it failed, and what to do.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable
from uuid import UUID

from interactions.arrivals import Arrival, Likeness, Location
from interactions.never_log import NeverLog
from interactions.records import Json


class ConnectorError(Exception):
    """The root of what leaves a connector. `state` is what `/sources` shows."""

    state = "unreachable"


class Unavailable(ConnectorError):
    """The other side can't serve us now; we try again by ourselves."""

    def __init__(self, message: str, retry_after: float | None = None, state: str = "unreachable") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.state = state


class Refused(ConnectorError):
    """The other side refuses and will go on doing so until a person acts. `may_lock`: servers count such refusals and lock
    accounts or addresses out; so it is with passwords, unless it is said otherwise."""

    def __init__(self, message: str, state: str = "misconfigured", may_lock: bool | None = None) -> None:
        super().__init__(message)
        self.state = state
        self.may_lock = state == "needs_reauth" if may_lock is None else may_lock


class Forged(ConnectorError):
    """A request without a valid proof of its sender."""


class Unreadable(ConnectorError):
    """Bytes that can't be understood; the message is the reason shown in quarantine."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a source has read: an opaque state under a key of the connector's choice (a folder's name)."""

    key: str
    state: Json


@dataclass(frozen=True, slots=True)
class Batch:
    """Arrivals that are committed together, with the checkpoint that they reach. At most `BATCH_COUNT_MAX` arrivals and
    `BATCH_BYTES_MAX` bytes of mail, unless one mail alone is larger. `backfill` marks history: it makes no noise. `again` are
    mails that lie at another place already: only where they lie now is new. `left_out` are mails that are never stored:
    only that they were seen is remembered."""

    arrivals: Sequence[Arrival]
    checkpoint: Checkpoint | None = None
    backfill: bool = False
    again: Sequence[Likeness] = ()
    left_out: Sequence[Location] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mail of which only the beginning was fetched, and which somebody wants whole: its key with us, and where it may
    lie."""

    key: UUID
    places: tuple[Location, ...]


BATCH_COUNT_MAX = 200
BATCH_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a batch, after its commit."""

    new: int = 0
    known: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What a source says of itself. `state` is one of `ok catching_up needs_reauth throttled unreachable misconfigured`;
    `done` and `total` count mails of a first read or a gap; `is_audited`: all has just been compared with the server."""

    state: str
    detail: str = ""
    done: int | None = None
    total: int | None = None
    is_audited: bool = False


# What was handed over before and may not be committed yet.
After: TypeAlias = "asyncio.Future[Accepted] | None"


class Intake(Protocol):
    """All that a connector sees of us."""

    @property
    def never_log(self) -> NeverLog:
        """Whose mail is never stored. `accept` stores none, so this only saves fetching it."""

    async def checkpoint(self, key: str) -> Json | None:
        """The last committed state under `key`, or None."""

    async def known(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> set[int]:
        """Which of these mails we have already, to fetch only the others."""

    async def contacts_among(self, emails: Sequence[str]) -> set[str]:
        """Those of these addresses, in canonical form, that belong to somebody we know."""

    async def customers_among(self, emails: Sequence[str]) -> set[str]:
        """Those of these addresses, in canonical form, that belong to a contact who is none of us."""

    async def mails_among(self, identities: Sequence[bytes]) -> set[bytes]:
        """Those of these mails (`interactions.admission.mail_identity`) that we have, from wherever."""

    async def same(self, mails: Sequence[Likeness]) -> list[Likeness]:
        """Those of these mails that lie at another place of this mailbox already, by what the server calls them."""

    async def alike(self, mails: Sequence[Likeness]) -> list[Likeness]:
        """Those of these mails that lie at another place of this mailbox already."""

    async def placed(self, folder: str, uidvalidity: int, above: int = 0) -> Sequence[int]:
        """The UIDs of the mails of a folder that we have, ascending, from the first above one; a page of them, none at
        the end."""

    async def arrived(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> Mapping[int, datetime]:
        """The INTERNALDATE of these mails of a folder, of those that we have."""

    async def forget(self, folder: str, uidvalidity: int, from_uid: int = 1) -> None:
        """These UIDs mean other mails from now on."""

    async def renumber(self, folder: str, before: int, uidvalidity: int, checkpoint: Checkpoint) -> None:
        """A folder is numbered anew, its UIDVALIDITY was another one before. Told once: with the checkpoint of its new
        life."""

    async def keep_folders(self, names: Sequence[str]) -> None:
        """These are all the folders that the server has: what lay in others is gone from there."""

    async def audited(self, folder: str, uidvalidity: int, gone: Sequence[int], repaired: int) -> None:
        """A folder was compared with the server: of the mails that we have these are gone and the others there, and so
        many were missing with us and have been read now."""

    @property
    def follows_review(self) -> bool:
        """Whether what people have read elsewhere is of any interest: the flags of review may be switched off."""

    async def seen(self, folder: str, uidvalidity: int, seen: Mapping[int, bool]) -> None:
        """Which mails of a folder have been read in another program, as the server has it now."""

    async def vanished(self, folder: str, uidvalidity: int, ranges: Sequence[tuple[int, int]]) -> None:
        """No mail of the folder has a UID from first to last of these ranges any more."""

    async def wanted(self) -> Sequence[Wanted]:
        """Mails that somebody wants whole; each one asked for counts as a try."""

    async def complete(self, wanted: Wanted, parts: AsyncIterator[bytes]) -> None:
        """Takes a mail whole, part by part, in place of what was kept of it. Raises what `parts` raises."""

    async def give_up(self, wanted: Wanted, reason: str) -> None:
        """A mail can't be had whole, for this reason."""

    async def accept(self, batch: Batch, after: After = None) -> Accepted:
        """Commits the batch. Returns only after the commit: this is the back-pressure. With `after` it is read at once, but
        committed only after that one was; if that fails, this one fails too."""

    async def report(self, report: Report) -> None:
        """Says how the source is. Cheap; repeated states are not written again."""


@runtime_checkable
class Source(Protocol):
    """Brings arrivals until cancelled. Raises a ConnectorError to be started again (Unavailable) or stopped (Refused)."""

    async def run(self, intake: Intake) -> None: ...

    async def check(self) -> str:
        """One probe: what was found, in a sentence. Raises Refused or Unavailable."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What a provider posted, as it came. `rest` is the path after `/hooks/{source}`, without leading slash; header
    names are in lower case; `query` is the raw query string; `remote` the peer's address."""

    source: str
    method: str
    rest: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    remote: str = ""


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """What the provider expects to hear. It can never steer a call: the body is fixed by the connector."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Receiver(Protocol):
    """Verifies and reads webhooks: plain functions without I/O, so that stored requests can be read again at any time."""

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless the request proves its sender."""

    def masked_rest(self, request: WebhookRequest) -> str:
        """The rest of the path as it may be stored and logged: without a secret in it."""

    def dedup_key(self, request: WebhookRequest) -> str:
        """Equal for a repeat of the same event, different for different ones. Kept for at least 90 days."""

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The arrivals in a verified request. Raises Unreadable."""

    def answer(self, request: WebhookRequest) -> WebhookReply:
        """The 2xx that the provider expects, given only after the request is stored."""

    def instruct(self, address: str) -> str:
        """What a person has to set at the provider so that it posts to `address`: a sentence for `ringmail check`."""
