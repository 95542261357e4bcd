"""A real mail server for tests: the system's Dovecot, in a temporary folder, on loopback ports that the system chose.

    imap     in the clear and STARTTLS          imaps    TLS from the start, a certificate for `localhost`

Every user name exists, with an empty INBOX and the password `PASSWORD`, so each test takes a new one. Mails are
delivered as Maildir files, as a mail transport would, or by APPEND through imaplib, as another mail program would.
Flags are read from the names of those files: nothing that Dovecot might gloss over.

Run by root the server drops to the account `mail`; run by anybody else it stays what it is.

Limits: written for the configuration of Dovecot 2.3.
"""

import contextlib
import grp
import imaplib
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import trustme

from connectors.mail.arguments import encode_name

PASSWORD = "Пароль-1"
ACCOUNT = "mail"
START_SECONDS = 20.0
STOP_SECONDS = 5.0
TRIES = 3

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
auth_verbose = yes
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{folder}/mail/%u:INDEX={folder}/index/%u
mail_fsync = never
mail_max_userip_connections = 1000
mailbox_idle_check_interval = 1 secs
ssl = yes
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
disable_plaintext_auth = no
auth_mechanisms = plain
auth_failure_delay = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    special_use = \\Sent
  }}
  mailbox Junk {{
    special_use = \\Junk
  }}
  mailbox Trash {{
    special_use = \\Trash
  }}
  mailbox Drafts {{
    special_use = \\Drafts
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  # Wrong passwords would slow down everybody at this address.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


class Dovecot:
    """A running server."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rm-dovecot-"))
        self.folder.chmod(0o755)  # run by root, the server's account has to pass through
        self.authority = trustme.CA()
        self.imap = self.imaps = 0
        self._account = pwd.getpwnam(ACCOUNT) if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._child: subprocess.Popen[bytes] | None = None
        self._users = itertools.count(1)
        self._mails = itertools.count(1)

    def start(self) -> None:
        for name in ("run", "mail", "index"):
            self._own(self._made(self.folder / name))
        certificate = self.authority.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(str(self.folder / "server.key"))
        for piece in certificate.cert_chain_pems:
            piece.write_to_path(str(self.folder / "server.pem"), append=True)
        (self.folder / "dovecot.log").touch()
        for name in ("server.key", "server.pem", "dovecot.log"):
            self._own(self.folder / name)
        for _ in range(TRIES):  # between choosing a port and listening on it, somebody else may take it
            self._configure(*free_ports(2))
            if self._launch():
                return
        raise RuntimeError(f"Dovecot did not start:\n{self.log()}")

    def halt(self) -> None:
        """Ends the server as an administrator would; mailboxes and ports stay."""
        self._end()

    def resume(self) -> None:
        """Starts it again where it was."""
        if not self._launch():
            raise RuntimeError(f"Dovecot did not start again:\n{self.log()}")

    def stop(self) -> None:
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What the server said so far."""
        path = self.folder / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def trusting(self) -> ssl.SSLContext:
        """A context that trusts this server's authority and no other."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    # Mailboxes ------------------------------------------------------------------------------------------------------

    def new_user(self) -> str:
        """A name nobody had, with an empty INBOX."""
        name = f"user{next(self._users)}@example.org"
        self._make_folder(self._maildir(name, "INBOX"))
        return name

    def make_folder(self, user: str, folder: str) -> None:
        """A folder with nothing in it. Its name as people write it, levels parted by dots."""
        self._make_folder(self._maildir(user, folder))

    def deliver(self, user: str, raw: bytes, folder: str = "INBOX", at: datetime | None = None) -> None:
        """A mail, as a mail transport brings it; `at` becomes its INTERNALDATE."""
        maildir = self._maildir(user, folder)
        if not maildir.exists():
            self._make_folder(maildir)
        name = f"{time.time():.6f}.{next(self._mails):06}.test"
        path = maildir / "tmp" / name
        path.write_bytes(raw)
        path.chmod(0o644)
        if at is not None:
            os.utime(path, (at.timestamp(), at.timestamp()))
        path.rename(maildir / "new" / name)

    def flags(self, user: str, folder: str = "INBOX") -> list[str]:
        """The flags of every mail as Maildir has them, sorted: "S" is seen, "F" flagged, "" none."""
        maildir = self._maildir(user, folder)
        names = [path.name for part in ("new", "cur") for path in (maildir / part).iterdir()]
        return sorted(name.partition(":2,")[2] for name in names)

    @contextlib.contextmanager
    def client(self, user: str) -> Iterator[imaplib.IMAP4]:
        """Another mail program, logged in."""
        with imaplib.IMAP4(self.host, self.imap) as program:
            program.authenticate("PLAIN", lambda _: f"\0{user}\0{PASSWORD}".encode())
            yield program

    def append(self, user: str, raw: bytes, folder: str = "Sent", flags: str = r"(\Seen)") -> None:
        """A mail, as another mail program files it."""
        name = f'"{encode_name(folder).decode()}"'
        with self.client(user) as program:
            if program.append(name, flags, "", raw)[0] != "OK":
                program.create(name)
                assert program.append(name, flags, "", raw)[0] == "OK"

    def renumber(self, user: str, uidvalidity: int, folder: str = "INBOX") -> None:
        """Gives the folder another UIDVALIDITY and its mails other UIDs, as a rebuilt server would."""
        listed = self._maildir(user, folder) / "dovecot-uidlist"
        first, *mails = listed.read_text().splitlines()
        highest = max((int(line.split(" ", 1)[0]) for line in mails), default=0)
        first = re.sub(r" N\d+", f" N{2 * highest + 1}", re.sub(r" V\d+", f" V{uidvalidity}", first))
        moved = [f"{int(number) + highest} {rest}" for number, rest in (line.split(" ", 1) for line in mails)]
        listed.write_text("\n".join([first, *moved]) + "\n")
        shutil.rmtree(self.folder / "index" / user, ignore_errors=True)

    def _maildir(self, user: str, folder: str) -> Path:
        base = self.folder / "mail" / user
        return base if folder == "INBOX" else base / f".{encode_name(folder).decode()}"

    def _make_folder(self, maildir: Path) -> None:
        self._own(self._made(maildir))
        for part in ("cur", "new", "tmp"):
            self._own(self._made(maildir / part))

    def _made(self, path: Path) -> Path:
        path.mkdir(exist_ok=True)
        return path

    def _own(self, path: Path) -> None:
        if os.getuid() == 0:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    # The server -----------------------------------------------------------------------------------------------------

    def _configure(self, imap: int, imaps: int) -> None:
        self.imap, self.imaps = imap, imaps
        (self.folder / "dovecot.conf").write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                user=self._account.pw_name,
                group=grp.getgrgid(self._account.pw_gid).gr_name,
                uid=self._account.pw_uid,
                gid=self._account.pw_gid,
                password=PASSWORD,
                imap=imap,
                imaps=imaps,
            )
        )

    def _launch(self) -> bool:
        # Should the tests be killed, the server ends too.
        command = ["setpriv", "--pdeathsig", "TERM", str(_program()), "-F", "-c", str(self.folder / "dovecot.conf")]
        if os.getuid() == 0:
            ids = [f"--reuid={self._account.pw_uid}", f"--regid={self._account.pw_gid}", "--clear-groups"]
            command[1:1] = ids
        with (self.folder / "dovecot.log").open("ab") as log:
            child = self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and child.poll() is None:
            try:
                with socket.create_connection((self.host, self.imap), 1) as plug:
                    if plug.recv(4) == b"* OK":
                        return True
            except OSError:
                time.sleep(0.02)
        self._end()
        return False

    def _end(self) -> None:
        if self._child is None:
            return
        group = self._child.pid
        self._child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_SECONDS)
        # Those who wait for their clients to leave; an idling mailbox looks up only every ten seconds.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self._child.wait()
        self._child = None


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens."""
    with contextlib.ExitStack() as stack:
        plugs = [stack.enter_context(socket.socket()) for _ in range(count)]
        for plug in plugs:
            plug.bind(("127.0.0.1", 0))
        return [plug.getsockname()[1] for plug in plugs]


def _program() -> str | None:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def running_dovecot(kind: type[Dovecot] = Dovecot) -> Iterator[Dovecot]:
    """A server for the length of a `with`. Where Dovecot is not installed the tests are skipped, but never in CI."""
    if _program() is None:
        reason = "Dovecot is not installed: apt-get install dovecot-imapd"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    server = kind()
    try:
        server.start()
        yield server
    finally:
        server.stop()
