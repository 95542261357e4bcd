"""Who did what, and who read what: rows that are only added, which the database itself sees to.

    with acting(actor):                     a request, or a command, begins
        touching("topic", "tags")           names of what it is about to change, never values
        …feed.add, people.add_login …       write down each change in its own transaction, by `note`
        rows = [reading("interaction.read", one)]    what was read, for `add` within a second (`daemon.audit`)

Who acts stands in a context variable: so no change can be made in somebody's name without being written down, and what
comes in by itself (a mail, a call, a reminder) is written down nowhere but in the feed. Values are not kept: neither secrets
nor numbers that were looked up, which would have to be erased with a person.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from interactions.records import Json, JsonValue
from storage.database import Connection, storable

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
DETAILS_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a `user` or `token` with its id, or a `program` such as our own command line; and from where."""

    kind: str
    name: str
    id: UUID | None = None
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """One line: who, what, on which thing, when."""

    at: datetime
    actor: Actor
    act: str
    ref: UUID | None = None
    detail: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Acting:
    actor: Actor
    fields: tuple[str, ...] = ()


_acting: ContextVar[_Acting | None] = ContextVar("acting", default=None)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Until it ends, what is changed is changed by this one."""
    before = _acting.set(_Acting(actor))
    try:
        yield
    finally:
        _acting.reset(before)


def touching(*names: str) -> None:
    """Names the fields that are about to be changed."""
    now = _acting.get()
    if now is not None:
        _acting.set(replace(now, fields=tuple(sorted(names))))


def reading(act: str, ref: UUID | None = None, **detail: JsonValue) -> Act | None:
    """That something was read, for `add`; None where nobody acts."""
    now = _acting.get()
    return Act(datetime.now(UTC), now.actor, act, ref, detail) if now is not None else None


ADD = """
INSERT INTO audit (at, actor_kind, actor, actor_id, remote, act, ref, detail)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::jsonb[])
"""


async def add(db: Connection, acts: Sequence[Act]) -> None:
    """Writes lines down."""
    if acts:
        await db.execute(
            ADD,
            [one.at for one in acts],
            [one.actor.kind for one in acts],
            [storable(one.actor.name) for one in acts],
            [one.actor.id for one in acts],
            [storable(one.actor.remote[:DETAILS_CHARS_MAX]) for one in acts],
            [one.act for one in acts],
            [one.ref for one in acts],
            [dict(one.detail) for one in acts],
        )


async def note(db: Connection, act: str, ref: UUID | None = None, **detail: JsonValue) -> None:
    """Writes down a change in its transaction, if somebody acts."""
    await note_all(db, [(act, ref, detail)])


async def note_all(db: Connection, changes: Sequence[tuple[str, UUID | None, Json]]) -> None:
    """The same for many: what was done, to which thing, and what else there is to say."""
    now = _acting.get()
    if now is not None:
        fields: Json = {"fields": list(now.fields)} if now.fields else {}
        at = datetime.now(UTC)
        await add(db, [Act(at, now.actor, act, ref, {**fields, **detail}) for act, ref, detail in changes])


_LINES = "id, at, actor_kind, actor, actor_id, remote, act, ref, detail FROM audit"
_REST = """AND (at, id) < ($1::timestamptz, $2::bigint) AND at >= $3::timestamptz
  AND ($4::uuid IS NULL OR ref = $4) AND ($5::uuid IS NULL OR actor_id = $5) AND ($6::text IS NULL OR act = $6)
ORDER BY at DESC, id DESC LIMIT $7"""

OF_THING = f"""
SELECT {_LINES} WHERE ref = $4 {_REST}
"""

OF_ACTOR = f"""
SELECT {_LINES} WHERE actor_id = $5 {_REST}
"""

OF_ACT = f"""
SELECT {_LINES} WHERE act = $6 {_REST}
"""

OF_ALL = f"""
SELECT {_LINES} WHERE true {_REST}
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines are shown: of one thing, one actor, one act, from `since` to before `until`; `after` is (at, number) of
    the last line of the page before."""

    ref: UUID | None = None
    actor_id: UUID | None = None
    act: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, int] | None = None
    limit: int = 50


async def page(db: Connection, wanted: Filter) -> list[tuple[int, Act]]:
    """Lines with their numbers, the newest first."""
    statement = OF_THING if wanted.ref else OF_ACTOR if wanted.actor_id else OF_ACT if wanted.act else OF_ALL
    before = (wanted.until or END_OF_TIME, 0)
    at, number = min(before, wanted.after) if wanted.after else before
    since = wanted.since or datetime(1, 1, 2, tzinfo=UTC)
    rows = await db.fetch(statement, at, number, since, wanted.ref, wanted.actor_id, wanted.act, wanted.limit)
    return [(row["id"], _act(row)) for row in rows]


def _act(row: Any) -> Act:
    actor = Actor(row["actor_kind"], row["actor"], row["actor_id"], row["remote"])
    return Act(row["at"], actor, row["act"], row["ref"], row["detail"])
