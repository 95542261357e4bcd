"""A real mail server for tests: Cyrus, unpacked beside the system, on a loopback port that the system chose.

    imap     in the clear: CONDSTORE, QRESYNC, MOVE, LIST-STATUS, OBJECTID, IDLE

A user is there as soon as it logs in, with an empty INBOX; folders lie beside INBOX, levels parted by dots. Mails come by
APPEND. Run by root the server drops to the account `mail`; run by anybody else it stays what it is.

Limits: any password opens a mailbox. Written for Cyrus 3.6 as Debian packs it.
"""

import contextlib
import grp
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.dovecot import free_ports
from tests.fakes.mail_server import UnpackedServer, account, libraries_of, unpacked

_IMAPD = """
configdirectory: {folder}/conf
partition-default: {folder}/mail
defaultpartition: default
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
idlesocket: {folder}/run/idle
lmtpsocket: {folder}/run/lmtp
notifysocket: {folder}/run/notify
sievedir: {folder}/sieve
cyrus_user: {user}
admins: cyrus
altnamespace: yes
unixhierarchysep: no
virtdomains: off
autocreate_quota: 0
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
imapidlepoll: 1
expunge_mode: immediate
delete_mode: immediate
duplicatesuppression: no
search_engine: none
skiplist_unsafe: yes
"""
_CYRUS = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {folder}/imapd.conf" listen="127.0.0.1:{imap}" prefork=1 maxchild=200
}}
DAEMON {{
  idled cmd="{bin}/idled -C {folder}/imapd.conf"
}}
EVENTS {{
}}
"""


class Cyrus(UnpackedServer):
    """A running server."""

    def __init__(self, root: Path) -> None:
        super().__init__("cyrus")
        self._root = root
        self._users = itertools.count(1)

    def start(self) -> None:
        owner = account()
        for name in ("conf", "mail", "run"):
            (self.folder / name).mkdir()
            if os.getuid() == 0:
                os.chown(self.folder / name, owner.pw_uid, owner.pw_gid)
        [self.imap] = free_ports(1)
        programs = self._root / "usr/lib/cyrus/bin"
        for path, text in (("imapd.conf", _IMAPD), ("cyrus.conf", _CYRUS)):
            filled = text.format(folder=self.folder, user=owner.pw_name, bin=programs, imap=self.imap)
            (self.folder / path).write_text(filled)
        master = [str(programs / "master"), "-D", "-p", str(self.folder / "run/pid")]
        master += ["-C", str(self.folder / "imapd.conf"), "-M", str(self.folder / "cyrus.conf")]
        if os.getuid() == 0:
            group = grp.getgrgid(owner.pw_gid).gr_name
            master = [f"--reuid={owner.pw_name}", f"--regid={group}", "--clear-groups", *master]
        self.launch(master, {"LD_LIBRARY_PATH": libraries_of(self._root)})
        self.wait_for_greeting()

    def new_user(self) -> str:
        """A name nobody had, with an empty INBOX."""
        return f"user{next(self._users)}"


@contextlib.contextmanager
def running_cyrus() -> Iterator[Cyrus]:
    """A server for the length of a `with`. Where it is not unpacked the tests are skipped, but never in CI."""
    server = Cyrus(unpacked("cyrus", "usr/lib/cyrus/bin/master"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
