"""What is decided before a mail is fetched: who is left out, what is known from another place. By its headers, mostly.

Where `never_log` names somebody, the headers of every mail are fetched first, and a mail that names them in its headers is
never fetched whole; that it was seen is remembered, so nobody asks for it again. Of a folder of junk that is read for the
mail of known contacts, the headers come first as well, and what is from nobody we know is left out.

A mail that was moved or copied, a folder that was renamed or numbered anew (UIDVALIDITY), a view of all mail: the same
mails with other UIDs. What it takes to know them again, the strongest first:

    name and size              EMAILID (RFC 8474), X-GM-MSGID: nothing is fetched
    size, INTERNALDATE,        these two come with the first question about a mail; only where a mail of the same size and
      headers byte for byte    date is known are the headers fetched
      or Message-ID, sender,   for servers that write the headers anew each time
      Date and topic           (`admission.mail_identity`)

What is none of these is fetched, and meets its record by its identity. So mails that are really new cost nothing, and a
mailbox that is numbered anew costs its headers, or not even those.

Limits: two mails with the same headers, the same arrival to the second and the same length, but other text, would be taken
for one. Headers that a server has received are never the same twice; a mail program that files such drafts is not known.
"""

from collections.abc import Sequence

from connectors.base import Intake
from connectors.mail.answers import Fetched
from connectors.mail.folders import Folder
from connectors.mail.refusals import NotDone
from connectors.mail.session import ImapSession
from interactions.addresses import email_key
from interactions.admission import mail_identity
from interactions.arrivals import Likeness, Location, head_digest
from interactions.mime import TooComplex, parse


def hidden(folder: Folder, uidvalidity: int, there: Sequence[Fetched]) -> list[Location]:
    """Those of the mails of the open folder that are left out for a label."""
    return [Location(folder.name, uidvalidity, one.uid) for one in there if folder.is_hidden(one.labels)]


async def unwanted(
    session: ImapSession,
    intake: Intake,
    folder: str,
    uidvalidity: int,
    there: Sequence[Fetched],
    contacts_only: bool = False,
) -> list[Location]:
    """Those of the mails of the open folder that are never stored. Of what the server gives no headers, the intake will
    decide by the mail itself."""
    if not there or (intake.never_log.is_empty and not contacts_only):
        return []
    try:
        heads = await session.heads(one.uid for one in there)
    except NotDone:
        return []
    left_out = {one.uid for one in heads if one.head and intake.never_log.names(one.head)}
    if contacts_only:
        senders = {one.uid: _sender(one.head) for one in heads if one.head}
        known = await intake.contacts_among(sorted({sender for sender in senders.values() if sender}))
        left_out |= {uid for uid, sender in senders.items() if sender not in known}
    return [Location(folder, uidvalidity, uid) for uid in sorted(left_out)]


def _sender(head: bytes) -> str:
    """The address of the one sender of a mail, or nothing."""
    try:
        from_ = parse(head).from_
    except TooComplex:
        return ""
    key = email_key(from_[0].address) if len(from_) == 1 else None
    return key.value if key else ""


async def recognised(
    session: ImapSession, intake: Intake, folder: str, uidvalidity: int, there: Sequence[Fetched]
) -> list[Likeness]:
    """Those of the mails of the open folder that are known from elsewhere. A server that refuses gets no say."""
    bare = [one for mail in there if (one := _likeness(folder, uidvalidity, mail))]
    same = await intake.same(named) if (named := [one for one in bare if one.mail_id]) else []
    places = {one.location for one in same}
    others = [one for one in bare if one.location not in places]
    candidates = await intake.alike(others) if others else []
    if not candidates:
        return same
    try:
        heads = await session.heads(one.location.uid for one in candidates)
    except NotDone:
        return same
    full = [one for mail in heads if mail.head and (one := _likeness(folder, uidvalidity, mail))]
    return same + (await intake.alike(full) if full else [])


def _identity(head: bytes) -> bytes:
    """What makes two copies one mail, where the headers alone can tell."""
    try:
        mail = parse(head)
    except TooComplex:
        return b""
    return mail_identity(mail) if mail.message_id else b""


def _likeness(folder: str, uidvalidity: int, mail: Fetched) -> Likeness | None:
    if not mail.size or mail.internal_date is None:
        return None
    return Likeness(
        Location(folder, uidvalidity, mail.uid),
        mail.size,
        mail.internal_date,
        head_digest(mail.head) if mail.head else b"",
        mail.mail_id,
        mail.thread_id,
        tuple(sorted(mail.labels or ())),
        _identity(mail.head) if mail.head else b"",
    )
