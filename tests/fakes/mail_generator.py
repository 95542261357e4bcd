"""A person at another mail program, who does to a mailbox what people do, drawn from a seed.

    append    new mails, answers, copies of known ones, mails without a Message-ID, two different mails with one
    copy, move, flag, expunge
    rename, delete, recreate      a folder; recreated it has the same name and other mails
    renumber                      a folder's mails get another UIDVALIDITY and other UIDs

What there should be is written down beside (`folders`): nobody else changes anything here. `listing`
asks the server what there is; where it says anything else than we wrote down, somebody has changed something.

Mails are known by the UIDs that APPEND, COPY and MOVE tell (UIDPLUS, RFC 4315).
"""

import imaplib
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from connectors.mail.arguments import decode_name, encode_name
from tests.fakes.arrivals import START, raw_mail

INBOX = "INBOX"
UNREAD = "Trash"  # a folder that nobody is to read: mails that go there are gone
NAMES = ("Work", "Архив", "R&D + offers", "Счета 2026", "Sent", UNREAD, "a", "Old")
ASIDE = "Aside"
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft")
MAILS_MAX = 90  # above it more goes than comes
TRIES = 5
BIG_BYTES = 200_000
# Words of the protocol in a mail are words of a mail.
TRAPS = ("* BYE", "A1 OK done", ")", "* 1 EXISTS", "* 3 FETCH (UID 3 BODY[] {5}", "+ go on", "{100}", "NIL", "\\Seen")
_LISTED = re.compile(rb'\((?P<flags>[^)]*)\) "[^"]*" (?P<name>.+)')


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail. Copies of it with other headers of delivery have the same `key`."""

    key: str
    raw: bytes

    @property
    def digest(self) -> bytes:
        return sha256(self.raw).digest()


@dataclass(slots=True)
class Lying:
    """A mail in a folder, and its flags there."""

    uid: int
    letter: Letter
    flags: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Found:
    """A mail as the server has it."""

    folder: str
    uidvalidity: int
    uid: int
    letter: Letter


class Differs(AssertionError):
    """The server has something else than was put there."""


class Refused(Exception):
    """The server does not do, in this session, what it should."""


class Interrupted(Exception):
    """The server ended the session in the middle of an act: how far it came, only the server knows."""


class Generator:
    """One mailbox. `prefix` stands before the names of all folders but INBOX. `post` are all letters ever written, of
    other mailboxes
    too. `folder_acts` is how much is done to whole folders, against 1: on some servers it takes long."""

    def __init__(self, user: str, prefix: str, post: dict[bytes, Letter], folder_acts: float = 1.0) -> None:
        self.user = user
        self.folders: dict[str, list[Lying]] = {INBOX: []}
        self.done: Counter[str] = Counter()
        self._prefix = prefix
        self._rng = random.Random()
        self._post = post
        self._letters: list[Letter] = []
        self._program: imaplib.IMAP4
        self._acts = {
            self._append: 30.0, self._copy: 12.0, self._move: 14.0, self._flag: 12.0, self._expunge: 8.0,
            self._rename: 5 * folder_acts, self._delete: 3 * folder_acts, self._recreate: 4 * folder_acts,
            self._renumber: 4 * folder_acts,
        }  # fmt: skip

    def work(self, program: imaplib.IMAP4, acts: int, pause_seconds: float, rng: random.Random) -> None:
        """Does so much, with pauses up to this length. Raises Refused where another session may go on; after Interrupted
        one has to `look_again`."""
        self._program, self._rng = program, rng
        program.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # it writes line ends apart
        for _ in range(acts):
            is_full = sum(map(len, self.folders.values())) > MAILS_MAX and rng.random() < 0.6
            act = self._expunge if is_full else rng.choices(list(self._acts), list(self._acts.values()))[0]
            try:
                act()
            except imaplib.IMAP4.abort as error:
                raise Interrupted(str(error)) from error
            self.done[act.__name__.strip("_")] += 1
            time.sleep(rng.uniform(0, pause_seconds))

    # What people do ---------------------------------------------------------------------------------------------------

    def _append(self) -> None:
        folder = self._any_folder(with_new=True)
        for _ in range(self._rng.choice((1, 1, 1, 2, 3, 8))):
            letter = self._letter()
            flags = {flag for flag in FLAGS if self._rng.random() < 0.2}
            at = datetime.now(UTC) - timedelta(seconds=self._rng.randrange(20 * 86400))
            self._append_to(folder, letter, flags, at)

    def _copy(self) -> None:
        folder, chosen = self._some_mails()
        if chosen:
            to = self._any_folder(with_new=True)
            self._open(folder)
            self._copy_to(to, chosen)

    def _move(self) -> None:
        folder, chosen = self._some_mails()
        to = self._any_folder(with_new=True)
        if not chosen or to == folder:
            return
        self._open(folder)
        if "MOVE" in self._program.capabilities:
            self._copy_to(to, chosen, "MOVE")
        else:
            self._copy_to(to, chosen)
            self._remove(chosen)
        self._take(folder, chosen)

    def _flag(self) -> None:
        folder, chosen = self._some_mails()
        if chosen:
            flag, way = self._rng.choice(FLAGS), self._rng.choice("+-")
            self._open(folder)
            self._do(self._program.uid, "STORE", _set(chosen), f"{way}FLAGS.SILENT", f"({flag})")
            for one in chosen:
                (one.flags.add if way == "+" else one.flags.discard)(flag)

    def _expunge(self) -> None:
        folder, chosen = self._some_mails()
        if chosen:
            self._open(folder)
            self._remove(chosen)
            self._take(folder, chosen)

    def _rename(self) -> None:
        folder, to = self._folder_to_lose(), self._free_name()
        if folder and to not in (None, UNREAD):
            self._rename_to(folder, to)

    def _delete(self) -> None:
        if folder := self._folder_to_lose():
            self._do(self._program.delete, self._wire(folder))
            del self.folders[folder]

    def _recreate(self) -> None:
        if folder := self._folder_to_lose():
            before = self._uidvalidity(folder)
            self._do(self._program.delete, self._wire(folder))
            self._create(folder, before)
            self._append_to(folder, self._letter(), set(), datetime.now(UTC))

    def _renumber(self) -> None:
        folder = self._folder_to_lose()
        if folder and ASIDE not in self.folders:
            before = self._uidvalidity(folder)
            self._rename_to(folder, ASIDE)
            mails = self.folders[ASIDE]
            self._create(folder, before)
            if mails:
                self._open(ASIDE)
                self._copy_to(folder, mails)
                self._close()
            self._do(self._program.delete, self._wire(ASIDE))
            del self.folders[ASIDE]

    # How --------------------------------------------------------------------------------------------------------------

    def _do(self, act: Callable[..., tuple[str, list[Any]]], *words: object) -> list[Any]:
        """What the server answers. It may refuse at the moment when another program looks at the same folder."""
        for _ in range(TRIES):
            kind, said = act(*words)
            if kind == "OK":
                return said
            time.sleep(0.1)
        raise Refused(f"{self.user}: {act.__name__} {words[:2]}: {kind} {said}")

    def _wire(self, folder: str) -> str:
        return '"' + (folder if folder == INBOX else self._prefix + encode_name(folder).decode()) + '"'

    def _open(self, folder: str) -> None:
        self._do(self._program.select, self._wire(folder))
        there = int(self._program.untagged_responses["EXISTS"][-1])
        if there != len(self.folders[folder]):
            raise Differs(f"{folder} of {self.user} has {there} mails and not {len(self.folders[folder])}")

    def _close(self) -> None:
        """No folder is open any more: some servers rename and delete none that is."""
        if self._program.state == "SELECTED":
            self._do(self._program.close)

    def _create(self, folder: str, before: int | None = None) -> None:
        """Makes a folder, of another UIDVALIDITY than one before."""
        self._do(self._program.create, self._wire(folder))
        while before is not None and self._uidvalidity(folder) == before:  # it goes by the second
            self._do(self._program.delete, self._wire(folder))
            time.sleep(0.3)
            self._do(self._program.create, self._wire(folder))
        self.folders[folder] = []

    def _uidvalidity(self, folder: str) -> int:
        [said] = self._do(self._program.status, self._wire(folder), "(UIDVALIDITY)")
        return int(bytes(said).rpartition(b"UIDVALIDITY ")[2].rstrip(b" )"))

    def _rename_to(self, folder: str, to: str) -> None:
        self._do(self._program.rename, self._wire(folder), self._wire(to))
        mails = self.folders[to] = self.folders.pop(folder)
        if mails:
            self._open(to)
            there = self._fetch_all()
            if _difference(there, mails):  # some servers number them anew
                for one, (uid, _) in zip(sorted(mails, key=_likeness), sorted(there.items(), key=_order), strict=True):
                    one.uid = uid
            self._close()

    def _append_to(self, folder: str, letter: Letter, flags: set[str], at: datetime) -> None:
        [said] = self._do(self._program.append, self._wire(folder), " ".join(sorted(flags)), at, letter.raw)
        told = re.search(rb"APPENDUID \d+ (\d+)", said)
        assert told is not None, said
        self.folders[folder].append(Lying(int(told[1]), letter, flags))

    def _copy_to(self, folder: str, chosen: Sequence[Lying], how: str = "COPY") -> None:
        self._program.untagged_responses.pop("COPYUID", None)
        self._do(self._program.uid, how, _set(chosen), self._wire(folder))
        _, before, after = self._program.untagged_responses["COPYUID"][-1].decode().split()
        new = dict(zip(_uids(before), _uids(after), strict=True))
        self.folders[folder] += [Lying(new[one.uid], one.letter, set(one.flags)) for one in chosen]

    def _remove(self, chosen: Sequence[Lying]) -> None:
        self._do(self._program.uid, "STORE", _set(chosen), "+FLAGS.SILENT", "(\\Deleted)")
        self._do(self._program.uid, "EXPUNGE", _set(chosen))

    def _take(self, folder: str, chosen: Sequence[Lying]) -> None:
        gone = {one.uid for one in chosen}
        self.folders[folder] = [one for one in self.folders[folder] if one.uid not in gone]

    def _some_mails(self) -> tuple[str, list[Lying]]:
        folder = self._any_folder()
        there = self.folders[folder]
        return folder, self._rng.sample(there, min(len(there), self._rng.choice((1, 1, 2, 3, 10))))

    def _any_folder(self, with_new: bool = False) -> str:
        """INBOX as often as all others; a new one, which is made, now and then."""
        free = self._free_name()
        if with_new and free and self._rng.random() < 0.15:
            self._create(free)
            return free
        return INBOX if self._rng.random() < 0.5 else self._rng.choice(sorted(self.folders))

    def _free_name(self) -> str | None:
        free = [name for name in NAMES if name not in self.folders]
        return self._rng.choice(free) if free else None

    def _folder_to_lose(self) -> str | None:
        self._close()
        there = sorted(set(self.folders) - {INBOX, UNREAD})  # some servers keep their Trash
        return self._rng.choice(there) if there else None

    # Letters ----------------------------------------------------------------------------------------------------------

    def _letter(self) -> Letter:
        rng, number = self._rng, len(self._letters)
        known = rng.choice(self._letters) if self._letters else None
        kind = rng.random()
        if known is not None and kind < 0.08:
            return self._posted(known)
        if known is not None and kind < 0.14:  # delivered once more, on another way
            way = f"Received: by relay{number}.example; {START:%a, %d %b %Y %H:%M:%S} +0000\r\n"
            return self._posted(Letter(known.key, way.encode() + known.raw))
        name = f"{self.user.partition('@')[0]}.{number}.{rng.randrange(10**9)}"
        key = name
        if known is not None and kind < 0.2:  # another mail that has its id
            name = known.key
        at = START + timedelta(seconds=rng.randrange(10**6) + number)
        lines = [rng.choice(TRAPS) if rng.random() < 0.3 else f"Строка {key} {n}." for n in range(rng.randrange(1, 40))]
        if rng.random() < 0.03:
            lines += ["x" * 900] * (rng.randrange(BIG_BYTES) // 900)
        answered = known.key if known is not None and rng.random() < 0.4 else None
        raw = raw_mail(name, subject=f"Письмо {key}", text="\n".join(lines), reply_to=answered, at=at)
        if kind > 0.95:
            raw = re.sub(rb"(?m)^Message-ID: .*\n", b"", raw)
        return self._posted(Letter(key, re.sub(rb"\r?\n", b"\r\n", raw)))

    def _posted(self, letter: Letter) -> Letter:
        self._letters.append(letter)
        self._post[letter.digest] = letter
        return letter

    # What the server has ------------------------------------------------------------------------------------------------

    def look_again(self, program: imaplib.IMAP4) -> None:
        """Takes what the server has for what should be."""
        self._program = program
        self.folders = {}
        for raw in self._listed():
            name = raw if raw == INBOX else decode_name(raw.removeprefix(self._prefix).encode())
            self.folders[name] = []
            there = int(self._do(program.select, self._wire(name), True)[0])
            found = self._fetch_all() if there else {}
            self.folders[name] = [Lying(uid, self._post[digest], flags) for uid, (flags, digest) in found.items()]
        self.done["interrupted"] += 1

    def _listed(self) -> set[str]:
        """The names of all folders, as the server writes them."""
        there = [match for line in self._do(self._program.list) if (match := _LISTED.match(line))]
        return {one["name"].strip(b'"').decode() for one in there if b"noselect" not in one["flags"].lower()}

    def listing(self, program: imaplib.IMAP4) -> list[Found]:
        """All mails, if they are those that were put there, with the flags that they were given; else Differs."""
        self._program = program
        raws = self._listed()
        ours = {self._wire(folder).strip('"') for folder in self.folders}
        if raws - {INBOX} != ours - {INBOX}:
            raise Differs(f"{self.user} has the folders {sorted(raws)} and not {sorted(ours)}")
        return [one for folder in self.folders for one in self._list_folder(folder)]

    def _list_folder(self, folder: str) -> list[Found]:
        program, mails = self._program, self.folders[folder]
        self._do(program.select, self._wire(folder), True)
        uidvalidity = int(program.untagged_responses["UIDVALIDITY"][-1])
        found = self._fetch_all() if mails else {}
        if difference := _difference(found, mails):
            raise Differs(f"{folder} of {self.user}: {difference}")
        return [Found(folder, uidvalidity, one.uid, one.letter) for one in mails]

    def _fetch_all(self) -> dict[int, tuple[set[str], bytes]]:
        """Flags and digests of the mails of the open folder, by UID."""
        parts = self._do(self._program.uid, "FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
        found = {}
        for part, after in zip(parts, [*parts[1:], b""], strict=False):
            if isinstance(part, tuple):
                said = part[0] + (after if isinstance(after, bytes) else b"")  # its end may stand after the mail
                uid, flags = re.search(rb"UID (\d+)", said), re.search(rb"FLAGS \(([^)]*)\)", said)
                assert uid is not None, said
                assert flags is not None, said
                found[int(uid[1])] = (set(flags[1].decode().split()) - {"\\Recent"}, sha256(part[1]).digest())
        return found


def _likeness(mail: Lying) -> tuple[bytes, list[str]]:
    return mail.letter.digest, sorted(mail.flags)


def _order(found: tuple[int, tuple[set[str], bytes]]) -> tuple[bytes, list[str]]:
    _, (flags, digest) = found
    return digest, sorted(flags)


def _difference(found: Mapping[int, tuple[set[str], bytes]], mails: Sequence[Lying]) -> str:
    if set(found) != (ours := {one.uid for one in mails}):
        return f"{sorted(set(found) - ours)} came and {sorted(ours - set(found))} went"
    for one in mails:
        flags, digest = found[one.uid]
        if digest != one.letter.digest:
            return f"UID {one.uid} is not {one.letter.key}"
        if flags != one.flags:
            return f"UID {one.uid} has the flags {sorted(flags)} and not {sorted(one.flags)}"
    return ""


def _set(chosen: Sequence[Lying]) -> str:
    return ",".join(str(one.uid) for one in chosen)


def _uids(told: str) -> list[int]:
    """The numbers of a set like `1:3,5`."""
    ends = [part.split(":") for part in told.split(",")]
    return [uid for end in ends for uid in range(int(end[0]), int(end[-1]) + 1)]
