"""Tokens of mailboxes (OAuth 2.0), sealed: one row for each source, written by whoever holds it locked.

    secret key ──scrypt──► 32 bytes for AES-256-GCM, and a key id that tells one key from another
    sealed text = nonce of 12 random bytes + ciphertext + tag, bound to its source and to what it is

A copied database opens no mailbox, and a sealed text that is put into another row, or into another column, does not open
(NIST SP 800-38D: the source and the kind are the additional authenticated data). The key id lies beside it, so that a key
that was changed can be told from a text that was damaged.

Who wants to renew a token calls `hold` in a transaction: the row is his until it ends, and whoever else asks meanwhile
gets None and comes again, holding no connection while he waits. `save` raises the version and refuses who has read an
older one. Times are the database's, read while the transaction runs, for a provider may take half a minute to answer.

`origin` is a digest of what the configuration gave. When that changes, what is stored is no longer of use; what was given
before stays known, so that a daemon that has not read the new configuration yet does not put the old token back.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.database import Connection
from storage.errors import Conflict, StorageError

NONCE_BYTES = 12
KEY_BYTES = 32
KEY_ID_BYTES = 4
SUPERSEDED_MAX = 10
# RFC 7914: 16 MB and about 50 ms, once for a daemon. A key made by `ringmail init` needs none of it, a typed one does.
_COST = {"n": 2**14, "r": 8, "p": 1}
_SALT = b"ringmail: tokens at rest, 1"


class Unreadable(StorageError):
    """A sealed text that does not open: sealed with another key, or damaged. The message says which."""


class TokenKey:
    """What tokens are sealed with. `id` names the key and tells nothing of it."""

    def __init__(self, secret: str) -> None:
        stretched = hashlib.scrypt(secret.encode(), salt=_SALT, dklen=KEY_BYTES + KEY_ID_BYTES, **_COST)
        self._cipher = AESGCM(stretched[:KEY_BYTES])
        self.id = stretched[KEY_BYTES:].hex()

    def seal(self, text: str, source: str, kind: str) -> bytes:
        """A text that only this key opens, only as this kind of text of this source."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), _bound_to(source, kind))

    def open(self, sealed: bytes, key_id: str, source: str, kind: str) -> str:
        """The text. Raises Unreadable."""
        if key_id != self.id:
            raise Unreadable(
                f"the stored token cannot be read with this secret key: it was sealed with the key {key_id}, "
                f"and login.secret_key is the key {self.id} now"
            )
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(source, kind)).decode()
        except (InvalidTag, ValueError):
            raise Unreadable("the stored token cannot be read: it is damaged, or was not sealed for this row") from None


def _bound_to(source: str, kind: str) -> bytes:
    return f"{kind} token of {source}".encode()


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """One row. `origin` None: nothing was stored yet. `age_seconds` is how long ago the access token was fetched."""

    source_id: int
    version: int
    origin: bytes | None = None
    superseded: tuple[bytes, ...] = ()
    key_id: str = ""
    refresh: bytes | None = None
    is_given: bool = True
    access: bytes | None = None
    life_seconds: float = 0.0
    age_seconds: float = 0.0


# A mailbox that no daemon has taken up yet gets a row that nobody is shown; `sources.save_all` takes it up.
ADD_SOURCE = """
INSERT INTO source (name, kind, type, removed_at) VALUES ($1, 'mailbox', 'imap', now()) ON CONFLICT (name) DO NOTHING
"""

ADD = """
INSERT INTO source_token (source_id) SELECT id FROM source WHERE name = $1 ON CONFLICT (source_id) DO NOTHING
"""


async def add(db: Connection, source: str) -> None:
    """Makes the row of a source where there is none."""
    await db.execute(ADD_SOURCE, source)
    await db.execute(ADD, source)


HOLD = """
SELECT t.source_id, t.version, t.origin, t.superseded, coalesce(t.key_id, ''), t.refresh, t.is_given, t.access,
       t.life_seconds, coalesce(extract(epoch FROM clock_timestamp() - t.fetched_at)::double precision, 0)
FROM source_token t JOIN source s ON s.id = t.source_id WHERE s.name = $1 FOR UPDATE OF t SKIP LOCKED
"""


async def hold(db: Connection, source: str) -> SealedTokens | None:
    """The row of a source, nobody else's until the transaction ends. None while somebody else holds it."""
    row = await db.fetchrow(HOLD, source)
    if row is None:
        return None
    source_id, version, origin, superseded, *rest = row
    return SealedTokens(source_id, version, origin, tuple(superseded), *rest)


SAVE = """
UPDATE source_token SET version = version + 1, origin = $3, superseded = $4, key_id = $5, refresh = $6, is_given = $7,
    access = $8, life_seconds = $9, fetched_at = clock_timestamp() - make_interval(secs => $10)
WHERE source_id = $1 AND version = $2 RETURNING version
"""


async def save(db: Connection, row: SealedTokens) -> None:
    """Writes a row that was held. Raises Conflict where it has been written since it was read."""
    saved = await db.fetchval(
        SAVE, row.source_id, row.version, row.origin, list(row.superseded[-SUPERSEDED_MAX:]), row.key_id, row.refresh,
        row.is_given, row.access, row.life_seconds, row.age_seconds,
    )  # fmt: skip
    if saved is None:
        raise Conflict("A newer token of this mailbox is stored already; the older one is dropped.")


def is_behind(row: SealedTokens, origin: bytes) -> bool:
    """Whether the configuration that gave this was replaced by another since, which whoever asks has not read yet."""
    return origin != row.origin and origin in row.superseded


def is_of(row: SealedTokens, origin: bytes) -> bool:
    """Whether what is stored comes from what the configuration gives, or from something newer."""
    return origin == row.origin or is_behind(row, origin)


def superseded_by(row: SealedTokens, origin: bytes) -> Sequence[bytes]:
    """What counts as given before, once `origin` is what is given."""
    before = (*row.superseded, row.origin) if row.origin is not None else row.superseded
    return [one for one in before if one != origin]
