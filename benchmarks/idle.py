"""Mailboxes that only wait: memory and CPU of each, over TLS, on the loop that the daemon runs on.

The server is a small one, a process of its own: INBOX and Sent, one mail each, LIST-STATUS, no NOTIFY, so that the sweeps
over the folders count too. The mailboxes are real sources with their default of connections: one waits in INBOX with IDLE,
one looks after Sent. The base is the process with all of the daemon's program in it and no mailbox.

Limits: what each mailbox keeps in the intake and in the database is not in it.
"""

import asyncio
import gc
import os
import ssl
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import trustme

import daemon.app
from benchmarks.measured import line, on_fast_loop
from connectors.base import Accepted, After, Batch
from connectors.mail.hosts import Hosts
from connectors.mail.source import ImapSource, MailboxSettings
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import OK, Book, ImapScript, folder, found, mails

MAILBOXES = 300
SETTLE_SECONDS = 5.0
WATCH_SECONDS = 30.0
HOST = "localhost"
_MAIL = {1: b"Subject: hello\r\n\r\n" + b"x" * 100_000 + b"\r\n"}
_FOLDERS = b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\n'
_STATES = b"".join(b"* STATUS %s (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1)\r\n" % name for name in (b"INBOX", b"Sent"))
_BOOK: Book = {
    "AUTHENTICATE": b"%T OK [CAPABILITY IMAP4rev1 IDLE LIST-EXTENDED LIST-STATUS SPECIAL-USE] welcome\r\n",
    "LIST": lambda words: _FOLDERS + (_STATES if "STATUS" in words else b"") + OK,
    "EXAMINE": folder(1),
    "SEARCH": found(1),
    "FETCH": mails(_MAIL),
}


class Forgetting(MemoryIntake):
    """Keeps of mails only where they lie: in life they are in the database."""

    async def accept(self, batch: Batch, after: After = None) -> Accepted:
        accepted = await super().accept(batch, after)
        self.mails = [replace(one, raw=b"") for one in self.mails]
        self.batches.clear()
        return accepted


def run(mailboxes: int = MAILBOXES) -> None:
    """Measures and prints."""
    assert daemon.app is not None  # it is in memory, as in life
    print(f"{mailboxes} mailboxes that only wait, over TLS")
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder_name:
        pem = Path(folder_name) / "server.pem"
        authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(pem))
        command = [sys.executable, "-m", "benchmarks.idle", str(pem)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                context = ssl.create_default_context()
                authority.configure_trust(context)
                on_fast_loop(lambda: _measure(port, context, mailboxes))
            finally:
                server.terminate()


async def _measure(port: int, context: ssl.SSLContext, mailboxes: int) -> None:
    gc.collect()
    base = _memory()
    settings = MailboxSettings("m", "m@example.org", HOST, port, "m", "secret", ssl_context=context)
    hosts = Hosts()
    intakes = [Forgetting() for _ in range(mailboxes)]
    sources = [
        ImapSource(replace(settings, name=f"m{number}", user=f"m{number}"), hosts) for number in range(mailboxes)
    ]
    began = time.perf_counter()
    running = [asyncio.create_task(one.run(intake)) for one, intake in zip(sources, intakes, strict=True)]
    try:
        while not all(intake.reports and intake.reports[-1].state == "ok" for intake in intakes):
            await asyncio.sleep(0.1)
            for task in running:
                if task.done():
                    task.result()
        started = time.perf_counter() - began
        gc.collect()
        await asyncio.sleep(SETTLE_SECONDS)
        taken, cpu, at = _memory() - base, time.process_time(), time.perf_counter()
        await asyncio.sleep(WATCH_SECONDS)
        share = (time.process_time() - cpu) / (time.perf_counter() - at)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    line("base, MB", f"{base / 1e6:.0f}")
    line("until all are ok, s", f"{started:.1f}")
    line("memory of a mailbox (two connections), KiB", f"{taken / mailboxes / 1024:.0f}")
    line("CPU of 1,000 mailboxes, % of a core", f"{100 * share * 1000 / mailboxes:.1f}")


def _memory() -> int:
    """Resident bytes of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _serve(pem: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with ImapScript(_BOOK, context, tls_at_once=True) as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    on_fast_loop(lambda: _serve(sys.argv[1]))
