"""New words of answers, once more, beside the mail that they answer: what stands in that one is old, marked or not.

Parsing knows one mail only; here the older one is at hand, stored or in the same batch. Comparing costs up to a few
milliseconds a mail, so everybody else has a turn in between.

Limits: an answer that comes before the mail it answers keeps quotes that nothing marks.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from daemon.intake.slices import Slices
from interactions.admission import ReadMail
from interactions.replies import OLD_CHARS_MAX, without_old
from interactions.threads import Threadable
from storage import chains
from storage.database import Connection


async def beside_their_parents(
    db: Connection,
    mails: Sequence[ReadMail],
    threads: Sequence[Threadable],
    done: Collection[UUID] = (),
) -> tuple[list[ReadMail], frozenset[UUID]]:
    """The same mails, with fewer words that are not theirs, and those of which the older mail was at hand. What was `done`
    before stays as it is."""
    # A mail may say that it answers itself: then there is no other one.
    answered = [
        thread.parents[0] if thread.replies_to and thread.parents and thread.interaction_id not in done else None
        for thread in threads
    ]
    wanted = {ref for ref in answered if ref is not None}
    if not wanted:
        return list(mails), frozenset()
    texts = await chains.texts(db, sorted(wanted), OLD_CHARS_MAX)
    texts |= {one.ref: read.mail.body_text for read, one in zip(mails, threads, strict=True) if one.ref in wanted}
    found: list[ReadMail] = []
    compared: set[UUID] = set()
    slices = Slices()
    for read, ref in zip(mails, answered, strict=True):
        parent = texts.get(ref) if ref is not None else None
        if parent is not None:
            compared.add(read.interaction_id)
        found.append(_beside(read, parent) if parent else read)
        await slices.pause()
    return found, frozenset(compared)


def _beside(read: ReadMail, parent: str) -> ReadMail:
    said = read.mail.reply_text or read.mail.body_text
    new = without_old(said, parent, read.mail.body_text)
    return read if new == said else replace(read, mail=replace(read.mail, reply_text=new))
