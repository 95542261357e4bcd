"""What to read next of one folder. Pure: from the checkpoint, the folder's state and lists of UIDs.

A folder's UIDs are cut in two by the moment when it was first seen:

        since ──────────────┬──────────────── first seen ────────────────┬──────────────→ now
        not looked at yet   │   read, newest first: history              │ read, oldest first: live mail
                       backfill_uid                                  live_uid
                            ← moves down                                 → moves up

`live_uid`: every mail above the moment of first sight and up to here is finished. `backfill_uid`: every mail from here
up to that moment is finished. Finished means: committed, known before, or gone from the server. Both move only over
finished mails without gaps, so a restart goes on exactly there; reading something twice does no harm, since mails are
told apart by their content, but skipping would.

    UIDVALIDITY differs     the folder starts anew (RFC 9051 §2.3.1.1)
    UIDNEXT has gone down   a server restored from an older copy: numbers from there on are given a second time
    UIDVALIDITY missing     the same state, but never saved: after a restart the UIDs might be others
    `since` moved back      the history is gone through again; what is known is not fetched
    checkpoint unreadable   as none

`first_uid` is that moment of first sight: mails above it came while we were looking, whatever day they bear. `modseq`
says up to which change (RFC 7162) we have followed what becomes of mails that we know, and `flags` whether their flags
were followed too; 0 is none. New mail is never looked for by it: a mail may get a number below one that we have seen.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

from connectors.base import BATCH_BYTES_MAX, BATCH_COUNT_MAX
from connectors.mail.answers import Fetched, FolderState
from connectors.mail.arguments import UID_MAX
from connectors.mail.uids import Uids
from interactions.records import Json, JsonValue

EARLIEST = date.min
# Of a mail above the mailbox's limit only the beginning is fetched: headers, and the text of nearly every mail.
CUT_BYTES = 256 * 1024
# A mail that makes the server break off is fetched alone, then cut, then left to quarantine with nothing in it.
STRIKES_CUT = 3
STRIKES_NOTHING = 6


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder is read. `since` is the day from which on `backfill_uid` counts."""

    uidvalidity: int
    live_uid: int
    backfill_uid: int
    done: bool
    since: date
    first_uid: int = UID_MAX
    modseq: int = 0
    flags: bool = False

    def saved(self) -> Json:
        """As a checkpoint."""
        return {
            "uidvalidity": self.uidvalidity,
            "live_uid": self.live_uid,
            "backfill_uid": self.backfill_uid,
            "done": self.done,
            "since": self.since.isoformat(),
            "first_uid": self.first_uid,
            "modseq": self.modseq,
            "flags": self.flags,
        }


def load(saved: Json | None) -> Cursor | None:
    """A checkpoint as a cursor, or None where there is none that makes sense."""
    if saved is None:
        return None
    numbers = [saved.get(key) for key in ("uidvalidity", "live_uid", "backfill_uid")]
    done, since = saved.get("done"), saved.get("since")
    if not isinstance(done, bool) or not isinstance(since, str):
        return None
    whole = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= UID_MAX + 1]
    if len(whole) != len(numbers) or whole[0] == 0:
        return None
    # Of checkpoints before these were kept: nothing is known to have come after first sight, nothing was followed.
    first_uid, modseq = (_whole(saved.get(key)) for key in ("first_uid", "modseq"))
    first_uid, flags = whole[1] if first_uid is None else first_uid, saved.get("flags") is True
    try:
        return Cursor(whole[0], whole[1], whole[2], done, date.fromisoformat(since), first_uid, modseq or 0, flags)
    except ValueError:
        return None


def _whole(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def begin(before: Cursor | None, state: FolderState, highest_uid: int, since: date | None) -> Cursor:
    """The cursor to go on with. `highest_uid` is the highest UID in the folder, or UIDNEXT - 1."""
    first_day = since or EARLIEST
    if before is None or before.uidvalidity != state.uidvalidity:
        # What is read from now on is read with its flags; of what is recognised, older ones are known, and looked at.
        modseq = state.highestmodseq or 0 if before is None else 0
        return Cursor(
            state.uidvalidity, highest_uid, highest_uid + 1, False, first_day, highest_uid, modseq, flags=modseq > 0
        )
    if first_day < before.since:
        return replace(before, backfill_uid=before.live_uid + 1, done=False, since=first_day)
    return before


def is_rewound(before: Cursor, state: FolderState) -> bool:
    """Whether the server seems to give numbers again that we have read: it was restored from an older copy."""
    return state.uidnext is not None and state.uidnext <= before.live_uid


def rewound(before: Cursor, uidnext: int) -> Cursor:
    """The cursor once the numbers from `uidnext` on mean other mails."""
    first_uid = min(before.first_uid, uidnext - 1)
    return replace(
        before, live_uid=uidnext - 1, backfill_uid=min(before.backfill_uid, uidnext), first_uid=first_uid, modseq=0
    )


def is_same_generation(before: Cursor | None, state: FolderState) -> bool:
    """Whether the UIDs of the checkpoint still mean the same mails."""
    return before is not None and before.uidvalidity == state.uidvalidity


def may_have_new(cursor: Cursor, state: FolderState) -> bool:
    """Whether there can be mails above the cursor; without UIDNEXT one has to look."""
    if state.exists == 0:
        return False
    return state.uidnext is None or state.uidnext > cursor.live_uid + 1


def new_uids(cursor: Cursor, found: Uids) -> Uids:
    """Live mail in the answer to a search for `live_uid + 1:*`, oldest first. `*` is the last mail even if that lies
    below."""
    return found[bisect_right(found, cursor.live_uid) :]


def old_uids(cursor: Cursor, found: Uids) -> Uids:
    """History still to read in the answer to a search since the first day, oldest first: it is read from the end."""
    return found[: bisect_left(found, cursor.backfill_uid)]


def holds(uids: Sequence[int], uid: int) -> bool:
    """Whether a UID is among these, which ascend."""
    at = bisect_left(uids, uid)
    return at < len(uids) and uids[at] == uid


@dataclass(frozen=True, slots=True)
class Portion:
    """Mails that are fetched and committed together. `last` is the UID up to which all is finished after it, in the
    direction of reading. With `bytes_max` it is one mail, and only so much of it is fetched."""

    uids: tuple[int, ...]
    last: int
    bytes_max: int | None = None


def portions(
    wanted: Sequence[int],
    there: Iterable[Fetched],
    message_bytes_max: int,
    strikes: Mapping[int, int] = MappingProxyType({}),
    bytes_max: int = BATCH_BYTES_MAX,
    count_max: int = BATCH_COUNT_MAX,
) -> list[Portion]:
    """Cuts the mails that are `there` into portions, in the order of `wanted`. What is wanted and not there is gone
    from the server, or known: it is finished with the portion before it. At least one portion, if only to move on.

    A mail that is too large or of unknown size stands alone and is cut. So does one that had `strikes`: the connection
    failed so often while it was fetched."""
    sizes = {one.uid: one.size for one in there}
    groups: list[tuple[list[int], int | None]] = []
    held = 0
    is_open = False  # whether the last group may grow
    for uid in wanted:
        if uid not in sizes:
            continue
        size, struck = sizes[uid], strikes.get(uid, 0)
        limit = _limit(size, struck, message_bytes_max)
        if struck or limit is not None or size is None:
            groups.append(([uid], limit))
            is_open = False
            continue
        if not is_open or held + size > bytes_max or len(groups[-1][0]) >= count_max:
            groups.append(([], None))
            is_open, held = True, 0
        groups[-1][0].append(uid)
        held += size
    if not groups:
        return [Portion((), wanted[-1])] if wanted else []
    last = [group[-1] for group, _ in groups[:-1]] + [wanted[-1]]
    return [Portion(tuple(group), end, limit) for (group, limit), end in zip(groups, last, strict=True)]


def _limit(size: int | None, struck: int, message_bytes_max: int) -> int | None:
    if struck >= STRIKES_NOTHING:
        return 0
    if struck >= STRIKES_CUT or (size is not None and size > message_bytes_max):
        return min(CUT_BYTES, message_bytes_max)
    return message_bytes_max if size is None else None


def after_new(cursor: Cursor, last: int) -> Cursor:
    """The cursor once live mail up to `last` is finished."""
    return replace(cursor, live_uid=max(cursor.live_uid, last))


def after_old(cursor: Cursor, last: int | None) -> Cursor:
    """The cursor once history down to `last` is finished; None: all of it."""
    lowest = cursor.backfill_uid if last is None else min(cursor.backfill_uid, last)
    return replace(cursor, backfill_uid=lowest, done=cursor.done or last is None)
