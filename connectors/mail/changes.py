"""Follows what becomes of mails that we know: read in another program, or gone from the server. Never brings a new one.

    CONDSTORE (RFC 7162)    HIGHESTMODSEQ says at every turn whether anything has changed; what has, is fetched by CHANGEDSINCE
    QRESYNC                 the same answer tells which mails have vanished, so that no list of all has to be compared
    neither, or NOMODSEQ    the flags of the newest UIDs at every turn, those of all mails at every audit

Flags are asked for only where the mailbox is handled in another program (`handled_elsewhere`) and the flags of review are
switched on here. Of them \\Seen alone means anything to us, and we never set it.

A HIGHESTMODSEQ that went down, as it does where an index was made anew, is believed: all flags are looked at once, and it
counts from there. So it is when following is switched on later. What is told is committed before the new MODSEQ is: after a
kill it is told again.

How it fails. A server that refuses CHANGEDSINCE is followed as one without it from then on.

Limits: of mails that were changed more than `CHANGED_MAX` at a time in a large folder, the vanished ones are left to the
audit.
"""

from collections.abc import Sequence
from dataclasses import replace

from connectors.base import Intake
from connectors.mail.answers import Fetched, FolderState
from connectors.mail.plan import Cursor
from connectors.mail.refusals import NotDone
from connectors.mail.session import ImapSession

NEWEST_UIDS = 1000  # whose flags are looked at in every turn, where the server does not tell of changes
SWEPT_COUNT = 2000  # mails whose flags are asked for at once
CHANGED_MAX = 50_000  # mails that one answer may tell of


class Follower:
    """What follows the mails of one folder."""

    def __init__(self, folder: str, intake: Intake, handled_elsewhere: bool) -> None:
        self._folder = folder
        self._intake = intake
        self._handled_elsewhere = handled_elsewhere
        self._is_refused = False

    @property
    def wants_flags(self) -> bool:
        """Whether what people have read elsewhere is followed."""
        return self._handled_elsewhere and self._intake.follows_review

    def begun(self, cursor: Cursor) -> Cursor:
        """The cursor of a folder that was opened: flags that nobody follows are not known."""
        return cursor if self._handled_elsewhere or not cursor.flags else replace(cursor, flags=False)

    async def follow(self, session: ImapSession, cursor: Cursor, state: FolderState) -> tuple[Cursor, bool]:
        """Takes up changes in the folder that is open; returns the cursor as it is then, and whether all that vanished
        was told."""
        flags, highest = self.wants_flags, 0 if self._is_refused else state.highestmodseq or 0
        if not cursor.uidvalidity or not (flags or session.tells_vanished):
            return cursor, False
        if not highest:
            if flags:
                await self._look(session, cursor, range(max(1, cursor.live_uid - NEWEST_UIDS), cursor.live_uid + 1))
            return replace(cursor, modseq=0, flags=False), False
        is_followed = 0 < cursor.modseq <= highest and (cursor.flags or not flags)
        if is_followed and (cursor.modseq == highest or not cursor.live_uid):
            return replace(cursor, modseq=highest), session.tells_vanished
        is_told = False
        if is_followed:
            try:
                is_told = await self._changed(session, cursor, state)
            except NotDone:
                self._is_refused = True
                return await self.follow(session, cursor, state)
        elif flags and not cursor.done:
            return cursor, False  # of what is to be recognised yet the flags are looked at afterwards
        elif flags:
            await self._look_at_all(session, cursor)
        return replace(cursor, modseq=highest, flags=flags), is_told

    async def sweep(self, session: ImapSession, cursor: Cursor, state: FolderState) -> None:
        """Looks at the flags of all mails, where the server does not tell of changes."""
        if self.wants_flags and (self._is_refused or not state.highestmodseq) and cursor.uidvalidity:
            await self._look_at_all(session, cursor)

    async def _changed(self, session: ImapSession, cursor: Cursor, state: FolderState) -> bool:
        if state.exists > CHANGED_MAX:
            changed = await session.changed_uids(cursor.live_uid, cursor.modseq)
            if len(changed) > CHANGED_MAX:
                if self.wants_flags:
                    await self._look(session, cursor, changed)
                return False
        mails, gone = await session.changes(cursor.live_uid, cursor.modseq, self.wants_flags)
        if gone:
            await self._intake.vanished(self._folder, cursor.uidvalidity, gone)
        await self._tell(cursor, mails)
        return session.tells_vanished

    async def _look_at_all(self, session: ImapSession, cursor: Cursor) -> None:
        above = 0
        while ours := await self._intake.placed(self._folder, cursor.uidvalidity, above):
            await self._look(session, cursor, ours)
            above = ours[-1]

    async def _look(self, session: ImapSession, cursor: Cursor, uids: Sequence[int]) -> None:
        for start in range(0, len(uids), SWEPT_COUNT):
            await self._tell(cursor, await session.flags(uids[start : start + SWEPT_COUNT]))

    async def _tell(self, cursor: Cursor, mails: Sequence[Fetched]) -> None:
        seen = {one.uid: one.seen for one in mails if one.seen is not None}
        if seen and self.wants_flags:
            await self._intake.seen(self._folder, cursor.uidvalidity, seen)
