"""A POST that may be sent again: with an Idempotency-Key a repeat hears the first answer, and nothing is made twice.

The key belongs to who sent it, and to one request: its path and its body. For another request it is a conflict. The
answer is kept in the transaction of the change, so what failed may be tried again under the same key.
"""

from collections.abc import Awaitable, Callable
from hashlib import sha256

from fastapi import Request

from daemon.api.problems import Problem
from daemon.auth import path_of, serving_of, viewer_of
from interactions.records import JsonValue
from storage import idempotency
from storage.database import Connection

KEY_CHARS_MAX = 255
Made = dict[str, JsonValue]


async def once(request: Request, make: Callable[[Connection], Awaitable[Made]]) -> Made:
    """What `make` answers, or what it answered when the same request came before. Status 201 either way."""
    key = request.headers.get("idempotency-key", "")
    if len(key) > KEY_CHARS_MAX or not key.isprintable():
        what = f"must be text of at most {KEY_CHARS_MAX} characters"
        raise Problem("invalid", f"The Idempotency-Key {what}.", errors=[("Idempotency-Key", what)])
    database, owner = serving_of(request).database, viewer_of(request).owner if key else ""
    asked = sha256(f"{request.method} {path_of(request.scope)}\n".encode() + await request.body()).digest()

    async def work(db: Connection) -> Made:
        before = await idempotency.claim(db, owner, key, asked) if key else None
        if before is not None:
            if before[0] != asked:
                raise Problem("conflict", "This Idempotency-Key was used for another request; take a new one.")
            return dict(before[2])
        made = await make(db)
        if key:
            await idempotency.keep(db, owner, key, 201, made)
        return made

    return await database.in_transaction(work)
