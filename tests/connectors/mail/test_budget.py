"""The bytes of a day: history stops when they are spent and goes on the next day, new mail is never held up."""

from datetime import date, timedelta

import pytest

from connectors.mail.budget import KEY, SAVE_BYTES, Budget
from interactions.records import Json
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import Box, ImapScript
from tests.fakes.imap_source import bodies, running


class Calendar:
    def __init__(self) -> None:
        self.day = date(2026, 11, 25)

    def __call__(self) -> date:
        return self.day


def test_a_day_has_its_bytes() -> None:
    calendar = Calendar()
    one = Budget(1000, calendar)

    spent = []
    for count in (999, 1, 0):
        one.spend(count)
        spent.append(one.is_spent)
    calendar.day += timedelta(days=1)
    spent.append(one.is_spent)

    assert spent == [False, True, True, False]


def test_a_restart_goes_on_with_what_was_spent() -> None:
    calendar = Calendar()
    one, other = Budget(SAVE_BYTES, calendar), Budget(SAVE_BYTES, calendar)

    one.spend(SAVE_BYTES - 1)
    assert one.to_save() is None
    one.spend(1)
    saved = one.to_save()
    assert one.to_save() is None

    other.load(saved)
    spent = [other.is_spent]
    calendar.day += timedelta(days=1)
    other.load(saved)
    assert [*spent, other.is_spent] == [True, False]


@pytest.mark.parametrize("saved", [None, {}, {"day": "2026-11-25"}, {"day": "2026-11-25", "bytes": "x"}, {"bytes": 9}])
def test_what_makes_no_sense_is_nothing(saved: Json | None) -> None:
    one = Budget(1, Calendar())

    one.load(saved)

    assert not one.is_spent


async def test_history_waits_for_the_next_day_and_new_mail_does_not() -> None:
    long = b"x" * 25_000
    box, intake = Box({uid: body + long for uid, body in bodies(*range(1, 451)).items()}), MemoryIntake()
    enough = sum(len(body) for uid, body in box.mails.items() if uid > 250)
    async with ImapScript(box.book()) as server, running(server, intake, bytes_a_day=enough, poll_seconds=0.05):
        await intake.until_mails(200)
        await server.heard("IDLE")
        assert intake.states[-1] == "throttled"
        assert "history goes on after midnight UTC" in intake.reports[-1].detail
        box.mails.update(bodies(451))
        await intake.until_mails(201)

    assert intake.uids() == [*range(251, 451), 451]
    assert "ok" not in intake.states
    assert intake.checkpoints[KEY]["bytes"] == enough
