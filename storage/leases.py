"""Which daemon runs which source, and which daemons live.

A lease is three columns of `source`: owner, token, expiry by the database's own clock. It is renewed while its owner
works and may be taken by anybody once it has expired. Each taking raises the token, which fences the old owner out: a
daemon that was paused and overtaken does not know it, but `fence`, the first statement of each transaction that writes
in a source's name, finds the newer token and raises Stale.

    free ── acquire: token + 1 ──▶ held ── renew ──▶ held
      ▲                              │
      └──── release, or expired ─────┘

Rows that another daemon is taking at the same moment are skipped, not waited for. Advisory locks are not used: they die
with a connection without a word to the owner, they fence nothing, and poolers lose them.

Fair shares: nobody takes more than sources ÷ live daemons, rounded up, and who has two more than the poorest gives some
back (`Shares.surplus`), so that a daemon that joins later gets its share. What lies free already counts as the poorest's: a
few are given, then it is looked again, and nothing goes to and fro.

Numbers that go together: a lease of 20 s, renewed four times in its length; so a dead daemon's sources are free after 20 s and
taken within 25.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.database import Connection
from storage.errors import Stale

LEASE_SECONDS = 20.0
NEVER_SEEN_SECONDS = 86400.0  # daemons that have not been seen for this long are forgotten
GIVEN_AT_ONCE = 3
GIVEN_PART = 8  # or this part of what is too much, where that is more


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a source, as long as `token` is its newest."""

    source_id: int
    name: str
    token: int


_ACQUIRE = """
UPDATE source SET lease_owner = $1, lease_token = lease_token + 1, lease_until = now() + make_interval(secs => $4)
WHERE id = ANY(ARRAY(
    SELECT id FROM source
    WHERE name = ANY($2::text[]) AND (lease_until IS NULL OR lease_until <= now())
        AND removed_at IS NULL AND paused_at IS NULL
    ORDER BY lease_until NULLS FIRST, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
))
RETURNING id, name, lease_token
"""


async def acquire(db: Connection, owner: str, names: Sequence[str], limit: int, seconds: float) -> list[Lease]:
    """Takes up to `limit` free sources of those named. What was let go longest ago is taken first."""
    rows = await db.fetch(_ACQUIRE, owner, list(names), max(limit, 0), seconds)
    return sorted((Lease(*row) for row in rows), key=lambda lease: lease.source_id)


# Rows under a fence are skipped: waiting for the longest write of one source would, through the rows locked before it,
# hold up the writes of all others. Nobody can take a fenced row, and the next renewal extends it.
_RENEW = """
WITH held AS (
    SELECT id, token FROM unnest($2::integer[], $3::bigint[]) AS held (id, token)
), ours AS (
    SELECT source.id FROM source JOIN held ON source.id = held.id AND source.lease_token = held.token
    WHERE source.lease_owner = $1 AND source.removed_at IS NULL AND source.paused_at IS NULL
), extensible AS (
    SELECT source.id FROM source JOIN held ON source.id = held.id AND source.lease_token = held.token
    WHERE source.lease_owner = $1 AND source.removed_at IS NULL AND source.paused_at IS NULL
    FOR NO KEY UPDATE OF source SKIP LOCKED
), extended AS (
    UPDATE source SET lease_until = now() + make_interval(secs => $4)
    FROM extensible WHERE source.id = extensible.id
)
SELECT id FROM ours
"""


async def renew(db: Connection, owner: str, leases: Sequence[Lease], seconds: float) -> list[Lease]:
    """Those that are still ours; the work of all others must be cancelled. An expired lease that nobody took is ours
    again: nobody else has written in between."""
    ids, tokens = [lease.source_id for lease in leases], [lease.token for lease in leases]
    ours = {row["id"] for row in await db.fetch(_RENEW, owner, ids, tokens, seconds)}
    return [lease for lease in leases if lease.source_id in ours]


_RELEASE = """
UPDATE source SET lease_owner = NULL, lease_until = NULL
FROM unnest($1::integer[], $2::bigint[]) AS held (id, token)
WHERE source.id = held.id AND source.lease_token = held.token
"""


async def release(db: Connection, leases: Sequence[Lease]) -> None:
    """Lets others take them at once. Leases that were lost already are left to their new owners."""
    await db.execute(_RELEASE, [lease.source_id for lease in leases], [lease.token for lease in leases])


_FENCE = "SELECT name FROM source WHERE id = $1 AND lease_token = $2 AND lease_owner IS NOT NULL FOR SHARE"


async def fence(db: Connection, source_id: int, token: int) -> None:
    """Holds the lease in place until the transaction ends, so to be called first in it. Raises Stale.

    An expired lease passes: as long as nobody has taken it, nobody else writes.
    """
    if await db.fetchval(_FENCE, source_id, token) is None:
        raise Stale(f"Source {source_id} is run by another daemon by now (our lease {token} is not the newest).")


_BEAT = """
INSERT INTO daemon (id, host, pid) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET seen_at = now(), host = excluded.host, pid = excluded.pid
"""
_FORGET = "DELETE FROM daemon WHERE seen_at < now() - make_interval(secs => $1)"


async def beat(db: Connection, daemon_id: str, host: str, pid: int) -> None:
    """Says that this daemon lives."""
    await db.execute(_BEAT, daemon_id, host, pid)
    await db.execute(_FORGET, NEVER_SEEN_SECONDS)


_ALIVE = "SELECT count(*) FROM daemon WHERE seen_at > now() - make_interval(secs => $1)"


async def alive(db: Connection, seconds: float) -> int:
    """How many daemons have been seen within so many seconds."""
    return int(await db.fetchval(_ALIVE, seconds))


@dataclass(frozen=True, slots=True)
class Shares:
    """How many sources each live daemon holds, and which of ours nobody does."""

    held: Mapping[str, int]
    free: Sequence[str] = ()

    def room(self, sources: int, held: int) -> int:
        """How many more one may take who has so many."""
        return -(-sources // max(len(self.held), 1)) - held

    def surplus(self, owner: str, staying: int, leaving: int = 0) -> int:
        """How many to give back now, of so many; others are on their way already."""
        others = [count for name, count in self.held.items() if name != owner]
        if not others:
            return 0
        too_many = (staying - min(others) - len(self.free) - leaving) // 2
        return max(min(too_many, max(GIVEN_AT_ONCE, too_many // GIVEN_PART)), 0)


_SHARES = """
SELECT d.id, count(s.id) FROM daemon d
LEFT JOIN source s ON s.lease_owner = d.id AND s.lease_until > now() AND s.removed_at IS NULL AND s.paused_at IS NULL
WHERE d.seen_at > now() - make_interval(secs => $1) GROUP BY d.id
"""
_FREE = """
SELECT name FROM source
WHERE name = ANY($1::text[]) AND (lease_until IS NULL OR lease_until <= now())
    AND removed_at IS NULL AND paused_at IS NULL ORDER BY name
"""


async def shares(db: Connection, names: Sequence[str], seconds: float) -> Shares:
    """Who holds how many, of the daemons that have been seen within so many seconds; free ones of those named."""
    held = {row[0]: int(row[1]) for row in await db.fetch(_SHARES, seconds)}
    return Shares(held, [row[0] for row in await db.fetch(_FREE, list(names))])


_FREE_ALL = "UPDATE source SET lease_owner = NULL, lease_until = NULL WHERE lease_owner IS NOT NULL"
_NOBODY_LIVES = "DELETE FROM daemon"


async def free_all(db: Connection) -> None:
    """Takes every lease away, for the one daemon that can be on this database and has just started: whoever held them was
    killed, and its mailboxes need not wait until they expire. Tokens stay as they are, so the fence holds all the same."""
    await db.execute(_FREE_ALL)
    await db.execute(_NOBODY_LIVES)


_LEAVE = "DELETE FROM daemon WHERE id = $1"


async def leave(db: Connection, daemon_id: str) -> None:
    """Says that this daemon stops, so that its share goes to the others at once."""
    await db.execute(_LEAVE, daemon_id)
