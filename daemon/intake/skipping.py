"""Mails that a rule leaves out (`set = { skip = true }`): they are decided on before anything of them is kept, by the same
rules and facts as those that come in. Their places are kept, so that they are not fetched again; all else stays where it is.

Calls and messages that a rule leaves out make no record; what their provider posted stays in the journal for its time.
"""

from collections.abc import Sequence
from datetime import datetime

from daemon.intake.context import IntakeSettings, our_side
from interactions.admission import ReadMail, decide_mail, mail_participants
from interactions.records import Interaction
from interactions.rules import first_match
from storage import addresses
from storage.database import Connection


def has_any(settings: IntakeSettings) -> bool:
    """Whether any rule leaves something out."""
    return any(rule.sets.skip for rule in settings.rules)


def is_skipped(one: Interaction, settings: IntakeSettings) -> bool:
    """Whether the first rule that holds for an interaction leaves it out."""
    rule = first_match(one, settings.rules)
    return rule is not None and rule.sets.skip


async def skipped(db: Connection, mails: Sequence[ReadMail], settings: IntakeSettings, now: datetime) -> list[ReadMail]:
    """Which of these mails a rule leaves out; of those that a person brings none."""
    if not mails or not has_any(settings) or not mails[0].arrival.source:
        return []
    known = await addresses.look_up(db, {p.key for read in mails for p in mail_participants(read.mail) if p.key})
    ours = await our_side(db, settings, mails[0].arrival.source, now)
    return [read for read in mails if is_skipped(decide_mail(read, known, ours, now), settings)]
