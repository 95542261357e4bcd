"""Bodies of all mails from Dovecot by our session, beside a raw socket that drops every byte and beside imaplib.

All three over a plain connection, one after the other in each round, nothing kept. The raw socket asks for everything in
one command; imaplib for 50 mails at a time, we for as many as are committed together. Then the flags of all mails, in one command. What runs fail for is a
wrong count.
"""

import socket
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.measured import ROUNDS, line, on_fast_loop, ratio, spread
from benchmarks.sync import download, filled
from connectors.base import BATCH_COUNT_MAX
from connectors.mail.account import Account
from connectors.mail.session import ImapSession, opened
from tests.fakes.dovecot import PASSWORD, Dovecot, running_dovecot

MAILS = 5000
READ_BYTES = 256 * 1024
LINE_BYTES = 2000  # the last line of an answer fits


@dataclass(frozen=True)
class Taken:
    """Seconds of the clock and of our CPU."""

    wall: float
    cpu: float


def run(mails: int = MAILS, rounds: int = ROUNDS) -> None:
    """Measures and prints."""
    print(f"bodies of {mails} mails from Dovecot, and their flags")
    with running_dovecot() as dovecot:
        user, size = filled(dovecot, mails)
        raws, libs, ours, flags = [], [], [], []
        for _ in range(rounds):
            raws.append(_timed(lambda: raw_socket(dovecot, user)))
            libs.append(_timed(lambda: download(dovecot, user)))
            ours.append(_timed(lambda: on_fast_loop(lambda: bodies(dovecot, user, mails))))
            flags.append(_timed(lambda: on_fast_loop(lambda: all_flags(dovecot, user, mails))))
    walls = [one.wall for one in raws]
    line("size, MB", f"{size / 1e6:.0f}")
    line("raw socket, s", spread(walls))
    line("imaplib, s", spread([one.wall for one in libs]))
    line("ours, s", spread([one.wall for one in ours]))
    line(
        "CPU: raw socket, imaplib, ours, s", " ".join(spread([one.cpu for one in all_]) for all_ in (raws, libs, ours))
    )
    line("flags, s", spread([one.wall for one in flags]))
    line("RATIO imaplib / raw socket", f"{ratio([one.wall for one in libs], walls):.2f}")
    line("RATIO ours / raw socket", f"{ratio([one.wall for one in ours], walls):.2f}")


def _timed(work: Callable[[], object]) -> Taken:
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return Taken(time.perf_counter() - began, time.process_time() - cpu)


def raw_socket(dovecot: Dovecot, user: str) -> int:
    """Bytes that come when everything is asked for at once."""
    secret = b64encode(f"\0{user}\0{PASSWORD}".encode())
    with socket.create_connection((dovecot.host, dovecot.imap)) as plug:
        buffer = bytearray(READ_BYTES)
        _until(plug, buffer, b"")
        for tag, command in ((b"A1", b"AUTHENTICATE PLAIN " + secret), (b"A2", b"EXAMINE INBOX")):
            plug.sendall(tag + b" " + command + b"\r\n")
            _until(plug, buffer, tag)
        plug.sendall(b"A3 UID FETCH 1:* (BODY.PEEK[])\r\n")
        return _until(plug, buffer, b"A3")


def _until(plug: socket.socket, buffer: bytearray, tag: bytes) -> int:
    """Reads until the line that ends a command; looks at the end of what came only."""
    total, end = 0, b""
    while True:
        count = plug.recv_into(buffer)
        if not count:
            raise RuntimeError("Dovecot hung up")
        total += count
        end = (end + bytes(buffer[max(0, count - LINE_BYTES) : count]))[-LINE_BYTES:]
        last = end.rstrip(b"\r\n").rpartition(b"\n")[2]
        if end.endswith(b"\r\n") and (last.startswith(tag + b" OK") if tag else True):
            return total


def _account(dovecot: Dovecot, user: str) -> Account:
    return Account(dovecot.host, dovecot.imap, "none", user, PASSWORD)


async def bodies(dovecot: Dovecot, user: str, mails: int) -> None:
    """All mails through our session, dropped."""
    async with opened(_account(dovecot, user)) as session:
        uids = await _uids(session)
        count = 0
        for start in range(0, len(uids), BATCH_COUNT_MAX):
            count += sum(one.body is not None for one in await session.fetch(uids[start : start + BATCH_COUNT_MAX]))
        if count != mails:
            raise RuntimeError(f"{count} mails instead of {mails}")


async def all_flags(dovecot: Dovecot, user: str, mails: int) -> None:
    """The flags of all mails in one command."""
    async with opened(_account(dovecot, user)) as session:
        found = await session.flags(await _uids(session))
        if len(found) != mails:
            raise RuntimeError(f"flags of {len(found)} mails instead of {mails}")


async def _uids(session: ImapSession) -> list[int]:
    await session.examine(b"INBOX")
    return list(await session.uid_search("1:*"))
