"""A real mail server for tests: Courier, unpacked beside the system, in a folder that it takes for the whole system.

    imap     in the clear: UIDPLUS and IDLE, and nothing of later years: no CONDSTORE, MOVE, LIST-STATUS or SPECIAL-USE

The places of Courier's files are built into it, so it runs in a root of its own (`chroot`, which takes root): its
programs, the libraries they need, a file of users. File access is watched by `gamin`, without which Courier waits
seconds at every folder. All folders are below INBOX, levels parted by dots. Users are made beforehand; each has an
empty INBOX and the password `PASSWORD`. Mails come by APPEND.

Limits: it gives a folder the time in seconds as UIDVALIDITY, so one that is made again within a second has the same.
"""

import base64
import contextlib
import hashlib
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.dovecot import PASSWORD, free_ports
from tests.fakes.mail_server import UnpackedServer, account, libraries_of, not_run, unpacked

USERS = 200
_PROGRAMS = (
    "usr/bin/imapd",
    "usr/sbin/couriertcpd",
    "usr/lib/courier/courier/imaplogin",
    "usr/lib/courier/courier/makedatprog",
    "usr/lib/courier/courier-authlib/authdaemond",
    "usr/lib/courier-authlib/libauthuserdb.so.0",
    "usr/libexec/gam_server",
)
_AUTHENTICATION = """
authmodulelist="authuserdb"
authmodulelistorig="authuserdb"
authdaemonvar=/run/courier/authdaemon
daemons=3
"""
_SETTINGS = {
    "LD_LIBRARY_PATH": "/usr/lib",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE SORT QUOTA IDLE",
    "IMAP_KEYWORDS": "1",
    "IMAP_IDLE_TIMEOUT": "1",
    "IMAP_USELOCKS": "1",
    "IMAP_MAILBOX_SANITY_CHECK": "1",
    "IMAP_ENHANCEDIDLE": "0",
    "IMAP_ULIMITD": "131072",
    "IMAP_UMASK": "022",
    "IMAP_TRASHFOLDERNAME": "Trash",
    "MAILDIRPATH": "Maildir",
}
_DEVICES = (("null", 1, 3), ("urandom", 1, 9))


class Courier(UnpackedServer):
    """A running server."""

    def __init__(self, packages: Path) -> None:
        super().__init__("courier")
        self._packages = packages
        self._root = self.folder / "root"
        self._users = itertools.count(1)

    def start(self) -> None:
        for name in ("dev", "tmp", "mail", "etc/courier", "run/courier/authdaemon", "usr/lib"):
            (self._root / name).mkdir(parents=True)
        (self._root / "tmp").chmod(0o1777)
        for name, major, minor in _DEVICES:
            os.mknod(self._root / "dev" / name, 0o20666, os.makedev(major, minor))
            (self._root / "dev" / name).chmod(0o666)
        for program in _PROGRAMS:
            self._bring(program)
        self._write_users()
        [self.imap] = free_ports(1)
        self.launch(self._inside("/usr/lib/courier/courier-authlib/authdaemond"), _SETTINGS)
        limits = ["-maxprocs=200", "-maxperip=200", "-nodnslookup", "-noidentlookup"]
        serve = ["/usr/lib/courier/courier/imaplogin", "/usr/bin/imapd", "Maildir"]
        listen = ["/usr/sbin/couriertcpd", f"-address={self.host}", *limits, str(self.imap), *serve]
        self.launch(self._inside(*listen), _SETTINGS)
        self.wait_for_greeting()

    def stop(self) -> None:
        for process in Path("/proc").iterdir():  # gamin leaves the group of those who started it
            with contextlib.suppress(OSError):
                if process.name.isdecimal() and os.readlink(process / "root") == str(self._root):
                    os.kill(int(process.name), signal.SIGKILL)
        super().stop()

    def new_user(self) -> str:
        """A name nobody had, with an empty INBOX."""
        return _name(next(self._users))

    def _inside(self, *command: str) -> list[str]:
        return ["chroot", str(self._root), *command]

    def _bring(self, program: str) -> None:
        """Copies a program and the libraries it needs."""
        there = self._packages / program
        place = self._root / program
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(there, place)
        search = {"LD_LIBRARY_PATH": libraries_of(self._packages), "PATH": os.environ.get("PATH", os.defpath)}
        listed = subprocess.run(["ldd", str(there)], env=search, capture_output=True, text=True, check=True).stdout
        for words in map(str.split, listed.splitlines()):
            if "=>" in words:
                shutil.copy(words[2], self._root / "usr/lib" / Path(words[0]).name)
            elif words[0].startswith("/"):  # the loader, which is named by its full path in each program
                loader = self._root / words[0].lstrip("/")
                loader.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(words[0], loader)

    def _write_users(self) -> None:
        etc, owner = self._root / "etc", account()
        (etc / "passwd").write_text(f"root:x:0:0::/:/bin/sh\nmail:x:{owner.pw_uid}:{owner.pw_gid}::/mail:/bin/sh\n")
        (etc / "group").write_text(f"root:x:0:\nmail:x:{owner.pw_gid}:\n")
        (etc / "courier/authdaemonrc").write_text(_AUTHENTICATION)
        password = "{SHA256}" + base64.b64encode(hashlib.sha256(PASSWORD.encode()).digest()).decode()
        names = [_name(number) for number in range(1, USERS + 1)]
        for name in names:
            home = self._root / "mail" / name
            for part in (home, home / "Maildir", *(home / "Maildir" / one for one in ("cur", "new", "tmp"))):
                part.mkdir()
                os.chown(part, owner.pw_uid, owner.pw_gid)
        who = f"uid={owner.pw_uid}|gid={owner.pw_gid}"
        self._write_table("userdb", [f"{name}\thome=/mail/{name}|{who}|shell=/bin/sh" for name in names])
        self._write_table("userdbshadow", [f"{name}\timappw={password}" for name in names])

    def _write_table(self, name: str, lines: list[str]) -> None:
        make = self._inside("/usr/lib/courier/courier/makedatprog", "-", "/etc/courier/new", f"/etc/courier/{name}.dat")
        subprocess.run(make, input="\n".join([*lines, ".", ""]).encode(), env=_SETTINGS, check=True)


def _name(number: int) -> str:
    return f"user{number}"


@contextlib.contextmanager
def running_courier() -> Iterator[Courier]:
    """A server for the length of a `with`. Without root, or where it is not unpacked, the tests are skipped, but never in
    CI."""
    packages = unpacked("courier", "usr/bin/imapd")
    if os.getuid() != 0:
        not_run("Courier takes root: it runs in a root folder of its own")
    server = Courier(packages)
    try:
        server.start()
        yield server
    finally:
        server.stop()
