"""The first read of a mailbox on Dovecot by the whole daemon, beside programs that merely download the same mails.

    mbsync     into a Maildir without fsync (`FSync no`), where it is installed (Debian's package isync)
    imaplib    50 mails at a time, and dropped
    ringmail   in this process on its embedded database (fsync on), given the mailbox by a reload; the clock stops when the
               last mail is committed, and again when the last one can be searched

All over plain connections, one after the other in each round; each round has a database and a Maildir of its own.
"""

import asyncio
import contextlib
import imaplib
import os
import resource
import shutil
import subprocess
import tempfile
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

MAILS = int(os.environ.get("BENCH_MAILS", "5000"))
AT_ONCE = 50
POLL_SECONDS = 0.05
_READ = "SELECT count(*) FROM mail_location"
_UNINDEXED = "SELECT (SELECT count(*) FROM interaction) - (SELECT count(*) FROM search_index)"


def run(mails: int = MAILS, rounds: int = ROUNDS) -> None:
    """Measures and prints."""
    program = shutil.which("mbsync")
    print(f"first read of {mails} mails from Dovecot; load average {os.getloadavg()[0]:.1f}")
    with running_dovecot() as dovecot:
        user, size = filled(dovecot, mails)
        dropped, kept, ours = list[float](), list[tuple[float, float]](), list[Reading]()
        for _ in range(rounds):
            dropped.append(download(dovecot, user))
            if program:
                kept.append(mirror(program, dovecot, user, mails))
            ours.append(on_fast_loop(lambda: read(dovecot, user, mails)))
    committed, searchable = [one.committed for one in ours], [one.searchable for one in ours]
    walls = [wall for wall, _ in kept]
    line("size, MB", f"{size / 1e6:.0f}")
    line("imaplib downloading, s", spread(dropped))
    line("mbsync downloading without fsync, s", spread(walls) if kept else "not installed: apt-get install isync")
    if kept:
        line("CPU of mbsync, s", spread([cpu for _, cpu in kept]))
    line("ringmail until all is committed, s", spread(committed))
    line("ringmail until all can be searched, s", spread(searchable))
    line("CPU of the daemon and its readers until then, s", spread([one.daemon_cpu for one in ours]))
    line("CPU of its database until then, s", spread([one.database_cpu for one in ours]))
    line("mails a second, committed", f"{mails / median(committed):.0f}")
    if kept:
        line("RATIO committed / mbsync", f"{ratio(committed, walls):.2f}")
        line("RATIO searchable / mbsync", f"{ratio(searchable, walls):.2f}")
    line("RATIO committed / imaplib", f"{ratio(committed, dropped):.2f}")
    line("RATIO searchable / committed", f"{ratio(searchable, committed):.2f}")


def mirror(program: str, dovecot: Dovecot, user: str, mails: int) -> tuple[float, float]:
    """Seconds that mbsync needs for all mails of INBOX, and how many of them it works."""
    with tempfile.TemporaryDirectory(prefix="ringmail-mbsync-") as made:
        settings, maildir = Path(made, "rc"), Path(made, "mail")
        maildir.mkdir()
        settings.write_text(
            f"""FSync no
IMAPStore there
Host {dovecot.host}
Port {dovecot.imap}
User {user}
Pass "{PASSWORD}"
SSLType None
AuthMechs LOGIN

MaildirStore here
Path {maildir}/
Inbox {maildir}/INBOX

Channel all
Far :there:
Near :here:
Patterns INBOX
Create Near
Sync Pull
SyncState *
"""
        )
        started, worked = time.perf_counter(), _cpu_of_ended()
        subprocess.run([program, "-q", "-c", settings, "all"], check=True, stderr=subprocess.DEVNULL)
        took = time.perf_counter() - started
        assert len(list(maildir.rglob("*,U=*"))) == mails
    return took, _cpu_of_ended() - worked


def filled(dovecot: Dovecot, mails: int) -> tuple[str, int]:
    """A mailbox with so many mails, and how many bytes they are."""
    user, size = dovecot.new_user(), 0
    for raw in corpus.mails(mails):
        dovecot.deliver(user, raw)
        size += len(raw)
    download(dovecot, user)  # Dovecot makes its index, and the mails come into the cache
    return user, size


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
            began = Reading(time.perf_counter(), 0.0, _cpu_here(), _cpu_of_database(settings.data_dir))
            await app.reload(settings)
            await _until(app.serving.database, _READ, mails)
            committed = time.perf_counter()
            await _until(app.serving.database, _UNINDEXED, 0)
            searchable = time.perf_counter()
            return Reading(
                committed - began.committed,
                searchable - began.committed,
                _cpu_here() - began.daemon_cpu,
                _cpu_of_database(settings.data_dir) - began.database_cpu,
            )


def _with_mailbox(folder: Path, dovecot: Dovecot, user: str) -> Path:
    path = write_config(folder, [("sales", user)], dovecot)
    path.write_text(path.read_text().replace(f"imaps://localhost:{dovecot.imaps}", f"imap://127.0.0.1:{dovecot.imap}"))
    return path


def _cpu_of_ended() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_here() -> float:
    """Seconds that this process and those that read mails for it have worked."""
    found = time.process_time()
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):
            if b"worker_child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found += _ticks(pid, 2) / os.sysconf("SC_CLK_TCK")
    return found


def _cpu_of_database(data_dir: Path) -> float:
    """Seconds that the server and its children have worked so far, those that have ended included."""
    [found] = data_dir.glob("pg*/postmaster.pid")
    first = found.read_text().split()[0]
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    ticks = 0
    for pid in (first, *children):
        with contextlib.suppress(FileNotFoundError):
            ticks += _ticks(pid, 4 if pid == first else 2)
    return ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: str, count: int) -> int:
    """The processor's time of a process, and with four numbers that of its children that have ended too."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11 : 11 + count]))


async def _until(database: Database, query: str, expected: int) -> None:
    async with database.connection() as db:
        while await db.fetchval(query) != expected:
            await asyncio.sleep(POLL_SECONDS)
