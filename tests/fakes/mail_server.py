"""What the real mail servers of the tests have in common, and where those come from that can't be installed together.

Debian's packages of Dovecot, Cyrus and Courier exclude one another. Dovecot is installed; the others are unpacked, each
into a folder of its own below `.venv/peers` (`tests/peers.sh`; TEST_PEERS names another place), and run from there, so
nothing of the system changes. What they need beside their own packages they find in the system.

Where a server is not there, or may not be run, its tests are skipped, but never in CI.
"""

import contextlib
import imaplib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from tests.fakes.dovecot import ACCOUNT, PASSWORD, START_SECONDS, STOP_SECONDS
from tests.fakes.sources import ROOT

PEERS = Path(os.environ.get("TEST_PEERS", ROOT / ".venv" / "peers"))
LIBRARIES = ("usr/lib", "usr/lib/*-linux-gnu*", "lib/*-linux-gnu*")


class MailServer(Protocol):
    """A server that a mail program can use: `client` is one, logged in."""

    host: str
    imap: int

    def new_user(self) -> str: ...

    def log(self) -> str: ...

    def client(self, user: str) -> contextlib.AbstractContextManager[imaplib.IMAP4]: ...


def unpacked(name: str, program: str) -> Path:
    """The folder into which the packages of a server were unpacked."""
    folder = PEERS / name
    if not (folder / program).exists():
        not_run(f"{name} is not there: PEERS=install make test, as root, unpacks it into {PEERS}")
    return folder


def not_run(reason: str) -> None:
    """Skips the test; in CI, fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def libraries_of(folder: Path) -> str:
    """Where programs of an unpacked folder find their libraries, for LD_LIBRARY_PATH."""
    return ":".join(str(path) for pattern in LIBRARIES for path in sorted(folder.glob(pattern)))


def account() -> pwd.struct_passwd:
    """Whom the mailboxes belong to."""
    return pwd.getpwnam(ACCOUNT) if os.getuid() == 0 else pwd.getpwuid(os.getuid())


class UnpackedServer:
    """The life of a server: a temporary folder, its programs, its log."""

    host = "127.0.0.1"

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"rm-{name}-"))
        self.folder.chmod(0o755)  # run by root, the server's account has to pass through
        self.imap = 0
        self._name = name
        self._children: list[subprocess.Popen[bytes]] = []

    @contextlib.contextmanager
    def client(self, user: str) -> Iterator[imaplib.IMAP4]:
        """Another mail program, logged in."""
        with imaplib.IMAP4(self.host, self.imap) as program:
            program._encoding = "utf-8"  # what `login` encodes a password with
            program.login(user, PASSWORD)
            yield program

    def log(self) -> str:
        """What the server said so far."""
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """Ends it and all that it started."""
        for child in self._children:
            child.terminate()
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def launch(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Starts one of its programs. Should the tests be killed, it ends too."""
        with (self.folder / "log").open("ab") as log:
            self._children.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", *command],
                    env={"PATH": os.environ.get("PATH", os.defpath), **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    process_group=0,
                )
            )

    def wait_for_greeting(self) -> None:
        """Returns when it is ready to talk."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and all(child.poll() is None for child in self._children):
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.imap), 5) as plug:
                if plug.recv(4) == b"* OK":
                    return
            time.sleep(0.02)
        raise RuntimeError(f"{self._name} did not start:\n{self.log()}")
