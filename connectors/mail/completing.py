"""Fetches whole what was too large to be fetched with the rest, when somebody asks for it.

A mail above `message_bytes_max` comes with its beginning only and is marked `oversized`. When it is wanted (`Intake.wanted`),
the connection that goes round the folders fetches it between two rounds: in parts of `PART_BYTES`, each a command of its
own, handed on as they come, so that memory holds one part however large the mail is. The day's budget counts them.

How it fails. Nothing of a mail is kept before all of it is there. A connection that breaks in the middle is a try that
failed; the intake counts them. What no try can mend is given up with its reason: no longer at any of its places, above
`BYTES_MAX` or ten times `message_bytes_max`, refused by the server, or a mailbox of which headers alone are kept.

Limits: while a large mail is fetched, the other folders of that connection wait; INBOX has another one if `connections`
allows it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

from connectors.base import Intake, Wanted
from connectors.mail.arguments import encode_name
from connectors.mail.budget import Budget
from connectors.mail.refusals import NotDone
from connectors.mail.session import ImapSession
from interactions.arrivals import Location

PART_BYTES = 1024 * 1024
# Reading a mail of one file takes four times its size of memory, in a process that is allowed half a gigabyte.
BYTES_MAX = 100_000_000
TIMES_MAX = 10  # of message_bytes_max
LOOK_SECONDS = 5.0


class Completer:
    """What completes the mails of one mailbox."""

    def __init__(self, intake: Intake, budget: Budget, message_bytes_max: int, headers_only: bool = False) -> None:
        self._intake = intake
        self._budget = budget
        self._bytes_max = max(message_bytes_max, min(TIMES_MAX * message_bytes_max, BYTES_MAX))
        self._headers_only = headers_only
        self._look_at = 0.0

    async def work(self, session: ImapSession, raws: Mapping[str, bytes]) -> bool:
        """Completes what is wanted, if it is time to look again; whether folders were opened for it. `raws` are names of
        folders on the wire."""
        now = asyncio.get_running_loop().time()
        if now < self._look_at or self._budget.is_spent:
            return False
        self._look_at = now + LOOK_SECONDS
        wanted = await self._intake.wanted()
        for one in wanted:
            await self._complete(session, one, raws)
        return bool(wanted)

    async def _complete(self, session: ImapSession, wanted: Wanted, raws: Mapping[str, bytes]) -> None:
        if self._headers_only:
            await self._intake.give_up(wanted, 'of this mailbox only headers are kept (privacy = "headers_only")')
            return
        reason = "it is no longer on the server"
        for place in wanted.places:
            try:
                size = await self._find(session, place, raws)
                if size is not None and size <= self._bytes_max:
                    await self._intake.complete(wanted, self._parts(session, place.uid, size))
                    return
            except NotDone as refusal:
                reason = str(refusal)
                continue
            if size is not None:
                reason = f"it has {size} bytes; at most {self._bytes_max} are fetched"
        await self._intake.give_up(wanted, reason)

    async def _find(self, session: ImapSession, place: Location, raws: Mapping[str, bytes]) -> int | None:
        """Opens the folder of a mail; its size, or None where it is not there."""
        state = await session.examine(raws.get(place.folder) or encode_name(place.folder))
        if state.uidvalidity != place.uidvalidity:
            return None
        there = await session.sizes([place.uid])
        return (there[0].size or 0) if there else None

    async def _parts(self, session: ImapSession, uid: int, size: int) -> AsyncIterator[bytes]:
        """The mail from its first byte to its last. Where that is, a part shows that is shorter than was asked for: what
        servers say of a size is off by line ends."""
        start = 0
        while True:
            found = await session.fetch([uid], PART_BYTES, start)
            if not found:
                raise NotDone("it was deleted on the server while it was fetched", b"")
            part = found[0].body or b""
            self._budget.spend(len(part))
            start += len(part)
            if start > self._bytes_max:  # the server told less
                raise NotDone(f"the server sends more than {self._bytes_max} bytes of it", b"")
            if part:
                yield part
            if not part or (len(part) < PART_BYTES and start >= size):
                return
