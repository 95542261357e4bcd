"""The list of interactions as a page: its lines, the views beside it, its filters and how to get rid of them.

All that a list shows stands in its address, under the names of the API: it can be sent to a colleague. Pages follow each
other by key (`cursor`), so that going back years costs what the first page costs.

An option that is switched off hides its types here: `mail_client` e-mail, `other_interactions` the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from uuid import UUID

from config.settings import Features
from daemon.access import access_of
from daemon.auth import serving_of
from daemon.cursors import write_cursor
from daemon.features import shown_kinds
from daemon.filters import read_filter
from daemon.web import labels
from daemon.web.render import Place
from daemon.web.rows import Row, row_of
from interactions.access import Access
from interactions.records import Kind
from storage import contacts, lists, people, sources, subjects
from storage.database import Connection
from storage.sources import SourceRow

PATH = "/interactions"
PAGE_SIZE = 50
OURS = ("lang", "top")  # parameters of pages that are no filters
_PEOPLE = ("responsible", "author", "contact", "partner")


@dataclass(frozen=True, slots=True)
class Address:
    """The filters of a page as pairs, and the addresses of its neighbours."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, parameters: Iterable[tuple[str, str]]) -> "Address":
        return cls(tuple((name, value) for name, value in parameters if value and name not in (*OURS, "limit")))

    def get(self, name: str) -> str:
        return next((value for known, value in self.pairs if known == name), "")

    def url(self, **changes: str | None) -> str:
        """This list with other filters; None takes one away. The first page of it, unless a cursor is given."""
        changes = {"cursor": None, **changes}
        kept = [(name, value) for name, value in self.pairs if name not in changes]
        kept += [(name, value) for name, value in changes.items() if value]
        return f"{PATH}?{urlencode(kept)}" if kept else PATH

    def without(self, pair: tuple[str, str]) -> str:
        kept = [one for one in self.pairs if one != pair and one[0] != "cursor"]
        return f"{PATH}?{urlencode(kept)}" if kept else PATH

    @property
    def here(self) -> str:
        return f"{PATH}?{urlencode(self.pairs)}" if self.pairs else PATH

    @property
    def filters(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.pairs if name not in ("cursor", "status", "q")]


@dataclass(frozen=True, slots=True)
class View:
    """A view beside the list. `count` is None where counting would cost more than it tells."""

    title: str
    url: str
    is_here: bool
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the list without it."""

    name: str
    value: str
    url: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All of one page of the list."""

    address: Address
    rows: list[Row]
    older: str | None
    views: list[View]
    kinds: list[View]
    chips: list[Chip]
    sources: list[SourceRow]
    users: list[people.User]
    flags: bool

    @property
    def is_first(self) -> bool:
        return not self.address.get("cursor")

    @property
    def is_filtered(self) -> bool:
        return any(name != "cursor" for name, _ in self.address.pairs)


async def gather(db: Connection, place: Place, parameters: Iterable[tuple[str, str]], *, whole: bool = True) -> Listing:
    """Reads a page of the list and what stands around it; without `whole` only what moves by itself. Raises WrongFilter."""
    pairs = list(parameters)
    wanted = read_filter(pairs, place.settings.default_region, others=OURS, limit_max=PAGE_SIZE)
    address = Address.of(pairs)
    features = place.settings.features
    seen_by = await access_of(db, serving_of(place.request), place.viewer)
    rows, older = await _page(db, address, wanted, features, seen_by)
    counts = await lists.counts(db, seen_by) if features.review_flags else {}
    users = [one for one in await people.list_all(db) if one.disabled_at is None] if whole else []
    return Listing(
        address=address,
        rows=rows,
        older=older,
        views=_views(place, address, counts),
        kinds=_kinds(address, features),
        chips=await _chips(db, place, address, seen_by) if whole else [],
        sources=await sources.list_all(db),
        users=users,
        flags=features.review_flags,
    )


async def _page(
    db: Connection, address: Address, wanted: lists.Filter, features: Features, seen_by: Access
) -> tuple[list[Row], str | None]:
    kinds = shown_kinds(features)
    if len(kinds) < len(Kind):
        wanted = replace(wanted, types=tuple(one for one in kinds if not wanted.types or one in wanted.types))
        if not wanted.types:
            return [], None
    found = await lists.page(db, replace(wanted, limit=wanted.limit + 1), seen_by)
    more, found = len(found) > wanted.limit, found[: wanted.limit]
    older = address.url(cursor=write_cursor(found[-1].occurred_at, found[-1].id)) if more else None
    return [row_of(one, flags=features.review_flags) for one in found], older


def _views(place: Place, address: Address, counts: Mapping[str, int]) -> list[View]:
    status = address.get("status") or "all"
    mine = str(place.viewer.user_id) if place.viewer and place.viewer.user_id else ""
    is_mine = bool(mine) and address.get("responsible") == mine
    special = is_mine or bool(address.get("unmatched") or address.get("ambiguous"))
    views = []
    if place.settings.features.review_flags:
        for one in labels.STATUSES:
            here = status == one and not special
            views.append(View(labels.STATUSES[one], f"{PATH}?status={one}", here, counts.get(one)))
    views.append(View(labels.EVERYTHING, PATH, status == "all" and not special))
    if mine:
        views.append(View(labels.MINE, f"{PATH}?responsible={mine}", is_mine))
    views.append(View(labels.UNMATCHED, f"{PATH}?unmatched=1", bool(address.get("unmatched"))))
    views.append(View(labels.AMBIGUOUS, f"{PATH}?ambiguous=1", bool(address.get("ambiguous"))))
    return views


def _kinds(address: Address, features: Features) -> list[View]:
    chosen = address.get("type")
    shown = shown_kinds(features)
    if len(shown) < 2:
        return []
    views = [View(labels.ALL_TYPES, address.url(type=None), not chosen)]
    return views + [View(labels.KINDS_MANY[one], address.url(type=one), chosen == one) for one in shown]


async def _chips(db: Connection, place: Place, address: Address, seen_by: Access) -> list[Chip]:
    filters = address.filters
    ids = [UUID(value) for name, value in filters if name in _PEOPLE]
    names = await contacts.names(db, ids) if ids else {}
    chips = []
    for name, value in filters:
        shown = value
        if name in _PEOPLE:
            shown = names.get(UUID(value), value)
        elif name in labels.VALUES:
            shown = ", ".join(place.call(labels.VALUES[name], one) for one in value.split(","))
        elif name in ("unmatched", "ambiguous", "has"):
            shown = ""
        elif name == "subject":
            subject = await subjects.find(db, UUID(value), seen_by)
            shown = subject.title if subject else value[:8]
        elif name in ("chain", "department"):
            shown = value[:8]
        chips.append(Chip(place.call(labels.FILTERS, name), shown, address.without((name, value))))
    return chips
