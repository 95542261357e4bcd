"""The first read of a mailbox on Dovecot by the whole daemon, beside imaplib that merely downloads the same mails.

The daemon runs in this process on its embedded database (fsync on) and is given the mailbox by a reload; the clock stops
when the last mail is committed, and again when the last one can be searched. imaplib asks for 50 mails at a time and
drops them. Both over a plain connection; each round has a database of its own.
"""

import asyncio
import contextlib
import imaplib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import corpus
from benchmarks.measured import ROUNDS, line, on_fast_loop, ratio, spread
from config.load import load
from storage.database import Database
from tests.fakes.daemon import home, running_app, write_config
from tests.fakes.dovecot import PASSWORD, Dovecot, running_dovecot

MAILS = 5000
AT_ONCE = 50
POLL_SECONDS = 0.05
_READ = "SELECT count(*) FROM mail_location"
_UNINDEXED = "SELECT (SELECT count(*) FROM interaction) - (SELECT count(*) FROM search_index)"


def run(mails: int = MAILS, rounds: int = ROUNDS) -> None:
    """Measures and prints."""
    print(f"first read of {mails} mails from Dovecot")
    with running_dovecot() as dovecot:
        user = dovecot.new_user()
        size = 0
        for raw in corpus.mails(mails):
            dovecot.deliver(user, raw)
            size += len(raw)
        download(dovecot, user)  # Dovecot makes its index, and the mails come into the cache
        peers, ours = [], []
        for _ in range(rounds):
            peers.append(download(dovecot, user))
            ours.append(on_fast_loop(lambda: read(dovecot, user, mails)))
    committed, searchable = [one.committed for one in ours], [one.searchable for one in ours]
    line("size, MB", f"{size / 1e6:.0f}")
    line("imaplib downloading, s", spread(peers))
    line("ringmail until all is committed, s", spread(committed))
    line("ringmail until all can be searched, s", spread(searchable))
    line("CPU of the daemon's process until then, s", spread([one.daemon_cpu for one in ours]))
    line("CPU of its database until then, s", spread([one.database_cpu for one in ours]))
    line("mails a second, committed", f"{mails / median(committed):.0f}")
    line("RATIO committed / imaplib", f"{ratio(committed, peers):.2f}")
    line("RATIO searchable / imaplib", f"{ratio(searchable, peers):.2f}")


def download(dovecot: Dovecot, user: str) -> float:
    """Seconds that imaplib needs for all mails of INBOX."""
    started = time.perf_counter()
    with imaplib.IMAP4(dovecot.host, dovecot.imap) as program:
        program.authenticate("PLAIN", lambda _: f"\0{user}\0{PASSWORD}".encode())
        program.select("INBOX", readonly=True)
        uids = program.uid("SEARCH", "ALL")[1][0].split()
        for start in range(0, len(uids), AT_ONCE):
            program.uid("FETCH", b",".join(uids[start : start + AT_ONCE]).decode(), "(BODY.PEEK[])")
    return time.perf_counter() - started


@dataclass(frozen=True)
class Reading:
    """Seconds until all is committed and until all is indexed; seconds of CPU until then."""

    committed: float
    searchable: float
    daemon_cpu: float
    database_cpu: float


async def read(dovecot: Dovecot, user: str, mails: int) -> Reading:
    """One first read by a daemon of its own."""
    with home() as folder:
        async with running_app(write_config(folder)) as app:
            settings = load(_with_mailbox(folder, dovecot, user), {}).settings
            began = Reading(time.perf_counter(), 0.0, time.process_time(), _cpu_of_database(settings.data_dir))
            await app.reload(settings)
            await _until(app.serving.database, _READ, mails)
            committed = time.perf_counter()
            await _until(app.serving.database, _UNINDEXED, 0)
            searchable = time.perf_counter()
            return Reading(
                committed - began.committed,
                searchable - began.committed,
                time.process_time() - began.daemon_cpu,
                _cpu_of_database(settings.data_dir) - began.database_cpu,
            )


def _with_mailbox(folder: Path, dovecot: Dovecot, user: str) -> Path:
    path = write_config(folder, [("sales", user)], dovecot)
    path.write_text(path.read_text().replace(f"imaps://localhost:{dovecot.imaps}", f"imap://127.0.0.1:{dovecot.imap}"))
    return path


def _cpu_of_database(data_dir: Path) -> float:
    """Seconds that the server and its children have worked so far, those that have ended included."""
    [found] = data_dir.glob("pg*/postmaster.pid")
    first = found.read_text().split()[0]
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    ticks = 0
    for pid in (first, *children):
        with contextlib.suppress(FileNotFoundError):
            numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, numbers[11:15] if pid == first else numbers[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def _until(database: Database, query: str, expected: int) -> None:
    async with database.connection() as db:
        while await db.fetchval(query) != expected:
            await asyncio.sleep(POLL_SECONDS)
