"""A mail that was too large to be fetched whole arrives whole: what was read of its beginning is replaced, it stays itself.

    parts ──► a file, as they come ──► the same mail? ──► parse (a process) ──► BEGIN  fence · raw, texts, files, marks  COMMIT
                                         │ no               │ cannot
                                         └──────────────────┴──► given up, with the reason; the beginning stays

The interaction keeps its id, its chain, its participants and everything that people have done with it; `oversized` and
`truncated` go.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

from interactions.arrivals import head_digest
from interactions.bodies import excerpt
from interactions.mime import ParsedMail, TooComplex
from storage import blobs, completions, erasure, feed, leases, search
from storage.database import Connection, Database
from storage.incoming import Incoming

Parse = Callable[[bytes], Awaitable[ParsedMail]]
HEAD_BYTES = 1024 * 1024
_OF_PARTS = frozenset({"oversized", "truncated"})


async def complete(
    parse: Parse, database: Database, store: blobs.Blobs, lease: leases.Lease, which: UUID, parts: AsyncIterator[bytes]
) -> None:
    """Takes the parts of a mail and puts the whole in place of what is kept. Raises what `parts` raises."""
    async with database.connection() as db:
        kept = await completions.kept_of(db, which)
        if kept is None:  # deleted, or whole by now
            await completions.drop(db, which)
            return
        before = await store.read(db, kept[0])
    incoming = Incoming(store.folder)
    try:
        head = b""
        async for part in parts:
            head += part[: max(HEAD_BYTES - len(head), 0)]
            await incoming.add(part)
        reason = "the server gives another mail in its place"
        if head_digest(head) == head_digest(before):
            reason = await _take(parse, database, lease, which, incoming)
    finally:
        await incoming.drop()
    if reason:
        await give_up(database, lease, which, reason)


async def give_up(database: Database, lease: leases.Lease, which: UUID, reason: str) -> None:
    """Keeps the reason why a mail can't be had whole."""

    async def work(db: Connection) -> None:
        await leases.fence(db, lease.source_id, lease.token)
        await completions.fail(db, which, reason)

    await database.in_transaction(work)


async def _take(parse: Parse, database: Database, lease: leases.Lease, which: UUID, incoming: Incoming) -> str:
    """Why it could not be taken; empty when it was, or is not wanted any more."""
    try:
        mail = await parse(await incoming.content())
    except TooComplex as error:
        return f"it was fetched, and can't be read: {error}"
    stored = await incoming.keep()

    async def work(db: Connection) -> bool:
        await leases.fence(db, lease.source_id, lease.token)
        kept = await completions.kept_of(db, which)
        if kept is None:  # deleted meanwhile, or erased
            await completions.drop(db, which)
            return False
        await blobs.add_all(db, [stored])
        await completions.put(db, which, _whole(mail, stored.sha256, kept[1]))
        await erasure.drop_files(db, [kept[0]])  # the beginning; else nothing would name it any more
        await search.index_these(db, [which])
        await feed.add(db, [feed.Change("interaction.updated", which)])
        return True

    if not await database.in_transaction(work):
        await incoming.take_back(stored)
    return ""


def _whole(mail: ParsedMail, digest: bytes, marks: list[str]) -> completions.Whole:
    kept = [mark for mark in marks if mark not in _OF_PARTS]
    return completions.Whole(
        digest,
        mail.body_text,
        mail.reply_text,
        excerpt(mail.reply_text or mail.body_text),
        mail.html is not None,
        list(dict.fromkeys([*kept, *mail.marks])),
        mail.attachments,
    )
