"""Numbers for people and machines: how much waits where, how large all is, and how the server is set up.

Each count is one statement over an index of what waits, so that asking costs little however much there is.
"""

from dataclasses import dataclass

from storage.database import Connection

WAITING = """
SELECT (SELECT count(*) FROM inbound WHERE state = 'todo') AS journal,
       (SELECT count(*) FROM search_queue) AS search,
       (SELECT count(*) FROM feed WHERE seq IS NULL) AS feed,
       (SELECT count(*) FROM quarantine WHERE resolved_at IS NULL) AS quarantine
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is still to do: webhooks, records to index, changes to number, and what nobody could read."""

    journal: int
    search: int
    feed: int
    quarantine: int


async def waiting(db: Connection) -> Waiting:
    """How much waits where."""
    row = await db.fetchrow(WAITING)
    assert row is not None
    return Waiting(*row)


COUNTED_MAX = 100_000

# Counting a million rows takes longer than anybody wants to wait for a status: beyond a bound the planner's figure stands.
KEPT = """
SELECT pg_database_size(current_database()) AS bytes,
       (SELECT count(*) FROM (SELECT FROM interaction LIMIT $1::bigint) AS bounded) AS counted,
       (SELECT reltuples::bigint FROM pg_class WHERE oid = 'interaction'::regclass) AS estimated,
       (SELECT count(*) FROM login WHERE disabled_at IS NULL) AS users
"""


@dataclass(frozen=True, slots=True)
class KeptHere:
    """How large the database is. `interactions` is an estimate where there are more than `COUNTED_MAX`."""

    database_bytes: int
    interactions: int
    users: int


async def kept(db: Connection, counted_max: int = COUNTED_MAX) -> KeptHere:
    """How much there is."""
    row = await db.fetchrow(KEPT, counted_max)
    assert row is not None
    interactions = row["counted"] if row["counted"] < counted_max else max(row["counted"], row["estimated"])
    return KeptHere(row["bytes"], interactions, row["users"])


SERVER = """
SELECT current_setting('server_version_num')::integer / 10000 AS major, current_setting('server_version') AS version,
       current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('full_page_writes') AS full_page_writes, pg_is_in_recovery() AS is_standby
"""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the promises of the storage rest on."""

    major: int
    version: str
    fsync: str
    synchronous_commit: str
    full_page_writes: str
    is_standby: bool

    @property
    def unsafe(self) -> list[str]:
        """Settings with which what was committed may be lost in a power cut."""
        named = {
            "fsync": self.fsync,
            "synchronous_commit": self.synchronous_commit,
            "full_page_writes": self.full_page_writes,
        }
        return [f"{name} = {value}" for name, value in named.items() if value == "off"]


async def server_facts(db: Connection) -> ServerFacts:
    """How the server is set up."""
    row = await db.fetchrow(SERVER)
    assert row is not None
    return ServerFacts(*row)
