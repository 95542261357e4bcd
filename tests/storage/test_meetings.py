"""Invites in the database: each once, back as they came, and a bound on what is kept of one meeting."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from interactions.invites import Invite, read_invites
from interactions.meetings import Told
from storage import meetings
from storage.database import Database
from tests.fakes.invites import ANNA, SENT_AT, calendar

FULL = read_invites(calendar(RRULE="FREQ=WEEKLY;COUNT=3", DESCRIPTION="План", **{"RECURRENCE-ID": "20261208T100000Z"}))[
    0
]
TOLD = Told(UUID(int=1), 0, SENT_AT, ANNA, True, FULL)


@pytest.mark.parametrize("invite", [FULL, Invite("REPLY", "u")], ids=["full", "bare"])
async def test_an_invite_comes_back_as_it_came(database: Database, invite: Invite) -> None:
    told = replace(TOLD, invite=invite)
    async with database.connection() as db:
        await meetings.add_invites(db, {b"k": [told]})
        await meetings.add_invites(db, {b"k": [told]})

        assert await meetings.invites_of(db, [b"k", b"other"]) == {b"k": [told], b"other": []}


async def test_a_flood_of_invites_to_one_meeting_is_not_kept_whole(database: Database) -> None:
    later = datetime(2026, 12, 1, tzinfo=UTC)
    async with database.connection() as db:
        for n in range(meetings.INVITES_MAX + 3):
            await meetings.add_invites(db, {b"k": [replace(TOLD, mail_id=UUID(int=n), sent_at=later + timedelta(n))]})

        assert len((await meetings.invites_of(db, [b"k"]))[b"k"]) == meetings.INVITES_MAX

        stranger = replace(TOLD, mail_id=UUID(int=10_000), is_proved=False)
        await meetings.add_invites(db, {b"k": [stranger]})
        assert stranger in (await meetings.invites_of(db, [b"k"]))[b"k"]
