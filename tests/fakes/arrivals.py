"""Arrivals for tests: mails in a line of code, the three events of a call, an SMS."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import count

from interactions.arrivals import CallChanged, Location, MailArrived, SmsArrived
from interactions.records import Direction

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_uids = count(1)


def raw_mail(
    number: str,
    sender: str = "ivan@customer.example",
    to: str = "sales@example.org",
    subject: str = "Заказ",
    text: str = "Здравствуйте!",
    reply_to: str | None = None,
    references: tuple[str, ...] = (),
    at: datetime = START,
) -> bytes:
    """A mail with the Message-ID `<number@test.example>`."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{number}@test.example>"
    if reply_to:
        message["In-Reply-To"] = f"<{reply_to}@test.example>"
    if references:
        message["References"] = " ".join(f"<{one}@test.example>" for one in references)
    message.set_content(text)
    return message.as_bytes()


def mail(raw: bytes, source: str = "sales", folder: str = "INBOX", uid: int | None = None) -> MailArrived:
    """A mail seen in a folder."""
    return MailArrived(source, Location(folder, 1, uid or next(_uids)), raw, received_at=START, size=len(raw))


def call(key: str, event: str, number: str = "84956329816", minute: int = 0, **more: object) -> CallChanged:
    """One event of an incoming call to our line."""
    at = START + timedelta(minutes=minute)
    fields: dict[str, object] = {
        "source": "main", "call_key": key, "dedup_key": f"{event}-{minute}", "event": event, "received_at": at, "at": at,
        "direction": Direction.INCOMING, "from_number": number, "to_number": "+74951234567", **more,
    }  # fmt: skip
    return CallChanged(**fields)  # type: ignore[arg-type]


def sms(key: str, number: str = "+7 (495) 632-98-16", text: str = "Перезвоните, пожалуйста, мне") -> SmsArrived:
    """An SMS to our line."""
    return SmsArrived("main", key, START, Direction.INCOMING, number, "+74951234567", text, START)
