"""Takes the data of a person out of everything we hold, for good: 152-FZ article 21, GDPR article 17.

    erase    one transaction: contact, addresses, what was written and said, files, journal, quarantine, feed, undo
    finish   the act goes into the ledger `erased.jsonl` of the data folder; then tables, packs and the log are made anew
             (`storage.rewriting`), so that the bytes are gone from the disk too

`finish` may be broken off; the daemon does what is left when it starts. What comes back:

    the same mail at another place    meets its origin; its bytes are not kept again
    older mail, never seen before     left out: from before the erasure, with an address that hashes to an erased one
    a late event of an erased call    left out
    a new mail or call                is new: whoever writes to us again begins a new history
    an older backup                   whoever restores it applies the ledger

The hashes are keyed (HMAC-SHA256) by `login.secret_key` and by a key made in the data folder. A dry run does
the same and rolls it back. What names the person in talks with others is listed, not touched (`mentioned_in`).
"""

import asyncio
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from urllib.parse import unquote_plus
from uuid import UUID

from config.settings import Settings
from daemon.contacts import Gone, new_id
from daemon.intake.erased import hash_of
from interactions.contacts import ContactKind
from interactions.records import AddressKind, Json
from storage import addresses, contacts, erased, erasure, feed, rewriting
from storage.blobs import Blobs
from storage.database import Connection, Database
from storage.erased import Act, Posted
from storage.errors import Conflict, NotFound

LEDGER = "erased.jsonl"
KEY_FILE = "erasure.key"
REASON_CHARS_MAX = 1000
MENTIONS_MAX = 100
JOURNAL_AT_ONCE = 2000
QUARANTINE_AT_ONCE = 100
TRIES = 3
NO_ID = UUID(int=0)
NUMBER_DIGITS = 10  # the end of a number, which every spelling has
NUMBER_DIGITS_MIN = 7
EXTERNAL_ID_CHARS_MIN = 6  # shorter ones are found anywhere
_ATOM = re.compile(r"[^\W_]+")
_ESCAPED = re.compile(r"\\[nrt]")


@dataclass(frozen=True, slots=True)
class Done:
    """What was erased, or would be, and where else the name stands."""

    act: Act
    mentioned_in: Sequence[UUID]
    is_dry: bool

    def as_json(self) -> dict[str, object]:
        act = self.act
        return {
            "id": str(act.id), "contact_id": str(act.contact_id), "mode": act.mode, "reason": act.reason,
            "at": act.at.isoformat().replace("+00:00", "Z"), "by": str(act.by) if act.by else None,
            "counts": dict(act.counts), "mentioned_in": [str(one) for one in self.mentioned_in],
            "dry_run": self.is_dry,
        }  # fmt: skip


class _NotMeant(Exception):
    """Rolls a dry run back."""

    def __init__(self, done: Done) -> None:
        self.done = done


@dataclass(frozen=True, slots=True)
class Words:
    """By what a person is known in bytes that nobody has read."""

    emails: frozenset[str]
    numbers: frozenset[str]
    ids: frozenset[str]

    def stand_in(self, text: str) -> bool:
        """Whether any of them is in a text, in whatever case or spelling, and is not a piece of another one."""
        plain = text.casefold()
        if any(_is_whole(word, plain) for word in self.emails) or _any_is_in(self.ids, text):
            return True
        digits = re.sub(r"(?<=\d)[\s().\-]+(?=\d)", "", plain) if self.numbers else ""
        return any(number in digits for number in self.numbers)


def _any_is_in(ids: frozenset[str], text: str) -> bool:
    """Whether any name of a call stands in a text by itself. There may be thousands: they are looked up by how they begin."""
    beginnings, odd = _by_beginning(ids)
    plain = _ESCAPED.sub(" ", text) if beginnings else ""
    for atom in _ATOM.finditer(plain):
        for one in beginnings.get(atom.group(), ()):
            end = atom.start() + len(one)
            if plain.startswith(one, atom.start()) and not plain[end : end + 1].isalnum():
                return True
    return any(_is_whole(word, text) for word in odd)


@lru_cache(maxsize=4)
def _by_beginning(ids: frozenset[str]) -> tuple[Mapping[str, list[str]], list[str]]:
    beginnings: dict[str, list[str]] = {}
    odd = []
    for one in ids:
        if atom := _ATOM.match(one):
            beginnings.setdefault(atom.group(), []).append(one)
        else:
            odd.append(one)
    return beginnings, odd


def _is_whole(word: str, text: str) -> bool:
    """Whether a word stands in a text by itself: what is posted for ivan@x.example names no an@x.example."""
    if word not in text:
        return False
    before = r"(?:(?<![\w.+-])|(?<=\\[nrt]))" if "@" in word else r"(?:(?<![^\W_])|(?<=\\[nrt]))"
    return re.search(rf"{before}{re.escape(word)}(?![^\W_])", text) is not None


@dataclass(frozen=True, slots=True)
class Traces:
    """Webhooks and mails that nobody could read which name somebody, and how far was looked."""

    posted: Sequence[int] = ()
    unread: Mapping[UUID, bytes] = field(default_factory=dict)
    last_posted: int = 0
    last_unread: UUID = NO_ID


def words_of(held: erasure.Held) -> Words:
    """The addresses of a person, and what sources call its calls."""
    keys = held.addresses.values()
    digits = ("".join(c for c in key.value if c.isdigit()) for key in keys if key.kind is not AddressKind.EMAIL)
    return Words(
        frozenset(key.value.casefold() for key in keys if key.kind is AddressKind.EMAIL),
        frozenset(one[-NUMBER_DIGITS:] for one in digits if len(one) >= NUMBER_DIGITS_MIN),
        frozenset(one for one in held.external_ids if len(one) >= EXTERNAL_ID_CHARS_MIN),
    )


def text_of(posted: Posted) -> str:
    """All that a webhook says, unquoted as forms are."""
    body = posted.body.decode("utf-8", "replace")
    return "\n".join((body, unquote_plus(body), unquote_plus(posted.query), posted.headers))


def naming(some: Sequence[Posted], words: Words) -> list[int]:
    """Which of these webhooks name somebody."""
    return [one.id for one in some if words.stand_in(text_of(one))]


async def erase(
    database: Database, blobs: Blobs, contact_id: UUID, mode: str, reason: str, by: UUID | None, keys: Sequence[bytes],
    now: datetime, *, dry_run: bool = False,
) -> Done:  # fmt: skip
    """Erases a person in one transaction. Raises NotFound, Gone and Conflict. `finish` does the rest. The journal and the
    quarantine are looked through before, while nobody has to wait; what came in since then, within."""

    async def known(db: Connection) -> Words:
        return words_of(await _held(db, contact_id))

    for _ in range(TRIES):
        words = await database.in_transaction(known)
        async with database.connection() as db:
            traces = await _traces(db, blobs, words, Traces())

        async def work(db: Connection, words: Words = words, traces: Traces = traces) -> Done | None:
            held = await _held(db, contact_id)
            if words_of(held) != words:
                return None  # something was added meanwhile: it is looked for first
            rest = await _traces(db, blobs, words, traces)
            done = await _erase(db, held, rest, mode, reason, by, keys, now, is_dry=dry_run)
            if dry_run:
                raise _NotMeant(done)
            return done

        try:
            done = await database.in_transaction(work)
        except _NotMeant as dry:
            return dry.done
        if done is not None:
            return done
    raise Conflict("this contact is changed all the time just now; try again in a moment")


async def _held(db: Connection, contact_id: UUID) -> erasure.Held:
    found = await contacts.find(db, contact_id)
    if found is None:
        raise NotFound(f"there is no contact {contact_id}")
    if found.merged_into is not None or await erased.is_erased(db, contact_id):
        raise Gone(found)
    if found.kind is ContactKind.USER:
        raise Conflict("this is a colleague: hand over and disable the user, and make a contact of another kind of it")
    return await erasure.hold(db, contact_id)


async def _erase(
    db: Connection, held: erasure.Held, traces: Traces, mode: str, reason: str, by: UUID | None,
    keys: Sequence[bytes], now: datetime, *, is_dry: bool,
) -> Done:  # fmt: skip
    contact_id = held.contact_id
    mentioned = await erasure.mentions(db, held, MENTIONS_MAX)
    counts = await erasure.wipe(db, held, mode == "remove", now)
    await erased.wipe_journal(db, traces.posted)
    await erased.wipe_quarantine(db, list(traces.unread))
    await erasure.drop_files(db, list(traces.unread.values()))
    counts |= {"journal": len(traces.posted), "quarantine": len(traces.unread)}
    hashes = [hash_of(key, one) for one in held.addresses.values() for key in keys]
    act = Act(new_id(now), contact_id, mode, reason, by, now, counts, held.interaction_ids, hashes)
    await erased.record(db, act)
    await feed.add(db, [feed.Change("contact.erased", one) for one in held.contact_ids])
    if len(held.interaction_ids) <= addresses.TOLD_MAX:
        removed = set(held.interaction_ids) - set(held.shared) if mode == "remove" else set()
        await feed.add(
            db,
            [
                feed.Change("interaction.deleted" if one in removed else "interaction.updated", one)
                for one in held.interaction_ids
            ],
        )
    return Done(act, mentioned, is_dry)


async def _traces(db: Connection, blobs: Blobs, words: Words, before: Traces) -> Traces:
    """What names somebody in the journal and the quarantine, beside what was found up to there."""
    posted, unread = list(before.posted), dict(before.unread)
    last_posted, last_unread = before.last_posted, before.last_unread
    while some := await erased.journal(db, last_posted, JOURNAL_AT_ONCE):
        last_posted = some[-1].id
        posted += await asyncio.to_thread(naming, some, words)
    while entries := await erased.quarantined(db, last_unread, QUARANTINE_AT_ONCE):
        last_unread = entries[-1][0]
        for entry_id, digest in entries:
            try:
                raw = await blobs.read(db, digest)
            except NotFound:
                continue
            if words.stand_in(raw.decode("utf-8", "replace")):
                unread[entry_id] = digest
    return Traces(tuple(posted), unread, last_posted, last_unread)


# ---- what keeps them out


def hash_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys of the hashes: the secret of the configuration, and one of our own, made once in the data folder, which
    stays when that secret is changed. Whoever is erased is hashed with each."""
    path = Path(settings.data_dir) / KEY_FILE
    if not _own_key(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{token_hex(4)}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(token_hex(32).encode())
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(draft, path)  # whole, and of two who make one only the first
        draft.unlink()
    return known_keys(settings)


def known_keys(settings: Settings) -> tuple[bytes, ...]:
    """The same, without making one."""
    secret = settings.login.secret_key
    own = _own_key(Path(settings.data_dir) / KEY_FILE)
    return tuple(key for key in (secret.reveal().encode() if secret else b"", own) if key)


def _own_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


# ---- the rest: ledger and disk


async def finish(
    database: Database, settings: Settings, blobs: Blobs, progress: Callable[[str], None] | None = None
) -> list[str]:
    """Notes new acts in the ledger and cleans the disk, where there is anything to clean. What could not be done."""
    await database.in_transaction(lambda db: _note(db, Path(settings.data_dir) / LEDGER))
    left = await rewriting.overwrite(database, blobs.folder)
    async with database.connection() as db:
        waiting = await erased.unclean(db)
    if waiting:
        left += await rewriting.clean(database, progress)
        async with database.connection() as db:
            await erased.mark_cleaned(db, waiting)
    return left


async def _note(db: Connection, ledger: Path) -> None:
    acts = await erased.unnoted(db)
    if acts:
        await asyncio.to_thread(_append, ledger, "".join(json.dumps(line_of(one)) + "\n" for one in acts))
        await erased.mark_noted(db, [one.id for one in acts])


def line_of(act: Act) -> Json:
    """An act as the ledger has it: enough to erase the same again in an older state of the database."""
    return {
        "id": str(act.id), "contact_id": str(act.contact_id), "mode": act.mode, "at": act.at.isoformat(),
        "interactions": [str(one) for one in act.interactions], "addresses": [one.hex() for one in act.addresses],
    }  # fmt: skip


def _append(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
