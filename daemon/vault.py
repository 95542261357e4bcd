"""Where tokens of mailboxes are kept: sealed rows (`storage.tokens`) that one at a time renews.

    hold: lock the row ─► open it ─► exchange (the provider, up to 15 s) ─► seal, save, commit
             │ locked by somebody else: wait without a connection, look again; it is renewed then

A refresh token may be good once, so what the provider gave is never dropped: the exchange runs on when whoever asked for
it is cancelled, a daemon that stops waits for it, and what could not be committed because the database was away is
written before anything else is asked (of another version that somebody wrote meanwhile it keeps its hands off).

At most `AT_ONCE` rows are held at a time: each takes a connection of the daemon's pool for as long as a provider takes
to answer. Whoever does not get a turn in time is told so, and comes again.

How it fails. A key that was changed is Refused, needs_reauth, and says which key is needed; where the configuration still
has the newest refresh token, it is used and sealed anew instead. Trouble of the database passes as StorageError.

Limits: where there is no secret key to seal with, tokens live in memory.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from config.secrets_at import Secret
from connectors.base import Refused, Unavailable
from connectors.oauth import Exchange, Grant, Kept, Memory
from storage import tokens
from storage.database import Connection, Database
from storage.tokens import SealedTokens, TokenKey

AT_ONCE = 4
TURN_SECONDS = 30.0
WAIT_SECONDS = 0.2
WAITS_MAX = 200  # 40 seconds
CLOSE_SECONDS = 5.0


class TokenVault:
    """The `connectors.oauth.Vault` of a daemon or a command. `close` it before its database."""

    def __init__(
        self,
        database: Database,
        secret: Secret | None,
        clock: Callable[[], float] = time.monotonic,
        waits_max: int = WAITS_MAX,
    ) -> None:
        self._database = database
        self._secret = secret
        self._clock = clock
        self._waits_max = waits_max
        self._key: TokenKey | None = None  # of the secret, once it is needed
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._known: set[str] = set()
        self._unsaved: dict[str, tuple[int, float, Grant]] = {}  # version it came after, when, and what
        self._memory = Memory(clock)
        self._under_way: set[asyncio.Task[Kept]] = set()

    def use(self, secret: Secret | None) -> None:
        """Another secret key from now on."""
        if secret != self._secret:
            self._secret, self._key = secret, None

    async def hold(self, source: str, origin: bytes, exchange: Exchange) -> Kept:
        """See `connectors.oauth.Vault`. Raises StorageError too."""
        secret = self._secret
        if secret is None:
            task = asyncio.create_task(self._memory.hold(source, origin, exchange))
        else:
            key = self._key
            if key is None:
                key = await asyncio.to_thread(TokenKey, secret.reveal())
                if secret == self._secret:  # and was not changed meanwhile
                    self._key = key
            task = asyncio.create_task(self._hold(key, source, origin, exchange))
        self._under_way.add(task)
        task.add_done_callback(self._end)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Waits for what is being exchanged."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*self._under_way, return_exceptions=True)

    def _end(self, task: "asyncio.Task[Kept]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever asked, if he is still there

    async def _hold(self, key: TokenKey, source: str, origin: bytes, exchange: Exchange) -> Kept:
        for _ in range(self._waits_max):
            async with self._turn(source):
                kept = await self._try(key, source, origin, exchange)
            if kept is not None:
                return kept
            await asyncio.sleep(WAIT_SECONDS)
        raise Unavailable(f"another daemon is renewing the token of {source!r} and does not come to an end")

    @contextlib.asynccontextmanager
    async def _turn(self, source: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable(
                f"the token of {source!r} waits for others that are renewed: the provider is slow"
            ) from None
        try:
            yield
        finally:
            self._turns.release()

    async def _try(self, key: TokenKey, source: str, origin: bytes, exchange: Exchange) -> Kept | None:
        """None while somebody else holds the row. Not run again after a deadlock: an exchange is done once."""
        if source not in self._known:
            await self._database.in_transaction(lambda db: tokens.add(db, source))
            self._known.add(source)
        async with self._database.connection() as db, db.transaction():
            row = await tokens.hold(db, source)
            if row is None:
                return None
            kept = await self._write_unsaved(db, key, source, origin, row)
            if kept is None:
                kept = kept_in(row, key, source, origin)
                granted = await exchange(kept)
                if granted is not None:
                    self._unsaved[source] = (row.version, self._clock(), granted)
                    await tokens.save(db, sealed_in(row, key, source, origin, granted))
                    kept = granted.kept()
        self._unsaved.pop(source, None)
        return kept

    async def _write_unsaved(
        self, db: Connection, key: TokenKey, source: str, origin: bytes, row: SealedTokens
    ) -> Kept | None:
        version, at, granted = self._unsaved.get(source, (-1, 0.0, None))
        if granted is None or version != row.version or (row.origin is not None and not tokens.is_of(row, origin)):
            return None
        age = self._clock() - at
        await tokens.save(db, sealed_in(row, key, source, origin, granted, age))
        return granted.kept(age)


def kept_in(row: SealedTokens, key: TokenKey, source: str, origin: bytes) -> Kept:
    """What a row keeps of what the configuration gave. Raises Refused where it cannot be read and nothing else is good."""
    if not tokens.is_of(row, origin):
        return Kept()
    try:
        refresh = key.open(row.refresh, row.key_id, source, "refresh") if row.refresh is not None else ""
        access = key.open(row.access, row.key_id, source, "access") if row.access is not None else ""
    except tokens.Unreadable as error:
        if row.refresh is None or (row.is_given and row.origin == origin):
            return Kept()  # the configuration has all that is needed
        raise Refused(
            f"{error}; put the old key back, or agree anew at the provider and put the new refresh_token in",
            "needs_reauth",
            may_lock=False,
        ) from None
    return Kept(refresh, access, row.age_seconds, row.life_seconds)


def sealed_in(
    row: SealedTokens, key: TokenKey, source: str, origin: bytes, granted: Grant, age_seconds: float = 0.0
) -> SealedTokens:
    """The row with what a provider gave."""
    is_behind = tokens.is_behind(row, origin)
    return SealedTokens(
        row.source_id,
        row.version,
        row.origin if is_behind else origin,
        row.superseded if is_behind else tuple(tokens.superseded_by(row, origin)),
        key.id,
        key.seal(granted.refresh_token, source, "refresh") if granted.refresh_token else None,
        granted.is_given and not is_behind,
        key.seal(granted.access_token, source, "access"),
        granted.life_seconds,
        age_seconds,
    )
