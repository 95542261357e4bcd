"""What the embedded server keeps on disk, and the lock that lets one daemon at a time have it.

    data_dir/lock             flock held for life; JSON: pid, started, command, and dsn once the server runs
    home/pg18/                the cluster, its major version in the name
    home/pg18.init.<random>/  one being made: renamed when it is whole, removed by the next start otherwise
    home/run/                 the socket; only the account of the server may enter
    home/pg_hba.conf, pg_ident.conf, postgres.log, binaries-18.6/

`home` is data_dir. The exception: we are root, and the account that the server runs under cannot pass through data_dir
(it lies below /root, or is closed to others). Then `home` is /var/lib/ringmail/<hash of data_dir>, for we never change
the mode or the owner of a folder that we did not make. A data_dir that is made here by root is open to pass through and
closed to read (0711). Where the first start made the database it is looked for ever after, even if modes have changed;
moving or copying data_dir does not take along what lies aside.

A Unix socket's path is limited to some 100 bytes. If it would be longer, the socket lies in a private folder below
XDG_RUNTIME_DIR or the folder for temporary files.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from storage.binaries import Account, can_reach, choose_account
from storage.errors import FolderInUse, StorageError

SOCKET_PATH_BYTES_MAX = 100
LOCK_BYTES_MAX = 4096
LOCK_TRIES = 3
LOCK_READ_TRIES = 10
LOCK_PAUSE_SECONDS = 0.01
ROOT_HOME = Path("/var/lib/ringmail")
_CLUSTER = re.compile(r"pg(\d{2})")


class FolderLock:
    """Held until `release` or the end of the process, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "lock"
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise not_writable(data_dir, error) from error
        for tries_left in reversed(range(LOCK_TRIES)):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in {errno.EAGAIN, errno.EACCES} and tries_left:
                    time.sleep(LOCK_PAUSE_SECONDS)  # one of our commands may just be looking (`running_dsn`)
                    continue
                os.close(self._descriptor)
                if error.errno not in {errno.EAGAIN, errno.EACCES}:
                    raise StorageError(
                        f"The data folder {data_dir} cannot be locked: {error.strerror}. Use a local file system."
                    ) from error
                holder = read_lock(data_dir)
                raise FolderInUse(str(data_dir), holder.pid, holder.command) from None
            break
        self.write("")

    def write(self, dsn: str) -> None:
        """Says who we are to whoever comes second, and to our own commands where the server listens."""
        words = " ".join([Path(sys.argv[0]).name or "python", *sys.argv[1:]])[:500]
        started = datetime.now(UTC).isoformat(timespec="seconds")
        content = json.dumps({"pid": os.getpid(), "started": started, "command": words, "dsn": dsn}, ensure_ascii=False)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content.encode("utf-8", "replace")[:LOCK_BYTES_MAX], 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True)
class Holder:
    """What the lock file says of its holder; nothing, if it says nothing we understand."""

    pid: int | None = None
    command: str = ""
    dsn: str = ""


def read_lock(data_dir: Path) -> Holder:
    for _ in range(LOCK_READ_TRIES):
        with suppress(OSError, ValueError, KeyError, TypeError):
            with (data_dir / "lock").open("rb") as lock:
                content = json.loads(lock.read(LOCK_BYTES_MAX))
            return Holder(int(content["pid"]), str(content["command"]), str(content["dsn"]))
        time.sleep(LOCK_PAUSE_SECONDS)  # the holder may be between emptying and writing
    return Holder()


def running_dsn(data_dir: Path) -> str | None:
    """Where the server of the daemon that holds this folder listens; None if none is running. For our other commands,
    which need not start a server of their own beside a running daemon."""
    try:
        descriptor = os.open(data_dir / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return read_lock(data_dir).dsn or None
    finally:
        os.close(descriptor)
    return None


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Where things lie for one data_dir, and under whose name."""

    home: Path
    account: Account

    def cluster(self, major: int) -> Path:
        return self.home / f"pg{major}"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    def majors(self) -> list[int]:
        return sorted(int(match[1]) for entry in self.home.iterdir() if (match := _CLUSTER.fullmatch(entry.name)))

    def make_private(self, path: Path) -> Path:
        """A folder that only the account of the server may enter. Refuses one that somebody else put there."""
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            if self.account.is_other:
                os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)
        seen = path.lstat()
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != self.account.uid or stat.S_IMODE(seen.st_mode) & 0o077:
            raise StorageError(
                f"{path} must be a folder of {self.account.name} with mode 0700. Remove it and start again."
            )
        return path

    def make_socket_folder(self) -> Path:
        folder = self.home / "run"
        if len(os.fsencode(folder / ".s.PGSQL.5432")) > SOCKET_PATH_BYTES_MAX:
            runtime = os.environ.get("XDG_RUNTIME_DIR", "")
            base = Path(runtime if runtime and not self.account.is_other and Path(runtime).is_dir() else "/tmp")  # noqa: S108  # made private below
            folder = base / f"ringmail-{self.account.uid}-{short_hash(self.home)}"
        return self.make_private(folder)

    def remove_drafts(self) -> None:
        """What a start that was killed has left."""
        for draft in self.home.glob("pg*.init.*"):
            shutil.rmtree(draft, ignore_errors=True)

    def new_draft(self, major: int) -> Path:
        return self.make_private(self.home / f"pg{major}.init.{token_hex(6)}")

    def write_file(self, name: str, content: str) -> Path:
        """Readable by the account of the server, writable by us. Replaced as a whole."""
        draft = self.home / f"{name}.draft"
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o644)
            file.write(content)
        return draft.rename(self.home / name)


def make_data_dir(data_dir: Path) -> Path:
    """Its absolute path."""
    data_dir = data_dir.absolute()
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            data_dir.mkdir()
            data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise not_writable(data_dir, error) from error
    return data_dir


def settle(data_dir: Path) -> StateFolder:
    """Chooses home and account. The caller holds the lock."""
    aside = ROOT_HOME / short_hash(data_dir)
    here = _clusters(data_dir) if is_root() else []
    there = _clusters(aside) if is_root() else []
    if here and there:
        raise StorageError(
            f"There is a database in {data_dir} and one in {aside}, and only you can tell which is the right one. "
            "Move the other folder away and start again."
        )
    account = choose_account(*here, *there, data_dir)
    # A database stays where it was made. Modes may change later, and choosing anew would quietly start an empty one.
    if here and not can_reach(account, data_dir):
        raise StorageError(
            f"The database in {data_dir} runs as {account.name}, which can no longer pass through that folder. "
            f"Let it through again (chmod o+x on {data_dir} or the closed folder above it), or move the folder."
        )
    if not there and can_reach(account, data_dir):
        return StateFolder(data_dir, account)
    try:
        ROOT_HOME.mkdir(mode=0o711, exist_ok=True)
        aside.mkdir(mode=0o711, exist_ok=True)
    except OSError as error:
        raise not_writable(aside, error) from error
    if not can_reach(account, aside):
        raise StorageError(
            f"The database runs as {account.name}, which can enter neither {data_dir} nor {aside}. "
            "Choose a data_dir that this account can pass through, for example below /srv."
        )
    return StateFolder(aside, account)


def _clusters(home: Path) -> list[Path]:
    return sorted(home.glob("pg[0-9][0-9]"))


def is_root() -> bool:
    return os.geteuid() == 0


def short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]


def not_writable(folder: Path, error: OSError) -> StorageError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageError(f"The disk that holds {folder} is full. Make room and start again.")
    return StorageError(
        f"The data folder {folder} cannot be written: {error.strerror or error}. "
        "Change its owner, or set data_dir to a folder of yours."
    )
