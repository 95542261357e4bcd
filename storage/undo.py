"""What can be taken back, and by which token.

Whoever changes many records at once keeps what stood there before (the *image*, JSON of its own shape) under a kind, in the
transaction of the change, and hands out the token. Taking back finds the image by the token, once: the row is held, so
two who send one token at the same time are one who does it and one who hears that it was done.

    token = await undo.add(db, "contacts", image, by)      with the change
    taken = await undo.take(db, token, by)                 the image, marked as used

How an image is brought back is the business of its kind (`daemon.undo`). A token holds for `DAYS`; images that are older
are cleared away, a few with each new one.
"""

from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from uuid import UUID

from interactions.records import Json
from storage import audit
from storage.database import Connection
from storage.errors import Conflict, NotFound

DAYS = 30
CLEARED_AT_ONCE = 20

ADD = """
INSERT INTO undo (token_hash, kind, image, made_by, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::int * interval '1 day')
"""

CLEAR = """
DELETE FROM undo WHERE token_hash IN (
    SELECT token_hash FROM undo WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
"""

HOLD = """
SELECT kind, image, used_at, expires_at < now() AS expired FROM undo WHERE token_hash = $1 FOR UPDATE
"""

USE = """
UPDATE undo SET used_at = now(), used_by = $2 WHERE token_hash = $1
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a token stood for: the kind of the change, and what was there before it."""

    kind: str
    image: Json


async def add(db: Connection, kind: str, image: Json, by: UUID | None) -> str:
    """Keeps what was there before a change, and returns the token that brings it back."""
    token = token_urlsafe(32)
    await db.execute(CLEAR, CLEARED_AT_ONCE)
    await db.execute(ADD, _digest(token), kind, dict(image), by, DAYS)
    return token


async def take(db: Connection, token: str, by: UUID | None) -> Taken:
    """What a token stands for, from now on used. Raises NotFound for what was never one, Conflict for one that is used up."""
    digest = _digest(token)
    row = await db.fetchrow(HOLD, digest)
    if row is None:
        raise NotFound("there is no change that this token takes back")
    if row["used_at"] is not None:
        raise Conflict("this change was taken back already")
    if row["expired"]:
        raise Conflict(f"this change is older than {DAYS} days and can't be taken back any more")
    await db.execute(USE, digest, by)
    await audit.note(db, "undo.used", kind=row["kind"])
    return Taken(row["kind"], row["image"])


def _digest(token: str) -> bytes:
    """A plain hash is enough: the token has 256 random bits."""
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
