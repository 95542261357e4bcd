"""New words of answers, once more, beside the mail that they answer: what stands in that one is old, marked or not.

Parsing knows one mail only; here the older one is at hand, stored or in the same batch. Comparing costs up to a few
milliseconds a mail, so everybody else has a turn in between.

Limits: an answer that comes before the mail it answers keeps quotes that nothing marks.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from interactions.admission import ReadMail
from interactions.chains import Threadable
from interactions.replies import OLD_CHARS_MAX, without_old
from storage import chains
from storage.database import Connection

SLICE_SECONDS = 0.008


async def beside_their_parents(
    db: Connection, mails: Sequence[ReadMail], threads: Sequence[Threadable]
) -> list[ReadMail]:
    """The same mails, with fewer words that are not theirs."""
    # A mail may say that it answers itself: then there is no other one.
    answered = [thread.parents[0] if thread.replies_to and thread.parents else None for thread in threads]
    wanted = {ref for ref in answered if ref is not None}
    if not wanted:
        return list(mails)
    texts = await chains.texts(db, sorted(wanted), OLD_CHARS_MAX)
    texts |= {one.ref: read.mail.body_text for read, one in zip(mails, threads, strict=True) if one.ref in wanted}
    found: list[ReadMail] = []
    turn_ends = time.monotonic() + SLICE_SECONDS
    for read, ref in zip(mails, answered, strict=True):
        parent = texts.get(ref) if ref is not None else None
        found.append(_beside(read, parent) if parent else read)
        if time.monotonic() >= turn_ends:
            await asyncio.sleep(0)
            turn_ends = time.monotonic() + SLICE_SECONDS
    return found


def _beside(read: ReadMail, parent: str) -> ReadMail:
    said = read.mail.reply_text or read.mail.body_text
    new = without_old(said, parent)
    return read if new == said else replace(read, mail=replace(read.mail, reply_text=new))
