"""The whole of a mail that came in part, because it is larger than its mailbox takes: asked for by a person or a program.

    whole ─── nothing to ask for          part ──ask──► asked ──► whole, or failed with a reason ──ask──► asked

Whoever runs the mailbox fetches it (`connectors.mail.completing`).
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from config.settings import Settings
from interactions.views import InteractionView
from storage import completions
from storage.completions import Asked
from storage.database import Connection


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a mail."""

    state: Literal["whole", "part", "asked", "failed"]
    asked: Asked | None = None


class NotToBeHad(Exception):
    """There is no more of it, or none that may be fetched; `code` is that of the problem."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def standing(db: Connection, view: InteractionView) -> Standing:
    """How it stands with an interaction of any kind."""
    if not _is_part(view):
        return Standing("whole")
    asked = await completions.find(db, view.id)
    if asked is None:
        return Standing("part")
    return Standing("failed" if asked.failed_at else "asked", asked)


async def ask(db: Connection, settings: Settings, view: InteractionView, by: UUID | None) -> Standing:
    """Asks for the whole of a mail. Raises NotToBeHad."""
    if not _is_part(view):
        raise NotToBeHad("conflict", "All of this interaction is here already.")
    name = view.source.name if view.source else ""
    if any(one.name == name and one.privacy == "headers_only" for one in settings.mailboxes):
        raise NotToBeHad("forbidden", "Of this mailbox only headers are kept (privacy).")
    if not await completions.ask(db, view.id, by):
        raise NotToBeHad("conflict", "This mail lies in no mailbox any more that is read here.")
    return await standing(db, view)


def _is_part(view: InteractionView) -> bool:
    marks = view.block.get("marks")
    return isinstance(marks, list) and "oversized" in marks
