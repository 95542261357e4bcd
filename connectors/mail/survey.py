"""What a first read would bring, counted without reading: for `ringmail sync --dry-run`.

Of the mails that do not lie here yet only the headers are fetched. They tell whether it is a mail that we have from another
folder or mailbox, or have counted already, and whether somebody in it is a contact.

Limits: a mail without a Message-ID is known by its text, which is not fetched, and counts as new. What rules of privacy
leave out is counted all the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connectors.base import Intake
from connectors.mail.answers import FolderState
from connectors.mail.folders import Folder
from connectors.mail.refusals import NotDone
from connectors.mail.session import ImapSession
from interactions.admission import mail_identity, mail_participants
from interactions.mime import ParsedMail, TooComplex, parse
from interactions.records import AddressKind

SURVEY_COUNT = 500  # mails asked after at once


@dataclass(frozen=True, slots=True)
class FolderSurvey:
    """Of one folder: mails in it, those of them since the first day, those of these that we have, and of the new ones
    those that lead to a contact."""

    folder: str
    role: str
    messages: int
    wanted: int
    duplicate: int = 0
    matched: int = 0

    @property
    def new(self) -> int:
        return self.wanted - self.duplicate


@dataclass
class Surveyor:
    """Counts folder by folder; a mail that lies in several is new only once."""

    intake: Intake
    _counted: set[bytes] = field(default_factory=set)

    async def look(
        self, session: ImapSession, folder: Folder, state: FolderState, wanted: Sequence[int]
    ) -> FolderSurvey:
        """One folder, which is open."""
        duplicate = matched = 0
        for start in range(0, len(wanted), SURVEY_COUNT):
            uids = wanted[start : start + SURVEY_COUNT]
            known = await self.intake.known(folder.name, state.uidvalidity, uids) if state.uidvalidity else set()
            mails = await _heads(session, [uid for uid in uids if uid not in known])
            identities = {mail_identity(mail) for mail in mails if mail.message_id}
            met = await self.intake.mails_among(sorted(identities)) | self._counted
            new: list[ParsedMail] = []
            again = 0
            for mail in mails:
                identity = mail_identity(mail) if mail.message_id else b""
                if identity and identity in met:
                    again += 1
                    continue
                met.add(identity)
                new.append(mail)
            self._counted |= identities
            customers = await self.intake.customers_among(sorted({one for mail in new for one in _emails(mail)}))
            duplicate += len(known) + again
            matched += sum(any(one in customers for one in _emails(mail)) for mail in new)
        return FolderSurvey(folder.name, folder.role, state.exists, len(wanted), duplicate, matched)


async def _heads(session: ImapSession, uids: Sequence[int]) -> list[ParsedMail]:
    """The headers of these mails, read; what can't be read by them, or is not given, is left to the reading itself."""
    try:
        found = await session.heads(uids) if uids else []
    except NotDone:
        return []
    mails = []
    for one in found:
        try:
            mails.append(parse(one.head or b""))
        except TooComplex:
            continue
    return mails


def _emails(mail: ParsedMail) -> Iterator[str]:
    for person in mail_participants(mail):
        if person.key is not None and person.key.kind is AddressKind.EMAIL:
            yield person.key.value
