"""The mailboxes of the sample IMAP server: accounts, folders, mails, all in memory and in the order of arrival.

UIDs count up from 1 in each folder; UIDVALIDITY is given once, when the store is made. Whoever has a folder open is
told when a mail comes.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail in a folder."""

    uid: int
    raw: bytes
    received_at: datetime
    flags: tuple[str, ...] = ()


@dataclass(slots=True)
class Folder:
    """A folder: its name, its special use (RFC 6154) or "", its mails by rising UID, and who listens."""

    name: str
    use: str
    uidvalidity: int
    mails: list[StoredMail] = field(default_factory=list)
    listeners: set[asyncio.Event] = field(default_factory=set)

    @property
    def uidnext(self) -> int:
        return self.mails[-1].uid + 1 if self.mails else 1

    def add(self, raw: bytes, received_at: datetime, is_seen: bool = False) -> int:
        """Puts a mail into the folder and tells who listens; returns its UID."""
        mail = StoredMail(self.uidnext, raw, received_at, ("\\Seen",) if is_seen else ())
        self.mails.append(mail)
        for listener in self.listeners:
            listener.set()
        return mail.uid


class Account:
    """One login and its folders."""

    def __init__(self, user: str, password: str, folders: Mapping[str, str], uidvalidity: int) -> None:
        self.user = user
        self.password = password
        self.folders = {name: Folder(name, use, uidvalidity) for name, use in folders.items()}

    def find(self, name: str) -> Folder | None:
        """A folder by name; INBOX in any spelling (RFC 3501 §5.1)."""
        return self.folders.get("INBOX" if name.upper() == "INBOX" else name)


def by_user(accounts: Iterable[Account]) -> dict[str, Account]:
    """Accounts by login, whatever the case of its letters."""
    return {account.user.casefold(): account for account in accounts}
